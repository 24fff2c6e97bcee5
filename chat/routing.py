"""The store's one WebSocket."""

from django.urls import URLPattern

websocket_urlpatterns: list[URLPattern] = []
