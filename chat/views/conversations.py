"""Messages, notifications, and which mails somebody wants."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from django_ratelimit.core import is_ratelimited

from accounts.models import User
from accountsstore.context import Counts
from accountsstore.errors import StoreError
from accountsstore.paging import Page, page_of
from chat import selectors
from chat.contact_details import require_confirmed
from chat.errors import ContactDetails
from chat.forms import MailForm
from chat.models import Notification, Participant
from chat.notification_texts import MUTABLE, TOPICS, notification_text
from chat.services.conversations import conversation_direct, conversation_for_order
from chat.services.messages import message_send
from chat.services.notifications import (
    muted_topics,
    notification_read,
    notifications_read,
    notifications_read_about,
    preferences_set,
)
from chat.services.receipts import message_read
from chat.threads import seq_from, thread_of
from chat.views.messages import place_or_404, uploads_of
from payments.models import Order
from payments.selectors import order_for

CONVERSATIONS_PER_PAGE = 30
# Without a script, or by a program: the socket counts its own frames.
SEND_RATE, START_RATE = "30/m", "20/h"


def _list_context(request: HttpRequest) -> dict[str, Any]:
    words = request.GET.get("q", "").strip()[:80]
    if words:
        return {"rows": selectors.conversations_matching(request.user, words), "words": words}
    page = _list_page(request)
    return {"rows": selectors.conversation_rows(page.items), "page": page, "words": ""}


def _list_page(request: HttpRequest) -> Page[Participant]:
    talked, after = selectors.talked(request.user), request.GET.get("after", "")
    return page_of(talked, selectors.CONVERSATION_ORDER, after, CONVERSATIONS_PER_PAGE)


@login_required
@require_GET
@never_cache
def conversations(request: HttpRequest) -> HttpResponse:
    return render(request, "chat/conversations.html", _list_context(request))


@login_required
@require_GET
@never_cache
def conversation(request: HttpRequest, key: str) -> HttpResponse:
    mine = place_or_404(request.user, key)
    thread = thread_of(mine, request.user, seq_from(request.GET.get("before", "")))
    if not thread.is_past:
        # The header counts what is unread now.
        if mine.read_seq < thread.last_seq:
            message_read(conversation=mine.conversation, user=request.user, seq=thread.last_seq)
        if thread.ticket:
            notifications_read_about(user=request.user, url=mine.conversation.get_absolute_url())
    return render(request, "chat/conversation.html", _list_context(request) | {"thread": thread})


@login_required
@require_GET
@never_cache
def conversation_rows(request: HttpRequest) -> HttpResponse:
    """The first rows of the list, for a page that may have missed something; 204 if there are none, or the newest is the
    message that `?newest=` names, as {conversation}.{seq}."""
    found = _list_page(request).items
    if not found or f"{found[0].conversation_id.hex}.{found[0].last_seq}" == request.GET.get("newest"):
        return HttpResponse(status=204)
    return render(request, "chat/list_rows.html", {"rows": selectors.conversation_rows(found)})


@login_required
@require_GET
@never_cache
def conversation_row(request: HttpRequest, key: str) -> HttpResponse:
    """Its row in the list, for a page that is open when it begins."""
    [row] = selectors.conversation_rows([place_or_404(request.user, key)])
    return render(request, "chat/list_row.html", {"row": row})


@login_required
@require_GET
@never_cache
def earlier(request: HttpRequest, key: str) -> HttpResponse:
    """The messages before `?before=`, as a part of the page that is open."""
    thread = thread_of(place_or_404(request.user, key), request.user, seq_from(request.GET.get("before", "")) or 0)
    return render(request, "chat/lines.html", {"thread": thread})


@login_required
@require_POST
def conversation_send(request: HttpRequest, key: str) -> HttpResponse:
    """The way to send without a script; `next` is the page to return to."""
    mine = place_or_404(request.user, key)
    body = request.POST.get("body", "")
    context: dict[str, Any] = {"draft": body}
    try:
        if is_ratelimited(request, group="chat.send", key="user", rate=SEND_RATE, increment=True):
            raise StoreError(_("You are sending very fast. Wait a minute, then send it again."), field="body")
        # Kept for another try, whatever is refused below.
        context["sent_files"] = files = uploads_of(request)
        require_confirmed(mine.conversation, body, confirmed="confirmed" in request.POST)
        message_send(
            conversation_id=mine.conversation.pk,
            sender=request.user,
            client_id=request.POST.get("client_id", ""),
            body=body,
            files=[file.pk for file in files],
        )
    except StoreError as error:
        context["thread"] = thread_of(mine, request.user)
        context["warning" if isinstance(error, ContactDetails) else "error"] = error
        return render(request, "chat/conversation.html", _list_context(request) | context, status=error.http_status)
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = mine.conversation.get_absolute_url()
    return redirect(back)


@login_required
@require_POST
def conversation_start(request: HttpRequest, username: str) -> HttpResponse:
    """Open the conversation with somebody, for example from a listing: "Ask the seller"."""
    if is_ratelimited(request, group="chat.start", key="user", rate=START_RATE, increment=True):
        raise StoreError(_("You have opened many conversations. Wait an hour before the next one."))
    other = get_object_or_404(User, username=username.lower())
    return redirect(conversation_direct(user=request.user, other=other))


@login_required
@require_GET
@never_cache
def order_panel(request: HttpRequest, number: str) -> HttpResponse:
    """The conversation of an order as a part of its page; asked for by itself, the conversation's own page."""
    try:
        order = order_for(request.user, number.upper())
    except Order.DoesNotExist:
        raise Http404 from None
    its_conversation = conversation_for_order(order=order)
    if not request.htmx:
        return redirect(its_conversation)
    thread = thread_of(place_or_404(request.user, its_conversation.pk.hex), request.user)
    return render(request, "chat/panel.html", {"thread": thread, "next": order.get_absolute_url()})


@login_required
@require_GET
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """The header's figures, for pages that are open for longer."""
    counts = Counts(request.user)
    return JsonResponse({name: getattr(counts, name) for name in ("messages", "notifications", "orders", "wallet")})


# ---------------------------------------------------------------- notifications


@login_required
@require_GET
@never_cache
def notifications(request: HttpRequest) -> HttpResponse:
    page = page_of(Notification.objects.filter(user=request.user), ("-id",), request.GET.get("after", ""))
    rows = [{"row": row, "text": notification_text(row.kind, row.params)} for row in page.items]
    return render(request, "chat/notifications.html", {"page": page, "rows": rows})


@login_required
@require_GET
def notification_open(request: HttpRequest, key: str) -> HttpResponse:
    """Mark it as read and go to what it is about."""
    row = get_object_or_404(Notification, pk=key, user=request.user)
    notification_read(user=request.user, notification=row)
    return redirect(row.url or "chat:notifications")


@login_required
@require_POST
def notifications_all_read(request: HttpRequest) -> HttpResponse:
    notifications_read(user=request.user)
    return redirect("chat:notifications")


@login_required
def preferences(request: HttpRequest) -> HttpResponse:
    form = MailForm(initial={"wanted": sorted(MUTABLE - muted_topics(request.user))})
    if request.method == "POST":
        form = MailForm(request.POST)
        if form.is_valid():
            preferences_set(user=request.user, muted=form.muted)
            messages.success(request, _("Saved."))
            return redirect("chat:preferences")
    context = {
        "form": form,
        "choices": [(option, TOPICS[option.data["value"]]) for option in form["wanted"].subwidgets],
        "fixed": [topic for topic in TOPICS.values() if not topic.mutable],
        "tab": "mails",
    }
    return render(request, "chat/preferences.html", context)
