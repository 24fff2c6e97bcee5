"""`manage.py serve`: the site's sockets, and its pages, on Daphne."""

import asyncio
from argparse import ArgumentParser
from typing import Any

from daphne.endpoints import build_endpoint_description_strings
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accountsstore import outbox


class Command(BaseCommand):
    help = (
        "Serves the WebSocket and the pages in one process. In production nginx sends it /ws/ alone, and pages to "
        "gunicorn. SIGTERM and Ctrl-C stop it."
    )
    # The application asks for its servers itself, in words for operators.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--bind", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="(default: %(default)s)")
        parser.add_argument("--unix-socket", help="the path of a socket to listen on instead")
        parser.add_argument("--fd", type=int, help="an open socket to listen on instead, as from systemd")

    def handle(
        self, *args: Any, bind: str, port: int, unix_socket: str | None, fd: int | None, verbosity: int, **options: Any
    ) -> None:
        # It brings its event loop, which the other commands do without.
        from accountsstore.asgi_server import StoreServer

        elsewhere = unix_socket is not None or fd is not None
        endpoints = build_endpoint_description_strings(
            host=None if elsewhere else bind,
            port=None if elsewhere else port,
            unix_socket=unix_socket,
            file_descriptor=fd,
        )
        from accountsstore.asgi import application
        from accountsstore.carrier import Carrier

        def ready() -> None:
            outbox.carrier = Carrier(asyncio.get_event_loop())
            if verbosity:
                self.stdout.write(f"Serving {endpoints[0]}")

        server = StoreServer(
            application,
            endpoints,
            ready,
            ping_interval=settings.SOCKET_PING_SECONDS,
            ping_timeout=settings.SOCKET_PONG_SECONDS,
        )
        server.run()
        if server.refusal:
            raise CommandError(server.refusal)
