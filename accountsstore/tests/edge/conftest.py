"""One store behind a real nginx for all tests of the edge: gunicorn, `manage.py serve`, a database of its own."""

import contextlib
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client as StoreClient

from accounts.tests.factories import UserFactory
from accountsstore.fleet.inventory import Inventory, inventory_read
from accountsstore.fleet.local_edge import NGINX, LocalEdge, certificate_write, local_edge, local_settings
from accountsstore.tests.edge.client import NAME, Client
from accountsstore.tests.programs import ask, eventually, free_port, program, program_env

# Each that a test waits for is short here; test_the_limits_of_production… looks at the real ones.
LIMITS = {"header_seconds": 2, "silence_seconds": 4, "sockets_per_address": 6}
# REMOTE_ADDR as the store leaves it, and what it was told.
ACCESS = "%(h)s|%({x-forwarded-for}i)s|%({forwarded}i)s|%({x-real-ip}i)s|%(r)s"
INVENTORY = """
[store]
names = ["{name}"]
certificate = "{folder}/certificate.pem"
certificate_key = "{folder}/key.pem"
inside = ["127.0.0.1"]
listen = ["127.0.0.1"]
ports = {{ http = {http}, https = {https}, pages = {pages}, sockets = {sockets} }}
[hosts.all-in-one]
address = "127.0.0.1"
roles = ["edge", "app"]
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in (item for item in items if item.path.is_relative_to(here)):
        # The database is made for those alone who ask for it so.
        item.add_marker(pytest.mark.django_db)
        if not NGINX:
            item.add_marker(pytest.mark.skip(reason="nginx is not installed: apt-get install nginx-light"))


@dataclass(frozen=True)
class Store:
    edge: LocalEdge
    inventory: Inventory
    # Of somebody who is signed in.
    session: str
    files: Path

    def requests(self, path: str) -> list[list[str]]:
        """Of each request for this path, what gunicorn and the store took for its sender, and what the head said of it."""
        lines = (self.files / "gunicorn.log").read_text().splitlines()
        return [line.split("|")[:-1] for line in lines if f"|GET {path} " in line]

    def client(self, address: str = "") -> Client:
        return Client(self.inventory.ports, Path(self.inventory.certificate), address)

    @property
    def inside(self) -> Client:
        return self.client("127.0.0.1")


@pytest.fixture(scope="session")
def session(
    django_db_setup: None, django_db_blocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """A session in a copy of the test's database, and the copy's address: nothing of the edge's tests reaches others."""
    copy = tmp_path_factory.mktemp("database") / "store.sqlite3"
    with django_db_blocker.unblock():
        user = UserFactory(username=f"edge-{uuid.uuid4().hex[:8]}")
        client = StoreClient()
        client.force_login(user)
        with contextlib.closing(sqlite3.connect(settings.DATABASES["default"]["NAME"])) as database:
            database.execute("VACUUM INTO ?", (str(copy),))
        client.logout()
        user.delete()
    yield client_session(copy), f"sqlite:///{copy}"


def client_session(copy: Path) -> str:
    with contextlib.closing(sqlite3.connect(copy)) as database:
        [[key]] = database.execute("SELECT session_key FROM django_session ORDER BY expire_date DESC LIMIT 1")
    return str(key)


@pytest.fixture(scope="session")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    folder = tmp_path_factory.mktemp("edge")
    ports = {name: free_port() for name in ("http", "https", "pages", "sockets")}
    inventory = inventory_read(INVENTORY.format(name=NAME, folder=folder, **ports))
    certificate_write(inventory.names, Path(inventory.certificate), Path(inventory.certificate_key))
    return inventory


@pytest.fixture(scope="session")
def store(session: tuple[str, str], inventory: Inventory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    key, database = session
    folder = Path(inventory.certificate).parent
    files = tmp_path_factory.mktemp("files")
    pages, sockets = inventory.ports["pages"], inventory.ports["sockets"]
    env = program_env(
        DATABASE_URL=database,
        VAR_DIR=str(files),
        ALLOWED_HOSTS=NAME,
        HTTPS="true",
        BEHIND_PROXY="true",
        DJANGO_SETTINGS_MODULE="accountsstore.settings",
        GUNICORN_CMD_ARGS=f"--bind 127.0.0.1:{pages} --workers 1 --access-logfile - --access-logformat '{ACCESS}'",
    )
    gunicorn = ["-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "accountsstore.wsgi"]
    collect = ["manage.py", "collectstatic", "--no-input", "-v0", "-i", "admin", "-i", "unfold"]
    with contextlib.ExitStack() as stack:
        collecting = stack.enter_context(program(files / "collect.log", *collect, env=env))
        serve = ["manage.py", "serve", "--port", str(sockets)]
        stack.enter_context(program(files / "serve.log", *serve, env=env))
        edge = stack.enter_context(local_edge(folder, inventory, local_settings(folder, **LIMITS)))
        assert collecting.wait(120) == 0, (files / "collect.log").read_text()
        stack.enter_context(program(files / "gunicorn.log", *gunicorn, env=env))
        for port in (pages, sockets):
            eventually(
                lambda port=port: ask(port, "GET", "/api/health/live", {}).status == 200,
                "the store does not start",
                files / "serve.log",
            )
        yield Store(edge, inventory, key, files)
    assert "[emerg]" not in edge.log()
