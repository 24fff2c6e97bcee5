"""The passwords of the servers: one file that stays with whoever runs them, and never reaches a host of the site.

Each line is `NAME=value`, or `NAME=new,old` while a password is being changed: the first is given to others, all are taken.
"""

import base64
import re
import secrets
from pathlib import Path

from accountsstore.fleet.configuration import write_private
from accountsstore.fleet.errors import ServerError

Passwords = dict[str, tuple[str, ...]]

# What members of the replica set know each other by, and whoever has it may do everything there.
KEY = "MONGO_KEY"
# MongoDB's users, each as user:password: a second user takes over while a password is changed.
USERS = {
    "MONGO_ADMIN": "admin",
    "MONGO_STORE": "accountsstore",
    "MONGO_BACKUP": "backup",
    "MONGO_EXPORTER": "exporter",
}
# Redis: users may have two passwords at once. ADMIN is the user `default`: of the operator, and of servers among themselves.
REDIS = tuple(f"{part}_{user}" for part in ("REDIS", "JOBS") for user in ("ADMIN", "STORE", "EXPORTER"))
NAMES = (KEY, *USERS, *REDIS)
# They stand in addresses, configuration files and lists, where these need no quotes.
PASSWORD = re.compile(r"[A-Za-z0-9_.~-]{20,128}")
USER = re.compile(r"[a-z][a-z0-9_-]{0,31}")
# https://www.mongodb.com/docs/manual/core/security-internal-authentication/: 6 to 1024 characters of base64.
KEY_SHAPE = re.compile(r"[A-Za-z0-9+/=]{32,1024}")


def passwords_make() -> str:
    """The text of a new file, by chance."""
    lines = [
        "# The passwords of the servers, by manage.py render_deploy. docs/operations/secrets.md says how to change one."
    ]
    for name in NAMES:
        value = base64.b64encode(secrets.token_bytes(96)).decode() if name == KEY else secrets.token_urlsafe(32)
        lines.append(f"{name}={USERS[name]}:{value}" if name in USERS else f"{name}={value}")
    return "\n".join(lines) + "\n"


def passwords_read(path: Path, *, make: bool = False) -> Passwords:
    """The passwords in a file; `make` writes one by chance where there is none.

    Raises ServerError, which names each line to correct and no password; OSError where it cannot be read or written.
    """
    if make and not path.exists():
        write_private(path, passwords_make())
    faults, found = [], {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        name, equals, value = line.strip().partition("=")
        if not name or name.startswith("#"):
            continue
        if not equals or name not in NAMES:
            faults.append(f"Line {number} of {path} is none of {', '.join(NAMES)}.")
            continue
        found[name] = tuple(value.split(","))
        if not all(_is_sound(name, one) for one in found[name]):
            shape = "base64" if name == KEY else "user:password" if name in USERS else "a password"
            faults.append(
                f"{name} in {path} is not {shape}, or several with commas: a password has 20 to 128 letters, digits, "
                "dashes, dots or underscores."
            )
    faults += [f"{path} has no {name}." for name in NAMES if name not in found]
    if faults:
        raise ServerError("\n".join(faults))
    return found


def _is_sound(name: str, value: str) -> bool:
    if name == KEY:
        return bool(KEY_SHAPE.fullmatch(value))
    if name in USERS:
        user, _, value = value.partition(":")
        if not USER.fullmatch(user):
            return False
    return bool(PASSWORD.fullmatch(value))
