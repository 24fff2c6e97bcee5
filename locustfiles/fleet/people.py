"""Buyers, sellers and staff who trade across hosts. Each has an address of their own, by which nginx's log knows them, and
a tab whose one socket tells them when to look again and carries what they write to each other.
"""

import asyncio
import html
import itertools
import random
import re
import socket
import ssl
import time
import uuid
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from locustfiles.chaos.journal import Journal
from locustfiles.chaos.people import ACK_SECONDS, Person, Trouble
from locustfiles.chaos.seed import PASSWORD
from locustfiles.pages import form_fields, form_of
from locustfiles.release.tab import Frame, Sockets, Tab

# Whoever waits for another looks again at the latest after so long; their tab tells them sooner.
LOOK_SECONDS, SAY_SECONDS = 3.0, 1.5
CREDITED, REVEAL = r">\s*Credited\s*<", r'data-reveal="([^"]+)"'
RELEASED, SPLIT = "Staff paid the seller before the warranty ended", "The dispute ended: the price was split"
NUMBER = re.compile(r"\bAS-[0-9A-Z]+\b")
TEXT_FIELD = re.compile(r'<input[^>]*type="text"[^>]*name="([^"]+)"')
SALE = re.compile(r'href="(/orders/[0-9A-Z-]+/)"')


class _Loopback(AbstractResolver):
    """The store's name is this machine's."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        pass


class Member(Person):
    """Somebody with a tab, whose words are all kept until they are acknowledged."""

    def __init__(
        self,
        username: str,
        address: str,
        site: str,
        trust: ssl.SSLContext,
        journal: Journal,
        sockets: Sockets,
        receipt: bytes = b"",
    ) -> None:
        connector = aiohttp.TCPConnector(resolver=_Loopback(), ssl=trust, local_addr=(address, 0))
        super().__init__(username, site, [], journal, receipt, connector)
        self.address = address
        self.tab = Tab(lambda: self.http.ws_connect("/ws/", origin=site), sockets, self._heard)
        self._news = asyncio.Event()
        # {conversation: number of the last message that came}
        self.seen: dict[str, int] = {}
        self._unacknowledged: tuple[Frame, asyncio.Future[Frame]] | None = None

    # ------------------------------------------------------------ the tab

    async def _heard(self, frame: Frame) -> None:
        kind = frame["type"]
        if kind in ("welcome", "resync"):
            await self.resume()
            if self._unacknowledged:
                await self.tab.say(self._unacknowledged[0])
        elif kind == "message.new":
            await self._take(frame)
        elif self._unacknowledged:
            said, answered = self._unacknowledged
            # An acknowledgement, an error or a warning; a second one when it was said twice.
            if frame.get("client_id") == said["client_id"] and not answered.done():
                answered.set_result(frame)
        # Also what came while the tab was away.
        self._news.set()

    async def resume(self) -> None:
        """Ask for what was missed."""
        await self.tab.say({"type": "resume", "since": self.seen})

    async def _take(self, frame: Frame) -> None:
        conversation, seq = frame["conversation"], frame["seq"]
        last = self.seen.setdefault(conversation, 0)
        if seq > last + 1:
            await self.resume()
        elif seq == last + 1:
            self.seen[conversation] = seq
            self.journal.acknowledged(
                "hear", user=self.username, conversation=conversation, seq=seq, body=frame["body"]
            )

    async def say(self) -> None:
        """Write one message about one of their orders, and again whenever the socket comes back, until it is acknowledged."""
        client_id, body = uuid.uuid4().hex, f"Word {uuid.uuid4().hex[:12]} of {self.username}"
        frame = {
            "type": "message.send",
            "conversation": random.choice(self.conversations),
            "client_id": client_id,
            "body": body,
        }
        began = time.monotonic()
        while True:
            answered: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
            self._unacknowledged = (frame, answered)
            await self.tab.say(frame)
            try:
                ack = await asyncio.wait_for(answered, ACK_SECONDS)
            except TimeoutError:
                self.journal.failed("say", f"no answer within {ACK_SECONDS} s")
                continue
            finally:
                self._unacknowledged = None
            if ack["type"] == "message.ack":
                break
            self.journal.failed("say", f"{ack['type']} {ack.get('code', '')}")
            await asyncio.sleep(LOOK_SECONDS)
        self.journal.waited(time.monotonic() - began)
        conversation, seq = frame["conversation"], ack["seq"]
        self.journal.acknowledged("say", user=self.username, body=body, conversation=conversation, seq=seq)

    async def talk(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if self.conversations:
                await self.say()
            await asyncio.sleep(SAY_SECONDS * random.uniform(0.5, 1.5))

    # ------------------------------------------------------------ pages

    async def news(self) -> None:
        """Until the tab tells something, or long enough."""
        try:
            await asyncio.wait_for(self._news.wait(), LOOK_SECONDS)
        except TimeoutError:
            pass
        self._news.clear()

    async def look(self, path: str) -> str:
        return await self.until_done(f"look at {_kind(path)}", lambda: self.get(path))

    async def see(self, path: str, pattern: str) -> str:
        """The page, once it shows this."""
        while not re.search(pattern, page := await self.look(path)):
            await self.news()
        return page

    async def step(self, number: str, name: str, happening: str, page: str, **data: str) -> None:
        """One of the order page's forms; `happening` is what the order's timeline calls it, if it is a move."""
        path = f"/orders/{number}/"
        fields = form_fields(form_of(page, f'action="{path}{name}/"')) | data
        await self.until_done(name, lambda: self.submit(f"{path}{name}/", fields, leads_to=path))
        if happening:
            self.journal.acknowledged("step", user=self.username, number=number, happening=happening)


class Buyer(Member):
    finished = 0

    async def live(self, code: str, stop: asyncio.Event) -> None:
        """One order after the other, each paid in for; what was begun is brought to its end."""
        for turn in itertools.count():
            if stop.is_set():
                return
            deposit = await self.pay_in()
            await self.see(f"/wallet/deposits/{deposit}/", CREDITED)
            number = await self.buy(code)
            await (self._contest(number) if turn % 2 else self._accept(number))
            self.finished += 1

    async def _accept(self, number: str) -> None:
        page = await self._reveal(number)
        await self.step(number, "accept", "accept", page)
        await self.see(f"/orders/{number}/", RELEASED)

    async def _contest(self, number: str) -> None:
        page = await self._reveal(number)
        await self.step(number, "dispute", "dispute", page, reason="does_not_work", text="The login is refused.")
        page = await self.see(f"/orders/{number}/", "/offer_accept/")
        await self.step(number, "offer_accept", "resolve_split", page)
        await self.see(f"/orders/{number}/", SPLIT)

    async def _reveal(self, number: str) -> str:
        """Wait for the login and read it. Returns the order's page."""
        path = f"/orders/{number}/"
        page = await self.see(path, REVEAL)
        [field] = set(re.findall(REVEAL, page))
        fields = form_fields(form_of(page, f'action="{path}accept/"')) | {"field": field, "password": PASSWORD}

        async def attempt() -> str:
            async with self.http.post(f"{path}reveal/", data=fields) as answer:
                if answer.status != 200:
                    raise Trouble(f"{answer.status} at reveal")
                return str((await answer.json())["value"])

        value = await self.until_done("reveal", attempt)
        self.journal.acknowledged("reveal", user=self.username, number=number, value=value)
        return page


