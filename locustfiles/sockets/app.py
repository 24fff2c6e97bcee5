"""The profile `heavy`: the store's own consumer and layer without sign-in and database, in rooms."""

import uuid
from typing import Any
from urllib.parse import parse_qs

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path

from accountsstore.events import ALL_GROUP, user_group
from chat import frames
from chat.consumers import FRAMES_AT_ONCE, FRAMES_PER_SECOND, STRIKES, STRIKES_SECONDS, Bucket, StoreConsumer


class RoomConsumer(StoreConsumer):
    """Says what is said in its room to everybody there."""

    async def connect(self) -> None:
        await self.accept()
        query = parse_qs(self.scope["query_string"].decode())
        self.user_id, self.room = uuid.UUID(int=int(query["user"][0])), f"room.{query['room'][0]}"
        self.is_open = True
        self.allowance = Bucket(FRAMES_PER_SECOND, FRAMES_AT_ONCE)
        self.patience = Bucket(STRIKES / STRIKES_SECONDS, STRIKES)
        await self.listening.join(user_group(self.user_id), self.room, ALL_GROUP)
        self._say(frames.Welcome(user=self.user_id.hex))

    async def _answer(self, frame: Any) -> None:
        if isinstance(frame, frames.MessageSend):
            group = ALL_GROUP if frame.client_id.startswith("everybody") else self.room
            said = {"type": "message.new", "sender": self.user_id.hex, "client_id": frame.client_id, "body": frame.body}
            await self.channel_layer.group_send(group, {"type": "deliver", "frame": said})
        else:
            await super()._answer(frame)


application = ProtocolTypeRouter(
    {"websocket": AllowedHostsOriginValidator(URLRouter([path("ws/", RoomConsumer.as_asgi())]))}
)
