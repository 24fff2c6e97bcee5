"""Is the store well? `/api/health/live`: the process answers. `/api/health`: so do the parts it needs."""

import redis
from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse

from accountsstore.models import OutboxEvent
from accountsstore.redis import ping


def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """200 with every part "ok", or 503 that names the part that is ill."""
    parts = {"database": _database(), "redis": _redis()}
    well = all(part == "ok" for part in parts.values())
    return JsonResponse({"status": "ok" if well else "ill", "parts": parts}, status=200 if well else 503)


def _database() -> str:
    try:
        OutboxEvent.objects.filter(pending=True).values_list("pk")[:1].exists()
    except DatabaseError as error:
        return type(error).__name__
    return "ok"


def _redis() -> str:
    try:
        ping()
    except redis.RedisError as error:
        return type(error).__name__
    return "ok"
