import datetime
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone, translation

from accounts.models import User
from accounts.services import seller_application_ask, seller_apply, seller_suspend
from accountsstore import outbox
from accountsstore.db import atomic
from accountsstore.events import DeadlineNear, DepositChanged, Event, OrderChanged, SellerChanged, WithdrawalChanged
from accountsstore.models import OutboxEvent, OutboxMail
from chat import notes, subscribers
from chat.models import Message, Notification
from chat.notification_texts import KINDS, MUTABLE, TOPICS, notification_text, notification_title
from chat.services.notifications import preferences_set
from chat.tests.factories import OrderFactory
from listings.services.moderation import listing_take_down
from listings.tests.factories import ListingFactory
from payments.models import Deposit, Order, OrderEvent, PayoutMethod, Withdrawal
from payments.states import TRANSITIONS
from payments.tests.factories import DepositFactory

pytestmark = pytest.mark.django_db

Jobs = Callable[[], None]


@pytest.fixture
def order(buyer: User, seller: User) -> Order:
    return OrderFactory(buyer=buyer, seller=seller, delivered_at=timezone.now(), accepted_at=timezone.now())


@atomic
def tell(event: Event, *to: User) -> OutboxEvent:
    outbox.publish(event, to=[user.pk for user in to])
    return OutboxEvent.objects.order_by("-created_at").first()


def moved(order: Order, happening: str, actor: User | None = None, note: str = "") -> OutboxEvent:
    """What an order's service leaves behind when it takes a step."""
    OrderEvent.objects.create(order=order, happening=happening, to_state=order.state, actor=actor, note=note)
    return tell(OrderChanged(order=order.pk.hex, number=order.number, state=order.state, happening=happening))


def told(user: User) -> list[str]:
    return list(Notification.objects.filter(user=user).order_by("id").values_list("kind", flat=True))


# ---------------------------------------------------------------- orders

# happening, who did it → kinds that the buyer and the seller are told
NEWS: list[tuple[str, str, list[str], list[str]]] = [
    ("request", "buyer", [], ["order.requested"]),
    ("fund", "buyer", [], ["order.sold"]),
    ("agree", "seller", ["order.agreed"], []),
    ("decline", "seller", ["order.declined"], []),
    ("withdraw", "buyer", [], ["order.request_withdrawn"]),
    ("expire", "", ["order.expired_buyer"], ["order.expired_seller"]),
    ("deliver", "seller", ["order.delivered"], []),
    ("redeliver", "seller", ["order.redelivered"], []),
    ("cancel", "seller", ["order.cancelled_by_seller"], []),
    ("cancel", "buyer", [], ["order.cancelled_by_buyer"]),
    ("lapse", "", ["order.lapsed_buyer"], ["order.lapsed_seller"]),
    ("dispute", "buyer", [], ["order.disputed"]),
    ("offer", "seller", ["order.offer"], []),
    ("offer", "buyer", [], ["order.offer"]),
    ("accept", "buyer", [], ["order.accepted"]),
    ("accept", "", ["order.accepted_by_clock"], ["order.accepted"]),
    ("release", "", ["order.finished"], ["order.paid"]),
    ("release_early", "", ["order.finished"], ["order.paid"]),
    ("resolve_release", "seller", ["order.resolved"], ["order.resolved"]),
    ("resolve_refund", "", ["order.resolved"], ["order.resolved"]),
    ("resolve_split", "", ["order.resolved"], ["order.resolved"]),
    ("reveal", "buyer", [], []),
]


@pytest.mark.parametrize(("happening", "by", "to_buyer", "to_seller"), NEWS)
def test_each_step_is_told_to_who_did_not_take_it(
    order: Order,
    buyer: User,
    seller: User,
    run_jobs: Jobs,
    happening: str,
    by: str,
    to_buyer: list[str],
    to_seller: list[str],
) -> None:
    moved(order, happening, {"buyer": buyer, "seller": seller, "": None}[by], note="$5.00")
    run_jobs()
    assert (told(buyer), told(seller)) == (to_buyer, to_seller)
    for row in Notification.objects.all():
        assert "–" not in notification_text(row.kind, row.params), "a figure is missing"
        assert row.url == order.get_absolute_url()


