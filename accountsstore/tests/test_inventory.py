"""`manage.py render_deploy`: a whole fleet from one file, or one sentence for each fault and nothing written."""

import io
import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from accountsstore.fleet.inventory import InventoryError, inventory_read
from accountsstore.fleet.passwords import passwords_read

EXAMPLE = (settings.BASE_DIR / "deploy" / "inventory.example.toml").read_text()


def faults(old: str, new: str) -> list[str]:
    assert old in EXAMPLE
    with pytest.raises(InventoryError) as refused:
        inventory_read(EXAMPLE.replace(old, new))
    return refused.value.faults


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("[store]", "[store]\ncolour = 'red'", "[store] has the unknown key colour; it knows names,"),
        ("[store]", "[stores]", "The inventory has no part [stores]: it has [store], [servers] and [hosts.NAME]."),
        ('names = ["store.example", "www.store.example"]', "", "[store] has no names."),
        ('"www.store.example"', '"www store;"', "names in [store] has 'www store;', which is no host name"),
        ("/etc/letsencrypt/live/store.example/fullchain.pem", "a; b", "certificate in [store] is 'a; b'; it must be a"),
        ('"10.0.0.0/16"', '"10.0.0.0/99"', "inside in [store] has '10.0.0.0/99', which is no address and no network"),
        (
            '# listen = ["0.0.0.0", "[::]"]',
            'listen = ["::"]',
            "listen in [store] has '::', which is no address such as",
        ),
        ('"10.0.0.21"', '"10.0.0.300"', "address in [hosts.app-1] is '10.0.0.300', which is no IPv4 address such as"),
        ('"10.0.0.22"', '"10.0.0.21"', "app-1 and app-2 have the same address 10.0.0.21: one host may have all roles."),
        ('["app", "worker"]', '["app", "boss"]', "roles in [hosts.app-1] has 'boss'; there are edge, app, worker."),
        ('["app", "worker"]', '["worker"]', 'No host serves pages and sockets: give one of them the role "app".'),
        ('roles = ["edge"]', 'roles = ["worker"]', 'No host runs nginx: give one of them the role "edge".'),
        ("page_processes = 4", "page_processes = 0", "page_processes in [hosts.app-1] is 0; take 1 to 256."),
        ("page_processes = 4", "page_processes = '4'", "page_processes in [hosts.app-1] is '4'; it must be a whole"),
        ("page_processes = 4", "drained = 1", "drained in [hosts.app-1] is 1; it must be true or false."),
        ("page_processes = 4", "drained = true", "Every host with the role app is drained: leave one that serves."),
        ("# ports = {", "ports = { pages = 8102 } # ", "On app-1, pages and sockets want the same port 8102."),
        (
            "# ports = {",
            "ports = { pages = 80000 } # ",
            "ports in [store] has pages = 80000; a port is a number from 1",
        ),
        ("# ports = {", "ports = { page = 80 } # ", "ports in [store] has the unknown key page; it knows http,"),
        ("[hosts.app-1]", "[hosts.'../x']", "[hosts.../x] is no host name: take letters, digits and dashes."),
        ('"10.0.1.12:27017"', '"10.0.1.12"', "mongo in [servers] has '10.0.1.12', which is no address such as"),
        ('"10.0.1.12:27017"', '"10.0.1.11:27017"', "mongo in [servers] names 10.0.1.11:27017 twice."),
        ('"10.0.1.12:27017"', '"10.0.2.11:6379"', "10.0.2.11:6379 in [servers] is named by mongo and by redis."),
        (
            '"10.0.2.11:6379"',
            '"10.0.2.11:60000"',
            "redis in [servers] has '10.0.2.11:60000': among themselves nodes use",
        ),
        ("mongo_oplog_gb = 16", "mongo_oplog_gb = 0", "mongo_oplog_gb in [servers] is 0; take 1 or more."),
        ("redis_memory_mb = 12288", "redis_memory_mb = '12gb'", "redis_memory_mb in [servers] is '12gb'; it must be a"),
        ("[store]", "[store", "The inventory is not TOML: "),
    ],
)
def test_each_fault_is_one_sentence_that_names_it(old: str, new: str, fault: str) -> None:
    assert [found for found in faults(old, new) if found.startswith(fault)], faults(old, new)


def test_all_faults_are_said_at_once() -> None:
    assert len(faults("page_processes = 4", "page_processes = 0\n")) == 2
    assert faults(EXAMPLE, "") == [
        "The inventory names no host: add [hosts.NAME].",
        "[store] is missing.",
    ]


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "inventory.toml"
    path.write_text(EXAMPLE)
    return path


