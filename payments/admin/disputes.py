"""Disputes: what both sides say, what the store knows, and a decision with a reason."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin_base import ReasonForm, StaffAdmin, reason_action
from accounts.models import User
from accountsstore.money import format_minor
from accountsstore.templatetags.store import time_left
from payments.admin.orders import evidence
from payments.forms import AmountField
from payments.models import Dispute
from payments.services.disputes import dispute_decide

DECIDE = "payments.decide_dispute"


class DecideForm(ReasonForm):
    refund = AmountField(
        label=_("Back to the buyer"),
        help_text=_("0 pays the seller, the whole price refunds the buyer, anything between splits it."),
    )
    field_order = ("refund", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = _("Both sides read it on the order.")
        self.fields["reason"].max_length = 1000


def facts(dispute: Dispute) -> list[tuple[Any, Any]]:
    order = dispute.order
    return [
        (_("Order"), order.number),
        (_("Price"), format_minor(order.price_minor, order.currency)),
        (_("Buyer"), order.buyer),
        (_("Seller"), order.seller),
        (_("Reason"), dispute.get_reason_display()),
        (_("Offer on the table"), _offer(dispute)),
    ]


def _offer(dispute: Dispute) -> str:
    if dispute.offer_minor is None:
        return "–"
    words = {"amount": format_minor(dispute.offer_minor, dispute.order.currency), "name": dispute.offer_by}
    return str(_("%(amount)s back to the buyer, offered by %(name)s")) % words


def decide(dispute: Dispute, staff: User, data: dict[str, Any]) -> None:
    dispute_decide(order=dispute.order, staff=staff, refund_minor=data["refund"], reason=data["reason"])


@admin.register(Dispute)
class DisputeAdmin(StaffAdmin):
    open_to = (DECIDE,)
    list_display = ("order", "buyer", "seller", "price", "reason", "offer", "open_label", "due", "created_at")
    list_select_related = ("order__buyer", "order__seller", "offer_by", "decided_by")
    list_filter = ("is_open", "reason")
    search_fields = ("order__number__exact", "order__buyer__username__exact", "order__seller__username__exact")
    ordering = ("id",)
    change_form_after_template = "payments/admin/order.html"
    fields = (
        "order_link",
        "chat_link",
        "buyer",
        "seller",
        "price",
        "reason",
        "text",
        "offer",
        "is_open",
        "decision_reason",
        "decided_by",
        "decided_at",
        "created_at",
    )
    actions_detail: ClassVar = ("decide",)

    decide = reason_action(
        label=_("Decide"),
        permission=DECIDE,
        form=DecideForm,
        question=_("The money moves at once and the order is over. Both sides read your reason."),
        facts=facts,
        call=decide,
        shown=lambda dispute: dispute.is_open,
        done=_("Decided. Both sides are told."),
        icon="gavel",
    )

    @display(description=_("Order"))
    def order_link(self, dispute: Dispute) -> str:
        url = reverse("admin:payments_order_change", args=[dispute.order_id])
        return format_html('<a class="underline" href="{}">{}</a>', url, dispute.order.number)

    @display(description=_("Messages"))
    def chat_link(self, dispute: Dispute) -> str:
        """Reading what two people wrote takes a reason and leaves an audit row: that page is chat's own."""
        try:
            url = reverse("admin:chat_conversation_changelist")
        except NoReverseMatch:
            return "–"
        link = f"{url}?q={dispute.order.number}"
        return format_html('<a class="underline" href="{}">{}</a>', link, _("Read them, with a reason"))

    @display(description=_("Buyer"))
    def buyer(self, dispute: Dispute) -> str:
        return str(dispute.order.buyer)

    @display(description=_("Seller"))
    def seller(self, dispute: Dispute) -> str:
        return str(dispute.order.seller)

    @display(description=_("Price"))
    def price(self, dispute: Dispute) -> str:
        return format_minor(dispute.order.price_minor, dispute.order.currency)

    @display(description=_("Offer"))
    def offer(self, dispute: Dispute) -> str:
        return _offer(dispute)

    @display(description=_("State"), label={"open": "danger", "closed": "success"})
    def open_label(self, dispute: Dispute) -> tuple[str, Any]:
        return ("open", _("Open")) if dispute.is_open else ("closed", _("Closed"))

    @display(description=_("Due"))
    def due(self, dispute: Dispute) -> str:
        return (time_left(dispute.order.due_at) or "–") if dispute.is_open else "–"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        dispute = self.get_object(request, object_id)
        context = {**(extra_context or {}), **(evidence(dispute.order) if dispute else {})}
        return super().change_view(request, object_id, form_url, context)