def test_every_step_of_the_order_table_is_told_and_leaves_a_line() -> None:
    assert {happening for happening, *_ in NEWS} >= set(TRANSITIONS)
    assert set(notes.ORDER_NOTES) >= set(TRANSITIONS)


def test_a_sale_from_stock_is_told_as_delivered(seller: User, buyer: User, run_jobs: Jobs) -> None:
    listing = ListingFactory(seller=seller, from_stock=[{"login": "a", "password": "b"}])
    order = OrderFactory(buyer=buyer, seller=seller, listing=listing, delivered_at=timezone.now())
    moved(order, "fund", buyer)
    moved(order, "deliver")
    run_jobs()
    assert (told(buyer), told(seller)) == (["order.delivered"], ["order.sold_from_stock"])


@pytest.mark.stack
def test_an_event_handled_twice_tells_mails_and_writes_once(order: Order, seller: User, run_jobs: Jobs) -> None:
    row = moved(order, "fund")
    outbox.event_handle_now(row.pk.hex)
    OutboxEvent.objects.filter(pk=row.pk).update(handled_at=None, pending=True)
    outbox.event_handle_now(row.pk.hex)
    assert told(seller) == ["order.sold"]
    assert OutboxEvent.objects.filter(topic="notification.new").count() == 1
    assert OutboxMail.objects.filter(to=seller.email).count() == 1
    assert Message.objects.count() == 1


@pytest.mark.stack
def test_two_corrections_are_told_twice(order: Order, buyer: User, seller: User, run_jobs: Jobs) -> None:
    first = moved(order, "redeliver", seller)
    # Told apart by their millisecond, and nobody corrects twice in one.
    OutboxEvent.objects.filter(pk=first.pk).update(created_at=first.created_at - datetime.timedelta(milliseconds=1))
    moved(order, "redeliver", seller)
    run_jobs()
    assert told(buyer) == ["order.redelivered"] * 2


@pytest.mark.stack
def test_lines_stand_in_the_timelines_order_even_if_the_jobs_overtake_each_other(
    order: Order, buyer: User, seller: User
) -> None:
    first, second = moved(order, "fund", buyer), moved(order, "deliver", seller)
    outbox.event_handle_now(second.pk.hex)
    outbox.event_handle_now(first.pk.hex)
    assert list(Message.objects.order_by("seq").values_list("body", flat=True)) == ["fund", "deliver"]


def test_the_buyer_is_told_what_a_dispute_came_to(order: Order, buyer: User, run_jobs: Jobs) -> None:
    Order.objects.filter(pk=order.pk).update(released_minor=1840, refunded_minor=1800, fee_minor=160)
    order.refresh_from_db()
    moved(order, "resolve_split")
    run_jobs()
    row = Notification.objects.get(user=buyer)
    assert "$18.00 goes to Amal, $18.40 to northpine" in notification_text(row.kind, row.params)


@pytest.mark.stack
def test_the_frame_carries_the_sentence_and_the_count(order: Order, seller: User, run_jobs: Jobs) -> None:
    moved(order, "fund")
    moved(order, "dispute")
    run_jobs()
    frames = OutboxEvent.objects.filter(topic="notification.new").order_by("created_at")
    assert [frame.payload["unread"] for frame in frames] == [1, 2]
    assert "Amal bought" in frames[0].payload["text"]
    assert frames[0].groups == [f"user.{seller.pk.hex}"]


# ---------------------------------------------------------------- deadlines, money, standing


