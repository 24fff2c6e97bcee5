"""Measuring this host without touching the store's data.

The measuring runs in a process of its own (`probes`), whose environment names a database that is made for it and emptied
afterwards: on SQLite a file in a temporary folder, on MongoDB `<the store's>_capacity` on the same servers. Its keys in
Redis have a prefix of their own, and so have its queues: no socket, no worker and no page of the store sees any of it. What
it costs the store is the CPU of its servers for a minute.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from accountsstore.capacity import measurement
from accountsstore.capacity.errors import CapacityError
from accountsstore.management.processes import WITH_PARENT

SUFFIX = "_capacity"
MONGO = re.compile(r"(?P<servers>mongodb(?:\+srv)?://[^/?]+)/(?P<name>[^?]*)(?:\?(?P<options>.*))?")
PATIENCE_SECONDS = 900
# What the last line of the probes begins with when they could not measure.
REFUSED = "capacity: "


def measure(say: Callable[[str], object]) -> measurement.Measurement:
    """About a minute. `say` is told how far it is. Raises CapacityError. Not twice at once on one MongoDB."""
    if not (settings.BASE_DIR / "locustfiles" / "sockets").is_dir():
        raise CapacityError(
            "The crowd that measures sockets (locustfiles/) is not installed here, as in a container: run this from a checkout "
            "with requirements/dev.txt, or give --measurements."
        )
    settings.VAR_DIR.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="capacity-", dir=settings.VAR_DIR) as name:
            return _measured_in(Path(name), say)
    except OSError as error:
        raise CapacityError(f"{settings.VAR_DIR} cannot be used ({error.strerror}): set VAR_DIR.") from None


def _measured_in(folder: Path, say: Callable[[str], object]) -> measurement.Measurement:
    result = folder / "measured.json"
    if (settings.VAR_DIR / "static").is_dir():
        # The names of the static files are read from here.
        (folder / "static").symlink_to(settings.VAR_DIR / "static")
    process = subprocess.Popen(
        [*WITH_PARENT, sys.executable, "-m", "accountsstore.capacity.probes", str(result)],
        env=os.environ | apart(folder, settings.DATABASE_URL, settings.REDIS_PREFIX),
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        stderr=(folder / "errors").open("w"),
        text=True,
    )
    refusal = ""
    try:
        for line in process.stdout or ():
            if line.startswith(REFUSED):
                refusal = line.removeprefix(REFUSED).strip()
            else:
                say(line.rstrip())
        process.wait(PATIENCE_SECONDS)
    finally:
        process.kill()
        process.wait()
    if process.returncode or not result.exists():
        lines = (folder / "errors").read_text().strip().splitlines()
        raise CapacityError(refusal or f"The measuring ended early: {lines[-1] if lines else 'without a word'}.")
    return measurement.read(result)


def apart(folder: Path, database_url: str, redis_prefix: str) -> dict[str, str]:
    """The environment in which nothing is the store's own but its servers, its secrets and its code."""
    database = (
        _mongo_apart(database_url) if database_url.startswith("mongodb") else f"sqlite:///{folder / 'store.sqlite3'}"
    )
    return {
        "DATABASE_URL": database,
        "REDIS_PREFIX": f"{redis_prefix}{SUFFIX}",
        "VAR_DIR": str(folder),
        "MEDIA_ROOT": str(folder / "media"),
        "METRICS_DIR": str(folder / "metrics"),
        "BACKUP_FOLDER": str(folder / "backup"),
        "S3_BUCKET": "",
        "CDN_DOMAIN": "",
        "CLOUDFRONT_KEY_ID": "",
        "CLOUDFRONT_PRIVATE_KEY": "",
        "EMAIL_URL": "",
        "DEBUG": "false",
        "HTTPS": "false",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "SENTRY_DSN": "",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "",
        "LOG_LEVEL": "ERROR",
        "PYTHONWARNINGS": "ignore",
    }


def _mongo_apart(url: str) -> str:
    """The same servers and user, another database."""
    found = MONGO.fullmatch(url)
    if not found or not found["name"]:
        raise CapacityError("DATABASE_URL names no database: mongodb://…/accountsstore?replicaSet=rs0")
    options = found["options"] or ""
    if "@" in found["servers"] and "authsource=" not in options.lower() and "+srv" not in found["servers"]:
        # Without it, users are looked for in the database of the address.
        options += f"&authSource={found['name']}"
    if "minpoolsize=" not in options.lower():
        options += "&minPoolSize=0"
    return f"{found['servers']}/{found['name']}{SUFFIX}?{options.lstrip('&')}"
