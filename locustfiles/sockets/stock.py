"""The same rooms in Channels as its documentation writes them, for the comparison."""

import json
from typing import Any
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path


class StockConsumer(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        query = parse_qs(self.scope["query_string"].decode())
        self.user, self.room = query["user"][0], f"room.{query['room'][0]}"
        self.joined = (f"user.{self.user}", self.room, "all")
        for group in self.joined:
            await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()
        await self.send(json.dumps({"type": "welcome", "user": self.user}))

    async def disconnect(self, code: int) -> None:
        for group in self.joined:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        frame = json.loads(text_data or "")
        group = "all" if frame["client_id"].startswith("everybody") else self.room
        said = {"type": "message.new", "sender": self.user, "client_id": frame["client_id"], "body": frame["body"]}
        await self.channel_layer.group_send(group, {"type": "deliver", "frame": said})

    async def deliver(self, message: dict[str, Any]) -> None:
        await self.send(json.dumps(message["frame"]))


application = ProtocolTypeRouter(
    {"websocket": AllowedHostsOriginValidator(URLRouter([path("ws/", StockConsumer.as_asgi())]))}
)
