"""Which host served whom, from nginx's log: everybody comes from an address of their own."""

import datetime
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from accountsstore.fleet.inventory import Inventory


@dataclass(frozen=True)
class Served:
    """One answer, or one socket from its beginning to its end. Seconds of the epoch; nginx's log has whole ones."""

    address: str
    host: str
    began: float
    ended: float
    is_socket: bool


def read(logs: Iterable[Path], inventory: Inventory) -> list[Served]:
    """What an app host has answered. A request that nginx passed on counts for the host that answered in the end."""
    names = {host.address: host.name for host in inventory.having("app")}
    found = []
    for line in (json.loads(text) for log in logs for text in log.read_text().splitlines()):
        upstream = line["upstream"].split(", ")[-1].partition(":")[0]
        if upstream in names and line["status"] < 500:
            ended = datetime.datetime.fromisoformat(line["time"]).timestamp()
            is_socket = line["status"] == 101
            found.append(Served(line["ip"], names[upstream], ended - line["seconds"], ended, is_socket))
    return found


def requests(served: list[Served], addresses: Iterable[str], began: float, ended: float) -> Counter[str]:
    """{host: answers that these people had from it meanwhile}."""
    known = set(addresses)
    return Counter(
        one.host for one in served if one.address in known and not one.is_socket and began <= one.ended < ended
    )


def socket_host(served: list[Served], address: str, at: float) -> str:
    """The host that held this person's socket then; nothing while they changed hosts."""
    hosts = {
        one.host for one in served if one.is_socket and one.address == address and one.began - 1 <= at <= one.ended + 1
    }
    return hosts.pop() if len(hosts) == 1 else ""
