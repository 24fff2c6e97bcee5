"""A crowd of clients in rooms of two to ten, what reaches them, and how long it took."""

import asyncio
import json
import time
from collections import Counter
from typing import Any

from locustfiles.sockets.clients import Client, handshake

ROOM_SIZES = range(2, 11)
AT_ONCE = 50
PATIENCE_SECONDS = 120
CONVERSATION = "0" * 32
# Stands in the body of each message, before the time in 16 digits.
MARK = b"sent:"
FILLING = "x" * 60


def rooms_of(people: int) -> list[int]:
    """The room of each."""
    rooms: list[int] = []
    while len(rooms) < people:
        number = rooms[-1] + 1 if rooms else 0
        rooms += [number] * ROOM_SIZES[number % len(ROOM_SIZES)]
    return rooms[:people]


def now_us() -> int:
    return time.perf_counter_ns() // 1000


class Crowd:
    """The frames are those of our protocol; a subclass speaks another."""

    path = "/ws/?user={user}&room={room}"

    def __init__(self, port: int, people: int) -> None:
        self.port, self.rooms = port, rooms_of(people)
        self.room_sizes = Counter(self.rooms)
        self.clients: list[Client] = []
        self.welcomed = self.delivered = self.closed = 0
        self.latencies_us: list[int] = []

    # ------------------------------------------------------------ coming and going

    async def arrive(self) -> None:
        """Return when all are connected and welcomed. Raises ConnectionError, TimeoutError."""
        people = len(self.rooms)
        for first in range(0, people, AT_ONCE):
            await asyncio.gather(*(self._connect(user) for user in range(first, min(first + AT_ONCE, people))))
        await self.until(lambda: self.welcomed == people)

    def request(self, user: int) -> bytes:
        return handshake(self.port, self.path.format(user=user, room=self.rooms[user]))

    async def _connect(self, user: int) -> None:
        request = self.request(user)
        _transport, client = await asyncio.get_running_loop().create_connection(
            lambda: Client(user, request, self.heard, self.lost), "127.0.0.1", self.port
        )
        await client.ready
        self.clients.append(client)

    async def leave(self) -> None:
        for client in self.clients:
            client.transport.close()
        await self.until(lambda: self.closed == len(self.clients))

    def lost(self, client: Client, code: int) -> None:
        self.closed += 1

    @staticmethod
    async def until(condition: Any) -> None:
        """Raises TimeoutError when it takes too long."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                await asyncio.sleep(0.001)

    # ------------------------------------------------------------ hearing and saying

    def heard(self, client: Client, text: bytes) -> None:
        at = text.find(MARK)
        if at < 0:
            self.welcomed += b'"welcome"' in text
            return
        self.delivered += 1
        start = at + len(MARK)
        self.latencies_us.append(now_us() - int(text[start : start + 16]))

    def say(self, client: Client, *, everybody: bool = False) -> None:
        client.say(
            self.frame("everybody-0001" if everybody else "client-0001", f"{MARK.decode()}{now_us():016} {FILLING}")
        )

    def frame(self, client_id: str, body: str) -> bytes:
        said = {"type": "message.send", "conversation": CONVERSATION, "client_id": client_id, "body": body}
        return json.dumps(said).encode()

    async def talk(self, deliveries_a_second: float, seconds: float) -> int:
        """Speak in all rooms in turn, so that about so many deliveries a second are due. Gives how many were, once they
        have arrived. Raises TimeoutError."""
        due = self.delivered
        said, began, weight = 0, time.perf_counter(), 0
        while (elapsed := time.perf_counter() - began) < seconds:
            while weight < elapsed * deliveries_a_second:
                client = self.clients[said * 7919 % len(self.clients)]
                weight += self.room_sizes[self.rooms[client.number]]
                self.say(client)
                said += 1
            await asyncio.sleep(0.002)
        await self.until(lambda: self.delivered == due + weight)
        return weight

    async def tell_everybody(self) -> float:
        """Seconds until all have it."""
        due, began = self.delivered + len(self.clients), time.perf_counter()
        self.say(self.clients[0], everybody=True)
        await self.until(lambda: self.delivered == due)
        return time.perf_counter() - began


class SocketIoCrowd(Crowd):
    """Engine.IO 4 and Socket.IO 5 over a WebSocket, as the browser's client speaks them."""

    path = "/socket.io/?EIO=4&transport=websocket&user={user}&room={room}"

    def heard(self, client: Client, text: bytes) -> None:
        match text[:1]:
            case b"0":
                client.say(b"40")
            case b"2":
                client.say(b"3")
            case _:
                super().heard(client, text)

    def frame(self, client_id: str, body: str) -> bytes:
        said = {"conversation": CONVERSATION, "client_id": client_id, "body": body}
        return b'42["message.send",' + json.dumps(said).encode() + b"]"
