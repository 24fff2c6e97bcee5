"""Starting and stopping the stack, or parts of it."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType

from accountsstore.management.processes import WITH_PARENT, StopAsked
from accountsstore.stack import cluster, jobs, mail, mongo, programs, s3
from accountsstore.stack.errors import StackError
from accountsstore.stack.layout import Health, Node, Stack

# What each part offers: command(stack, node), form(stack, nodes, watch), health(stack, node).
MODULES: dict[str, ModuleType] = {"mongo": mongo, "redis": cluster, "jobs": jobs, "s3": s3, "mail": mail}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Report = Callable[[str], object]


def health(stack: Stack, node: Node) -> Health:
    """What a server says of itself, or what keeps it from answering."""
    if not programs.running(node):
        return Health("", "does not run")
    found: Health = MODULES[node.part].health(stack, node)
    return found


async def up(
    stack: Stack, parts: Sequence[str], report: Report, stop: asyncio.Event, *, with_parent: bool = False
) -> list[Node]:
    """Start what does not run of these parts, wait until all is well, return what was started. Safe to repeat.

    Raises StackError or StopAsked; what this call has started is then stopped again.
    """
    with _alone(stack):
        missing = [node for node in stack.nodes if node.part in parts and not programs.running(node)]
        programs.refuse_taken_ports(missing)
        began = time.monotonic()
        try:
            for node in missing:
                programs.start(node, MODULES[node.part].command(stack, node), with_parent=with_parent)
            async with asyncio.TaskGroup() as group:
                for part in parts:
                    group.create_task(_form(stack, part, report, stop, began))
        except BaseException as error:
            programs.stop(missing)
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            raise (_unusable(stack, error) if isinstance(error, OSError) else error) from None
        return missing


async def _form(stack: Stack, part: str, report: Report, stop: asyncio.Event, began: float) -> None:
    nodes = stack.part(part)
    await MODULES[part].form(stack, nodes, programs.Watch(nodes, stop))
    roles = ", ".join(f"{node.name} {health(stack, node).role}" for node in nodes)
    report(f"  {time.monotonic() - began:4.1f} s  {roles}")


async def start(stack: Stack, node: Node, stop: asyncio.Event) -> None:
    """Start one server and wait until it is well and the others have taken it back. Safe to repeat.

    It runs until `down`, also when `run` has started the others. Raises StackError or StopAsked.
    """
    with _alone(stack):
        if not programs.running(node):
            programs.refuse_taken_ports([node])
            try:
                programs.start(node, MODULES[node.part].command(stack, node), with_parent=False)
            except OSError as error:
                raise _unusable(stack, error) from None
        watch = programs.Watch([node], stop)
        if node.part == "s3":
            await s3.form(stack, [node], watch)
        await watch.until(lambda: health(stack, node).ok, f"The return of {node.name}")


def down(stack: Stack, *, wipe: bool = False) -> int:
    """Stop what runs; `wipe` also removes what it kept. Returns how many servers ran. Safe to repeat."""
    if not stack.exists:
        return 0
    with _alone(stack):
        count = _end(stack, stack.nodes, keep=not wipe)
        if wipe:
            for node in stack.nodes:
                shutil.rmtree(node.folder, ignore_errors=True)
            (stack.folder / "stack.json").unlink(missing_ok=True)
        return count


async def run(stack: Stack, parts: Sequence[str], command: Sequence[str], report: Report) -> int:
    """Run a command that finds the stack in its environment. Returns its exit code.

    What did not run of the stack is started before and stopped after. SIGTERM and SIGHUP go on to the command, and so
    does SIGINT, unless the terminal has given it to both of us. If this process is killed, the kernel ends the command
    and the servers. Raises StackError and, when asked to stop before the command runs, StopAsked.
    """
    if not shutil.which(command[0]):
        raise StackError(f"There is no command {command[0]}.")
    stop = asyncio.Event()
    process: asyncio.subprocess.Process | None = None

    def asked(number: int) -> None:
        stop.set()
        if process and process.returncode is None and not (number == signal.SIGINT and _in_foreground()):
            process.send_signal(number)

    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, asked, number)
    started = await up(stack, parts, report, stop, with_parent=True)
    try:
        if stop.is_set():
            raise StopAsked
        env = os.environ | stack.env(list(parts)) | {"ACCOUNTS_STORE_STACK": "1"}
        process = await asyncio.create_subprocess_exec(*WITH_PARENT, *command, env=env)
        code = await process.wait()
        return 128 - code if code < 0 else code
    finally:
        _end(stack, started, keep=True)


def _end(stack: Stack, nodes: Sequence[Node], *, keep: bool) -> int:
    node = stack.node("s3")
    if keep and node in nodes and programs.running(node):
        # A server that does not answer has nothing to give.
        with contextlib.suppress(Exception):
            s3.keep(stack, node)
    return programs.stop(nodes)


def _in_foreground() -> bool:
    """Does Ctrl-C in a terminal reach our whole group, and so the command too?"""
    try:
        with open("/dev/tty") as terminal:  # noqa: PTH123
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


@contextlib.contextmanager
def _alone(stack: Stack) -> Iterator[None]:
    """One command at a time starts or stops servers of a folder. The kernel frees the lock whatever ends us."""
    try:
        stack.save()
        lock = (stack.folder / "lock").open("a")
    except OSError as error:
        raise _unusable(stack, error) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StackError(
                f"Another command is starting or stopping the stack in {stack.folder}. Wait for it."
            ) from None
        yield


def _unusable(stack: Stack, error: OSError) -> StackError:
    return StackError(f"{stack.folder} cannot be used ({error.strerror}: {error.filename}). Take another --folder.")
