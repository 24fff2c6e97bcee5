"""The channel layer of the store: how processes reach the sockets of each other.

`layer` speaks Channels, `pubsub` publishes and subscribes, `slots` follows the masters of a cluster, `connection` speaks
to one server. `listening` puts a receiver into groups, on this layer or another.
"""

from accountsstore.layer.layer import ClusterChannelLayer
from accountsstore.layer.listening import Listening, listening, message_of
from accountsstore.layer.pubsub import LayerUnavailable

__all__ = ["ClusterChannelLayer", "LayerUnavailable", "Listening", "listening", "message_of"]
