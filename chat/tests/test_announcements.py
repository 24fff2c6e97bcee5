"""What the store says to everybody."""

import datetime

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent, User
from chat.models import Announcement
from chat.tests.tabs import Tab

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk(staff: User) -> Client:
    User.objects.filter(pk=staff.pk).update(is_superuser=True)
    client = Client()
    client.force_login(staff)
    return client


def announce(client: Client, text: str, *, days: int = 1, arabic: str = "") -> None:
    until = timezone.localtime() + datetime.timedelta(days=days)
    answer = client.post(
        reverse("admin:chat_announcement_add"),
        {"text_en": text, "text_ar": arabic, "ends_at_0": f"{until:%Y-%m-%d}", "ends_at_1": f"{until:%H:%M:%S}"},
    )
    assert answer.status_code == 302, answer.content.decode()


async def test_an_announcement_reaches_open_pages_at_once_and_those_opened_later(
    buyer: User, desk: Client, client: Client
) -> None:
    async with Tab(buyer) as tab:
        await sync_to_async(announce)(desk, "Payments pause at 22:00", arabic="تتوقف المدفوعات")
        told = await tab.expect("announcement")
        assert told["texts"] == {"en": "Payments pause at 22:00", "ar": "تتوقف المدفوعات"}
    page = (await sync_to_async(client.get)("/")).content.decode()
    assert "Payments pause at 22:00" in page
    client.cookies["django_language"] = "ar"
    assert "تتوقف المدفوعات" in (await sync_to_async(client.get)("/")).content.decode()
    assert await AuditEvent.objects.filter(action="announcement.add").aexists()


async def test_what_is_taken_back_or_has_ended_is_said_no_more(buyer: User, desk: Client, client: Client) -> None:
    await sync_to_async(announce)(desk, "Payments pause at 22:00")
    shown = await Announcement.objects.aget()
    async with Tab(buyer) as tab:
        delete = reverse("admin:chat_announcement_delete", args=[shown.pk])
        await sync_to_async(desk.post)(delete, {"post": "yes"})
        assert (await tab.expect("announcement"))["texts"] == {}
    assert b"Payments pause" not in (await sync_to_async(client.get)("/")).content
    await sync_to_async(announce)(desk, "It was yesterday", days=-1)
    assert b"It was yesterday" not in (await sync_to_async(client.get)("/")).content
