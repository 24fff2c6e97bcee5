"""Questions to the staff."""

from accountsstore.demo.deeds.people import user_named
from accountsstore.demo.made_up import made_up
from chat.models import Ticket
from chat.services.messages import message_send
from chat.services.ticket_desk import ticket_answer, ticket_note_add, ticket_resolve
from chat.services.tickets import ticket_open
from payments.models import Order


def ask(username: str, topic: str, text: str, order: Order | None = None) -> Ticket:
    return ticket_open(user=user_named(username), topic=topic, body=text, client_id=_id(text), order=order)


def answer(ticket: Ticket, staff: str, text: str) -> None:
    ticket_answer(ticket=ticket, staff=user_named(staff), client_id=_id(text), body=text)


def write_again(ticket: Ticket, text: str) -> None:
    message_send(conversation_id=ticket.conversation.pk, sender=ticket.user, client_id=_id(text), body=text)


def note(ticket: Ticket, staff: str, text: str) -> None:
    if not ticket.notes.exists():
        ticket_note_add(ticket=ticket, staff=user_named(staff), text=text)


def solve(ticket: Ticket, staff: str) -> None:
    ticket.refresh_from_db()
    if ticket.is_running:
        ticket_resolve(ticket=ticket, staff=user_named(staff))


def _id(text: str) -> str:
    return f"demo-{made_up(text, length=20)}"
