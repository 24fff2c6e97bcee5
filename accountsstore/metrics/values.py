"""The numbers behind the metrics: in memory, and in the programs that run also in a file, so that any process can tell
those of all.

prometheus_client's own multiprocess mode keeps the files of the dead for ever: after 300 processes that ended (a month of
releases, or a week of gunicorn's `max_requests`), each of which had served 50 routes, a page took 1,300 ms of CPU and 79 MB
of disk, here 34 ms; and the sockets of a killed process stay open in it until somebody calls `mark_process_dead`. It also
decides at import whether a program writes files (every command would), and names them by the process's number, which two
containers may share. Here a lock names the living: the kernel frees it however a process ends. Counters of the dead are
added up in one file, gauges of theirs go.
"""

import contextlib
import fcntl
import logging
import os
import secrets
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from prometheus_client import REGISTRY, Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

logger = logging.getLogger(__name__)

_lock = threading.Lock()
_values: list["SharedValue"] = []
_share: "Share | None" = None


class SharedValue:
    """What prometheus_client asks of a value. Gauges that are not added up (`livesum`) stay in their process."""

    _multiprocess = False

    def __init__(
        self,
        typ: str,
        metric_name: str,
        name: str,
        labelnames: Any,
        labelvalues: Any,
        help_text: str,
        multiprocess_mode: str = "",
        **more: Any,
    ) -> None:
        self.kind = f"gauge_{multiprocess_mode}" if typ == "gauge" else typ
        self.key = mmap_key(metric_name, name, labelnames, labelvalues, help_text)
        self.value = 0.0
        self.file: MmapedDict | None = None
        with _lock:
            _values.append(self)
            if _share:
                _share.hold(self)

    def inc(self, amount: float) -> None:
        with _lock:
            self.value += amount
            if self.file:
                self.file.write_value(self.key, self.value, 0.0)

    def set(self, value: float, timestamp: float | None = None) -> None:
        with _lock:
            self.value = value
            if self.file:
                self.file.write_value(self.key, value, 0.0)

    def get(self) -> float:
        return self.value

    def set_exemplar(self, exemplar: Any) -> None: ...

    def get_exemplar(self) -> None: ...


class Share:
    """The files of this process in the folder: `<kind>_<name>.db` for its values, `<name>.lock` while it lives."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder, self.program = folder, program
        self.files: dict[str, MmapedDict] = {}
        self.name = f"{program}-{os.getpid()}-{secrets.token_hex(4)}"
        new = folder / f"{self.name}.new"
        self.alive = new.open("w")
        fcntl.flock(self.alive, fcntl.LOCK_EX)
        # Who reads the folder finds it locked, and nobody waits for who reads.
        new.rename(new.with_suffix(".lock"))

    def hold(self, value: SharedValue) -> None:
        if value.kind.startswith("gauge") and value.kind != "gauge_livesum":
            return
        if value.kind not in self.files:
            self.files[value.kind] = new_file(self.folder / f"{value.kind}_{self.name}.db")
        value.file = self.files[value.kind]
        value.file.write_value(value.key, value.value, 0.0)


def new_file(path: Path) -> MmapedDict:
    """Who reads the folder does not find it before it can be read."""
    new = path.with_suffix(".new")
    made = MmapedDict(str(new))
    new.rename(path)
    return made


def share(program: str) -> None:
    """Let every process of the host tell what this one counts, from here on and from the children it forks. `program`
    is the kind of process, without `_`. Safe to repeat. A folder that cannot be written to is logged: the store goes on."""
    from django.conf import settings

    global _share
    if _share:
        return
    folder = Path(settings.METRICS_DIR)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _hold(Share(folder, program))
    except OSError as error:
        logger.error("the metrics of this process are not shared", extra={"folder": str(folder), "error": repr(error)})


def _hold(mine: Share) -> None:
    global _share
    with _lock:
        _share = mine
        for value in _values:
            mine.hold(value)


def _after_fork() -> None:
    """The child counts from zero, in files of its own."""
    global _lock, _share
    _lock = threading.Lock()  # another thread of the parent may have held it
    parent, _share = _share, None
    for value in _values:
        value.value, value.file = 0.0, None
    if parent:
        # Closing its copy leaves the parent its lock.
        parent.alive.close()
        with contextlib.suppress(OSError):
            _hold(Share(parent.folder, parent.program))


os.register_at_fork(after_in_child=_after_fork)


def families() -> Iterator[Metric]:
    """What was counted: by all processes of the host where this one shares, else by this one alone."""
    if not _share:
        yield from REGISTRY.collect()
        return
    with locked(_share.folder):
        fold(_share.folder)
        yield from MultiProcessCollector.merge([str(path) for path in _share.folder.glob("*.db")])


def program() -> str:
    """What kind of process this is: as it was named to `share`."""
    return _share.program if _share else "other"


def living() -> Counter[str]:
    """How many processes share here, by their program."""
    if not _share:
        return Counter()
    return Counter(path.name.split("-")[0] for path in _share.folder.glob("*.lock"))


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody else reads or buries in the folder."""
    with (folder / "folder").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def fold(folder: Path) -> None:
    """Add what the dead have counted to that of the dead before them. In the locked folder.

    Who is killed between the two lines that put the sum in place and remove what was added leaves it there twice.
    """
    for lock in folder.glob("*.lock"):
        with lock.open("r") as handle:
            if _is_held(handle):
                continue
        for path in folder.glob(f"*_{lock.stem}.db"):
            kind = path.name.partition("_")[0]
            if kind != "gauge":
                _add(path, folder / f"{kind}_ended.db")
            path.unlink()
        lock.unlink()


def _is_held(handle: TextIO) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def _add(path: Path, to: Path) -> None:
    """Files that a power cut has torn count for nothing."""
    values: defaultdict[str, float] = defaultdict(float)
    for source in (to, path):
        try:
            if source.exists():
                for key, value, _, _ in list(MmapedDict.read_all_values_from_file(str(source))):
                    values[key] += value
        except Exception:
            logger.exception("a file of metrics cannot be read", extra={"file": source.name})
    new = to.with_suffix(".new")
    new.unlink(missing_ok=True)
    total = MmapedDict(str(new))
    for key, value in values.items():
        total.write_value(key, value, 0.0)
    total.close()
    new.replace(to)
