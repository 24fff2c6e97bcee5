"""What machines cost a month: deploy/prices.toml, or a file of the operator's own of the same shape."""

import datetime
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accountsstore.capacity.errors import CapacityError

# The machines that a store consists of: nginx, pages and sockets, Celery, Redis Cluster, the queue's Redis, MongoDB.
MACHINES = ("edge", "app", "worker", "redis", "jobs", "mongo")
MACHINE_KEYS = {"name": str, "vcpus": int, "memory_gb": float, "nic_gbit": float, "month": float}


@dataclass(frozen=True)
class Machine:
    """`month` is what one costs a month, in the file's currency."""

    name: str
    vcpus: int
    memory_gb: float
    nic_gbit: float
    month: float


@dataclass(frozen=True)
class Prices:
    date: str
    note: str
    currency: str
    machines: dict[str, Machine]
    # What does not depend on the number of machines, by name.
    fixed: dict[str, float]
    per_tb_out: float
    # How busy a month is on average, as a share of its peak: traffic is paid by volume.
    average_of_peak: float
    beside: dict[str, float]


def prices_read(path: Path) -> Prices:
    """Raises CapacityError with one sentence about the first thing that is wrong."""
    try:
        data = tomllib.loads(path.read_text())
    except OSError as error:
        raise CapacityError(f"The price file {path} cannot be read ({error.strerror}).") from None
    except ValueError as error:  # of TOML, and of the encoding
        raise CapacityError(f"The price file {path} is not TOML: {error}.") from None
    source = _table(data, "source", path)
    date = source.get("date")
    if not isinstance(date, datetime.date):
        raise CapacityError(f"[source] in {path} needs a date such as 2026-11-28: prices change.")
    for key in ("note", "currency"):
        if not isinstance(source.get(key), str) or not source[key]:
            raise CapacityError(f"[source] in {path} needs {key}: say where the prices come from, and in which money.")
    machines = _table(data, "machines", path)
    traffic = _table(data, "traffic", path)
    average = _number(traffic, "average_of_peak", "traffic", path)
    if average > 1:
        raise CapacityError(f"average_of_peak in [traffic] of {path} is {average:g}; it is a share, at most 1.")
    fixed, beside = _table(data, "fixed", path), _table(data, "source_design", path)
    return Prices(
        date=date.isoformat(),
        note=source["note"],
        currency=source["currency"],
        machines={name: _machine(machines, name, path) for name in MACHINES},
        fixed={name: _number(fixed, name, "fixed", path) for name in fixed},
        per_tb_out=_number(traffic, "per_tb_out", "traffic", path),
        average_of_peak=average,
        beside={name: _number(beside, name, "source_design", path) for name in ("app_vcpus", "month")},
    )


def _table(data: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    table = data.get(name)
    if not isinstance(table, dict):
        raise CapacityError(f"The price file {path} has no [{name}].")
    return table


def _number(table: dict[str, Any], key: str, title: str, path: Path) -> float:
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise CapacityError(f"{key} in [{title}] of {path} is {value!r}; it must be a number from 0 on.")
    return float(value)


def _machine(machines: dict[str, Any], name: str, path: Path) -> Machine:
    title = f"machines.{name}"
    table = _table(machines, name, path) if name in machines else None
    if table is None:
        raise CapacityError(f"The price file {path} has no [{title}].")
    if not isinstance(table.get("name"), str):
        raise CapacityError(f"name in [{title}] of {path} must be text.")
    values = {key: _number(table, key, title, path) for key in MACHINE_KEYS if key != "name"}
    for key in ("vcpus", "memory_gb", "nic_gbit"):
        if values[key] < (1 if key == "vcpus" else 0.01):
            raise CapacityError(f"{key} in [{title}] of {path} is {values[key]:g}; a machine has more.")
    return Machine(table["name"], int(values["vcpus"]), values["memory_gb"], values["nic_gbit"], values["month"])
