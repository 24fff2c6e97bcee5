"""The configuration of each server of the fleet. It holds passwords."""

from collections.abc import Iterator

from accountsstore.fleet.configuration import render
from accountsstore.fleet.inventory import BUS, Inventory
from accountsstore.fleet.passwords import KEY, Passwords
from accountsstore.fleet.valkey import rights

# Where Debian's packages and MongoDB's own keep their data.
REDIS_FOLDER, MONGO_FOLDER = "/var/lib/redis", "/var/lib/mongodb"
SHUTDOWN_MS = 15_000


def server_files(inventory: Inventory, passwords: Passwords) -> dict[str, str]:
    """Path below servers/ → text, of every server that the inventory names. The names are those that the units of the
    packages look for in /etc and /etc/redis."""
    return dict(_mongo(inventory, passwords)) | dict(_redis(inventory, passwords)) | dict(_queue(inventory, passwords))


def _mongo(inventory: Inventory, passwords: Passwords) -> Iterator[tuple[str, str]]:
    for name, host, port in _named(inventory, "mongo"):
        values = {
            "bind": f"127.0.0.1,{host}",
            "port": port,
            "folder": MONGO_FOLDER,
            "cache_gb": inventory.sizes["mongo_cache_gb"],
            "oplog_mb": inventory.sizes["mongo_oplog_gb"] * 1024,
            "shutdown_ms": SHUTDOWN_MS,
        }
        yield f"{name}/mongod.conf", render("mongo/mongod.conf", values)
        # A list of keys: the first is shown to others, each is believed.
        yield f"{name}/keyfile", "".join(f'- "{key}"\n' for key in passwords[KEY])


def _redis(inventory: Inventory, passwords: Passwords) -> Iterator[tuple[str, str]]:
    for name, host, port in _named(inventory, "redis"):
        values = _valkey("redis", host, port, passwords) | {
            "bus_port": int(port) + BUS,
            "folder": f"{REDIS_FOLDER}/cluster",
            "maxmemory": f"{inventory.sizes['redis_memory_mb']}mb",
        }
        yield f"{name}/redis-cluster.conf", render("redis/cluster.conf", values)


def _queue(inventory: Inventory, passwords: Passwords) -> Iterator[tuple[str, str]]:
    servers = list(_named(inventory, "jobs"))
    for name, host, port in servers:
        _, first_host, first_port = servers[0]
        values = _valkey("jobs", host, port, passwords) | {
            "folder": f"{REDIS_FOLDER}/jobs",
            "maxmemory": f"{inventory.sizes['jobs_memory_mb']}mb",
            "replicaof": "" if name == "jobs-1" else f"replicaof {first_host} {first_port}",
        }
        yield f"{name}/redis-jobs.conf", render("redis/jobs.conf", values)
    for name, host, port in _named(inventory, "sentinels"):
        if servers:
            values = _valkey("sentinels", host, port, passwords) | {
                "folder": f"{REDIS_FOLDER}/sentinel",
                "master_host": first_host,
                "master_port": first_port,
            }
            yield f"{name}/sentinel-jobs.conf", render("redis/sentinel.conf", values)


def _named(inventory: Inventory, part: str) -> Iterator[tuple[str, str, str]]:
    """A name, the host and the port of each server of a part."""
    for number, address in enumerate(inventory.servers.get(part, ()), 1):
        host, _, port = address.rpartition(":")
        yield f"{part.removesuffix('s') if part == 'sentinels' else part}-{number}", host, port


def _valkey(part: str, host: str, port: str, passwords: Passwords) -> dict[str, object]:
    values: dict[str, object] = {
        "bind": f"{host} 127.0.0.1" if host != "127.0.0.1" else host,
        "port": port,
        "password": passwords["REDIS_ADMIN" if part == "redis" else "JOBS_ADMIN"][0],
    }
    return values | {f"user_{user}": rules for user, rules in rights(part, passwords).items()}
