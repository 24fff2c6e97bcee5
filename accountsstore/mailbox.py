"""Reading back the mails that were written as files: the mailbox of a store on a laptop.

Django's file backend writes a .log for each connection, each mail followed by a line of 79 hyphens; the mail server of
`manage.py stack` writes a Maildir, a file for each mail. Only ever the newest few are read.
"""

import dataclasses
import datetime
import email
import email.policy
import re
from pathlib import Path

FILES = 100
FILE_BYTES = 1_000_000
_END = b"\n" + b"-" * 79 + b"\n"
# A code stands in a paragraph of its own.
_CODE = re.compile(r"^\d{6}$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Mail:
    # "<file name>:<place in the file>"; no slash in it
    key: str
    to: str
    subject: str
    body: str
    at: datetime.datetime

    @property
    def code(self) -> str:
        found = _CODE.search(self.body)
        return found[0] if found else ""

    @property
    def preview(self) -> str:
        return " ".join(self.body.split())[:140]


def mails_newest(folder: Path, *, to: str = "") -> list[Mail]:
    """The mails of the newest files, newest first; only those to an address, if one is given."""
    if not folder.is_dir():
        return []
    files = sorted(_files(folder), key=lambda path: path.stat().st_mtime_ns, reverse=True)[:FILES]
    mails = [mail for path in files for mail in reversed(_read(path))]
    return [mail for mail in mails if not to or to.lower() in mail.to.lower()]


def mail_find(folder: Path, key: str) -> Mail | None:
    name, _, place = key.rpartition(":")
    # Compared, never made into a path: what a browser sends opens no other file.
    path = next((path for path in _files(folder) if path.name == name), None)
    if path is None or not place.isdecimal():
        return None
    mails = _read(path)
    return mails[int(place)] if int(place) < len(mails) else None


def _files(folder: Path) -> list[Path]:
    return [*folder.glob("*.log"), *folder.glob("new/*")]


def _read(path: Path) -> list[Mail]:
    with path.open("rb") as file:
        data = file.read(FILE_BYTES)
    # What stands after the last hyphens is nothing, or a mail cut off.
    parts = data.split(_END) if path.suffix == ".log" else [data, b""]
    return [_parse(f"{path.name}:{place}", part, path) for place, part in enumerate(parts[:-1])]


def _parse(key: str, data: bytes, path: Path) -> Mail:
    message = email.message_from_bytes(data, policy=email.policy.default)
    body = message.get_body(("plain",))
    date = message.get("Date")
    at = date.datetime if date is not None and date.datetime else None
    return Mail(
        key=key,
        to=str(message.get("To", "")),
        subject=str(message.get("Subject", "")),
        body=body.get_content() if body is not None else "",
        at=at or datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC),
    )
