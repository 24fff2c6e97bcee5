"""Orders to look at, by state. Staff touch one only where the table says so: to pay out early, or in a dispute."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin_base import StaffAdmin, reason_action
from accountsstore.money import format_minor
from accountsstore.templatetags.store import time_left
from payments.models import Order
from payments.order_diagram import HEIGHT, WIDTH, diagram
from payments.order_facts import EVENT_LIMIT
from payments.order_line import event_title
from payments.order_table import order_table
from payments.services.approvals import early_release_request
from payments.states import OrderState

S = OrderState
COLOURS = {
    S.REQUESTED: "default",
    S.FUNDED: "info",
    S.DELIVERED: "warning",
    S.ACCEPTED: "info",
    S.DISPUTED: "danger",
    S.RELEASED: "success",
    S.REFUNDED: "primary",
    S.SPLIT: "primary",
    S.CANCELLED: "default",
    S.DECLINED: "default",
    S.WITHDRAWN: "default",
    S.EXPIRED: "default",
}


def facts(order: Order) -> list[tuple[Any, Any]]:
    return [
        (_("Buyer"), order.buyer),
        (_("Seller"), order.seller),
        (_("Price"), format_minor(order.price_minor, order.currency)),
        (_("Fee"), f"{order.fee_basis_points / 100:g}%"),
    ]


def evidence(order: Order) -> dict[str, Any]:
    """What happened to an order, and its place on the table: for its own page and for a dispute's."""
    events = list(order.events.select_related("actor").order_by("created_at", "id")[:EVENT_LIMIT])
    path = [(event.from_state, event.to_state) for event in events if event.from_state]
    boxes, arrows = diagram(order.state, path)
    return {
        "order": order,
        "events": [
            {"row": event, "what": event_title(event), "state": S(event.to_state).label if event.to_state else ""}
            for event in events
        ],
        "reveals": list(order.reveals.select_related("user").order_by("created_at")[:EVENT_LIMIT]),
        "deadlines": list(order.deadlines.select_related("owner").order_by("-is_open", "due_at")[:EVENT_LIMIT]),
        "boxes": boxes,
        "arrows": arrows,
        "diagram_width": WIDTH,
        "diagram_height": HEIGHT,
        "table": order_table(),
    }


@admin.register(Order)
class OrderAdmin(StaffAdmin):
    open_to = ("payments.view_order", "payments.decide_dispute", "payments.release_early")
    # The site shows an order to its two parties.
    view_on_site = False
    list_display = ("number", "title", "buyer", "seller", "price", "state_label", "due", "created_at")
    list_select_related = ("buyer", "seller")
    list_filter = ("state",)
    search_fields = ("number__exact", "buyer__username__exact", "seller__username__exact")
    search_help_text = _("Number of the order, or the username of either side")
    ordering = ("-id",)
    change_form_after_template = "payments/admin/order.html"
    fields = (
        "number",
        "title",
        "buyer",
        "seller",
        "state",
        "price",
        "fee",
        "sums",
        "dispute_link",
        "terms_version",
        "created_at",
        "funded_at",
        "delivered_at",
        "revealed_at",
        "accepted_at",
        "finished_at",
        "due_at",
        "reminders_sent",
    )
    actions_detail: ClassVar = ("release_early",)

    release_early = reason_action(
        label=_("Ask to pay out early"),
        permission="payments.release_early",
        question=_("The seller is paid before the warranty ends. A second person confirms it."),
        facts=facts,
        call=lambda order, staff, data: _ask_early(order, staff, data),
        shown=lambda order: order.state == S.ACCEPTED,
        done=_("Asked. A second person confirms it under “Second approvals”."),
        icon="fast_forward",
    )

    @display(description=_("Price"))
    def price(self, order: Order) -> str:
        return format_minor(order.price_minor, order.currency)

    @display(description=_("Fee"))
    def fee(self, order: Order) -> str:
        return f"{order.fee_basis_points / 100:g}%"

    @display(description=_("Ended with"))
    def sums(self, order: Order) -> str:
        if order.state in (S.RELEASED, S.REFUNDED, S.SPLIT, S.CANCELLED):
            words = {
                "released": format_minor(order.released_minor, order.currency),
                "refunded": format_minor(order.refunded_minor, order.currency),
                "fee": format_minor(order.fee_minor, order.currency),
            }
            return _("%(released)s to the seller, %(refunded)s to the buyer, %(fee)s fee") % words
        return "–"

    @display(description=_("Dispute"))
    def dispute_link(self, order: Order) -> str:
        dispute = getattr(order, "dispute", None)
        if dispute is None:
            return "–"
        url = reverse("admin:payments_dispute_change", args=[dispute.pk])
        return format_html('<a class="underline" href="{}">{}</a>', url, dispute.get_reason_display())

    @display(description=_("State"), label=COLOURS)
    def state_label(self, order: Order) -> tuple[str, str]:
        return order.state, order.get_state_display()

    @display(description=_("Due"))
    def due(self, order: Order) -> str:
        return time_left(order.due_at) or "–"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        order = self.get_object(request, object_id)
        context = {**(extra_context or {}), **(evidence(order) if order else {})}
        return super().change_view(request, object_id, form_url, context)


def _ask_early(order: Order, staff: Any, data: dict[str, Any]) -> None:
    early_release_request(order=order, staff=staff, reason=data["reason"])
