"""What happens in the apps below, told to the people it concerns."""

import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from accounts.models import SellerApplication, SellerProfile, User
from accountsstore.events import (
    DeadlineNear,
    DepositChanged,
    ListingChanged,
    MessageReportChanged,
    OrderChanged,
    SellerChanged,
    TicketChanged,
    WithdrawalChanged,
)
from accountsstore.outbox import subscriber
from chat.models import Message, MessageReport, Ticket
from chat.notes import ORDER_NOTES
from chat.notification_texts import KINDS
from chat.services.conversations import conversation_for_order
from chat.services.messages import system_message
from chat.services.notifications import notification_create
from listings.models import Listing
from payments.models import Deposit, Order, OrderEvent, Withdrawal

# An order has about a dozen steps; corrections and offers may repeat.
EVENT_LIMIT = 200


def _stamp(at: datetime.datetime) -> str:
    """An event's time tells its repeats from the next event of the same kind."""
    return at.isoformat(timespec="milliseconds")


# ---------------------------------------------------------------- orders


@subscriber(OrderChanged)
def order_lines(event: OrderChanged, at: datetime.datetime) -> None:
    """Each step leaves a line in the order's conversation, in the order of the timeline: a job that overtakes another
    writes the earlier lines first."""
    if event.happening not in ORDER_NOTES:
        return
    order = Order.objects.get(pk=event.order)
    conversation = conversation_for_order(order=order)
    written = set(
        Message.objects.filter(conversation=conversation, kind=Message.Kind.SYSTEM).values_list("dedupe_key", flat=True)
    )
    for step in OrderEvent.objects.filter(order=order).order_by("created_at", "id")[:EVENT_LIMIT]:
        if step.happening in ORDER_NOTES and f"store:{step.pk.hex}" not in written:
            system_message(conversation=conversation, note=step.happening, key=step.pk.hex)


@subscriber(OrderChanged)
def order_told(event: OrderChanged, at: datetime.datetime) -> None:
    order = Order.objects.select_related("buyer", "seller", "listing").get(pk=event.order)
    step = OrderEvent.objects.filter(order=order, happening=event.happening).order_by("-created_at").first()
    for user, kind, params in _order_news(order, event.happening, step):
        _tell_about(order, user, kind, params, key=f"{event.happening}:{_stamp(at)}")


def _tell_about(order: Order, user: User, kind: str, params: dict[str, Any], *, key: str) -> None:
    notification_create(
        user=user,
        kind=kind,
        params={
            "title": order.title,
            "number": order.number,
            "buyer": order.buyer.name,
            "seller": order.seller.name,
            "price_minor": order.price_minor,
            "currency": order.currency,
            **params,
        },
        url=order.get_absolute_url(),
        dedupe_key=f"order:{order.pk.hex}:{key}:{user.pk.hex}",
    )


def _order_news(order: Order, happening: str, step: OrderEvent | None) -> list[tuple[User, str, dict[str, Any]]]:
    """Who is told what about a step. Nobody is told what they have just done themselves."""
    buyer, seller = order.buyer, order.seller
    actor_id = step.actor_id if step else None
    match happening:
        case "request":
            return [(seller, "order.requested", _due(order.requested_at, hours=settings.ORDER_RESPOND_HOURS))]
        case "fund" if order.listing.delivery == Listing.Delivery.STOCK:
            return [(seller, "order.sold_from_stock", {})]
        case "fund":
            return [(seller, "order.sold", _due(order.funded_at, hours=order.deliver_hours))]
        case "agree":
            return [(buyer, "order.agreed", {})]
        case "decline":
            return [(buyer, "order.declined", {})]
        case "withdraw":
            return [(seller, "order.request_withdrawn", {})]
        case "expire":
            return [(buyer, "order.expired_buyer", {}), (seller, "order.expired_seller", {})]
        case "deliver":
            return [(buyer, "order.delivered", _due(order.delivered_at, hours=order.inspect_hours))]
        case "redeliver":
            return [(buyer, "order.redelivered", {})]
        case "cancel" if actor_id == buyer.pk:
            return [(seller, "order.cancelled_by_buyer", {})]
        case "cancel":
            return [(buyer, "order.cancelled_by_seller", {})]
        case "lapse":
            return [(buyer, "order.lapsed_buyer", {}), (seller, "order.lapsed_seller", {})]
        case "dispute":
            return [(seller, "order.disputed", {})]
        case "accept":
            warranty = _due(order.accepted_at, hours=24 * order.warranty_days)
            news = [(seller, "order.accepted", warranty)]
            return news if actor_id else [*news, (buyer, "order.accepted_by_clock", warranty)]
        case "release" | "release_early":
            paid = {"released_minor": order.released_minor, "fee_minor": order.fee_minor}
            return [(seller, "order.paid", paid), (buyer, "order.finished", {})]
        case "offer" if step:
            other, told = (buyer, seller) if actor_id == buyer.pk else (seller, buyer)
            # The offer's row may be newer than this step; the note says what was offered then.
            return [(told, "order.offer", {"other": other.name, "refund": step.note})]
        case "resolve_release" | "resolve_refund" | "resolve_split":
            sums = {"released_minor": order.released_minor, "refunded_minor": order.refunded_minor}
            return [(buyer, "order.resolved", sums), (seller, "order.resolved", sums)]
    return []