class Seller(Member):
    async def live(self, stop: asyncio.Event) -> None:
        """Hand over what was bought, offer half back where somebody complains."""
        done: set[tuple[str, str]] = set()
        while not stop.is_set():
            for path in dict.fromkeys(SALE.findall(await self.look("/sell/orders/?tab=todo"))):
                number = path.split("/")[2]
                page = await self.look(path)
                if number not in {order for order, _name in done}:
                    await self.open_chat(number)
                for name in ("deliver", "offer"):
                    if f'action="{path}{name}/"' in page and (number, name) not in done:
                        await (self._deliver(number, page) if name == "deliver" else self._offer(number, page))
                        done.add((number, name))
            await self.news()

    async def _deliver(self, number: str, page: str) -> None:
        secret = f"login {uuid.uuid4().hex[:12]}"
        form = form_of(page, f'action="/orders/{number}/deliver/"')
        await self.step(number, "deliver", "deliver", page, **dict.fromkeys(TEXT_FIELD.findall(form), secret))
        self.journal.acknowledged("hand over", user=self.username, number=number, value=secret)

    async def _offer(self, number: str, page: str) -> None:
        await self.step(number, "offer", "", page, refund="5.00")


class Staff(Member):
    """`asks` for early payment, or confirms what another asked for; both check deposits."""

    asks = False

    async def live(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            for path in await self._queue("/admin/payments/deposit/?state__in=submitted", "deposit"):
                await self._decide(path, "claim")
                if await self._decide(path, "approve"):
                    self.journal.acknowledged("approve", user=self.username, deposit=path.split("/")[4])
            if self.asks:
                for path in await self._queue("/admin/payments/order/?state__exact=accepted", "order"):
                    await self._decide(path, "release-early", reason="The buyer has no objection.")
            else:
                for path in await self._queue("/admin/payments/approval/?is_open__exact=1", "approval"):
                    if page := await self._decide(path, "confirm-release"):
                        self.journal.acknowledged(
                            "step", user=self.username, number=NUMBER.findall(page)[0], happening="release_early"
                        )
            await self.news()

    async def _queue(self, path: str, kind: str) -> list[str]:
        found = re.findall(rf'href="(/admin/payments/{kind}/[^/"]+/change/)', await self.look(path))
        return random.sample(list(dict.fromkeys(found)), len(set(found)))

    async def _decide(self, path: str, name: str, **data: str) -> str:
        """Do it, if it is offered. Returns the page on which it was confirmed; nothing if another was quicker."""

        async def attempt() -> str:
            page = await self.get(path)
            if not (action := re.search(rf'href="({path.removesuffix("change/")}[^"?]*{name}[^"]*)"', page)):
                return ""
            question = await self.get(html.unescape(action[1]))
            fields: dict[str, Any] = form_fields(question) | data
            await self.submit(html.unescape(action[1]), fields, leads_to=path)
            return question

        return await self.until_done(name, attempt)


def _kind(path: str) -> str:
    """What kind of page it is, for the report."""
    return "/".join(part for part in path.partition("?")[0].split("/")[:4] if not re.search(r"\d", part)) or "/"
