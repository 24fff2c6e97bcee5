"""The queue of support tickets: the overdue on top, one holder each, answered in the name of the store."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.forms.widgets import Script
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin_base import ActionForm, StaffAdmin, reason_action
from accounts.models import User
from accountsstore.db import uuid7
from accountsstore.errors import StoreError
from accountsstore.templatetags.store import time_left
from chat.models import Ticket
from chat.services.drafts import BODY_MAX
from chat.services.ticket_desk import (
    ticket_answer,
    ticket_assign,
    ticket_claim,
    ticket_note_add,
    ticket_priority_set,
    ticket_release,
    ticket_reopen,
    ticket_resolve,
)
from chat.services.turns import ANSWER
from chat.threads import seq_from
from chat.ticket_pages import agents, desk_of

S = Ticket.State
COLOURS = {
    S.OPEN: "warning",
    S.WAITING_STAFF: "warning",
    S.WAITING_USER: "info",
    S.RESOLVED: "success",
    S.CLOSED: "default",
}
# The store's socket, and what keeps a page of the desk true by it.
LIVE = (Script("js/socket.js", type="module"), Script("js/desk_live.js", type="module"))


class HolderFilter(admin.SimpleListFilter):
    title = _("held by")
    parameter_name = "holder"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("me", _("Me")), ("nobody", _("Nobody")), ("others", _("Colleagues"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> QuerySet[Ticket]:
        mine = Q(assignee=request.user.pk)
        match self.value():
            case "me":
                return queryset.filter(mine)
            case "nobody":
                return queryset.filter(assignee=None)
            case "others":
                return queryset.exclude(mine).exclude(assignee=None)
        return queryset


class AssignForm(ActionForm):
    to = forms.ChoiceField(label=_("Hand it to"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._agents = {agent.pk.hex: agent for agent in agents()}
        self.fields["to"].choices = [(key, agent.name) for key, agent in self._agents.items()]  # type: ignore[attr-defined]

    def clean_to(self) -> User:
        return self._agents[self.cleaned_data["to"]]


class PriorityForm(ActionForm):
    priority = forms.TypedChoiceField(
        label=_("Priority"), choices=Ticket.Priority.choices, coerce=int, initial=Ticket.Priority.NORMAL
    )


class ResolveForm(ActionForm):
    words = forms.CharField(
        label=_("Last words to the customer"),
        required=False,
        max_length=BODY_MAX,
        help_text=_("They go into the conversation. Empty marks it as solved without."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )


@admin.register(Ticket)
class TicketAdmin(StaffAdmin):
    open_to = (ANSWER,)
    view_on_site = False
    list_display = ("number", "state_label", "due", "priority_label", "gist", "topic", "user", "about_order", "held_by")
    list_select_related = ("user", "order", "assignee")
    list_filter = (HolderFilter, "state", "priority", "topic", "is_overdue")
    search_fields = ("number__exact", "user__username__exact", "user__email__exact")
    search_help_text = _("Number, or the customer's username or mail address")
    ordering = ("-is_overdue", "-priority", "id")
    change_form_outer_before_template = "chat/admin/ticket.html"
    fields = ("number", "user", "topic", "about_order", "created_at", "resolved_at")
    actions_detail: ClassVar = ("claim", "release", "assign", "set_priority", "resolve", "reopen")
    actions_row: ClassVar = ("claim",)

    class Media:
        js = LIVE

    claim = reason_action(
        label=_("Claim"),
        permission=ANSWER,
        form=None,
        question=_("Nobody else answers it while you hold it."),
        call=lambda ticket, staff, data: ticket_claim(ticket=ticket, staff=staff),
        shown=lambda ticket: ticket.assignee_id is None and ticket.state != S.CLOSED,
        done=_("It is yours."),
        icon="front_hand",
    )
    release = reason_action(
        label=_("Give back"),
        permission=ANSWER,
        form=None,
        call=lambda ticket, staff, data: ticket_release(ticket=ticket, staff=staff),
        shown=lambda ticket: ticket.assignee_id is not None,
        done=_("Back in the queue."),
        icon="undo",
    )
    assign = reason_action(
        label=_("Hand on"),
        permission=ANSWER,
        form=AssignForm,
        call=lambda ticket, staff, data: ticket_assign(ticket=ticket, staff=staff, to=data["to"]),
        shown=lambda ticket: ticket.state != S.CLOSED,
        done=_("Handed on."),
        icon="person_add",
    )
    set_priority = reason_action(
        label=_("Priority"),
        permission=ANSWER,
        form=PriorityForm,
        call=lambda ticket, staff, data: ticket_priority_set(ticket=ticket, staff=staff, priority=data["priority"]),
        done=_("Changed."),
        icon="priority_high",
    )
    resolve = reason_action(
        label=_("Solved"),
        permission=ANSWER,
        form=ResolveForm,
        call=lambda ticket, staff, data: ticket_resolve(ticket=ticket, staff=staff, **data),
        shown=lambda ticket: ticket.is_running,
        done=_("Solved. The customer opens it again by writing."),
        icon="check",
    )
    reopen = reason_action(
        label=_("Open again"),
        permission=ANSWER,
        form=None,
        call=lambda ticket, staff, data: ticket_reopen(ticket=ticket, staff=staff),
        shown=lambda ticket: not ticket.is_running,
        done=_("Open again."),
        icon="lock_open",
    )

    @display(description=_("State"), label=COLOURS)
    def state_label(self, ticket: Ticket) -> tuple[str, str]:
        return ticket.state, ticket.get_state_display()

    @display(description=_("Priority"), label={1: "default", 2: "default", 3: "warning", 4: "danger"})
    def priority_label(self, ticket: Ticket) -> tuple[int, str]:
        return ticket.priority, ticket.get_priority_display()

    @display(description=_("Answer by"), label={"late": "danger", "fine": "success"})
    def due(self, ticket: Ticket) -> tuple[str, str] | None:
        if ticket.reply_due_at is None:
            return None
        return "late" if ticket.is_overdue else "fine", time_left(ticket.reply_due_at)

    @display(description=_("Held by"))
    def held_by(self, ticket: Ticket) -> str:
        return ticket.assignee.name if ticket.assignee else "–"

    @display(description=_("Order"))
    def about_order(self, ticket: Ticket) -> str:
        if ticket.order is None:
            return "–"
        page = reverse("admin:payments_order_change", args=[ticket.order_id])
        return format_html('<a class="underline" href="{}">{}</a>', page, ticket.order.number)

    # ------------------------------------------------------------ one ticket

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        ticket = self.get_object(request, object_id)
        context = extra_context or {}
        if ticket and self.has_view_permission(request):
            before = seq_from(request.GET.get("before", ""))
            context = {
                **context,
                "desk": desk_of(ticket, request.user, before),
                "client_id": uuid7().hex,
                "body_max": BODY_MAX,
            }
        return super().change_view(request, object_id, form_url, context)

    def get_urls(self) -> list[URLPattern]:
        def protected(view: Any) -> Any:
            return self.admin_site.admin_view(view)

        return [
            path("<uuid:pk>/answer/", protected(self.answer_view), name="chat_ticket_answer"),
            path("<uuid:pk>/note/", protected(self.note_view), name="chat_ticket_note"),
            *super().get_urls(),
        ]

    def answer_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        body, client_id = request.POST.get("body", ""), request.POST.get("client_id", "")
        return self._write(
            request,
            pk,
            lambda ticket, staff: ticket_answer(ticket=ticket, staff=staff, client_id=client_id, body=body),
        )

    def note_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        text = request.POST.get("text", "")
        return self._write(request, pk, lambda ticket, staff: ticket_note_add(ticket=ticket, staff=staff, text=text))

    def _write(self, request: HttpRequest, pk: Any, work: Any) -> HttpResponse:
        """Do it and return to the ticket; desk_live.js asks for JSON and stays: what was refused is still in its field."""
        ticket = self.get_object(request, str(pk))
        if request.method != "POST" or not request.user.has_perm(ANSWER):
            raise PermissionDenied
        if ticket is None:
            raise Http404
        is_script = request.headers.get("Accept") == "application/json"
        try:
            work(ticket, request.user)
        except StoreError as error:
            if is_script:
                return JsonResponse({"detail": str(error)}, status=error.http_status)
            messages.error(request, str(error))
        return JsonResponse({}) if is_script else redirect("admin:chat_ticket_change", ticket.pk)
