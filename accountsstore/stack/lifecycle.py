"""Starting and stopping the stack, or parts of it."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from types import ModuleType

from accountsstore.management.processes import WITH_PARENT
from accountsstore.stack import cluster, jobs, mail, mongo, programs, s3
from accountsstore.stack.errors import StackError, StopAsked
from accountsstore.stack.layout import Health, Node, Stack

# What each part offers: command(stack, node), form(stack, nodes, watch), health(stack, node).
MODULES: dict[str, ModuleType] = {"mongo": mongo, "redis": cluster, "jobs": jobs, "s3": s3, "mail": mail}
Report = Callable[[str], object]


def health(stack: Stack, node: Node) -> Health:
    """What a server says of itself. `Health("", "is not running")` when it does not run."""
    if not programs.running(node):
        return Health("", "does not run")
    found: Health = MODULES[node.part].health(stack, node)
    return found


async def up(
    stack: Stack, parts: Sequence[str], report: Report, stop: asyncio.Event, *, with_parent: bool = False
) -> None:
    """Start what does not run of these parts and wait until all of it is well. Safe to repeat.

    Raises StackError or StopAsked; what this call has started is then stopped again.
    """
    with _alone(stack):
        missing = [node for node in stack.nodes if node.part in parts and not programs.running(node)]
        programs.refuse_taken_ports(missing)
        began = time.monotonic()
        try:
            for node in missing:
                programs.start(node, MODULES[node.part].command(stack, node), with_parent=with_parent)
            await _all_or_first_error([_form(stack, part, report, stop, began) for part in parts])
        except OSError as error:
            programs.stop(missing)
            raise _unwritable(stack, error) from None
        except BaseException:
            programs.stop(missing)
            raise


async def _form(stack: Stack, part: str, report: Report, stop: asyncio.Event, began: float) -> None:
    nodes = stack.part(part)
    await MODULES[part].form(stack, nodes, programs.Watch(nodes, stop))
    roles = ", ".join(f"{node.name} {health(stack, node).role}" for node in nodes)
    report(f"  {time.monotonic() - began:4.1f} s  {roles}")


async def _all_or_first_error(coroutines: Sequence[Coroutine[None, None, None]]) -> None:
    tasks = [asyncio.create_task(one) for one in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def start(stack: Stack, node: Node, stop: asyncio.Event) -> None:
    """Start one server and wait until it is well and the others have taken it back."""
    with _alone(stack):
        if not programs.running(node):
            programs.refuse_taken_ports([node])
            programs.start(node, MODULES[node.part].command(stack, node), with_parent=False)
        if node.part in ("s3", "mail"):
            await MODULES[node.part].form(stack, [node], programs.Watch([node], stop))
        await programs.Watch([node], stop).until(lambda: health(stack, node).ok, f"The return of {node.name}")


def down(stack: Stack, *, wipe: bool = False) -> int:
    """Stop what runs; `wipe` also removes what it kept. Returns how many servers ran. Safe to repeat."""
    with _alone(stack):
        count = programs.stop(stack.nodes)
        if wipe:
            for node in stack.nodes:
                shutil.rmtree(node.folder, ignore_errors=True)
            (stack.folder / "stack.json").unlink(missing_ok=True)
        return count


async def run(stack: Stack, parts: Sequence[str], command: Sequence[str], report: Report) -> int:
    """Start the stack, run a command that finds it in its environment, stop the stack. Returns the command's exit code.

    SIGTERM and SIGHUP go on to the command, and SIGINT unless the terminal has given it to both of us. Whatever ends
    this process ends the servers and the command too. Raises StackError and, when asked to stop before the command
    runs, StopAsked.
    """
    if not shutil.which(command[0]):
        raise StackError(f"There is no command {command[0]}.")
    if any(programs.running(node) for node in stack.nodes):
        raise StackError(
            f"The stack in {stack.folder} runs already. Stop it (manage.py stack down) or take another --folder."
        )
    stop = asyncio.Event()
    process: asyncio.subprocess.Process | None = None

    def asked(number: int) -> None:
        stop.set()
        if process and process.returncode is None and not (number == signal.SIGINT and _in_foreground()):
            process.send_signal(number)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, asked, number)
    try:
        await up(stack, parts, report, stop, with_parent=True)
        if stop.is_set():
            raise StopAsked
        env = os.environ | stack.env(list(parts)) | {"ACCOUNTS_STORE_STACK": "1"}
        process = await asyncio.create_subprocess_exec(*WITH_PARENT, *command, env=env)
        code = await process.wait()
        return 128 - code if code < 0 else code
    finally:
        down(stack)


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
        raise _unwritable(stack, error) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StackError(
                f"Another command is starting or stopping the stack in {stack.folder}. Wait for it."
            ) from None
        yield


def _unwritable(stack: Stack, error: OSError) -> StackError:
    return StackError(f"{stack.folder} cannot be used ({error.strerror}: {error.filename}). Take another --folder.")
