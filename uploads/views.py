"""Private files, and the profile picture. Public pictures never come here: see `uploads/middleware.py`."""

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from uploads.answers import PRIVATE, private_answer
from uploads.errors import BadFile
from uploads.incoming import incoming_begin
from uploads.links import key_is_good, signed_url
from uploads.models import StoredFile
from uploads.policies import may_read
from uploads.services import access_record, avatar_replace
from uploads.storage import takes_uploads


@require_safe
def file(request: HttpRequest, file_id: str, variant: str) -> HttpResponse:
    """A private file for whoever may look. To everybody else there is no such file."""
    user = request.user
    found = StoredFile.objects.filter(pk=uuid.UUID(file_id), state=StoredFile.State.CLEAN).first()
    if found is None or found.is_public or not user.is_authenticated or not may_read(user, found, variant):
        raise Http404
    if "key" not in request.GET:
        return HttpResponseRedirect(signed_url(found.pk, variant, user), headers={"Cache-Control": PRIVATE})
    # The bytes, or where the CDN has them for the next minute.
    answer = private_answer(found, variant) if key_is_good(request.GET["key"], found.pk, variant, user) else None
    if answer is None:
        raise Http404
    if user.is_staff and user.pk != found.owner_id:
        access_record(file=found, user=user, variant=variant, ip=request.META.get("REMOTE_ADDR", ""))
    return answer


@require_POST
@login_required
def avatar(request: HttpRequest) -> HttpResponse:
    """Replace the profile picture by the file `picture`, or with `remove` take it away. Leads back to the profile."""
    upload = request.FILES.get("picture")
    if upload is None and "remove" not in request.POST:
        messages.error(request, _("Choose a picture first."))
        return redirect("accounts:profile")
    try:
        avatar_replace(user=request.user, upload=upload)
    except BadFile as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Your picture is changed.") if upload else _("Your picture is removed."))
    return redirect("accounts:profile")


@require_POST
@login_required
def incoming(request: HttpRequest) -> JsonResponse:
    """Where and how a browser may send one file straight to the bucket: {"id": …, "url": …, "fields": {…}}.

    Takes `purpose`, `name`, `type` and `size`. 404 where files come with their forms.
    """
    if not takes_uploads() or request.POST.get("purpose") not in StoredFile.Purpose:
        raise Http404
    begun = incoming_begin(
        owner=request.user,
        purpose=request.POST["purpose"],
        name=request.POST.get("name", ""),
        content_type=request.POST.get("type", ""),
        size_bytes=int(size) if (size := request.POST.get("size", "")).isdecimal() else 0,
    )
    return JsonResponse({"id": begun.row.pk.hex, **begun.form})
