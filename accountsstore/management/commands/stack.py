"""`manage.py stack`: the servers of a production store on this machine, for development and tests."""

import asyncio
import sys
from argparse import REMAINDER, ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accountsstore.fleet.errors import ServerError
from accountsstore.management.processes import StopAsked
from accountsstore.stack import lifecycle, programs
from accountsstore.stack.layout import DEFAULT_PORT_BASE, PARTS, PORTS, Stack


class Command(BaseCommand):
    help = (
        "Runs a MongoDB replica set, a Redis Cluster, the queue's Redis with Sentinels, S3 and a mail server on this "
        "machine, without root, from the configuration files in deploy/."
    )
    # They would want the database that this is about to start.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)

        def action(name: str, text: str) -> ArgumentParser:
            one: ArgumentParser = actions.add_parser(name, help=text, description=text)
            one.add_argument("--folder", type=Path, help="where it keeps its data (default: stack/ in VAR_DIR)")
            one.add_argument(
                "--port-base",
                type=port_base,
                help=f"ports begin after this one (default: {DEFAULT_PORT_BASE}; 0: any that are free)",
            )
            return one

        for name, text in (
            ("up", "start what does not run and print the lines for .env"),
            ("run", "start it, run a command that finds it in its environment, stop it"),
        ):
            one = action(name, text)
            one.add_argument("--only", type=parts, default=list(PARTS), help=f"parts of it, of {','.join(PARTS)}")
        one.add_argument("--wipe", action="store_true", help="begin with empty servers and leave nothing")
        one.add_argument("command", nargs=REMAINDER, help="the command and its arguments, after --")
        action("down", "stop it; its data stays").add_argument(
            "--wipe", action="store_true", help="remove its data too"
        )
        action("status", "show each server; exit code 1 when one is not well")
        action("kill", "end a server with SIGKILL, as a power cut does").add_argument("name")
        action("start", "start a server again and wait until it is well").add_argument("name")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        if not sys.platform.startswith("linux"):
            raise CommandError("The stack needs Linux: there is no MongoDB for other systems on PyPI.")
        try:
            stack = Stack.open(options["folder"] or settings.VAR_DIR / "stack", options["port_base"])
            getattr(self, f"_{action}")(stack, options)
        except ServerError as error:
            raise CommandError(str(error)) from None
        except StopAsked:
            raise CommandError("Stopped as asked; what was starting has been stopped.", returncode=130) from None

    def _up(self, stack: Stack, options: dict[str, Any]) -> None:
        wanted = [node for node in stack.nodes if node.part in options["only"]]
        if all(lifecycle.health(stack, node).ok for node in wanted):
            self._report("The stack is up already.")
        else:
            self._report(f"Starting {', '.join(options['only'])} in {stack.folder}…")
            asyncio.run(until_stopped(lambda stop: lifecycle.up(stack, options["only"], self._report, stop)))
            self._report("The stack is up. These lines in .env point the site at it:")
        for name, value in stack.env(options["only"]).items():
            self.stdout.write(f"{name}={value}")

    def _run(self, stack: Stack, options: dict[str, Any]) -> None:
        command = options["command"][1:] if options["command"][:1] == ["--"] else options["command"]
        if not command:
            raise CommandError("Say what to run: manage.py stack run -- pytest -m stack")
        if options["wipe"]:
            lifecycle.down(stack, wipe=True)
            stack = Stack.open(stack.folder, options["port_base"])
        self._report(f"Starting {', '.join(options['only'])} in {stack.folder}…")
        try:
            code = asyncio.run(lifecycle.run(stack, options["only"], command, self._report))
        finally:
            if options["wipe"]:
                lifecycle.down(stack, wipe=True)
        raise SystemExit(code)

    def _down(self, stack: Stack, options: dict[str, Any]) -> None:
        count = lifecycle.down(stack, wipe=options["wipe"])
        data = "the data is gone" if options["wipe"] else f"the data stays in {stack.folder}"
        self._report(f"Servers that ran and have stopped: {count}; {data}.")

    def _status(self, stack: Stack, options: dict[str, Any]) -> None:
        nodes = [node for node in stack.nodes if node.pid_file.exists()]
        if not nodes:
            raise CommandError(f"There is no stack in {stack.folder}. Start one: manage.py stack up")
        row = "{:<11} {:>8} {:>6}  {:<10} {:>7}  {}".format
        self.stdout.write(row("server", "pid", "port", "role", "memory", "health"))
        well = True
        for node in nodes:
            pid = programs.running(node)
            health = lifecycle.health(stack, node)
            memory = f"{programs.memory_mb(pid)} MB" if pid else ""
            self.stdout.write(row(node.name, pid or "", node.port, health.role, memory, health.problem or "ok"))
            well = well and health.ok
        if not well:
            raise SystemExit(1)

    def _kill(self, stack: Stack, options: dict[str, Any]) -> None:
        programs.kill(stack.node(options["name"]))
        self._report(f"{options['name']} is dead. manage.py stack start {options['name']} brings it back.")

    def _start(self, stack: Stack, options: dict[str, Any]) -> None:
        node = stack.node(options["name"])
        asyncio.run(until_stopped(lambda stop: lifecycle.start(stack, node, stop)))
        self._report(f"{node.name} runs: {lifecycle.health(stack, node).role}.")

    def _report(self, line: str) -> None:
        """On the error stream, so that `stack up >.env` writes settings alone."""
        self.stderr.write(line, str)


def port_base(text: str) -> int:
    if text.isdecimal() and (int(text) == 0 or 1023 <= int(text) <= 65535 - PORTS):
        return int(text)
    raise ArgumentTypeError(f"{text} is no port to begin with; take a number from 1023 to {65535 - PORTS}, or 0.")


def parts(text: str) -> list[str]:
    wanted = text.split(",")
    if unknown := sorted(set(wanted) - set(PARTS)):
        raise ArgumentTypeError(f"{', '.join(unknown)} is no part of the stack; there are {', '.join(PARTS)}.")
    return wanted


async def until_stopped(work: Callable[[asyncio.Event], Coroutine[None, None, object]]) -> None:
    """Await `work(stop)`, where Ctrl-C and SIGTERM set `stop`."""
    stop = asyncio.Event()
    for number in lifecycle.SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await work(stop)
