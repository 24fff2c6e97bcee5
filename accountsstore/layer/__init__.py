"""The channel layer of the store: how processes reach the sockets of each other.

`layer` speaks Channels, `pubsub` publishes and subscribes, `slots` follows the masters of a cluster, `connection` speaks
to one server.
"""

from accountsstore.layer.layer import ClusterChannelLayer
from accountsstore.layer.pubsub import LayerUnavailable

__all__ = ["ClusterChannelLayer", "LayerUnavailable"]
