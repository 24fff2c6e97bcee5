"""The mail server of the stack: it takes every mail and delivers none. Each becomes a file of a Maildir."""

import importlib.util
import smtplib
import sys

from accountsstore.stack.errors import StackError
from accountsstore.stack.layout import HOST, Health, Node, Stack
from accountsstore.stack.programs import Watch


def command(stack: Stack, node: Node) -> list[str]:
    """How to start it. Raises StackError when it is not installed."""
    if not importlib.util.find_spec("aiosmtpd"):
        raise StackError("aiosmtpd is not installed: it comes with requirements/dev.txt, which `make check` installs.")
    keep = ["-c", "aiosmtpd.handlers.Mailbox", str(stack.mailbox)]
    return [sys.executable, "-m", "aiosmtpd", "-n", "-l", node.address, *keep]


async def form(stack: Stack, nodes: list[Node], watch: Watch) -> None:
    await watch.until(lambda: health(stack, nodes[0]).ok, "The first answer of the mail server")


def health(stack: Stack, node: Node) -> Health:
    try:
        with smtplib.SMTP(HOST, node.port, timeout=2) as client:
            client.noop()
    except (OSError, smtplib.SMTPException):
        return Health("", "no answer")
    return Health("smtp")
