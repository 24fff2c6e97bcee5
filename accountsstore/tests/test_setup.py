"""deploy/local: what `make run` does before Python can, tried in a folder of its own."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

SHELL_TOOLS = ["sh", "dirname", "date", "mkdir", "touch", "rm", "id", "cat", "cksum", "find", "head"]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with the scripts alone, and no .venv."""
    shutil.copytree(settings.BASE_DIR / "deploy" / "local", tmp_path / "deploy" / "local")
    return tmp_path


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with the tools of any Unix and no Python."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in SHELL_TOOLS:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    return folder


def run(clone: Path, tools: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [clone / "deploy/local/run"], env={"PATH": str(tools)}, capture_output=True, text=True, timeout=60
    )


def fake(tools: Path, name: str, script: str) -> None:
    (tools / name).write_text(f"#!/bin/sh\n{script}\n")
    (tools / name).chmod(0o755)


def test_without_python_it_names_the_packages(clone: Path, tools: Path) -> None:
    answer = run(clone, tools)
    assert answer.returncode == 1
    assert "needs Python 3.11 or later" in answer.stderr
    assert "apt-get install python3.11 python3.11-venv" in answer.stderr


def test_a_python_that_is_too_old_does_not_count(clone: Path, tools: Path) -> None:
    # What python3 -c 'sys.exit(sys.version_info < (3, 11))' does on 3.9.
    fake(tools, "python3", "exit 1")
    assert "needs Python 3.11 or later" in run(clone, tools).stderr


def test_without_the_venv_package_it_names_it(clone: Path, tools: Path) -> None:
    fake(
        tools,
        "python3.11",
        f'case "$2" in *ensurepip*version_info*|"import ensurepip, venv") exit 1;; esac\nexec {sys.executable} "$@"',
    )
    answer = run(clone, tools)
    assert answer.returncode == 1
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"apt-get install python{version}-venv" in answer.stderr


def test_a_folder_that_cannot_be_written_to_is_refused(clone: Path, tools: Path) -> None:
    # A file where the folder should be stops everybody; a mode would not stop root, who runs many build servers.
    (clone / "var").write_text("")
    answer = run(clone, tools)
    assert answer.returncode == 1
    assert f"This folder cannot be written to: {clone}" in answer.stderr


def test_requirements_that_were_not_installed_are_tried_again_at_the_next_start(clone: Path, tools: Path) -> None:
    shutil.copytree(settings.BASE_DIR / "requirements", clone / "requirements")
    (clone / ".venv" / "bin").mkdir(parents=True)
    fake(clone / ".venv" / "bin", "pip", "exit 0")
    fake(clone / ".venv" / "bin", "uv", "echo 'no network'; exit 2")
    fake(clone / ".venv" / "bin", "python", 'case "$*" in *base.txt) echo "no network either"; exit 1;; esac')
    for _ in range(2):
        answer = run(clone, tools)
        assert answer.returncode == 1
        assert "no network either" in answer.stdout
        assert "Installing the requirements (base) failed" in answer.stderr


def test_the_local_settings_are_private_and_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "dev.env"
    command = [sys.executable, settings.BASE_DIR / "deploy/local/dev_env.py", path]
    old = os.umask(0)
    try:
        subprocess.run(command, check=True)
    finally:
        os.umask(old)
    first = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {line.split("=")[0] for line in first.splitlines()[1:]} == {"DEBUG", "SECRET_KEY", "CREDENTIAL_KEYS"}

    path.write_text(first.replace("DEBUG=true", "DEBUG=false"))
    subprocess.run(command, check=True)
    assert path.read_text() == first.replace("DEBUG=true", "DEBUG=false")


def test_each_machine_gets_secrets_of_its_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        subprocess.run([sys.executable, settings.BASE_DIR / "deploy/local/dev_env.py", tmp_path / name], check=True)
    one, two = (set((tmp_path / name).read_text().splitlines()[2:]) for name in ("one", "two"))
    assert len(one) == len(two) == 2
    assert not one & two
