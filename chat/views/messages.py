"""What people do with messages besides reading and sending: attach files, edit, delete, search."""

import re
import uuid
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from accountsstore.errors import StoreError
from chat import selectors
from chat.contact_details import require_confirmed
from chat.errors import ContactDetails, TooLateToChange
from chat.models import Participant
from chat.services.attachments import FILES_MAX, attachment_store, file_card
from chat.services.changes import may_still_change, message_delete, message_edit
from chat.threads import found_lines, seq_from
from uploads.models import StoredFile

HEX_ID = re.compile(r"[0-9a-f]{32}")


def place_or_404(user: User, key: str) -> Participant:
    mine = selectors.membership(user, uuid.UUID(key))
    if mine is None:
        raise Http404
    return mine


@login_required
@require_POST
def attachment_upload(request: HttpRequest, key: str) -> JsonResponse:
    """Keep the file `file`, to be sent with a message within a day: its {"id", "name", "mime", "size"}."""
    place_or_404(request.user, key)
    upload = request.FILES.get("file")
    if upload is None:
        return JsonResponse({"detail": _("Choose a file first.")}, status=400)
    try:
        file = attachment_store(owner=request.user, upload=upload)
    except StoreError as error:
        return JsonResponse({"detail": str(error.message)}, status=error.http_status)
    return JsonResponse(file_card(file))


def uploads_of(request: HttpRequest) -> list[StoredFile]:
    """The files of a form that was sent without a script: those it carries are stored now, those that an earlier try
    had stored are named. Raises BadFile, Unavailable."""
    named = [uuid.UUID(key) for key in request.POST.getlist("file") if HEX_ID.fullmatch(key)]
    known = StoredFile.objects.filter(owner=request.user, purpose=StoredFile.Purpose.CHAT, pk__in=named[:FILES_MAX])
    stored = [
        attachment_store(owner=request.user, upload=upload) for upload in request.FILES.getlist("files")[:FILES_MAX]
    ]
    return [*known, *stored]


@login_required
@never_cache
def message_change(request: HttpRequest, key: str, client_id: str) -> HttpResponse:
    """Edit or delete one's own message without a script. `act` is "edit" or "delete"."""
    mine = place_or_404(request.user, key)
    message = selectors.own_message(mine.conversation, request.user, client_id)
    if message is None or message.deleted_at is not None:
        raise Http404
    context: dict[str, Any] = {"message": message, "conversation": mine.conversation, "draft": message.body}
    error: StoreError | None = None if may_still_change(message, timezone.now()) else TooLateToChange()
    if request.method == "POST":
        args = {"conversation": mine.conversation, "sender": request.user, "client_id": client_id}
        body = context["draft"] = request.POST.get("body", "")
        try:
            if request.POST.get("act") == "delete":
                message_delete(**args)
            else:
                require_confirmed(mine.conversation, body, confirmed="confirmed" in request.POST)
                message_edit(**args, body=body)
            return redirect(mine.conversation)
        except ContactDetails as found:
            context["warning"] = found
        except StoreError as refused:
            error = refused
    context["error"] = error
    return render(request, "chat/change.html", context, status=error.http_status if error and request.POST else 200)


@login_required
@require_GET
@never_cache
def conversation_search(request: HttpRequest, key: str) -> HttpResponse:
    """Messages of the conversation that hold all the words of `?q=`, newest first; `?before=` goes on."""
    mine = place_or_404(request.user, key)
    words = request.GET.get("q", "").strip()[:80]
    hits, further = selectors.messages_with(mine.conversation, words, seq_from(request.GET.get("before", "")))
    context = {
        "conversation": mine.conversation,
        "other": next(iter(selectors.others_in(mine.conversation_id, request.user)), None),
        "words": words,
        "hits": found_lines(hits, request.user),
        "further": further,
    }
    return render(request, "chat/search.html", context)
