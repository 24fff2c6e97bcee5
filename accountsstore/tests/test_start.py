"""A program that starts while a part of the production servers is dead, or hangs, says so within ten seconds."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from accountsstore.servers import masked
from accountsstore.stack import lifecycle, programs
from accountsstore.stack.layout import Node, Stack
from accountsstore.tests.programs import ended_within, free_port, own_stack, program_env

pytestmark = [pytest.mark.production, pytest.mark.slow]

WITHIN_SECONDS = 10
PROGRAMS = {
    "site": ["manage.py", "serve", "--port"],
    "worker": ["-m", "celery", "--quiet", "-A", "accountsstore", "worker"],
    "beat": ["-m", "celery", "--quiet", "-A", "accountsstore", "beat"],
    "clock": ["manage.py", "run_clock", "--loop"],
}
PARTS = {
    "mongo": ("The database", "DATABASE_URL"),
    "redis": ("Redis", "REDIS_URL"),
    "jobs": ("The job queue", "CELERY_BROKER_URL"),
    "s3": ("The file storage", "S3_BUCKET"),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with own_stack(tmp_path_factory.mktemp("start"), *PARTS) as stack:
        yield stack


@contextmanager
def dead(stack: Stack, nodes: list[Node]) -> Iterator[None]:
    for node in nodes:
        programs.kill(node)
    yield
    asyncio.run(lifecycle.up(stack, [nodes[0].part], lambda line: None, asyncio.Event(), with_parent=True))


@contextmanager
def hanging(stack: Stack, nodes: list[Node]) -> Iterator[None]:
    """They take connections and answer nothing."""
    for node in nodes:
        os.kill(programs.running(node) or 0, signal.SIGSTOP)
    try:
        yield
    finally:
        for node in nodes:
            os.kill(programs.running(node) or 0, signal.SIGCONT)


@pytest.mark.parametrize(
    ("part", "broken", "name"),
    [
        ("mongo", dead, "worker"), ("mongo", hanging, "site"),
        ("redis", dead, "clock"), ("redis", hanging, "beat"),
        ("jobs", dead, "site"), ("jobs", hanging, "worker"),
        ("s3", dead, "beat"), ("s3", hanging, "clock"),
    ],
)  # fmt: skip
def test_a_program_names_the_server_that_is_away_and_ends(stack: Stack, part: str, broken, name: str) -> None:
    env = program_env(**stack.env([*PARTS]), DJANGO_SETTINGS_MODULE="accountsstore.settings")
    port = [str(free_port())] if name == "site" else []
    with broken(stack, stack.part(part)):
        done = ended_within(WITHIN_SECONDS, *PROGRAMS[name], *port, env=env)
    title, variable = PARTS[part]
    where = f"http://{stack.node('s3').address}/{env['S3_BUCKET']}" if part == "s3" else masked(env[variable])
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith(f"{title} does not answer: {variable}={where} (")
    assert "Traceback" not in done.stderr
    for password in stack.passwords.values():
        assert password not in done.stdout + done.stderr