def _due(start: datetime.datetime | None, *, hours: int) -> dict[str, str]:
    return {"due_at": (start + datetime.timedelta(hours=hours)).isoformat() if start else ""}


@subscriber(DeadlineNear)
def deadline_told(event: DeadlineNear, at: datetime.datetime) -> None:
    """Remind who must act."""
    kind = f"deadline.{event.kind}"
    if kind not in KINDS:
        return
    order = Order.objects.select_related("buyer", "seller").get(pk=event.order)
    user = order.buyer if event.kind == "inspect" else order.seller
    _tell_about(order, user, kind, {"due_at": event.due_at}, key=f"near:{_stamp(at)}")


# ---------------------------------------------------------------- money in and out


@subscriber(DepositChanged)
def deposit_told(event: DepositChanged, at: datetime.datetime) -> None:
    kind = f"deposit.{event.state}"
    if kind not in KINDS:
        return
    deposit = Deposit.objects.select_related("user").get(pk=event.deposit)
    credited = deposit.credited_minor if event.state in ("approved", "reversed") else 0
    notification_create(
        user=deposit.user,
        kind=kind,
        params={
            "code": deposit.code,
            "amount_minor": credited or deposit.amount_minor,
            "currency": deposit.currency,
            "reason": deposit.reason,
        },
        url=reverse("payments:deposit", args=[deposit.code]),
        dedupe_key=f"deposit:{deposit.pk.hex}:{event.state}:{_stamp(at)}",
    )


@subscriber(WithdrawalChanged)
def withdrawal_told(event: WithdrawalChanged, at: datetime.datetime) -> None:
    kind = f"withdrawal.{event.state}"
    if kind not in KINDS:
        return
    withdrawal = Withdrawal.objects.select_related("user").get(pk=event.withdrawal)
    notification_create(
        user=withdrawal.user,
        kind=kind,
        params={
            "code": withdrawal.code,
            "amount_minor": withdrawal.amount_minor,
            "currency": withdrawal.currency,
            "reason": withdrawal.reason,
        },
        url=reverse("payments:withdrawal", args=[withdrawal.code]),
        dedupe_key=f"withdrawal:{withdrawal.pk.hex}:{event.state}:{_stamp(at)}",
    )


# ---------------------------------------------------------------- sellers and listings


@subscriber(SellerChanged)
def seller_told(event: SellerChanged, at: datetime.datetime) -> None:
    """Decisions about selling. A suspension of the whole account has its own mail, from accounts."""
    kind = f"seller.{event.state}"
    if kind not in KINDS:
        return
    user = User.objects.get(pk=event.user)
    profile = SellerProfile.objects.filter(user=user).first()
    if event.state == "suspended" and (profile is None or profile.state != SellerProfile.State.SUSPENDED):
        return
    application = SellerApplication.objects.filter(user=user).order_by("-attempt").first()
    notification_create(
        user=user,
        kind=kind,
        params={"reason": application.reason if application else ""},
        url=reverse("listings:listing_new") if event.state == "approved" else reverse("accounts:apply"),
        dedupe_key=f"seller:{user.pk.hex}:{event.state}:{_stamp(at)}",
    )


@subscriber(ListingChanged)
def listing_told(event: ListingChanged, at: datetime.datetime) -> None:
    kind = f"listing.{event.state}"
    if kind not in KINDS:
        return
    listing = Listing.objects.select_related("seller").get(pk=event.listing)
    notification_create(
        user=listing.seller,
        kind=kind,
        params={"title": listing.title, "reason": listing.state_reason},
        url=reverse("listings:desk_listings"),
        dedupe_key=f"listing:{listing.pk.hex}:{event.state}:{_stamp(at)}",
    )


# ---------------------------------------------------------------- support and reports


@subscriber(TicketChanged)
def ticket_news(event: TicketChanged, at: datetime.datetime) -> None:
    kind = {"answer": "ticket.answered", "resolve": "ticket.resolved"}.get(event.happening)
    if kind is None:
        return
    ticket = Ticket.objects.select_related("user").get(pk=event.ticket)
    notification_create(
        user=ticket.user,
        kind=kind,
        params={"number": ticket.number},
        url=ticket.get_absolute_url(),
        dedupe_key=f"ticket:{ticket.pk.hex}:{event.happening}:{_stamp(at)}",
    )


@subscriber(MessageReportChanged)
def report_told(event: MessageReportChanged, at: datetime.datetime) -> None:
    """The reporter hears the outcome, never who decided; who was warned reads why, never who reported."""
    if event.state == MessageReport.State.OPEN:
        return
    report = MessageReport.objects.select_related("reporter", "reported", "conversation").get(pk=event.report)
    notification_create(
        user=report.reporter,
        kind=f"report.{report.state}",
        params={"name": report.reported.name},
        url=report.conversation.get_absolute_url(),
        dedupe_key=f"report:{report.pk.hex}:reporter",
    )
    if f"conduct.{report.state}" in KINDS:
        notification_create(
            user=report.reported,
            kind=f"conduct.{report.state}",
            params={"name": report.reporter.name, "reason": report.decision},
            url=reverse("payments:rules"),
            dedupe_key=f"report:{report.pk.hex}:reported",
        )