@pytest.mark.parametrize(("kind", "who"), [("deliver", "seller"), ("inspect", "buyer"), ("warranty", "")])
@pytest.mark.stack
def test_a_deadline_reminds_who_must_act(
    order: Order, buyer: User, seller: User, run_jobs: Jobs, kind: str, who: str
) -> None:
    due = "2026-11-25T18:44:00+00:00"
    tell(DeadlineNear(order=order.pk.hex, number=order.number, kind=kind, due_at=due))
    run_jobs()
    people = {"buyer": buyer, "seller": seller}
    assert {name for name, user in people.items() if told(user)} == ({who} if who else set())
    if who:
        mail = OutboxMail.objects.get(to=people[who].email)
        assert "18:44" in mail.subject


@pytest.mark.stack
def test_a_second_reminder_is_another_one(order: Order, seller: User, run_jobs: Jobs) -> None:
    for hours in (12, 2):
        tell(DeadlineNear(order=order.pk.hex, number=order.number, kind="deliver", due_at="2026-11-25T18:44:00+00:00"))
        OutboxEvent.objects.filter(topic="deadline.near", pending=True).update(
            created_at=timezone.now() - datetime.timedelta(hours=hours)
        )
        run_jobs()
    assert told(seller) == ["deadline.deliver"] * 2


@pytest.mark.stack
def test_a_deposits_decision_reaches_its_payer_by_mail_with_the_reason(buyer: User, run_jobs: Jobs) -> None:
    deposit = DepositFactory(user=buyer)
    Deposit.objects.filter(pk=deposit.pk).update(state="rejected", reason="The receipt shows another account.")
    tell(DepositChanged(deposit=deposit.pk.hex, user=buyer.pk.hex, state="under_review"))
    tell(DepositChanged(deposit=deposit.pk.hex, user=buyer.pk.hex, state="rejected"))
    run_jobs()
    assert told(buyer) == ["deposit.rejected"]
    mail = OutboxMail.objects.get(template="deposit_decided")
    assert "The receipt shows another account." in mail.body_text
    assert f"/wallet/deposits/{deposit.code}/" in mail.body_text


@pytest.mark.parametrize("state", ["requested", "approved", "sent", "settled", "rejected", "failed", "cancelled"])
def test_a_withdrawal_is_told_at_each_move_but_its_owners_own(seller: User, run_jobs: Jobs, state: str) -> None:
    method = PayoutMethod.objects.create(
        user=seller, kind="bank", holder="N", masked="…1234", ciphertext=b"", wrapped_key=b"", usable_at=timezone.now()
    )
    withdrawal = Withdrawal.objects.create(
        code="WD-1", request_key="k", user=seller, payout_method=method, amount_minor=9900, currency="USD", state=state
    )
    tell(WithdrawalChanged(withdrawal=withdrawal.pk.hex, user=seller.pk.hex, state=state))
    run_jobs()
    assert told(seller) == ([] if state == "cancelled" else [f"withdrawal.{state}"])


def test_an_applicant_reads_the_question_of_staff(buyer: User, staff: User, run_jobs: Jobs) -> None:
    application = seller_apply(user=buyer, legal_name="Amal", country="Jordan", sells="Licences")
    seller_application_ask(application=application, staff=staff, reason="Where do the licences come from?")
    run_jobs()
    assert told(buyer) == ["seller.needs_info"]
    assert "Where do the licences come from?" in OutboxMail.objects.get(template="seller_decided").body_text


@pytest.mark.stack
def test_closed_selling_is_told_and_a_suspended_account_is_not_told_twice(
    seller: User, staff: User, run_jobs: Jobs
) -> None:
    tell(SellerChanged(user=seller.pk.hex, state="suspended"))  # the account: accounts mails about that itself
    run_jobs()
    assert told(seller) == []
    seller_suspend(user=seller, staff=staff, reason="Too many disputes.")
    run_jobs()
    assert told(seller) == ["seller.suspended"]


