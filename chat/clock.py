"""The chat's part of the clock."""

import datetime

from accountsstore.clock import on_tick
from chat.services.missed import missed_messages_mail
from chat.services.tickets import tickets_tick


@on_tick("missed messages", every_seconds=15)
def missed_messages(now: datetime.datetime) -> int:
    return missed_messages_mail(now)


@on_tick("tickets", every_seconds=60)
def tickets(now: datetime.datetime) -> int:
    return tickets_tick(now)
