"""What every page knows."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def store(request: HttpRequest) -> dict[str, Any]:
    return {"store_name": settings.STORE_NAME}
