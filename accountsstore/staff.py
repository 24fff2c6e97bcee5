"""The staff desk: what waits for whom. Feeds the admin's sidebar and its first page (UNFOLD in settings.py)."""

import dataclasses
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import AuditEvent, SellerApplication, User
from accountsstore.staff_deeds import deed_words
from chat.models import Announcement, Conversation, MessageReport, Ticket
from listings.models import Category, Listing, ListingReport
from payments.models import (
    Approval,
    Deadline,
    Deposit,
    DepositMethod,
    Dispute,
    FeePolicy,
    LedgerTransaction,
    Order,
    Withdrawal,
)

# Nobody acts on the difference between 99 and more, and counting further costs.
MOST = 99


@dataclasses.dataclass(frozen=True, kw_only=True)
class Queue:
    """A list of the admin, narrowed by `query` to what waits: `waiting` is the same for the database."""

    title: Any
    icon: str
    model: type[Model]
    query: dict[str, str]
    waiting: Callable[[], QuerySet[Any]]

    @property
    def url(self) -> str:
        return _list_url(self.model, self.query)

    def is_shown(self, request: HttpRequest) -> bool:
        shown = request.GET
        return request.path == _list_url(self.model, {}) and all(shown.get(k) == v for k, v in self.query.items())

    def count(self) -> int:
        return self.waiting()[: MOST + 1].count()


QUEUES = (
    Queue(
        title=_("Support tickets"),
        icon="support_agent",
        model=Ticket,
        query={"state__in": "open,waiting_staff"},
        waiting=lambda: Ticket.objects.filter(state__in=Ticket.WAITING),
    ),
    Queue(
        title=_("Deposits"),
        icon="account_balance_wallet",
        model=Deposit,
        query={"state__in": "submitted,under_review"},
        waiting=lambda: Deposit.objects.filter(state__in=["submitted", "under_review"]),
    ),
    Queue(
        title=_("Withdrawals to approve"),
        icon="fact_check",
        model=Withdrawal,
        query={"state__exact": "requested"},
        waiting=lambda: Withdrawal.objects.filter(state="requested"),
    ),
    Queue(
        title=_("Withdrawals to send"),
        icon="send_money",
        model=Withdrawal,
        query={"state__in": "approved,sent"},
        waiting=lambda: Withdrawal.objects.filter(state__in=["approved", "sent"]),
    ),
    Queue(
        title=_("Seller applications"),
        icon="badge",
        model=SellerApplication,
        query={"state__exact": "submitted"},
        waiting=lambda: SellerApplication.objects.filter(state="submitted"),
    ),
    Queue(
        title=_("Disputes"),
        icon="gavel",
        model=Dispute,
        query={"is_open__exact": "1"},
        waiting=lambda: Dispute.objects.filter(is_open=True),
    ),
    Queue(
        title=_("Overdue deadlines"),
        icon="alarm",
        model=Deadline,
        query={"overdue": "yes"},
        waiting=lambda: Deadline.objects.filter(is_open=True, due_at__lt=timezone.now()),
    ),
    Queue(
        title=_("Reports"),
        icon="flag",
        model=ListingReport,
        query={"state__exact": "open"},
        waiting=lambda: ListingReport.objects.filter(state="open"),
    ),
    Queue(
        title=_("Reported messages"),
        icon="report",
        model=MessageReport,
        query={"state__exact": "open"},
        waiting=lambda: MessageReport.objects.filter(state="open"),
    ),
    Queue(
        title=_("Second approvals"),
        icon="group",
        model=Approval,
        query={"is_open__exact": "1"},
        waiting=lambda: Approval.objects.filter(is_open=True),
    ),
)

# The lists behind the queues, and what a store is set up with.
LISTS = (
    (_("Orders"), "shopping_bag", Order),
    (_("Listings"), "sell", Listing),
    (_("People"), "person", User),
    (_("Conversations"), "forum", Conversation),
    (_("Ledger"), "receipt_long", LedgerTransaction),
    (_("Audit"), "history", AuditEvent),
)
SETUP = (
    (_("Categories"), "category", Category),
    (_("Deposit methods"), "account_balance", DepositMethod),
    (_("Fees"), "percent", FeePolicy),
    (_("Announcements"), "campaign", Announcement),
)

# Orders that are not finished, in the order they pass through.
OPEN_STATES = (
    Order.State.REQUESTED,
    Order.State.FUNDED,
    Order.State.DELIVERED,
    Order.State.ACCEPTED,
    Order.State.DISPUTED,
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The admin's menu: the queues this person may work on with what waits in each, then the lists."""
    queues = [
        {
            "title": queue.title,
            "icon": queue.icon,
            "link": queue.url,
            "active": queue.is_shown(request),
            "badge": _figure(queue.count()) or None,
        }
        for queue in queues_of(request)
    ]
    groups: list[dict[str, Any]] = [
        {"title": None, "items": [{"title": _("Desk"), "icon": "space_dashboard", "link": reverse("admin:index")}]},
        {"title": _("Waiting"), "separator": True, "items": queues},
        {"title": _("Look up"), "separator": True, "items": _items(request, LISTS)},
        {"title": _("Set up"), "separator": True, "items": _items(request, SETUP)},
    ]
    return [group for group in groups if group["items"]]


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The admin's first page: the same queues, running orders by state, and what staff did last."""
    context["queues"] = [
        {"title": queue.title, "icon": queue.icon, "url": queue.url, "count": _figure(queue.count())}
        for queue in queues_of(request)
    ]
    if _may_see(request, Order):
        context["orders"] = [
            {
                "title": state.label,
                "url": _list_url(Order, {"state__exact": state.value}),
                "count": _figure(Order.objects.filter(state=state)[: MOST + 1].count()),
            }
            for state in OPEN_STATES
        ]
    if _may_see(request, AuditEvent):
        rows = AuditEvent.objects.select_related("actor").order_by("-created_at")[:10]
        context["deeds"] = [(row, deed_words(row.action)) for row in rows]
    return context


def queues_of(request: HttpRequest) -> list[Queue]:
    return [queue for queue in QUEUES if _may_see(request, queue.model)]


def icon(request: HttpRequest) -> str:
    return static("favicon.svg")


def styles(request: HttpRequest) -> str:
    return static("css/desk.css")


def script(request: HttpRequest) -> str:
    return static("js/desk.js")


def _items(request: HttpRequest, lists: tuple[tuple[Any, str, type[Model]], ...]) -> list[dict[str, Any]]:
    return [
        {
            "title": title,
            "icon": symbol,
            "link": _list_url(model, {}),
            "active": request.path == _list_url(model, {}) and not request.GET,
        }
        for title, symbol, model in lists
        if _may_see(request, model)
    ]


def _may_see(request: HttpRequest, model: type[Model]) -> bool:
    return admin.site.is_registered(model) and admin.site.get_model_admin(model).has_view_permission(request)


def _list_url(model: type[Model], query: dict[str, str]) -> str:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{url}?{urlencode(query)}" if query else url


def _figure(count: int) -> str:
    """ "" for nothing, "12", or "99+"."""
    if count > MOST:
        return f"{MOST}+"
    return str(count or "")
