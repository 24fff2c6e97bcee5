"""A browser tab's socket, for tests, with a real session: in this process, or over the network to a running site."""

import asyncio
import json
from types import TracebackType
from typing import Any, Self

import aiohttp
from asgiref.sync import sync_to_async
from channels.routing import get_default_application
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client

from accounts.models import User
from chat.models import Conversation

SECONDS = 10
# A site whose servers are away answers late.
WIRE_SECONDS = 30


class Tab:
    """Connected through the whole ASGI application of this process.

    `async with Tab(user) as tab` is connected and welcomed; `Tab(None)` is a visitor's.
    """

    def __init__(self, user: User | None, *, origin: str = "http://localhost", language: str = "") -> None:
        self.user, self.origin, self.language = user, origin, language
        self.session_key = ""

    async def __aenter__(self) -> Self:
        await self.open()
        await self.expect("welcome")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.socket.disconnect(timeout=SECONDS)

    async def open(self) -> None:
        headers = [(b"host", b"localhost"), (b"origin", self.origin.encode())]
        headers.append((b"cookie", (await self.cookies()).encode()))
        self.socket = WebsocketCommunicator(get_default_application(), "/ws/", headers=headers)
        self.accepted, self.refused_with = await self.socket.connect(timeout=SECONDS)

    async def cookies(self) -> str:
        """Those of a browser in which the user has just signed in."""
        cookies = [f"{settings.LANGUAGE_COOKIE_NAME}={self.language}"] if self.language else []
        if self.user:
            self.session_key = await sync_to_async(self._sign_in)()
            cookies.append(f"{settings.SESSION_COOKIE_NAME}={self.session_key}")
        return "; ".join(cookies)

    def _sign_in(self) -> str:
        client = Client()
        client.force_login(self.user)
        return client.cookies[settings.SESSION_COOKIE_NAME].value

    async def say(self, type: str, **fields: Any) -> None:
        await self.socket.send_json_to({"type": type, **fields})

    async def raw(self, text: str) -> None:
        """A frame as it may come over the wire, empty too."""
        await self.socket.send_input({"type": "websocket.receive", "text": text})

    async def next(self) -> dict[str, Any]:
        """The next frame, or {"closed": code}."""
        output = await self.socket.receive_output(timeout=SECONDS)
        if output["type"] == "websocket.close":
            return {"closed": output["code"]}
        return json.loads(output["text"])

    async def expect(self, type: str, **fields: Any) -> dict[str, Any]:
        """Read up to the frame of this type whose fields are these; the test fails if the socket closes before."""
        seen = []
        while True:
            frame = await self.next()
            seen.append(frame)
            assert "closed" not in frame, seen
            if frame["type"] == type and fields.items() <= frame.items():
                return frame

    async def closes(self) -> int:
        """Read up to the close; its code."""
        while "closed" not in (frame := await self.next()):
            pass
        return frame["closed"]

    async def settle(self) -> list[dict[str, Any]]:
        """Every frame so far: a ping's answer comes after all that was sent before it."""
        await self.say("ping")
        frames = []
        while (frame := await self.next())["type"] != "pong":
            frames.append(frame)
        return frames


class WireTab(Tab):
    """Connected to the site that runs on `port`. What its program answers without asking, pings of the server, it
    answers."""

    def __init__(self, user: User | None, port: int) -> None:
        super().__init__(user, origin=f"http://localhost:{port}")

    async def open(self) -> None:
        self.client = aiohttp.ClientSession()
        headers = {"Origin": self.origin, "Cookie": await self.cookies()}
        self.wire = await self.client.ws_connect(f"{self.origin}/ws/", headers=headers, max_msg_size=0)

    async def __aexit__(self, *error: object) -> None:
        await self.wire.close()
        await self.client.close()

    async def say(self, type: str, **fields: Any) -> None:
        await self.raw(json.dumps({"type": type, **fields}))

    async def raw(self, text: str) -> None:
        await self.wire.send_str(text)

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(WIRE_SECONDS):
            message = await self.wire.receive()
        if message.type == aiohttp.WSMsgType.TEXT:
            return json.loads(message.data)
        return {"closed": self.wire.close_code}


async def in_thread(work: Any, *args: Any, **kwargs: Any) -> Any:
    """As a page view or a job runs it: outside the event loop."""
    return await sync_to_async(work)(*args, **kwargs)


async def say(tab: Tab, talk: Conversation, body: str, client_id: str) -> None:
    await tab.say("message.send", conversation=talk.pk.hex, client_id=client_id, body=body)
