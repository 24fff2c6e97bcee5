"""Public pictures, answered before sessions and languages: they are the same for everybody.

Further in, an answer gets `Vary: Cookie`, and no cache would give one person's copy to another.
"""

import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from uploads.answers import public_answer
from uploads.models import StoredFile

_PATH = re.compile(r"^/files/([0-9a-f]{32})/(thumb|card|large)$")


class PublicFileMiddleware:
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
