"""Real workers and a real clock on a real queue, while parts of it are killed."""

import asyncio
import datetime
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from accountsstore.models import OutboxMail
from accountsstore.mongo_for_tests import empty_what_was_written
from accountsstore.stack import lifecycle
from accountsstore.stack import programs as servers
from accountsstore.stack.jobs import health
from accountsstore.stack.layout import Node, Stack
from accountsstore.tests.programs import WORKER, MailServer, celery, eventually, kill_group, own_stack, program_env

pytestmark = [pytest.mark.production, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def log(folder: Path) -> Path:
    return folder / "log"


@pytest.fixture(scope="module")
def queue(folder: Path) -> Iterator[Stack]:
    with own_stack(folder, "jobs") as stack:
        yield stack


@pytest.fixture(scope="module")
def mail_servers() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def mail_server(mail_servers: MailServer) -> MailServer:
    mail_servers.taken.clear()
    return mail_servers


@pytest.fixture(scope="module")
def env(queue: Stack, mail_servers: MailServer, django_db_setup: None) -> dict[str, str]:
    return program_env(EMAIL_URL=mail_servers.url, **queue.env(["jobs"]))


@pytest.fixture(scope="module", autouse=True)
def _clock(env: dict[str, str], log: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Beat, as in production: the ticks are jobs too."""
    with celery(log, "beat", env=env):
        yield
    # The programs wrote on after the last test.
    with django_db_blocker.unblock():
        empty_what_was_written()


@pytest.fixture(scope="module")
def worker(env: dict[str, str], log: Path, _clock: None) -> Iterator[None]:
    """One that lives on from the first test that asks for it.

    Kept by a service manager, because now and then Celery 5.7 ends when its broker goes away: kombu asks a closed
    connection for its host name (AttributeError, which Celery does not take for a lost connection).
    """
    with celery(log, *WORKER, env=env, restarts=True):
        yield


def mails(count: int) -> None:
    """Mails that are due, so that the next tick queues them."""
    now = timezone.now()
    OutboxMail.objects.bulk_create(
        OutboxMail(
            to="amal@example.com",
            subject="Due",
            body_text="Now.",
            template="test",
            dedupe_key=f"{now.timestamp()}:{number}",
            retry_at=now,
        )
        for number in range(count)
    )


def sent() -> int:
    return OutboxMail.objects.filter(pending=False).count()


def master_of(queue: Stack) -> Node:
    return next(node for node in queue.part("jobs") if health(queue, node).role == "master")


def test_a_child_that_dies_in_its_job_gives_the_job_back_at_once(
    mail_server: MailServer, env: dict[str, str], log: Path
) -> None:
    mail_server.hold()
    worker = ["worker", "--pool", "prefork", "--concurrency", "1", "--without-gossip", "--without-mingle"]
    with celery(log, *worker, env=env) as parent:
        mails(1)
        eventually(lambda: mail_server.waiting == 1, "nobody sends", log)
        # Not the clock, the queue itself hands the job on.
        OutboxMail.objects.update(lease_until=past(), retry_at=timezone.now() + datetime.timedelta(hours=1))
        os.kill(child_of(parent), signal.SIGKILL)
        eventually(lambda: mail_server.waiting == 0, "the mail server noticed nothing", log)
        mail_server.release()
        eventually(lambda: sent() == 1, "the job is lost", log)
    assert list(mail_server.taken.values()) == [1]


def test_a_job_whose_worker_is_killed_is_done_by_another_and_its_effect_happens_once(
    mail_server: MailServer, env: dict[str, str], log: Path, request: pytest.FixtureRequest
) -> None:
    mail_server.hold()
    with celery(log, *WORKER, env=env) as doomed:
        mails(1)
        eventually(lambda: mail_server.waiting == 1, "nobody sends", log)
        kill_group(doomed)
    eventually(lambda: mail_server.waiting == 0, "the mail server noticed nothing", log)
    mail_server.release()
    assert not mail_server.taken
    # The dead worker's lease runs out, and the clock looks again.
    OutboxMail.objects.update(lease_until=past(), retry_at=past())
    request.getfixturevalue("worker")
    eventually(lambda: sent() == 1, "the job is lost", log)
    assert list(mail_server.taken.values()) == [1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_the_loss_of_the_queues_master_loses_no_job_and_doubles_none(
    queue: Stack, mail_server: MailServer, worker: None, log: Path, number: int
) -> None:
    mails(50)
    eventually(lambda: len(mail_server.taken) >= 10, "nothing is sent", log)
    master = master_of(queue)
    pid = servers.running(master)
    assert pid
    os.kill(pid, number)
    mails(50)
    eventually(lambda: sent() == 100, "jobs were lost", log)
    # It comes back, believes itself master, and is told otherwise.
    if number == signal.SIGSTOP:
        os.kill(pid, signal.SIGCONT)
    else:
        asyncio.run(lifecycle.start(queue, master, asyncio.Event()))
    eventually(lambda: all(health(queue, node).ok for node in queue.part("jobs")), "two masters", log)
    mails(1)
    eventually(lambda: sent() == 101, "a job went to the former master", log)
    assert set(mail_server.taken.values()) == {1}
    assert len(mail_server.taken) == 101


def test_a_mail_server_that_refuses_twice_gets_the_mail_at_the_third_try(
    mail_server: MailServer, worker: None, log: Path
) -> None:
    mail_server.refuse(2)
    mails(1)
    eventually(lambda: sent() == 1, "the mail is lost", log)
    assert mail_server.refusals == 0
    assert list(mail_server.taken.values()) == [1]
    row = OutboxMail.objects.get()
    # Backed off from 2 s: the two waits are 2 to 3 and 4 to 6 seconds.
    assert row.sent_at and row.sent_at - row.created_at >= datetime.timedelta(seconds=6)


def past() -> datetime.datetime:
    return timezone.now() - datetime.timedelta(seconds=1)


def child_of(process: subprocess.Popen[bytes]) -> int:
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
