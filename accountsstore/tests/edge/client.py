"""A client of the edge that chooses the address it comes from. Linux answers on the whole of 127.0.0.0/8."""

import http.client
import itertools
import socket
import ssl
from pathlib import Path
from typing import Any

import aiohttp

from accountsstore.fleet.local_edge import trusting

NAME = "store.example"
# 127.0.0.1 is inside. Each test that is limited takes addresses that nobody else uses.
_addresses = (f"127.0.{n // 250 + 1}.{n % 250 + 1}" for n in itertools.count())


def an_address() -> str:
    """An address on this machine that no other test comes from."""
    return next(_addresses)


class Client:
    """One who asks, from one address."""

    def __init__(self, ports: dict[str, int], certificate: Path, address: str = "") -> None:
        self.ports, self.certificate = ports, certificate
        self.address = address or an_address()
        self.trust = trusting(certificate)

    def connect(self, port: str = "https") -> socket.socket:
        """A connection of its own; without TLS where `port` is http."""
        raw = socket.create_connection(("127.0.0.1", self.ports[port]), 60, source_address=(self.address, 0))
        return self.trust.wrap_socket(raw, server_hostname=NAME) if port == "https" else raw

    def ask(self, path: str, method: str = "GET", body: bytes | str = b"", port: str = "https", **headers: str) -> Any:
        """The answer with its text; underscores in the names of headers are dashes."""
        connection = http.client.HTTPConnection(NAME)
        connection.sock = self.connect(port)
        connection.timeout = 60
        try:
            named = {"Host": f"{NAME}:{self.ports[port]}"} | {k.replace("_", "-"): v for k, v in headers.items()}
            connection.request(method, path, body or None, named)
            answer: Any = connection.getresponse()
            answer.data = answer.read()
            answer.text = answer.data.decode(errors="replace")
            return answer
        finally:
            connection.close()

    def http(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(local_addr=(self.address, 0), ssl=self.trust, limit=0)
        return aiohttp.ClientSession(connector=connector)

    def websocket(self, http: aiohttp.ClientSession, session: str, **more: Any) -> Any:
        """The store's socket, of the person whose session it is: use as `async with`."""
        host = f"{NAME}:{self.ports['https']}"
        return http.ws_connect(
            f"https://127.0.0.1:{self.ports['https']}/ws/",
            headers={"Host": host, "Origin": f"https://{host}", "Cookie": f"sessionid={session}"},
            server_hostname=NAME,
            **more,
        )


# How HPACK (RFC 7541) writes the two statuses that stand in its static table; any other is spelled out.
STATUS_200, STATUS_404 = b"\x88", b"\x8d"


def http2_statuses(client: Client, path: bytes, count: int) -> list[bytes]:
    """The first byte of the head of each answer to `count` requests that come in one moment, over HTTP/2 (RFC 9113)."""
    client.trust.set_alpn_protocols(["h2"])
    name = f"{NAME}:{client.ports['https']}".encode()
    # :method GET and :scheme https stand in the static table; :path and :authority are spelled out.
    fields = b"\x82\x87\x04" + bytes([len(path)]) + path + b"\x01" + bytes([len(name)]) + name
    head = len(fields).to_bytes(3, "big") + b"\x01\x05"
    requests = b"".join(head + (2 * n + 1).to_bytes(4, "big") + fields for n in range(count))
    found: list[bytes] = []
    with client.connect() as connection, connection.makefile("rb") as answers:
        assert connection.selected_alpn_protocol() == "h2"  # type: ignore[attr-defined]
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5) + requests)
        while len(found) < count:
            frame = answers.read(9)
            payload = answers.read(int.from_bytes(frame[:3], "big"))
            if frame[3] == 1:
                # A change of the table's size may stand before it.
                found.append(payload.lstrip(b"\x20\x3f\xe1\x1f")[:1])
    return found


def old_tls(version: ssl.TLSVersion) -> ssl.SSLContext:
    """A client that speaks this version alone, however weak."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context
