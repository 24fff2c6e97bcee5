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


@functools.cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
    )


def group_send(groups: list[str], frame: dict[str, Any]) -> None:
    """Deliver `frame` to every socket in `groups` now. At most once; raises redis.RedisError if Redis is away."""
    layer = get_channel_layer()
    message = {"type": "deliver", "frame": frame}
    if not hasattr(layer, "_get_group_channel_name"):  # the in-memory layer of a few unit tests
        from asgiref.sync import async_to_sync

        for group in groups:
            async_to_sync(layer.group_send)(group, message)
        return
    data = layer.serialize(message)
    pipe = _client().pipeline(transaction=False)
    for group in groups:
        pipe.publish(layer._get_group_channel_name(group), data)
    pipe.execute()
