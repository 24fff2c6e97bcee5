"""Log lines: a fixed sentence plus ids. JSON for machines, one plain line for a terminal."""

import logging
import re

import msgspec

from accountsstore import served

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
# What must not be written down or sent away by mistake: fields of these names, and in all text an e-mail address and
# the password in an address.
SECRET_NAMES = re.compile(
    r"pass(word|wd)?$|secret|token|credential|authorization|cookie|session|csrf|api_?key|private_?key|e?mail$|body|"
    r"_?text$|address",
    re.IGNORECASE,
)
# Bounded, so that a long word costs no more than its length.
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(\.[\w-]{1,63})+")
_PASSWORD = re.compile(r"(://[^:@/\s]{0,100}):[^@/\s]{1,200}@")
MASK = "***"


def scrubbed(text: str) -> str:
    """The text without e-mail addresses and without the passwords of servers."""
    return _EMAIL.sub(MASK, _PASSWORD.sub(rf"\1:{MASK}@", text))


def fields(record: logging.LogRecord) -> dict[str, object]:
    """What a line says beside its sentence: the ids of whom it was done for, and its `extra`, scrubbed."""
    extra = {key: value for key, value in vars(record).items() if key not in _STANDARD and not key.startswith("_")}
    return served.ids() | {
        key: MASK if SECRET_NAMES.search(key) else scrubbed(value) if isinstance(value, str) else value
        for key, value in extra.items()
    }


class PlainFormatter(logging.Formatter):
    """`12:30:01 INFO payments.services: order moved order_id=…`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        extra = {k: v for k, v in fields(record).items() if isinstance(v, str | int | float | bool)}
        return super().formatMessage(record) + "".join(f" {key}={value}" for key, value in extra.items())

    def format(self, record: logging.LogRecord) -> str:
        return scrubbed(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname,
            "logger": record.name,
            "message": scrubbed(record.getMessage()),
            **{
                key: value if isinstance(value, str | int | float | bool) else scrubbed(repr(value))
                for key, value in fields(record).items()
            },
        }
        if record.exc_info:
            line["traceback"] = scrubbed(self.formatException(record.exc_info))
        return msgspec.json.encode(line).decode()
