"""The inventory: which hosts a store has and what each of them does. deploy/inventory.example.toml explains every key."""

import ipaddress
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ROLES = ("edge", "app", "worker")
PORTS = {"http": 80, "https": 443, "pages": 8000, "sockets": 8101}
STORE_KEYS: dict[str, Any] = {
    "names": list,
    "certificate": str,
    "certificate_key": str,
    "inside": list,
    "trusted_proxies": list,
    "listen": list,
    "ports": dict,
}
SERVERS_KEYS: dict[str, Any] = {
    "mongo": list,
    "redis": list,
    "jobs": list,
    "sentinels": list,
    "mongo_cache_gb": int,
    "mongo_oplog_gb": int,
    "redis_memory_mb": int,
    "jobs_memory_mb": int,
}
# What a server takes unless the inventory says otherwise: MongoDB of a machine with 32 GB, a node of the cluster with 16.
SIZES = {"mongo_cache_gb": 15, "mongo_oplog_gb": 16, "redis_memory_mb": 12_288, "jobs_memory_mb": 2_048}
HOST_KEYS: dict[str, Any] = {
    "address": str,
    "roles": list,
    "page_processes": int,
    "socket_processes": int,
    "worker_threads": int,
    "drained": bool,
}
KINDS: dict[Any, str] = {
    str: "text in quotes",
    list: "a list of texts",
    dict: "a table",
    int: "a whole number",
    bool: "true or false",
}
# RFC 1123, in lower case: what stands in a certificate and in a browser's Host.
NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
# An absolute path that needs no quotes anywhere.
PATH = re.compile(r"/[\w./@+-]+")
MOST_PROCESSES = 256
# A node of a Redis Cluster speaks to the others on its port and this.
BUS = 10_000


class InventoryError(Exception):
    """The inventory cannot be used. `faults` are sentences for a person, one for each thing to correct."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Host:
    name: str
    address: str
    roles: tuple[str, ...]
    page_processes: int = 2
    socket_processes: int = 1
    worker_threads: int = 4
    drained: bool = False


@dataclass(frozen=True)
class Inventory:
    names: tuple[str, ...]
    certificate: str
    certificate_key: str
    inside: tuple[str, ...]
    trusted_proxies: tuple[str, ...]
    listen: tuple[str, ...]
    ports: dict[str, int]
    hosts: tuple[Host, ...]
    servers: dict[str, list[str]]
    sizes: dict[str, int]

    def having(self, role: str) -> list[Host]:
        return [host for host in self.hosts if role in host.roles]

    def socket_ports(self, host: Host) -> range:
        """The ports on which the processes for sockets of a host listen."""
        return range(self.ports["sockets"], self.ports["sockets"] + host.socket_processes)


def inventory_read(text: str) -> Inventory:
    """The inventory in a TOML text. Raises InventoryError with everything that is wrong with it."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InventoryError([f"The inventory is not TOML: {error}."]) from None
    if faults := list(_faults_of_shape(data)):
        raise InventoryError(faults)
    store = data["store"]
    inventory = Inventory(
        names=tuple(store["names"]),
        certificate=store["certificate"],
        certificate_key=store["certificate_key"],
        inside=tuple(store.get("inside", ())),
        trusted_proxies=tuple(store.get("trusted_proxies", ())),
        listen=tuple(store.get("listen", ("0.0.0.0", "[::]"))),  # noqa: S104  (nginx is there for everybody)
        ports=PORTS | store.get("ports", {}),
        hosts=tuple(Host(name, **host | {"roles": tuple(host["roles"])}) for name, host in data["hosts"].items()),
        servers={key: value for key, value in data.get("servers", {}).items() if key not in SIZES},
        sizes={key: data.get("servers", {}).get(key, usual) for key, usual in SIZES.items()},
    )
    if faults := [fault for check in CHECKS for fault in check(inventory)]:
        raise InventoryError(faults)
    return inventory


def _faults_of_shape(data: dict[str, Any]) -> Iterator[str]:
    for key in data.keys() - {"store", "servers", "hosts"}:
        yield f"The inventory has no part [{key}]: it has [store], [servers] and [hosts.NAME]."
    tables: list[tuple[str, Any, dict[str, Any], tuple[str, ...]]] = [
        ("store", data.get("store"), STORE_KEYS, ("names", "certificate", "certificate_key")),
        ("servers", data.get("servers", {}), SERVERS_KEYS, ()),
    ]
    hosts = data.get("hosts")
    if not isinstance(hosts, dict) or not hosts:
        yield "The inventory names no host: add [hosts.NAME]."
    else:
        tables += [(f"hosts.{name}", host, HOST_KEYS, ("address", "roles")) for name, host in hosts.items()]
    for title, table, keys, required in tables:
        if not isinstance(table, dict):
            yield f"[{title}] is missing."
            continue
        for key in required:
            if key not in table:
                yield f"[{title}] has no {key}."
        for key, value in table.items():
            if key not in keys:
                yield f"[{title}] has the unknown key {key}; it knows {', '.join(keys)}."
            # To Python, true is a number too.
            elif not isinstance(value, keys[key]) or (keys[key] is int and isinstance(value, bool)):
                yield f"{key} in [{title}] is {value!r}; it must be {KINDS[keys[key]]}."
            elif keys[key] is list and not all(isinstance(one, str) for one in value):
                yield f"{key} in [{title}] must be {KINDS[list]}."


