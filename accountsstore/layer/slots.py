"""Who owns which slots: the connections to the masters of a cluster, or to the one server there is."""

import asyncio
import functools
import logging
import random
from collections.abc import Callable
from typing import Any

import hiredis
from prometheus_client import Counter
from redis.crc import REDIS_CLUSTER_HASH_SLOTS as SLOTS

from accountsstore.layer.connection import Address, Connection, ConnectionLost
from accountsstore.redis import Servers

logger = logging.getLogger(__name__)

# Publishers wait this long at a new owner, so that the subscribers of other processes are there first. Where the old one
# lives it tells them; where it is dead they look three times a second, or as often as an attempt to reach it times out.
MOVED_SETTLE_SECONDS, DEAD_SETTLE_SECONDS = 0.5, 1.5
# A node without slots is left after this: until then publishers who do not know yet may send there.
LEAVE_SECONDS = 2
# A server that says nothing is asked after the first and given up after the second.
QUIET_SECONDS, SILENT_SECONDS = 2, 6

LOST = Counter("channel_layer_lost_connections", "Connections to Redis that ended by themselves")

# First slot, last slot, address of the master.
Layout = list[tuple[int, int, Address]]


class Node:
    """A master: one connection for what is asked and published, one for the messages that come from it."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.commands: Connection | None = None
        self.messages: Connection | None = None
        # Since when it owns no slot.
        self.unneeded_since: float | None = None

    @property
    def is_alive(self) -> bool:
        return self.commands is not None and self.messages is not None

    def tell(self, *command: bytes) -> None:
        """Send a command whose answer is a push."""
        if self.messages:
            self.messages.tell(*command)

    def check(self, now: float) -> None:
        """Have a quiet server say something; give a silent one up."""
        for connection in (self.commands, self.messages):
            if connection and now - connection.heard_at > SILENT_SECONDS:
                connection.abort()
            elif connection and now - connection.heard_at > QUIET_SECONDS:
                connection.ping()

    def leave(self) -> None:
        """Close both connections, however many there are. Safe to repeat."""
        for connection in (self.commands, self.messages):
            if connection:
                connection.abort()
        self.commands = self.messages = None


class Slots:
    """`on_push(node, push)` is called for what a node says unasked, `on_lost()` when a connection has ended."""

    def __init__(
        self, servers: Servers, on_push: Callable[[Node, list[Any]], None], on_lost: Callable[[], None]
    ) -> None:
        self._servers = servers
        self._on_push, self._on_lost = on_push, on_lost
        self._loop = asyncio.get_running_loop()
        # Every address that was ever told, as the order in which to ask; a dict for its order.
        self._known: dict[Address, None] = dict.fromkeys(servers.nodes)
        self._nodes: dict[Address, Node] = {}
        self._owners: list[Node | None] = [None] * SLOTS
        self._has_owners = False
        # Slots at a new owner: until when publishers wait.
        self._settling: dict[int, float] = {}
        self._was_complete = True
        # Why nothing is better.
        self.error: Exception | None = None
        # Who has said that slots have moved, and so knows where to.
        self.informed: Node | None = None

    def owner(self, slot: int) -> Node | None:
        return self._owners[slot]

    def publisher(self, slot: int) -> Connection | None:
        """Where to publish now."""
        node = self._owners[slot]
        return None if node is None or slot in self._settling else node.commands

    def check(self) -> None:
        for node in self._nodes.values():
            node.check(self._loop.time())

    def close(self) -> None:
        for node in self._nodes.values():
            node.leave()

    async def follow(self) -> bool:
        """Read who owns which slots and connect to them. False as long as something is on its way."""
        try:
            layout = await self._read()
        except (OSError, hiredis.HiredisError) as error:
            self.error = error
            is_complete = False
        else:
            addresses = {address for _, _, address in layout}
            await asyncio.gather(*(self._connect(address) for address in addresses))
            self._adopt(layout)
            self._retire(addresses)
            is_complete = self._nodes.keys() == addresses
        if is_complete != self._was_complete:
            self._was_complete = is_complete
            if is_complete:
                logger.info("the channel layer has every master again")
            else:
                logger.warning("the channel layer misses a master", extra={"error": repr(self.error)})
        return is_complete and not self._settling

    # ------------------------------------------------------------ reading

    async def _read(self) -> Layout:
        """Raises OSError or hiredis.HiredisError when nobody tells."""
        if not self._servers.is_cluster:
            return [(0, SLOTS - 1, self._servers.nodes[0])]
        nodes = list(self._nodes.values())
        random.shuffle(nodes)
        # Who has refused something knows more than a node that nobody has told yet.
        nodes.sort(key=lambda node: node is not self.informed)
        self.informed = None
        for node in nodes:
            if node.commands:
                try:
                    return await self._ask(node.commands)
                except (OSError, hiredis.HiredisError) as error:
                    self.error = error
        return await self._ask_strangers()

    async def _ask_strangers(self) -> Layout:
        addresses = list(self._known)
        random.shuffle(addresses)
        failure: Exception = ConnectionLost()
        for address in addresses:
            try:
                connection = await Connection.open(address, self._servers)
                try:
                    return await self._ask(connection)
                finally:
                    connection.abort()
            except (OSError, hiredis.HiredisError) as error:
                failure = error
        raise failure

    async def _ask(self, connection: Connection) -> Layout:
        rows = await connection.ask_soon("CLUSTER", "SLOTS")
        if not rows:
            raise ConnectionLost(f"{connection.address} is in no cluster")
        layout = []
        for first, last, *nodes in rows:
            # A node that does not know its own address leaves it to who asks.
            addresses = [((host or b"").decode() or connection.address[0], port) for host, port, *_ in nodes]
            self._known.update(dict.fromkeys(addresses))
            layout.append((first, last, addresses[0]))
        return layout

    # ------------------------------------------------------------ following

    async def _connect(self, address: Address) -> None:
        if address in self._nodes and self._nodes[address].is_alive:
            return
        node = Node(address)
        on_push, on_lost = functools.partial(self._on_push, node), functools.partial(self._lost, node)
        try:
            node.commands = await Connection.open(address, self._servers, on_push, on_lost)
            node.messages = await Connection.open(address, self._servers, on_push, on_lost)
        except (OSError, hiredis.HiredisError) as error:
            self.error = error
        if node.is_alive:
            self._nodes[address] = node
        else:
            node.leave()

    def _lost(self, node: Node) -> None:
        if node.is_alive:  # and so not left by us
            LOST.inc()
        node.leave()
        self._on_lost()

    def _adopt(self, layout: Layout) -> None:
        now = self._loop.time()
        owners: list[Node | None] = [None] * SLOTS
        for first, last, address in layout:
            node = self._nodes.get(address)
            if node and node.is_alive:
                owners[first : last + 1] = [node] * (last + 1 - first)
        self._settling = {slot: until for slot, until in self._settling.items() if until > now}
        if self._has_owners:
            for slot, (before, owner) in enumerate(zip(self._owners, owners, strict=True)):
                if owner is not None and owner is not before:
                    has_moved = before is not None and before.is_alive
                    self._settling[slot] = now + (MOVED_SETTLE_SECONDS if has_moved else DEAD_SETTLE_SECONDS)
        self._owners = owners
        self._has_owners = self._has_owners or any(owners)

    def _retire(self, needed: set[Address]) -> None:
        now = self._loop.time()
        for address, node in list(self._nodes.items()):
            if address in needed:
                node.unneeded_since = None
            elif node.unneeded_since is None:
                node.unneeded_since = now
            elif now - node.unneeded_since > LEAVE_SECONDS:
                node.leave()
            if not node.is_alive:
                del self._nodes[address]
