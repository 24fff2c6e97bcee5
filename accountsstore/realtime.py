"""Sending a frame from ordinary code: page views, jobs, commands.

`async_to_sync(channel_layer.group_send)` starts an event loop per call and ties the layer's connections to it. This
writes the same bytes to the same Redis channels through the synchronous client.
"""

from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings

from accountsstore.layer import ClusterChannelLayer
from accountsstore.redis import execute_many


def group_send(groups: list[str], frame: dict[str, Any]) -> None:
    """Deliver `frame` to every socket in `groups` now.

    At most once, and not at all where a socket's process follows a fail-over later than this one. Raises
    redis.RedisError, within a few seconds, if Redis is away: some of the groups may have got it.
    """
    layer = get_channel_layer()
    message = {"type": "deliver", "frame": frame}
    if isinstance(layer, ClusterChannelLayer):
        command, name = "SPUBLISH", layer.group_name
    else:
        # channels-redis names a group's channel so, and tells nobody outside an event loop.
        command, name = "PUBLISH", f"{settings.REDIS_PREFIX}__group__{{}}".format
    # Serialized for each: a publish has a name of its own.
    execute_many([(command, name(group), layer.serialize(message)) for group in groups])
