"""Log lines: a fixed sentence plus ids. JSON for machines, one plain line for a terminal."""

import logging

import msgspec

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD and not key.startswith("_")}


class PlainFormatter(logging.Formatter):
    """`12:30:01 INFO payments.services: order moved order_id=…`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        extra = {k: v for k, v in _extra(record).items() if isinstance(v, str | int | float | bool)}
        return super().formatMessage(record) + "".join(f" {key}={value}" for key, value in extra.items())


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{
                key: value if isinstance(value, str | int | float | bool) else repr(value)
                for key, value in _extra(record).items()
            },
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()
