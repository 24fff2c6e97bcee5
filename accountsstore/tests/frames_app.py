"""An ASGI application that writes frames as a test asks for them, run by our server: `python -m … PORT`.

`both` sends a frame through the extension, one through ASGI, and again; `many N SIZE` writes N numbered frames of that
size at once and then says how many bytes waited; `close` closes. Anything else comes back as it came.
"""

import sys
from typing import Any

from accountsstore.asgi_server import StoreServer
from accountsstore.socket_writer import EXTENSION


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    write = scope["extensions"][EXTENSION]["write"]
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        match message.get("text", "").split():
            case ["both"]:
                for n in range(4):
                    if n % 2:
                        await send({"type": "websocket.send", "text": f"asgi {n}"})
                    else:
                        write(f"direct {n}".encode())
            case ["many", count, size]:
                waiting = [write(str(n).rjust(int(size)).encode()) for n in range(int(count))]
                write(f"waited {waiting[-1]}".encode())
            case ["close"]:
                await send({"type": "websocket.close", "code": 4400})
            case _ if message["type"] == "websocket.receive":
                write(message["text"].encode())
    # What is written to a socket that has closed goes nowhere.
    assert write(b"late") == 0


if __name__ == "__main__":
    StoreServer(application, [f"tcp:port={sys.argv[1]}:interface=127.0.0.1"]).run()
