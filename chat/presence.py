"""Who is online: a key per person that pings keep alive. It outlives a killed process by a minute at most."""

import uuid
from collections.abc import Iterable

from django.core.cache import cache

# Three pings of the client (25 s apart).
LEASE_SECONDS = 75


def _key(user_id: uuid.UUID) -> str:
    return f"online:{user_id.hex}"


def presence_touch(user_id: uuid.UUID) -> None:
    """The person has an open page now. Safe to repeat."""
    cache.set(_key(user_id), 1, LEASE_SECONDS)


def online(user_ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Those of `user_ids` who have an open page."""
    keys = {_key(user_id): user_id for user_id in user_ids}
    return {keys[key] for key in cache.get_many(keys)}
