"""Processes of the stack: started, recognised, waited for, ended. Linux only (/proc tells who is who)."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from accountsstore.management.processes import WITH_PARENT, StopAsked, can_listen
from accountsstore.stack.errors import StackError
from accountsstore.stack.layout import HOST, Node

# Only a backstop for a very slow machine: a server that ends is noticed at once.
READY_SECONDS = 180
# After it a server that was asked to stop is killed. (mongod writes a checkpoint.)
STOP_SECONDS = 20
POLL_SECONDS = 0.05


def start(node: Node, command: Sequence[str], *, with_parent: bool) -> None:
    """Start a server and note its process. `with_parent` ends it when this process ends, however that happens.

    Call it from a thread that lives on: to the kernel, the thread is the parent. Raises OSError.
    """
    node.folder.mkdir(parents=True, exist_ok=True)
    if node.log.exists():
        node.log.replace(node.log.with_name("log.before"))
    with node.log.open("wb") as log:
        process = subprocess.Popen(
            [*WITH_PARENT, *command] if with_parent else command,
            cwd=node.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C reaches the command alone, which stops the servers in its own way.
            start_new_session=True,
        )
    # Nobody waits for it: it is found again by its number and the moment it began.
    process.returncode = 0
    node.pid_file.write_text(f"{process.pid} {_began(process.pid)}")


def running(node: Node) -> int | None:
    """The number of the process of a server; None when it does not run. A number that somebody else got later is not ours."""
    try:
        pid, began = node.pid_file.read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if _began(int(pid)) == began else None


def _began(pid: int) -> str | None:
    """The kernel's tick at which a process began; None when there is none, or it has ended and nobody has asked how."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def memory_mb(pid: int) -> int | None:
    """What a process holds in memory, in MB; None when it has ended."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) // 1024
    except OSError:
        pass
    return None


def refuse_taken_ports(nodes: Sequence[Node]) -> None:
    """Raises StackError when a server could not listen where it must."""
    for node in nodes:
        for port in node.ports:
            try:
                can_listen(HOST, port)
            except OSError as error:
                raise StackError(
                    f"Port {port}, meant for {node.name}, cannot be used ({error.strerror}): another program has it. "
                    "Stop that one, or take other ports and another folder: --port-base 28100 --folder var/stack-2"
                ) from None


def kill(node: Node) -> None:
    """End a server as a power cut does. Raises StackError when it does not run."""
    pid = running(node)
    if pid is None:
        raise StackError(f"{node.name} does not run.")
    os.kill(pid, signal.SIGKILL)
    while running(node):
        time.sleep(POLL_SECONDS)


def stop(nodes: Sequence[Node]) -> int:
    """Ask servers to end, all at once; kill those that do not. Returns how many ran. Safe to repeat."""
    found = {node: pid for node in nodes if (pid := running(node))}
    for pid in found.values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    give_up = time.monotonic() + STOP_SECONDS
    for node in found:
        while running(node) and time.monotonic() < give_up:
            time.sleep(POLL_SECONDS)
        if running(node):
            kill(node)
    return len(found)


def last_words(node: Node) -> str:
    """Why a server ended: the first errors in its log, where mongod or Valkey mark some, else the last lines."""
    try:
        lines = node.log.read_text(errors="replace").splitlines()
    except OSError:
        return "  (no log)"
    chosen = [line for line in lines if _is_error(line)][:5] or lines[-5:]
    return "\n".join(f"  {line[:500]}" for line in chosen) or "  (the log is empty)"


def _is_error(line: str) -> bool:
    if not line.startswith("{"):
        # Valkey: 17766:M 27 Nov 2026 15:53:50.006 # Guru Meditation: ...
        return bool(re.match(r"\d+:[A-Z] .{24} # \w", line)) and "overcommit" not in line
    try:
        return json.loads(line).get("s") in ("E", "F")
    except ValueError:
        return False


class Watch:
    """Waits for servers, and notices when one ends or somebody asks to stop."""

    def __init__(self, nodes: Sequence[Node], stop: asyncio.Event) -> None:
        self._nodes = nodes
        self._stop = stop

    async def until(self, check: Callable[[], bool], what: str) -> None:
        """Return once `check()`, which may block and runs in a thread.

        Raises StackError when a server ends or `what` takes more than READY_SECONDS, StopAsked when asked to stop.
        """
        give_up = time.monotonic() + READY_SECONDS
        while not await asyncio.to_thread(check):
            for node in self._nodes:
                if not running(node):
                    raise StackError(f"{node.name} ended. From its log, {node.log}:\n{last_words(node)}")
            if time.monotonic() > give_up:
                raise StackError(
                    f"{what} took more than {READY_SECONDS} seconds; see the logs in {node.folder.parent}."
                )
            try:
                await asyncio.wait_for(self._stop.wait(), POLL_SECONDS)
            except TimeoutError:
                continue
            raise StopAsked
