"""The supervisor of a store on one machine: what it refuses, and that it leaves nothing running."""

import asyncio
import os
import re
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings

from accountsstore.management.commands import run_store
from accountsstore.management.processes import ProgramEnded, Programs, StopAsked

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


@pytest.fixture
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.DEBUG = True
    settings.VAR_DIR = tmp_path
    return tmp_path


def test_a_taken_port_is_refused_with_another_one_to_take(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        with pytest.raises(CommandError, match=rf"Port {port} is taken by another program\. .*PORT=\d+"):
            call_command("run_store")


@pytest.mark.parametrize("text", ["abc", "0", "65536", "-1", "80 "])
def test_a_port_that_is_none_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PORT", text)
    with pytest.raises(CommandError, match="is not a port"):
        call_command("run_store")


def test_a_second_store_on_the_same_data_is_refused(folder: Path) -> None:
    with run_store.only_one(folder), pytest.raises(CommandError, match="already runs in another terminal"):
        call_command("run_store")


def test_it_refuses_to_run_in_production(folder: Path, settings: Settings) -> None:
    settings.DEBUG = False
    with pytest.raises(CommandError, match="DEBUG=true"):
        call_command("run_store")


def test_a_redis_that_somebody_configured_is_used(tmp_path: Path) -> None:
    assert run_store.embedded_redis_url(tmp_path / "dev.env", "redis://mine:6379/0") is None
    assert not (tmp_path / "dev.env").exists()


def test_each_start_writes_the_address_of_its_valkey_once_and_keeps_the_other_settings(tmp_path: Path) -> None:
    dev_env = tmp_path / "dev.env"
    dev_env.write_text("SECRET_KEY=abc\n")
    first = run_store.embedded_redis_url(dev_env, None)
    second = run_store.embedded_redis_url(dev_env, first)
    assert first and second and first != second
    assert dev_env.read_text() == f"SECRET_KEY=abc\nREDIS_URL={second}\n"


def test_the_embedded_valkey_lets_nobody_in_without_the_password(tmp_path: Path) -> None:
    url = run_store.embedded_redis_url(tmp_path / "dev.env", None)
    assert url

    async def start_and_ask() -> tuple[bool, bool]:
        async with Programs(dict(os.environ)) as programs:
            await programs.start("valkey", run_store.valkey(url, tmp_path / "a folder"))
            await programs.ready("valkey", lambda: run_store.answers(url), 60)
            return run_store.answers(url), run_store.answers(re.sub(":[^:@]+@", "", url))

    assert asyncio.run(start_and_ask()) == (True, False)
    assert (tmp_path / "a folder" / "valkey.conf").stat().st_mode & 0o077 == 0


def test_when_one_program_ends_the_others_are_stopped_and_it_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    processes = []

    async def run() -> None:
        async with Programs(dict(os.environ)) as programs:
            await programs.start("stays", SLEEPER)
            await programs.start("breaks", [sys.executable, "-c", "print('no database'); raise SystemExit(3)"])
            processes.extend(programs._running.values())
            await programs.watch()

    with pytest.raises(ProgramEnded, match=r"breaks ended \(exit code 3\)"):
        asyncio.run(run())
    assert [process.returncode for process in processes] == [-signal.SIGTERM, 3]
    assert "breaks  | no database" in capfd.readouterr().out


def test_a_request_to_stop_ends_a_wait_and_every_program() -> None:
    processes = []

    async def run() -> None:
        async with Programs(dict(os.environ)) as programs:
            await programs.start("stays", SLEEPER)
            processes.extend(programs._running.values())
            asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)
            await programs.ready("stays", lambda: False, 60)

    with pytest.raises(StopAsked):
        asyncio.run(run())
    assert [process.returncode for process in processes] == [-signal.SIGTERM]


def test_a_program_that_does_not_get_ready_is_given_up() -> None:
    async def run() -> None:
        async with Programs(dict(os.environ)) as programs:
            await programs.start("site", SLEEPER)
            await programs.ready("site", lambda: False, 0.2)

    with pytest.raises(ProgramEnded, match="site was not ready"):
        asyncio.run(run())


def test_a_program_that_ignores_the_request_to_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accountsstore.management.processes.STOP_SECONDS", 0.2)
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    processes = []

    async def run() -> None:
        async with Programs(dict(os.environ)) as programs:
            await programs.start("stubborn", [sys.executable, "-c", stubborn])
            processes.extend(programs._running.values())
            await programs.finish("other", [sys.executable, "-c", "pass"])
            await programs.ready("stubborn", lambda: ignores_sigterm(processes[0].pid), 60)

    asyncio.run(run())
    assert processes[0].returncode == -signal.SIGKILL


def ignores_sigterm(pid: int) -> bool:
    mask = re.search(r"^SigIgn:\s*(\w+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(mask and int(mask[1], 16) & 1 << (signal.SIGTERM - 1))


def test_a_failed_preparation_is_named() -> None:
    async def run() -> None:
        async with Programs(dict(os.environ)) as programs:
            await programs.finish("migrate", [sys.executable, "-c", "raise SystemExit(1)"])

    with pytest.raises(ProgramEnded, match=r"migrate failed \(exit code 1\)"):
        asyncio.run(run())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel of Linux does this")
def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    program = f"""
import asyncio, os
from accountsstore.management.processes import Programs
async def run():
    async with Programs(dict(os.environ)) as programs:
        await programs.start("stays", {SLEEPER!r})
        print(programs._running["stays"].pid, flush=True)
        await programs.watch()
asyncio.run(run())
"""

    async def kill_supervisor() -> int:
        supervisor = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, cwd=Path(run_store.__file__).parents[3]
        )
        assert supervisor.stdout
        child = int(await supervisor.stdout.readline())
        await supervisor.stdout.readline()  # "up": from here on the child is what it will be
        supervisor.kill()
        await supervisor.wait()
        return child

    child = asyncio.run(kill_supervisor())
    give_up = time.monotonic() + 60
    try:
        while is_running(child):
            assert time.monotonic() < give_up, "the program runs on without its supervisor"
    finally:
        if is_running(child):
            os.kill(child, signal.SIGKILL)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