def render(inventory: Path, folder: Path) -> None:
    call_command("render_deploy", str(inventory), "--into", str(folder), stdout=io.StringIO())


def test_a_fleet_is_rendered_again_and_again_to_the_same_files(inventory: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deployed"
    render(inventory, folder)
    first = contents(folder)
    assert {"nginx/nginx.conf", "hosts/app-1/store.env", "hosts/app-2/units", "secrets.env.example"} <= first.keys()
    assert "daphne@8104.service" in first["hosts/app-1/units"].splitlines()
    assert "GUNICORN_CMD_ARGS=--bind 10.0.0.22:8000 --workers 4\n" in first["hosts/app-2/store.env"]
    render(inventory, folder)
    assert contents(folder) == first


def test_the_servers_are_rendered_with_passwords_that_only_their_owner_reads(inventory: Path, tmp_path: Path) -> None:
    folder, passwords = tmp_path / "deployed", tmp_path / "passwords.env"
    call_command("render_deploy", str(inventory), into=folder, passwords=passwords, stdout=io.StringIO())
    first = contents(folder)
    assert {name.split("/")[1] for name in first if name.startswith("servers/")} == {
        *(f"mongo-{n}" for n in (1, 2, 3)), *(f"redis-{n}" for n in range(1, 7)), "jobs-1", "jobs-2",
        *(f"sentinel-{n}" for n in (1, 2, 3)),
    }  # fmt: skip
    private = [passwords, *(path for path in (folder / "servers").rglob("*") if path.is_file())]
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
    known = passwords_read(passwords)
    assert "replicaof 10.0.3.11 6379" in first["servers/jobs-2/redis-jobs.conf"]
    assert "replicaof" not in first["servers/jobs-1/redis-jobs.conf"]
    # Those of the site stand there as hashes, and nowhere else at all.
    everything = "".join(first.values())
    for name in ("REDIS_STORE", "JOBS_STORE", "REDIS_EXPORTER"):
        assert known[name][0] not in everything
    # Made once.
    call_command("render_deploy", str(inventory), into=folder, passwords=passwords, stdout=io.StringIO())
    assert contents(folder) == first and passwords_read(passwords) == known


def test_without_passwords_no_file_of_a_server_is_rendered(inventory: Path, tmp_path: Path) -> None:
    render(inventory, tmp_path / "deployed")
    assert not [name for name in contents(tmp_path / "deployed") if name.startswith("servers/")]


def test_a_host_that_is_gone_leaves_nothing_behind(inventory: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deployed"
    render(inventory, folder)
    inventory.write_text(EXAMPLE[: EXAMPLE.index("[hosts.app-2]")])
    render(inventory, folder)
    assert not (folder / "hosts" / "app-2").exists()
    assert "10.0.0.22" not in (folder / "nginx" / "nginx.conf").read_text()


def test_a_wrong_inventory_changes_nothing(inventory: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deployed"
    render(inventory, folder)
    before = contents(folder)
    inventory.write_text(EXAMPLE.replace("10.0.0.21", "10.0.0.300"))
    with pytest.raises(CommandError, match=r"no IPv4 address"):
        render(inventory, folder)
    assert contents(folder) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deployed", "inventory.toml"]


def test_somebody_elses_folder_is_not_touched(inventory: Path, tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("dear")
    with pytest.raises(CommandError, match="holds other files"):
        render(inventory, tmp_path)
    assert (tmp_path / "letter").read_text() == "dear"


def test_a_write_that_fails_half_way_leaves_what_was_there(
    inventory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "deployed"
    render(inventory, folder)
    before = contents(folder)
    really, written = Path.write_text, []

    def full(self: Path, text: str, *args: Any, **options: Any) -> int:
        written.append(self)
        if len(written) > 3:
            raise OSError(28, "No space left on device", str(self))
        return really(self, text, *args, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(CommandError, match="No space left"):
        render(inventory, folder)
    monkeypatch.undo()
    assert contents(folder) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deployed", "inventory.toml"]


def test_an_inventory_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"inventory\.toml cannot be used: "):
        render(tmp_path / "inventory.toml", tmp_path / "deployed")


def test_the_example_shows_every_key_of_a_host() -> None:
    assert tomllib.loads(EXAMPLE.replace("# drained", "drained"))["hosts"]["app-2"].keys() == {
        "address", "roles", "page_processes", "socket_processes", "worker_threads", "drained",
    }  # fmt: skip
