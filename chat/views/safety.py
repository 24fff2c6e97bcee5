"""Keeping people apart: muting a conversation, blocking somebody, and reporting what they wrote."""

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from accountsstore.errors import StoreError
from accountsstore.paging import page_of
from chat.forms import MessageReportForm
from chat.models import Block, Participant
from chat.selectors import membership, newest_of_others, others_in
from chat.services.blocks import block_lift, block_set
from chat.services.conversations import conversation_mute
from chat.services.reports import message_report
from chat.threads import seq_from


def _mine_or_404(request: HttpRequest, key: str) -> Participant:
    mine = membership(request.user, uuid.UUID(key))
    if mine is None:
        raise Http404
    return mine


@login_required
@require_POST
def mute(request: HttpRequest, key: str) -> HttpResponse:
    """`muted=1` turns the mails about this conversation off, anything else on."""
    mine = _mine_or_404(request, key)
    muted = request.POST.get("muted") == "1"
    conversation_mute(conversation=mine.conversation, user=request.user, muted=muted)
    messages.success(request, _("No mails about this conversation any more.") if muted else _("Mails are on again."))
    return redirect(mine.conversation)


# ---------------------------------------------------------------- blocks


@login_required
@require_GET
@never_cache
def blocks(request: HttpRequest) -> HttpResponse:
    rows = Block.objects.filter(blocker=request.user).select_related("blocked")
    page = page_of(rows, ("-id",), request.GET.get("after", ""))
    return render(request, "chat/blocks.html", {"page": page, "tab": "blocks"})


@login_required
@require_POST
def block(request: HttpRequest, username: str) -> HttpResponse:
    other = get_object_or_404(User, username=username.lower())
    block_set(user=request.user, other=other)
    messages.success(
        request,
        _("%(name)s is blocked. Conversations about your orders with them stay open, so that orders can be finished.")
        % {"name": other.name},
    )
    return _back(request)


@login_required
@require_POST
def unblock(request: HttpRequest, username: str) -> HttpResponse:
    other = get_object_or_404(User, username=username.lower())
    block_lift(user=request.user, other=other)
    messages.success(request, _("You can write to each other again."))
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    back = request.POST.get("next", "")
    return redirect(back if url_has_allowed_host_and_scheme(back, allowed_hosts=None) else reverse("chat:blocks"))


# ---------------------------------------------------------------- reports


@login_required
@never_cache
def report(request: HttpRequest, key: str) -> HttpResponse:
    """Report the conversation, or one of the newest messages of the other side; `?seq=` chooses it."""
    mine = _mine_or_404(request, key)
    others = others_in(mine.conversation_id, request.user)
    if not others:
        raise Http404
    chosen = seq_from(request.GET.get("seq", ""))
    theirs = newest_of_others(mine.conversation, request.user, chosen)
    form = MessageReportForm(request.POST or None, initial={"message": str(chosen or "")}, theirs=theirs)
    context = {"conversation": mine.conversation, "other": others[0].user, "form": form}
    if request.method == "POST" and form.is_valid():
        try:
            message_report(conversation=mine.conversation, reporter=request.user, **form.cleaned_data)
        except StoreError as error:
            form.add_error(error.field if error.field in form.fields else None, str(error))
        else:
            return render(request, "chat/reported.html", context)
    return render(request, "chat/report.html", context)
