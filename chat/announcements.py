"""What the store says to everybody: a banner on every page, and at once on those that are open."""

from typing import Any

from django.core.cache import cache
from django.http import HttpRequest
from django.utils import timezone, translation
from django.utils.functional import SimpleLazyObject

from accountsstore.db import on_commit
from accountsstore.events import ALL_GROUP, Announced
from accountsstore.outbox import publish
from chat.models import Announcement

_KEY = "chat.announcement"
# Pages that are open hear of a change at once; those that are opened right after it may lag so far behind.
KEPT_SECONDS = 30


def announcement_tell() -> None:
    """Tell all open pages what stands in the banner now. Inside the transaction that changes it. Safe to repeat."""
    shown = _newest()
    publish(
        Announced(texts=shown.texts, ends_at=shown.ends_at.isoformat()) if shown else Announced(), groups=[ALL_GROUP]
    )
    on_commit(lambda: cache.delete(_KEY))


def _newest() -> Announcement | None:
    return Announcement.objects.filter(ends_at__gt=timezone.now()).order_by("-created_at", "-id").first()


def banner(request: HttpRequest) -> dict[str, Any]:
    """For templates: `announcement`, {text, ends_at}, or nothing. One look into the cache, when it is printed."""
    return {"announcement": SimpleLazyObject(_banner)}


def _banner() -> dict[str, Any]:
    kept = cache.get(_KEY)
    if kept is None:
        shown = _newest()
        kept = {"texts": shown.texts, "ends_at": shown.ends_at} if shown else {}
        cache.set(_KEY, kept, KEPT_SECONDS)
    if not kept or kept["ends_at"] <= timezone.now():
        return {}
    texts = kept["texts"]
    return {"text": texts.get(translation.get_language() or "") or texts["en"], "ends_at": kept["ends_at"]}