def test_a_taken_down_listing_is_told_with_the_reason(seller: User, staff: User, run_jobs: Jobs) -> None:
    listing = ListingFactory(seller=seller)
    listing_take_down(listing=listing, staff=staff, reason="Not yours to sell.")
    run_jobs()
    assert told(seller) == ["listing.rejected"]
    assert "Not yours to sell." in OutboxMail.objects.get(template="listing_taken_down").body_text


# ---------------------------------------------------------------- the words


@pytest.mark.stack
def test_declined_topics_are_not_mailed_but_still_told(order: Order, seller: User, run_jobs: Jobs) -> None:
    preferences_set(user=seller, muted={"orders"})
    moved(order, "fund")
    run_jobs()
    assert told(seller) == ["order.sold"]
    assert not OutboxMail.objects.exists()


def test_mails_about_money_go_even_if_somebody_declines_everything(order: Order, seller: User, run_jobs: Jobs) -> None:
    preferences_set(user=seller, muted=set(TOPICS))
    moved(order, "release")
    run_jobs()
    assert OutboxMail.objects.filter(to=seller.email, template="order_paid").count() == 1


def test_money_and_account_mails_cannot_be_declined() -> None:
    assert {"orders", "deadlines", "messages", "listings"} == MUTABLE


def test_no_mail_names_the_other_sides_address(order: Order, buyer: User, seller: User, run_jobs: Jobs) -> None:
    for happening, by, _to_buyer, _to_seller in NEWS:
        moved(order, happening, {"buyer": buyer, "seller": seller, "": None}[by], note="$5.00")
    run_jobs()
    for mail in OutboxMail.objects.all():
        other = seller if mail.to == buyer.email else buyer
        assert other.email not in mail.subject + mail.body_text + mail.body_html
    for event in OutboxEvent.objects.all():
        assert "@" not in str(event.payload)


def test_mails_do_not_escape_what_people_typed(buyer: User, seller: User, run_jobs: Jobs) -> None:
    order = OrderFactory(buyer=buyer, seller=seller, title="Swords & <shields>")
    moved(order, "fund")
    run_jobs()
    mail = OutboxMail.objects.get(to=seller.email)
    assert mail.subject == "Sold: Swords & <shields>"
    assert "“Swords & <shields>”" in mail.body_text
    assert "<shields>" not in mail.body_html


PARAMS: dict[str, Any] = {
    "name": "N",
    "title": "T",
    "number": "AS-1",
    "buyer": "B",
    "seller": "S",
    "other": "O",
    "code": "C",
    "reason": "R",
    "refund": "$1.00",
    "currency": "USD",
    "price_minor": 1,
    "amount_minor": 1,
    "released_minor": 1,
    "refunded_minor": 1,
    "due_at": "2026-11-25T18:44:00+00:00",
}


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_words_for_all_it_says(kind: str, language: str) -> None:
    with translation.override(language):
        for text in (notification_text(kind, PARAMS), notification_title(kind, PARAMS)):
            assert text
            assert "–" not in text
            assert "%(" not in text


def test_a_kind_of_another_version_still_reads() -> None:
    assert notification_text("order.of_the_future", {}) == "Something changed. Open it to see what."
    assert "–" in notification_text("order.sold", {})


def test_every_handler_is_registered_once() -> None:
    for topic in ("order.changed", "deadline.near", "deposit.changed", "withdrawal.changed", "seller.changed"):
        own = [h for h in outbox._subscribers[topic] if h.__module__ == subscribers.__name__]
        assert own
        assert len(own) == len(set(own))


def test_due_dates_follow_the_order_not_the_clock_of_the_job(order: Order, seller: User, run_jobs: Jobs) -> None:
    Order.objects.filter(pk=order.pk).update(funded_at=timezone.now() - datetime.timedelta(hours=3))
    order.refresh_from_db()
    moved(order, "fund")
    run_jobs()
    due = datetime.datetime.fromisoformat(Notification.objects.get(user=seller).params["due_at"])
    assert order.funded_at is not None
    assert due == order.funded_at + datetime.timedelta(hours=24)
