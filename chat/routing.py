"""The store's one WebSocket."""

from django.urls import URLPattern, path

from chat.consumers import StoreConsumer

websocket_urlpatterns: list[URLPattern] = [path("ws/", StoreConsumer.as_asgi())]
