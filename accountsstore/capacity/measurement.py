"""What one page, message, delivery, ping, connection and order costs each server; saved and read as JSON."""

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accountsstore.capacity.errors import CapacityError

OPERATIONS = ("page", "message", "event", "ping", "connect", "order")
# nginx; gunicorn; Daphne; MongoDB's primary (or SQLite); the masters of Redis together; Celery.
ROLES = ("nginx", "pages", "sockets", "mongo", "redis", "worker")
LARGEST_FILE = 10_000_000

# nginx is not measured by `manage.py capacity`, which runs on an app server. What a load test measures takes their place.
NGINX_US = {"page": 300.0, "message": 60.0, "event": 20.0, "ping": 40.0, "connect": 1500.0, "order": 300.0}
NGINX_SOURCE = (
    "assumed, not measured: 0.3 ms of nginx for a page, 20 µs for a frame and 1.5 ms for a new TLS connection; "
    "--measurements with the report of make load replaces it"
)


@dataclass(frozen=True)
class Measurement:
    """`cpu_us[operation][role]` is CPU time in µs of one operation; a role that is not named costs nothing.

    A `message` is all of it: the frame, the service, the acknowledgement and the delivery to the other side. `variation` is
    the standard deviation of one operation's CPU as a share of its mean. `bytes_out` goes to the customer.
    """

    taken_at: str
    host: str
    cores: int
    database: str
    cpu_us: dict[str, dict[str, float]]
    redis_commands: dict[str, float]
    bytes_out: dict[str, float]
    socket_kb: float
    process_mb: dict[str, float]
    variation: dict[str, float] = field(default_factory=dict)
    routes_ms: dict[str, float] = field(default_factory=dict)
    redis_commands_per_cpu_second: float = 0.0
    assumed: dict[str, str] = field(default_factory=dict)
    # "this command" or "make load".
    by: str = "manage.py capacity"

    def cost_us(self, operation: str, role: str) -> float:
        return self.cpu_us.get(operation, {}).get(role, 0.0)

    def cores_of(self, role: str, per_second: dict[str, float]) -> float:
        """How many cores `role` keeps busy at these rates."""
        return sum(rate * self.cost_us(operation, role) for operation, rate in per_second.items()) / 1e6

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False) + "\n"


def read(path: Path) -> Measurement:
    """A measurement that `--save` wrote, or one made of the report.json of `make load`. Raises CapacityError."""
    data = read_json(path)
    return from_load_report(data) if "cpu_seconds" in data else from_saved(data, path)


def read_json(path: Path) -> dict[str, Any]:
    """Raises CapacityError, in a sentence."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise CapacityError(f"{path} is larger than a measurement can be.")
        data = json.loads(path.read_text())
    except OSError as error:
        raise CapacityError(
            f"{path} cannot be read ({error.strerror}). Make one: manage.py capacity --save FILE, or make load."
        ) from None
    except ValueError as error:
        raise CapacityError(f"{path} is not JSON: {error}.") from None
    if not isinstance(data, dict):
        raise CapacityError(f"{path} holds no measurement.")
    return data


def from_saved(data: dict[str, Any], path: Path) -> Measurement:
    """Raises CapacityError when something is missing, of another kind, or below zero."""
    try:
        found = Measurement(**data)
        tables = [found.redis_commands, found.bytes_out, found.process_mb, found.variation, found.routes_ms]
        tables += [found.cpu_us[operation] for operation in OPERATIONS]
        numbers = [float(value) for table in tables for value in table.values()]
        numbers += [float(found.socket_kb), float(found.cores), float(found.redis_commands_per_cpu_second)]
        good = all(math.isfinite(number) and number >= 0 for number in numbers)
    except (TypeError, ValueError, KeyError, AttributeError):
        good = False
    if not good:
        raise CapacityError(f"{path} is no measurement of manage.py capacity --save and no report of make load.")
    return found


def from_load_report(report: dict[str, Any]) -> Measurement:
    """The costs that a load test saw. It knows them by role, not by operation: Daphne's stand on messages, everybody
    else's on requests. Raises CapacityError."""
    try:
        seconds, users = float(report["seconds"]), int(report["users"])
        requests, messages = float(report["requests_per_second"]), float(report["messages_per_second"])
        cpu = {role: float(report["cpu_seconds"].get(role, 0)) / seconds * 1e6 for role in ROLES}
        sockets = float(report.get("sockets") or users)
        kb = float(report["rss_bytes"].get("sockets", 0)) / sockets / 1000
        pages_mb = float(report["rss_bytes"].get("pages", 0)) / 1e6
        if min(seconds, users, requests, messages, sockets) <= 0:
            raise ValueError
    except (KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError):
        raise CapacityError(
            "This report of make load has no users, seconds, rates or cpu_seconds to reckon with."
        ) from None
    costs: dict[str, dict[str, float]] = {operation: {} for operation in OPERATIONS}
    costs["message"] = {"sockets": cpu["sockets"] / messages}
    costs["page"] = {role: cpu[role] / requests for role in ROLES if role != "sockets"}
    return Measurement(
        taken_at=str(report.get("began", "")),
        host=f"{report.get('cores', '?')} cores, which {users:,} people and their generator shared",
        cores=int(report.get("cores") or 1),
        database="mongodb",
        cpu_us=costs,
        redis_commands={},
        bytes_out=dict(BYTES_OUT),
        socket_kb=kb,
        process_mb={"pages": pages_mb, "sockets": 0.0},
        assumed={
            "mix": "a load report tells CPU by server: all of Daphne's stands on messages, all other on requests; "
            "events, pings and connections of the run are in them",
            "bytes": BYTES_SOURCE,
        },
        by="make load",
    )


# Of a page after gzip, and of frames with their heads (TCP, TLS, WebSocket).
BYTES_OUT = {"page": 12_000.0, "message": 900.0, "event": 250.0, "ping": 100.0, "connect": 6_000.0, "order": 12_000.0}
BYTES_SOURCE = "assumed: 12 kB for a page after gzip, 250 bytes for a frame with its heads, 6 kB for a TLS handshake"
