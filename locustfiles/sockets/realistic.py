"""How many people one vCPU carries when they really talk: sessions, the chat's own service, MongoDB.

    make bench-sockets PROFILE=realistic
    .venv/bin/python manage.py stack run --only mongo,redis,jobs -- .venv/bin/python -m locustfiles.sockets.realistic

Each person is in a conversation with one other, says something once a minute, hears of something else every ten seconds,
pings every 25 s; one in a hundred reconnects each minute, and once one in five within ten seconds. Receipts and typing
are left out, as in the profile of the source design. Printed are the server's own CPU, how many people that makes for
one vCPU at 60 %, and what of that 200,000 need. Nothing that was acknowledged may be missing from the database or from
the other side.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import django
import uvloop

from locustfiles.sockets.clients import Client, handshake
from locustfiles.sockets.crowd import FILLING, MARK, Crowd, now_us
from locustfiles.sockets.server_process import Server, free_port, percentile_us

MESSAGE_SECONDS, EVENT_SECONDS, PING_SECONDS, RECONNECT_SECONDS = 60, 10, 25, 6_000
BURST_SHARE, BURST_SECONDS = 0.2, 10
SHARE_OF_CPU = 0.6
STORE = 200_000
BATCH = 500


class Talkers(Crowd):
    """Pairs with sessions, who resume and subscribe as the page does."""

    path = "/ws/"

    def __init__(self, port: int, cookies: list[str], users: list[uuid.UUID], talks: list[str]) -> None:
        super().__init__(port, len(cookies))
        self.cookies, self.users, self.talks = cookies, users, talks
        self._present: dict[int, Client] = {}
        self.last_seq: dict[str, int] = dict.fromkeys(talks, 0)
        self.seen: dict[int, int] = dict.fromkeys(range(len(cookies)), 0)
        self.acknowledged = self.events = self.gaps = self.errors = self.refused = 0

    def request(self, person: int) -> bytes:
        return handshake(self.port, self.path, self.cookies[person])

    def by_person(self, person: int) -> Client:
        return self._present[person]

    async def _connect(self, user: int) -> None:
        await super()._connect(user)
        self._present[user] = self.clients[-1]

    async def come_back(self, person: int) -> None:
        """Lose the connection and make another. What is said meanwhile comes by `resume`."""
        self._present[person].transport.close()
        while True:
            try:
                await self._connect(person)
            except ConnectionError:
                # Too many came at once; the page tries again too.
                self.refused += 1
                await asyncio.sleep(random.random())
            else:
                return

    def heard(self, client: Client, text: bytes) -> None:
        person = client.number
        frame = json.loads(text)
        match frame["type"]:
            case "welcome":
                self.welcomed += 1
                talk = self.talks[person // 2]
                client.say(json.dumps({"type": "subscribe", "conversations": [talk]}).encode())
                client.say(json.dumps({"type": "resume", "since": {talk: self.seen[person]}}).encode())
            case "message.new":
                if frame["seq"] == self.seen[person] + 1:
                    self.seen[person] = frame["seq"]
                elif frame["seq"] > self.seen[person]:
                    self.gaps += 1
                    talk = self.talks[person // 2]
                    client.say(json.dumps({"type": "resume", "since": {talk: self.seen[person]}}).encode())
                self.note(frame["body"])
            case "message.ack":
                self.acknowledged += 1
                talk = frame["conversation"]
                self.last_seq[talk] = max(self.last_seq[talk], frame["seq"])
            case "wallet.changed":
                self.events += 1
                self.note(frame["body"])
            case "error":
                self.errors += 1

    def note(self, body: str) -> None:
        self.latencies_us.append(now_us() - int(body[len(MARK) :][:16]))

    def message(self, person: int) -> bytes:
        body = f"{MARK.decode()}{now_us():016} {FILLING}"
        said = {
            "type": "message.send",
            "conversation": self.talks[person // 2],
            "client_id": uuid.uuid4().hex,
            "body": body,
        }
        return json.dumps(said).encode()


class Steady:
    """What is due, by the clock: `rate` a second."""

    def __init__(self, rate: float) -> None:
        self.rate, self.began, self.done = rate, time.perf_counter(), 0

    def due(self) -> int:
        count = int((time.perf_counter() - self.began) * self.rate) - self.done
        self.done += count
        return count


def prepare(people: int) -> tuple[list[str], list[uuid.UUID], list[str]]:
    """Rows for so many people: (cookies, their ids, the conversation of each pair)."""
    from django.conf import settings

    from accounts.models import User
    from chat.models import Conversation, Participant
    from locustfiles.sessions import session_new

    mark = uuid.uuid4().hex[:8]
    users: list[User] = []
    for first in range(0, people, BATCH):
        users += User.objects.bulk_create(
            User(username=f"crowd-{mark}-{n}", email=f"crowd-{mark}-{n}@bench.example")
            for n in range(first, min(first + BATCH, people))
        )
    talks = [
        Conversation(
            kind=Conversation.Kind.DIRECT,
            subject="direct:{}:{}".format(*sorted((users[n].pk.hex, users[n + 1].pk.hex))),
        )
        for n in range(0, people, 2)
    ]
    places = [Participant(conversation=talks[n // 2], user=user) for n, user in enumerate(users)]
    for first in range(0, people, BATCH):
        Conversation.objects.bulk_create(talks[first : first + BATCH])
    for first in range(0, people, BATCH):
        Participant.objects.bulk_create(places[first : first + BATCH])
    cookies = [f"{settings.SESSION_COOKIE_NAME}={session_new(user)}" for user in users]
    return cookies, [user.pk for user in users], [talk.pk.hex for talk in talks]


async def live(crowd: Talkers, seconds: float, *, burst: bool = False) -> None:
    """Have everybody do what they do, for so long."""
    from channels.layers import get_channel_layer

    from accountsstore.events import user_group

    layer = get_channel_layer()
    people = len(crowd.cookies)
    messages, events = Steady(people / MESSAGE_SECONDS), Steady(people / EVENT_SECONDS)
    pings = Steady(people / PING_SECONDS)
    comebacks = Steady(people * BURST_SHARE / BURST_SECONDS if burst else people / RECONNECT_SECONDS)
    turns = [0, people // 3, people // 2]
    began = time.perf_counter()
    back: set[asyncio.Task[None]] = set()
    while time.perf_counter() - began < seconds:
        for _ in range(messages.due()):
            turns[0] = (turns[0] + 7919) % people
            crowd.by_person(turns[0]).say(crowd.message(turns[0]))
        for _ in range(events.due()):
            turns[1] = (turns[1] + 1) % people
            frame = {"type": "wallet.changed", "body": f"{MARK.decode()}{now_us():016}"}
            await layer.group_send(user_group(crowd.users[turns[1]]), {"type": "deliver", "frame": frame})
        for _ in range(pings.due()):
            turns[2] = (turns[2] + 1) % people
            crowd.by_person(turns[2]).say(b'{"type":"ping"}')
        for _ in range(comebacks.due()):
            back.add(asyncio.create_task(crowd.come_back(random.randrange(people))))
        await asyncio.sleep(0.005)
    await asyncio.gather(*back)


async def main(people: int, seconds: float, report: Path | None, prepared: tuple[Any, ...]) -> dict[str, int]:
    port = free_port()
    command = [sys.executable, "manage.py", "serve", "--port", str(port)]
    async with Server(command, port, {}) as server:
        crowd = Talkers(port, *prepared)
        memory, cpu = server.kilobytes(), server.cpu_seconds()
        await crowd.arrive()
        await asyncio.sleep(5)
        found: dict[str, float] = {
            "people": people,
            "kilobytes": (server.kilobytes() - memory) / people,
            "connects": people / (server.cpu_seconds() - cpu),
        }
        await live(crowd, 5)
        for name, long, burst in (("steady", seconds, False), ("burst", BURST_SECONDS, True)):
            crowd.latencies_us.clear()
            cpu, began = server.cpu_seconds(), time.perf_counter()
            await live(crowd, long, burst=burst)
            share = (server.cpu_seconds() - cpu) / (time.perf_counter() - began)
            found[f"{name}_cpu_share"] = share
            found[f"{name}_p50_ms"] = percentile_us(crowd.latencies_us, 0.5) / 1000
            found[f"{name}_p95_ms"] = percentile_us(crowd.latencies_us, 0.95) / 1000
        found["people_per_vcpu"] = people * SHARE_OF_CPU / found["steady_cpu_share"]
        found["vcpus_for_the_store"] = STORE / found["people_per_vcpu"]
        await crowd.until(
            lambda: all(crowd.seen[person] >= crowd.last_seq[crowd.talks[person // 2]] for person in range(people))
        )
        found |= {
            "acknowledged": crowd.acknowledged,
            "asked_again": crowd.gaps,
            "errors": crowd.errors,
            "refused": crowd.refused,
        }
        await crowd.leave()
    print(json.dumps({key: round(value, 1) for key, value in found.items()}, indent=1))
    if report:
        report.write_text(json.dumps(found, indent=1))
    return crowd.last_seq


def check(acknowledged: dict[str, int]) -> None:
    """Ends the program when a message that was acknowledged is not in the database."""
    from chat.models import Conversation

    rows = Conversation.objects.filter(pk__in=[uuid.UUID(talk) for talk in acknowledged])
    stored = {pk.hex: seq for pk, seq in rows.values_list("pk", "last_seq")}
    if lost := [talk for talk, seq in acknowledged.items() if stored.get(talk, 0) < seq]:
        sys.exit(f"{len(lost)} conversations lost acknowledged messages")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=6000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accountsstore.settings")
    django.setup()
    check(uvloop.run(main(options.people, options.seconds, options.json, prepare(options.people))))
