"""The demo store: whole, honest in its books, and there once."""

import io
import uuid
from collections import Counter

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.models import AuditEvent, User
from accountsstore.demo import SIGN_INS, load
from accountsstore.demo.goods import GOODS
from accountsstore.models import OutboxEvent, OutboxMail
from chat.models import Conversation, Message, Notification, Participant
from listings.models import Favourite, Listing, ListingImage, ListingReport, Review, StockItem
from payments.models import Deadline, Deposit, LedgerEntry, Order, OrderEvent, Withdrawal
from payments.services.verification import ledger_verify

COUNTED = (
    *(User, Listing, ListingImage, StockItem, Order, OrderEvent, Review, Favourite, ListingReport, Deadline),
    *(Deposit, Withdrawal, LedgerEntry, Conversation, Message, Notification, OutboxEvent, OutboxMail, AuditEvent),
)

pytestmark = pytest.mark.slow


def counts() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in COUNTED}


def unread() -> tuple[int, set[tuple[uuid.UUID, int]]]:
    """Notifications that nobody has read, and how far each person has read each conversation."""
    read_up_to = Participant.objects.values_list("pk", "read_seq")
    return Notification.objects.filter(is_read=False).count(), set(read_up_to)


def test_it_says_how_far_it_is_and_how_to_sign_in(demo: str) -> None:
    assert demo.index("4 weeks ago") < demo.index("This week") < demo.index("The demo is ready")
    assert all(f"{email:<28} {password}" in demo for _role, email, password in SIGN_INS)


@pytest.mark.django_db
def test_a_second_run_adds_nothing(demo: str) -> None:
    before, out = counts(), io.StringIO()
    call_command("seed_demo", stdout=out)
    assert counts() == before
    assert "there already" in out.getvalue()


@pytest.mark.django_db
def test_a_load_that_lost_its_mark_finds_everything_done(demo: str) -> None:
    before = counts(), unread()
    AuditEvent.objects.filter(action=load.LOADED).delete()
    load.demo_load(lambda line: None)
    assert (counts(), unread()) == before


@pytest.mark.django_db
def test_the_books_hold(demo: str) -> None:
    proof = ledger_verify()
    assert [str(fault) for fault in proof.faults] == []
    assert proof.counted["orders"] > 100


@pytest.mark.django_db
@pytest.mark.parametrize(("role", "email", "password"), SIGN_INS)
def test_every_printed_sign_in_works(
    demo: str, client: Client, settings: Settings, role: str, email: str, password: str
) -> None:
    # As the store has kept the passwords.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    answer = client.post(reverse("account_login"), {"login": email, "password": password})
    assert answer.status_code == 302, answer.content.decode()
    staff_desk = client.get(reverse("admin:index"))
    assert (staff_desk.status_code == 200) == (role in ("staff", "admin"))


@pytest.mark.django_db
def test_every_state_of_orders_deposits_and_withdrawals_is_there(demo: str) -> None:
    for model in (Order, Deposit, Withdrawal):
        found = set(model.objects.values_list("state", flat=True))
        assert found == set(model.State.values), model.__name__


@pytest.mark.django_db
def test_every_good_became_a_listing_and_every_category_has_one_on_sale(demo: str) -> None:
    states = Counter(Listing.objects.values_list("state", flat=True))
    assert sum(states.values()) == len(GOODS)
    assert states["active"] >= 40
    on_sale = set(Listing.objects.filter(state="active").values_list("category__slug", flat=True))
    assert on_sale == {good.category for good in GOODS.values()}
    assert len(on_sale) >= 12


@pytest.mark.django_db
def test_staff_find_something_overdue_in_each_hand(demo: str) -> None:
    late = Deadline.objects.filter(is_open=True, due_at__lt=timezone.now())
    assert set(late.values_list("kind", flat=True)) == {"review_deposit", "approve_withdrawal", "decide_dispute"}


@pytest.mark.django_db
def test_a_receipt_shown_twice_is_marked(demo: str) -> None:
    waiting = Deposit.objects.get(user__username="dunya", state="submitted")
    assert len(waiting.lookalikes) == 2


@pytest.mark.django_db
def test_the_past_lies_in_the_past_and_in_its_order(demo: str) -> None:
    now = timezone.now()
    for model in COUNTED:
        assert not model.objects.filter(created_at__gt=now).exists(), model.__name__
    for order in Order.objects.exclude(released_minor=0).select_related("listing"):
        times = [order.listing.published_at, order.funded_at, order.delivered_at, order.accepted_at, order.finished_at]
        assert times == sorted(filter(None, times)) or None in times, order.number
        assert order.finished_at < now


@pytest.mark.django_db
def test_nothing_is_left_for_the_worker(demo: str) -> None:
    assert not OutboxEvent.objects.filter(pending=True).exists()
    assert not OutboxMail.objects.filter(pending=True).exists()
