"""From an inventory to the files that its hosts need: all of them, or none."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from django.template import Context, Engine

from accountsstore.fleet.inventory import Host, Inventory, InventoryError
from accountsstore.fleet.passwords import Passwords
from accountsstore.fleet.server_files import server_files

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SAID = DEPLOY / "nginx" / "said"
UNITS = sorted(path for path in (DEPLOY / "systemd").iterdir() if path.suffix in (".service", ".target", ".timer"))
ENGINE = Engine(dirs=[str(DEPLOY)], autoescape=False)
# By it a folder is known as one of ours, which may be replaced.
MARK = "RENDERED"


@dataclass(frozen=True)
class Edge:
    """What is the same on every host with nginx. The folders are Debian's."""

    user: str = "www-data"
    conf: str = "/etc/nginx"
    state: str = "/var/lib/nginx"
    logs: str = "/var/log/nginx"
    run: str = "/run"
    # Of a request, until its head is here; then between two pieces of its body.
    header_seconds: int = 10
    # Two silences of 30 s that Daphne ends with a ping, and something for the way.
    silence_seconds: int = 75
    # An office or a dormitory behind one address has many tabs open.
    sockets_per_address: int = 200


def rendered(inventory: Inventory, passwords: Passwords | None = None) -> dict[str, str]:
    """Every file of the fleet: its path below the folder, and its text; of the servers only with their passwords."""
    files = {"nginx/nginx.conf": nginx_conf(inventory, Edge())}
    files |= {f"nginx/said/{path.name}": path.read_text() for path in sorted(SAID.iterdir())}
    for path in UNITS:
        files[f"systemd/{path.name}"] = _filled(f"systemd/{path.name}")
    files["secrets.env.example"] = _filled("systemd/secrets.env", **inventory.servers)
    files["backup.env.example"] = _filled("systemd/backup.env", **inventory.servers)
    for host in inventory.hosts:
        files[f"hosts/{host.name}/units"] = "".join(f"{unit}\n" for unit in units(inventory, host))
        if {"app", "worker"} & set(host.roles):
            files[f"hosts/{host.name}/store.env"] = _filled("systemd/store.env", inventory=inventory, host=host)
    if passwords:
        files |= {f"servers/{path}": text for path, text in server_files(inventory, passwords).items()}
    return files


def nginx_conf(inventory: Inventory, edge: Edge) -> str:
    """nginx's configuration, the same for every host with the role edge."""
    apps = inventory.having("app")
    sockets = [(host, port) for host in apps for port in inventory.socket_ports(host)]
    return _filled("nginx/nginx.conf", inventory=inventory, edge=edge, apps=apps, sockets=sockets)


def units(inventory: Inventory, host: Host) -> list[str]:
    """The systemd units that run on a host."""
    found = ["nginx.service"] if "edge" in host.roles else []
    if "app" in host.roles:
        found += ["gunicorn.service", *(f"daphne@{port}.service" for port in inventory.socket_ports(host))]
    if "worker" in host.roles:
        found += [*(f"celery@{queue}.service" for queue in ("mail", "images", "money", "default")), "beat.service"]
        found += sorted(path.name for path in UNITS if path.suffix == ".timer")
    return found


def write(files: Mapping[str, str], folder: Path) -> None:
    """Put the files into `folder` in the place of what was rendered there before: all of them, or none.

    Safe to repeat. Raises InventoryError for a folder that holds anything else, OSError where it cannot be written.
    """
    folder = folder.resolve()
    if folder.exists() and not (folder / MARK).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InventoryError([f"{folder} holds other files than what was rendered: take a new folder."])
    new, old = (folder.with_name(f".{folder.name}.{which}-{os.getpid()}") for which in ("new", "old"))
    try:
        for name, text in [*files.items(), (MARK, "By manage.py render_deploy: changes here are lost.\n")]:
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            if name.startswith("servers/"):
                path.chmod(0o600)
        if folder.exists():
            folder.replace(old)
        try:
            new.replace(folder)
        except OSError:
            old.replace(folder)
            raise
    finally:
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)


def _filled(template: str, **values: object) -> str:
    return ENGINE.get_template(template).render(Context(values))
