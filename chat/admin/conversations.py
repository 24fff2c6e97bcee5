"""Staff and people's conversations: who talks with whom is listed, what they say only opens for a reason that is kept."""

from typing import Any, ClassVar

from django.contrib import admin
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from accounts.admin_base import ReasonForm, StaffAdmin, reason_action
from accounts.models import User
from accountsstore.codes import clean_code
from chat.models import Conversation
from chat.services.attachments import GRANT
from chat.services.conversations import conversation_lock, conversation_open_to_staff
from chat.threads import seq_from, staff_lines
from payments.models import Order

_SALT = "chat.admin.grant"


class StaffReasonForm(ReasonForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = _("It is kept in the audit with your name.")


def _read(conversation: Conversation, staff: User, data: dict[str, Any]) -> HttpResponse:
    conversation_open_to_staff(conversation=conversation, staff=staff, reason=data["reason"])
    grant = signing.dumps([staff.pk.hex, conversation.pk.hex], salt=_SALT)
    return redirect(f"{reverse('admin:chat_conversation_messages', args=[conversation.pk])}?grant={grant}")


def _is_granted(request: HttpRequest, conversation: Conversation) -> bool:
    try:
        granted = signing.loads(request.GET.get("grant", ""), salt=_SALT, max_age=GRANT)
    except signing.BadSignature:
        return False
    return granted == [request.user.pk.hex, conversation.pk.hex]


@admin.register(Conversation)
class ConversationAdmin(StaffAdmin):
    open_to = ("chat.read_conversation",)
    # The site shows a conversation to those in it.
    view_on_site = False
    list_display = ("name", "kind", "people", "last_seq", "is_locked", "created_at")
    list_filter = ("kind", "is_locked")
    search_fields = ("participants__user__username__exact",)
    search_help_text = _("Number of the order, or the username of somebody in the conversation")
    ordering = ("-id",)
    fields = ("name", "kind", "people", "last_seq", "is_locked", "created_at")
    actions_detail: ClassVar = ("read", "lock", "unlock")

    read = reason_action(
        label=_("Read the messages"),
        permission="chat.read_conversation",
        question=_("These messages are private. Say why you read them."),
        form=StaffReasonForm,
        call=_read,
        icon="visibility",
    )
    lock = reason_action(
        label=_("Close to new messages"),
        permission="chat.read_conversation",
        form=StaffReasonForm,
        call=lambda talk, staff, data: conversation_lock(conversation=talk, staff=staff, reason=data["reason"]),
        shown=lambda talk: not talk.is_locked,
        done=_("Closed. Both sides can still read it."),
        icon="lock",
        danger=True,
    )
    unlock = reason_action(
        label=_("Open to new messages"),
        permission="chat.read_conversation",
        form=StaffReasonForm,
        call=lambda talk, staff, data: conversation_lock(
            conversation=talk, staff=staff, reason=data["reason"], locked=False
        ),
        shown=lambda talk: talk.is_locked,
        done=_("Open again."),
        icon="lock_open",
    )

    def name(self, conversation: Conversation) -> str:
        return str(conversation)

    name.short_description = _("about")  # type: ignore[attr-defined]

    def people(self, conversation: Conversation) -> str:
        return ", ".join(sorted(person.user.username for person in conversation.participants.all()))

    people.short_description = _("between")  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        return super().get_queryset(request).prefetch_related("participants__user")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Conversation], search_term: str
    ) -> tuple[QuerySet[Conversation], bool]:
        try:
            order = Order.objects.filter(number=clean_code(search_term)).first()
        except ValueError:
            order = None
        if order:
            return queryset.filter(subject=f"order:{order.pk.hex}"), False
        return super().get_search_results(request, queryset, search_term)

    def get_urls(self) -> list[URLPattern]:
        page = never_cache(self.admin_site.admin_view(self.messages_page))
        return [path("<uuid:pk>/messages/", page, name="chat_conversation_messages"), *super().get_urls()]

    def messages_page(self, request: HttpRequest, pk: Any) -> HttpResponse:
        conversation = self.get_object(request, str(pk))
        if conversation is None:
            raise Http404
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not _is_granted(request, conversation):
            return redirect("admin:chat_conversation_read", conversation.pk)
        lines, earlier = staff_lines(conversation, seq_from(request.GET.get("before", "")), request.user)
        context = {
            **self.admin_site.each_context(request),
            "title": str(conversation),
            "lines": lines,
            "earlier": earlier,
            "grant": request.GET["grant"],
            "back": reverse("admin:chat_conversation_change", args=[conversation.pk]),
            "opts": self.model._meta,
        }
        return render(request, "chat/admin/messages.html", context)
