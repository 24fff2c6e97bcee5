"""Runs one of the servers that `locustfiles.sockets` compares: `python -m locustfiles.sockets.server NAME PORT`."""

import os
import sys

import django

NAMES = ("ours", "ours on stock Daphne", "Channels as it comes")


def main(name: str, port: str) -> None:
    endpoint = f"tcp:port={port}:interface=127.0.0.1"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accountsstore.settings")
    django.setup()
    if name == "ours":
        from accountsstore.asgi_server import StoreServer
        from locustfiles.sockets.app import application

        StoreServer(application, [endpoint], ping_interval=30, ping_timeout=30).run()
        return
    from daphne.server import Server

    if name == "ours on stock Daphne":
        from locustfiles.sockets.app import application
    else:
        from locustfiles.sockets.stock import application
    Server(application, endpoints=[endpoint], verbosity=0).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
