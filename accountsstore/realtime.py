"""Sending a frame from ordinary code: page views, jobs, commands.

`async_to_sync(channel_layer.group_send)` starts an event loop per call and ties the layer's connection to it. This
writes the same bytes to the same Redis channel through a synchronous client.
"""

import functools
from typing import Any

import redis
from channels.layers import get_channel_layer
from django.conf import settings

TIMEOUT_SECONDS = 2
# channels_redis names a group's Redis channel so; a test of the chat fails if it ever does not.
PREFIX = "asgi__group__"


@functools.cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
    )


def group_send(groups: list[str], frame: dict[str, Any]) -> None:
    """Deliver `frame` to every socket in `groups` now. At most once; raises redis.RedisError if Redis is away."""
    data = get_channel_layer().serialize({"type": "deliver", "frame": frame})
    pipe = _client().pipeline(transaction=False)
    for group in groups:
        pipe.publish(f"{PREFIX}{group}", data)
    pipe.execute()