def _faults_of_store(inventory: Inventory) -> Iterator[str]:
    if not inventory.names:
        yield "names in [store] is empty: say what customers type."
    for name in inventory.names:
        if not NAME.fullmatch(name):
            yield f"names in [store] has {name!r}, which is no host name: write it like store.example."
    for key in ("certificate", "certificate_key"):
        if not PATH.fullmatch(getattr(inventory, key)):
            yield f"{key} in [store] is {getattr(inventory, key)!r}; it must be a path from / on, without spaces."
    for key in ("inside", "trusted_proxies"):
        for network in getattr(inventory, key):
            if not _is(ipaddress.ip_network, network):
                yield f"{key} in [store] has {network!r}, which is no address and no network such as 10.0.0.0/16."
    for address in inventory.listen:
        if not _is(ipaddress.ip_address, address.removeprefix("[").removesuffix("]")) or (":" in address) != (
            address.startswith("[") and address.endswith("]")
        ):
            yield f"listen in [store] has {address!r}, which is no address such as 0.0.0.0 or [::]."
    if not inventory.listen:
        yield "listen in [store] is empty: nginx would listen nowhere."


def _faults_of_servers(inventory: Inventory) -> Iterator[str]:
    taken: dict[str, str] = {}
    for key, addresses in inventory.servers.items():
        for address in addresses:
            name, _, port = address.rpartition(":")
            if not NAME.fullmatch(name) or not port.isdecimal() or not 1 <= int(port) <= 65535:
                yield f"{key} in [servers] has {address!r}, which is no address such as 10.0.1.11:27017."
        for address in sorted({one for one in addresses if addresses.count(one) > 1}):
            yield f"{key} in [servers] names {address} twice."
        for address in addresses:
            if (other := taken.setdefault(address, key)) != key:
                yield f"{address} in [servers] is named by {other} and by {key}."
    for address in inventory.servers.get("redis", ()):
        if (port := address.rpartition(":")[2]).isdecimal() and int(port) + BUS > 65535:
            yield f"redis in [servers] has {address!r}: among themselves nodes use that port and {BUS}, above 65535."
    for key, size in inventory.sizes.items():
        if size < 1:
            yield f"{key} in [servers] is {size}; take 1 or more."


def _faults_of_hosts(inventory: Inventory) -> Iterator[str]:
    owners: dict[str, str] = {}
    for host in inventory.hosts:
        if not NAME.fullmatch(host.name):
            yield f"[hosts.{host.name}] is no host name: take letters, digits and dashes."
        # Links, configurations and logs write an IPv6 address in three ways; private networks have IPv4.
        if not _is(ipaddress.IPv4Address, host.address):
            yield f"address in [hosts.{host.name}] is {host.address!r}, which is no IPv4 address such as 10.0.0.21."
        elif other := owners.get(host.address):
            yield f"{other} and {host.name} have the same address {host.address}: one host may have all roles."
        owners.setdefault(host.address, host.name)
        if not host.roles:
            yield f"roles in [hosts.{host.name}] is empty; there are {', '.join(ROLES)}."
        for role in host.roles:
            if role not in ROLES:
                yield f"roles in [hosts.{host.name}] has {role!r}; there are {', '.join(ROLES)}."
        for key in ("page_processes", "socket_processes", "worker_threads"):
            if not 1 <= getattr(host, key) <= MOST_PROCESSES:
                yield f"{key} in [hosts.{host.name}] is {getattr(host, key)}; take 1 to {MOST_PROCESSES}."
    for role, does in (("app", "serves pages and sockets"), ("edge", "runs nginx")):
        if not inventory.having(role):
            yield f'No host {does}: give one of them the role "{role}".'
    apps = inventory.having("app")
    if apps and all(host.drained for host in apps):
        yield "Every host with the role app is drained: leave one that serves."


def _faults_of_ports(inventory: Inventory) -> Iterator[str]:
    for name, port in inventory.ports.items():
        if name not in PORTS:
            yield f"ports in [store] has the unknown key {name}; it knows {', '.join(PORTS)}."
        elif isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65535:
            yield f"ports in [store] has {name} = {port!r}; a port is a number from 1 to 65535."
            return
    for host in inventory.hosts:
        taken: dict[int, str] = {}
        wanted = [(inventory.ports[name], name) for name in ("http", "https") if "edge" in host.roles]
        if "app" in host.roles:
            wanted.append((inventory.ports["pages"], "pages"))
            wanted += [(port, "sockets") for port in inventory.socket_ports(host)]
        for port, name in wanted:
            if port > 65535:
                yield f"{host.name} has no port for its last sockets: {port} is above 65535."
            elif other := taken.get(port):
                yield f"On {host.name}, {other} and {name} want the same port {port}."
            taken[port] = name


CHECKS = (_faults_of_store, _faults_of_servers, _faults_of_hosts, _faults_of_ports)


def _is(kind: Any, text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True
