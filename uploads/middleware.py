"""Files at the edge: public pictures out, and in what browsers sent to the bucket."""

import re
import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from uploads import storage
from uploads.answers import public_answer
from uploads.incoming import incoming_open
from uploads.models import StoredFile

_PATH = re.compile(r"^/files/([0-9a-f]{32})/(thumb|card|large)$")


class PublicFileMiddleware:
    """Answers public pictures before sessions and languages: they are the same for everybody.

    Further in, an answer gets `Vary: Cookie`, and no cache would give one person's copy to another.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        match = _PATH.match(request.path_info) if request.method in ("GET", "HEAD") else None
        file = (
            match
            and StoredFile.objects.filter(
                pk=uuid.UUID(match[1]), purpose__in=StoredFile.PUBLIC, state=StoredFile.State.CLEAN
            ).first()
        )
        answer = public_answer(request, file, match[2]) if match and file else None
        return answer or self.get_response(request)


class IncomingFilesMiddleware:
    """Puts files that the browser has sent to the bucket into the form that names them: `incoming=<field>:<id>`.

    One that cannot be had is left out: the form then asks for the file again.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: object) -> None:
        """After the check of the form's token. Raises Unavailable."""
        if "X-Upload" not in request.headers or not storage.takes_uploads() or not request.user.is_authenticated:
            return
        for named in request.POST.getlist("incoming")[: settings.DATA_UPLOAD_MAX_NUMBER_FILES]:
            field, _, incoming_id = named.partition(":")
            if upload := incoming_open(owner=request.user, incoming_id=incoming_id):
                request.FILES.appendlist(field, upload)
