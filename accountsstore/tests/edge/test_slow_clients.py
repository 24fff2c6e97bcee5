"""Clients that send slowly, or never end: nginx waits for them, not the store, and not for long."""

import contextlib
import socket
import threading

from accountsstore.tests.edge.client import NAME
from accountsstore.tests.edge.conftest import LIMITS, Store


def is_closed(connection: socket.socket) -> bool:
    """Waits until the other side says something or closes: whether it closed without a word."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_heads_that_never_end_are_closed_while_others_are_served(store: Store) -> None:
    """Slowloris: a line of the head now and then, so that the connection is never silent."""
    attacker, other = store.client(), store.client()
    done = threading.Event()
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(attacker.connect()) for _ in range(150)]

        def drip() -> None:
            while not done.wait(LIMITS["header_seconds"] / 4):
                for connection in connections:
                    with contextlib.suppress(OSError):
                        connection.sendall(b"X-More: 1\r\n")

        for connection in connections:
            connection.sendall(b"GET /help/ HTTP/1.1\r\nHost: " + NAME.encode() + b"\r\n")
        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert other.ask("/help/").status == 200
            assert all(is_closed(connection) for connection in connections)
        finally:
            done.set()
            dripping.join()


def test_bodies_that_never_end_hold_no_process_of_the_store(store: Store) -> None:
    """gunicorn has four threads here: without nginx, four such clients would be all that it serves."""
    attacker, other = store.client(), store.client()
    head = f"POST /account/login/ HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 100000\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        # As many as are let through before the limit of tries.
        connections = [stack.enter_context(attacker.connect()) for _ in range(6)]
        for connection in connections:
            connection.sendall(head + b"login=")
        assert other.ask("/help/").status == 200
        assert all(is_closed(connection) for connection in connections)
