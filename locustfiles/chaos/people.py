"""The people of a chaos run, as their browsers act: a form is sent again until an answer comes, a message stays in the
outbox until it is acknowledged, a lost socket is opened anew.
"""

import asyncio
import itertools
import random
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

import aiohttp

from locustfiles.chaos.journal import Journal
from locustfiles.chaos.seed import METHOD, PASSWORD, email
from locustfiles.pages import CONVERSATION, form_fields

R = TypeVar("R")

# A page that takes longer is one that people leave: it counts as trouble.
PATIENCE_SECONDS = 20
ACK_SECONDS = 10
# Between two tries and between two deeds of one person.
RETRY_SECONDS, PAUSE_SECONDS = 0.5, 1.0

_numbers = itertools.count(1)


class Trouble(Exception):
    """The store answered, but not as it should."""


class Person:
    """Signed in at `site`, with a socket at one of `sockets` (addresses of the processes behind the proxy)."""

    def __init__(
        self,
        username: str,
        site: str,
        sockets: list[str],
        journal: Journal,
        receipt: bytes,
        connector: aiohttp.TCPConnector | None = None,
    ) -> None:
        self.username, self.site, self.sockets, self.journal, self.receipt = username, site, sockets, journal, receipt
        jar = aiohttp.CookieJar(unsafe=True)  # addresses instead of names
        timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        # Behind TLS a form must come from the site itself.
        headers = {"Origin": site}
        self.http = aiohttp.ClientSession(site, connector=connector, headers=headers, cookie_jar=jar, timeout=timeout)
        self.conversations: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.http.close()

    # ------------------------------------------------------------ trying until it works

    async def until_done(self, deed: str, attempt: Callable[[], Awaitable[R]]) -> R:
        """Repeat `attempt` until it gives an answer. Each failure on the way is one that a person would have seen."""
        while True:
            began = time.monotonic()
            try:
                answer = await attempt()
                self.journal.waited(time.monotonic() - began)
                return answer
            except (aiohttp.ClientError, TimeoutError, OSError, Trouble) as error:
                self.journal.failed(deed, str(error) or type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS + random.random())

    async def get(self, path: str) -> str:
        async with self.http.get(path) as answer:
            if answer.status != 200:
                raise Trouble(f"{answer.status} at {path}")
            return await answer.text()

    async def submit(self, path: str, data: Any, leads_to: str) -> str:
        """Send a form; returns the address it leads to, which must contain `leads_to`."""
        async with self.http.post(path, data=data, allow_redirects=False) as answer:
            target = answer.headers.get("Location", "")
            if answer.status != 302 or leads_to not in target:
                raise Trouble(f"{answer.status} at {path} {await _sentence(answer)}")
            return target

    # ------------------------------------------------------------ deeds

    async def sign_in(self) -> None:
        async def attempt() -> None:
            self.http.cookie_jar.clear()
            fields = form_fields(await self.get("/account/login/"))
            await self.submit(
                "/account/login/", fields | {"login": email(self.username), "password": PASSWORD}, leads_to="/"
            )

        await self.until_done("sign in", attempt)
        session = next(cookie.value for cookie in self.http.cookie_jar if cookie.key == "sessionid")
        self.journal.acknowledged("sign in", user=self.username, session=session)

    async def buy(self, code: str) -> str:
        """Returns the order's number."""
        path = f"/checkout/{code}/"
        fields = form_fields(await self.until_done("open the checkout", lambda: self.get(path)))
        # The same page again and again: it holds the key by which the store knows a repeat.
        target = await self.until_done("buy", lambda: self.submit(path, fields | {"terms": "on"}, leads_to="/orders/"))
        number = target.rstrip("/").rpartition("/")[2]
        self.journal.acknowledged("buy", user=self.username, key=fields["checkout_key"], number=number)
        await self.until_done("open the order", lambda: self.get(target))
        await self.open_chat(number)
        return number

    async def open_chat(self, number: str) -> None:
        """What is said from now on may be said about this order."""
        panel = await self.until_done("open the chat", lambda: self.get(f"/messages/order/{number}/"))
        if found := CONVERSATION.search(panel):
            self.conversations.append(found[1])

    async def pay_in(self) -> str:
        """Returns the deposit's code."""
        path = f"/wallet/deposit/?method={METHOD}"
        fields = form_fields(await self.until_done("open the deposit", lambda: self.get(path)))
        reference = f"CHAOS-{next(_numbers)}-{uuid.uuid4().hex[:8]}"

        async def attempt() -> str:
            form = aiohttp.FormData(fields | {"method": METHOD, "amount": "25.00", "transfer_reference": reference})
            form.add_field("proof", self.receipt, filename="receipt.jpg", content_type="image/jpeg")
            return await self.submit("/wallet/deposit/", form, leads_to="/wallet/deposits/")

        target = await self.until_done("pay in", attempt)
        code = target.partition("?")[0].rstrip("/").rpartition("/")[2]
        self.journal.acknowledged("pay in", user=self.username, code=code, reference=reference)
        return code

    async def say(self) -> None:
        """Write one message, and again over a new socket until the store has acknowledged it."""
        conversation = random.choice(self.conversations)
        frame = {
            "type": "message.send",
            "conversation": conversation,
            "client_id": uuid.uuid4().hex,
            "body": f"Message {next(_numbers)} of {self.username}",
        }
        sockets = itertools.cycle(random.sample(self.sockets, len(self.sockets)))

        async def attempt() -> dict[str, Any]:
            address = next(sockets)
            async with self.http.ws_connect(
                f"{address}/ws/", origin=self.site, timeout=aiohttp.ClientWSTimeout(ws_close=1)
            ) as socket:
                async with asyncio.timeout(ACK_SECONDS):
                    await _frame(socket, lambda f: f["type"] == "welcome")
                    await socket.send_json(frame)
                    return await _frame(
                        socket,
                        lambda f: f["type"] in ("message.ack", "error") and f.get("client_id") == frame["client_id"],
                    )

        ack = await self.until_done("say", attempt)
        self.journal.acknowledged(
            "say", user=self.username, body=frame["body"], conversation=conversation, seq=ack["seq"]
        )

    async def live(self, codes: list[str], stop: asyncio.Event) -> None:
        """Do one thing after the other until asked to stop; what was begun is brought to its end."""
        await self.sign_in()
        await self.buy(random.choice(codes))
        while not stop.is_set():
            deed = random.choices(("buy", "say", "pay in", "sign in"), weights=(4, 8, 1, 1))[0]
            if deed == "buy" or not self.conversations:
                await self.buy(random.choice(codes))
            elif deed == "say":
                await self.say()
            elif deed == "pay in":
                await self.pay_in()
            else:
                await self.sign_in()
            await asyncio.sleep(PAUSE_SECONDS * random.random())


async def _frame(socket: aiohttp.ClientWebSocketResponse, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The next frame that is `wanted`. Raises Trouble when the socket closes first, or the answer is an error."""
    async for message in socket:
        if message.type != aiohttp.WSMsgType.TEXT:
            break
        frame: dict[str, Any] = message.json()
        if wanted(frame):
            if frame["type"] == "error":
                raise Trouble(f"error {frame['code']}")
            return frame
    raise Trouble(f"the socket closed ({socket.close_code})")


async def _sentence(answer: aiohttp.ClientResponse) -> str:
    """What the page says is wrong, for the report."""
    found = re.search(r'(?s)(?:role="alert"|class="field-error")[^>]*>(.*?)</(?:p|div)>', await answer.text())
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())[:120] if found else ""
