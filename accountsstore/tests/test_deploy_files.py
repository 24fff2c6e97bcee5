"""What lies in deploy/ is taken by the programs that it is written for."""

import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command

from accountsstore.asgi_server import DRAIN_SECONDS
from accountsstore.fleet.inventory import inventory_read

ROOT: Path = settings.BASE_DIR
ANALYZE = shutil.which("systemd-analyze")
COMPOSE = shutil.which("docker-compose")
SHELLCHECK = shutil.which("shellcheck")
HADOLINT = Path(sys.executable).with_name("hadolint")
# Of 100, where 100 is root without any limit.
MOST_EXPOSED = 25


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The rendered units by name, with programs that exist in the place of those of /opt/accounts-store."""
    folder = tmp_path_factory.mktemp("fleet")
    call_command("render_deploy", "deploy/inventory.example.toml", into=folder / "out", stdout=io.StringIO())
    found = {}
    for path in (folder / "out" / "systemd").iterdir():
        path.write_text(re.sub(r"^(Exec\w+=)/opt\S+", r"\1/bin/true", path.read_text(), flags=re.MULTILINE))
        found[path.name] = path
    return found


def test_every_unit_that_a_host_is_told_to_run_is_rendered(units: dict[str, Path]) -> None:
    told = (next(iter(units.values())).parents[1] / "hosts" / "app-1" / "units").read_text().split()
    assert {re.sub(r"@[^.]+", "@", name) for name in told} <= units.keys()
    for name in told:
        if name.endswith(".timer"):
            assert name.replace(".timer", ".service") in units


@pytest.mark.skipif(not ANALYZE, reason="systemd is not installed")
def test_systemd_takes_every_unit(units: dict[str, Path]) -> None:
    assert ANALYZE
    done = subprocess.run(
        [ANALYZE, "verify", "--man=no", *(str(path) for path in units.values())],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    ours = [
        line for line in done.stderr.splitlines() if str(next(iter(units.values())).parent) in line or "Failed" in line
    ]
    assert (done.returncode, ours) == (0, []), done.stderr


@pytest.mark.skipif(not ANALYZE, reason="systemd is not installed")
def test_every_program_may_do_no_more_than_it_needs(units: dict[str, Path]) -> None:
    assert ANALYZE
    services = [str(path) for name, path in units.items() if name.endswith(".service")]
    done = subprocess.run(
        [ANALYZE, "security", "--no-pager", "--offline=true", f"--threshold={MOST_EXPOSED}", *services],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, [line for line in done.stdout.splitlines() if "Overall" in line] + [done.stderr]


def test_a_program_is_killed_only_after_it_could_end_by_itself(units: dict[str, Path]) -> None:
    def seconds(name: str) -> int:
        found = re.search(r"^TimeoutStopSec=(\d+)$", units[name].read_text(), re.MULTILINE)
        assert found
        return int(found[1])

    gunicorn = re.search(
        r"^graceful_timeout = (\d+)$", (ROOT / "deploy" / "gunicorn.conf.py").read_text(), re.MULTILINE
    )
    assert gunicorn
    assert seconds("gunicorn.service") > int(gunicorn[1])
    assert seconds("daphne@.service") > 2 * DRAIN_SECONDS


def test_each_kernel_setting_says_why() -> None:
    """A paragraph begins with its reason; every name is one that the kernel knows."""
    for paragraph in (ROOT / "deploy" / "sysctl" / "60-accounts-store.conf").read_text().split("\n\n"):
        lines = paragraph.strip().splitlines()
        assert lines[0].startswith("# "), paragraph
        for line in lines:
            if not line.startswith("#"):
                name, equals, value = line.partition(" = ")
                assert equals and value, line
                known = Path("/proc/sys", *name.split("."))
                # A container shows a part of the network's settings.
                assert known.exists() or name.startswith("net."), name


@pytest.mark.skipif(not SHELLCHECK, reason="shellcheck is not installed: apt-get install shellcheck")
def test_shell_scripts_are_sound() -> None:
    assert SHELLCHECK
    scripts = [
        path for path in [*(ROOT / "deploy").rglob("*"), *(ROOT / ".ci").iterdir()]
        if path.is_file() and (path.suffix == ".sh" or re.match(rb"#!.*sh\b", path.read_bytes()[:40]))
    ]  # fmt: skip
    assert len(scripts) > 8
    # SC2034, SC2154: what a sourced file reads or sets is used and set.
    command = [SHELLCHECK, "--shell", "bash", "--severity", "warning", "--exclude", "SC2034,SC2154", *map(str, scripts)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_image_is_built_as_images_are() -> None:
    done = subprocess.run(
        [HADOLINT, "--failure-threshold", "info", "deploy/containers/Dockerfile"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


@pytest.mark.skipif(not COMPOSE, reason="docker-compose is not installed: apt-get install docker-compose")
def test_the_compose_file_is_one_and_names_every_program() -> None:
    assert COMPOSE
    settings_asked = dict.fromkeys(("SECRET_KEY", "CREDENTIAL_KEYS", "STORE_NAMES", "STORE_URL", "EMAIL_URL"), "x")
    command = [COMPOSE, "-f", "deploy/containers/compose.yaml", "config"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | settings_asked, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert services.keys() >= {"mongo", "realtime", "jobs", "migrate", "pages", "sockets", "worker", "beat", "edge"}
    # Without a secret nothing starts.
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode != 0


def test_the_inventory_of_the_compose_file_is_sound_and_has_its_addresses() -> None:
    folder = ROOT / "deploy" / "containers"
    inventory = inventory_read((folder / "inventory.toml").read_text())
    compose = (folder / "compose.yaml").read_text()
    for host in inventory.hosts:
        assert f"ipv4_address: {host.address}}}" in compose
