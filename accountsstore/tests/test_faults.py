"""A real site whose servers are stopped, or hang, and come back; and programs that find none when they start."""

import asyncio
import http.client
import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from django.db import connection

from accountsstore.stack.valkey import PROGRAM as VALKEY
from accountsstore.tests.programs import ANSWER_SECONDS, ask, eventually, free_port, program, program_env, run_python
from chat.consumers import TRY_LATER

# For the tables, which the site's database is a copy of.
pytestmark = [pytest.mark.slow, pytest.mark.django_db]

# Somebody signed in with a picture, in the site's own database and bucket.
PREPARE = """
import django; django.setup()
import io
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from accounts.models import User
from uploads.services import avatar_replace
user = User.objects.create_user(username="amal", email="amal@example.com", password="correct-horse-battery")
picture = io.BytesIO(); Image.new("RGB", (200, 200)).save(picture, "PNG")
avatar_replace(user=user, upload=SimpleUploadedFile("me.png", picture.getvalue()))
user.refresh_from_db()
client = Client(); client.force_login(user)
print(client.cookies["sessionid"].value, user.avatar_file_id.hex)
"""


class Server:
    """One server of the site: it can be killed, or stopped in the middle of whatever it does, and come back."""

    def __init__(self, log: Path, port: int, command: list[str]) -> None:
        self.port = port
        self._log, self._command = log, command
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=self._log.parent, stdout=log, stderr=log)

    def break_down(self, how: signal.Signals) -> None:
        self._process.send_signal(how)
        if how == signal.SIGKILL:
            self._process.wait()

    def come_back(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
        else:
            self.start()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


class Site:
    """Daphne with everything it stands on."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "log"
        redis, jobs, files = free_port(), free_port(), free_port()
        s3 = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(files)]
        self.servers = {
            "redis": Server(self.log, redis, [VALKEY, "--port", str(redis), "--save", ""]),
            "jobs": Server(self.log, jobs, [VALKEY, "--port", str(jobs), "--save", ""]),
            "files": Server(self.log, files, s3),
        }
        self.data = folder / "data"
        self.data.mkdir()
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(self.data / "store.sqlite3")])
        self.env = program_env(
            DEBUG="true",
            DATABASE_URL=f"sqlite:///{self.data / 'store.sqlite3'}",
            REDIS_URL=f"redis://127.0.0.1:{redis}/0",
            CELERY_BROKER_URL=f"redis://127.0.0.1:{jobs}/0",
            S3_BUCKET="files",
            S3_ENDPOINT_URL=f"http://127.0.0.1:{files}",
            S3_ACCESS_KEY_ID="test",
            S3_SECRET_ACCESS_KEY="test-only",
            DJANGO_SETTINGS_MODULE="accountsstore.settings",
        )
        self.port = free_port()
        self.session = self.picture = ""

    def prepare(self) -> None:
        self.make_bucket()
        done = run_python("-c", PREPARE, env=self.env)
        assert done.returncode == 0, done.stderr
        self.session, self.picture = done.stdout.split()

    def make_bucket(self) -> None:
        """The S3 of the tests keeps nothing over a stop."""
        eventually(self._s3_answers, "S3 does not start", self.log)
        assert ask(self.servers["files"].port, "PUT", "/files", {}).status == 200

    def _s3_answers(self) -> bool:
        return ask(self.servers["files"].port, "GET", "/", {}).status > 0

    def get(self, path: str, *, method: str = "GET", body: str = "", **headers: str) -> http.client.HTTPResponse:
        return ask(self.port, method, path, {name.replace("_", "-"): value for name, value in headers.items()}, body)

    def health(self) -> dict[str, Any]:
        answer = self.get("/api/health")
        return {"status": answer.status, **json.loads(answer.text)["parts"]} if answer.status else {"status": 0}


def socket_hears(site: Site) -> str | int:
    """The type of the first frame for the one who is signed in, or the code that the socket closed with."""

    async def listen() -> str | int:
        origin, cookie = f"http://127.0.0.1:{site.port}", f"sessionid={site.session}"
        async with (
            aiohttp.ClientSession(headers={"Cookie": cookie}, timeout=aiohttp.ClientTimeout(ANSWER_SECONDS)) as tab,
            tab.ws_connect(f"{origin}/ws/", origin=origin) as socket,
        ):
            heard = await socket.receive(ANSWER_SECONDS)
            return heard.json()["type"] if heard.type == aiohttp.WSMsgType.TEXT else socket.close_code or 0

    return asyncio.run(listen())


WELL = {"status": 200, "database": "ok", "redis": "ok", "jobs": "ok", "files": "ok"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any) -> Iterator[Site]:
    with ExitStack() as stack:
        with django_db_blocker.unblock():
            site = Site(tmp_path_factory.mktemp("site"))
        for server in site.servers.values():
            stack.callback(server.end)
        site.prepare()
        serve = ["manage.py", "serve", "--port", str(site.port)]
        stack.enter_context(program(site.log, *serve, env=site.env))
        eventually(lambda: site.health() == WELL, "the site does not start", site.log)
        yield site


@pytest.fixture
def broken(site: Site, request: pytest.FixtureRequest) -> Iterator[str]:
    """One server is broken for the test. Afterwards the same site is well again, without a restart."""
    name, how = request.param
    site.servers[name].break_down(how)
    yield name
    site.servers[name].come_back()
    if name == "files":
        site.make_bucket()
    eventually(lambda: site.health() == WELL, f"{name} came back and the site did not notice", site.log)


HOW = [pytest.param(signal.SIGKILL, id="is stopped"), pytest.param(signal.SIGSTOP, id="hangs")]


def breaking(name: str) -> Callable[..., Any]:
    params = [pytest.param((name, how.values[0]), id=f"{name} {how.id}") for how in HOW]
    return pytest.mark.parametrize("broken", params, indirect=True)


def says_which_part_is_ill(site: Site, name: str) -> None:
    health = site.health()
    assert health.pop(name) not in ("ok", None)
    assert health == {part: "ok" for part in WELL if part not in (name, "status")} | {"status": 503}
    assert site.get("/api/health/live").status == 200


@breaking("redis")
def test_without_redis_every_page_answers(site: Site, broken: str) -> None:
    says_which_part_is_ill(site, broken)
    for path in ("/", "/help/", "/browse/"):
        assert site.get(path).status == 200
    assert site.get("/me/", Cookie=f"sessionid={site.session}").status == 200


@breaking("jobs")
def test_without_the_job_queue_what_people_send_is_taken_and_kept(site: Site, broken: str) -> None:
    says_which_part_is_ill(site, broken)
    form = site.get("/account/password/reset/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
    assert token
    cookie = f"csrftoken={form.headers['Set-Cookie'].partition('csrftoken=')[2].partition(';')[0]}"
    sent = site.get(
        "/account/password/reset/",
        method="POST",
        body=f"csrfmiddlewaretoken={token[1]}&email=amal%40example.com",
        Content_Type="application/x-www-form-urlencoded",
        Cookie=cookie,
    )
    assert sent.status == 302
    assert waiting_mails(site) == 1


def waiting_mails(site: Site) -> int:
    """A mail that was seen is taken away for the next test."""
    with sqlite3.connect(site.data / "store.sqlite3") as database:
        return database.execute("DELETE FROM accountsstore_outboxmail WHERE pending").rowcount


@breaking("files")
def test_without_the_files_only_pages_that_need_them_are_away(site: Site, broken: str) -> None:
    says_which_part_is_ill(site, broken)
    assert site.get("/").status == 200
    answer = site.get(f"/files/{site.picture}/thumb")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    assert "The store is away for a moment" in answer.text


def test_without_its_database_the_store_says_when_to_come_back(site: Site) -> None:
    away = site.folder / "away"
    site.data.rename(away)
    says_which_part_is_ill(site, "database")
    cookie = f"sessionid={site.session}"
    # In the view, in the middleware before it, and before the session.
    for answer in (site.get("/"), site.get("/me/", Cookie=cookie), site.get(f"/files/{site.picture}/thumb")):
        assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
        assert "no-store" in answer.headers["Cache-Control"]
        assert "The store is away for a moment" in answer.text
        assert "Traceback" not in answer.text
    assert "المتجر متوقف للحظة" in site.get("/", Accept_Language="ar").text
    assert json.loads(site.get("/", Accept="application/json").text)["server"] == "database"
    assert site.get("/help/").status == 200, "which needs no database"
    assert socket_hears(site) == TRY_LATER
    away.rename(site.data)
    assert site.get("/me/", Cookie=cookie).status == 200
    assert socket_hears(site) == "welcome"
    assert site.health() == WELL


# ---------------------------------------------------------------- at the start

NOBODY = "127.0.0.1:1"
NO_SENTINELS = f"sentinel://:***@{NOBODY};sentinel://:***@{NOBODY}"
STARTS: dict[str, tuple[list[str], dict[str, str], str]] = {
    "site": (
        ["manage.py", "serve", "--port", "0"],
        {"DATABASE_URL": "sqlite:////nowhere/store.sqlite3"},
        "The database does not answer: DATABASE_URL=sqlite:////nowhere/store.sqlite3 (OperationalError).",
    ),
    "worker": (
        ["-m", "celery", "--quiet", "-A", "accountsstore", "worker", "--pool", "threads"],
        {"CELERY_BROKER_URL": NO_SENTINELS.replace("***", "secret")},
        f"The job queue does not answer: CELERY_BROKER_URL={NO_SENTINELS} (MasterNotFoundError).",
    ),
    "beat": (
        ["-m", "celery", "--quiet", "-A", "accountsstore", "beat"],
        {"REDIS_URL": f"redis+cluster://:secret@{NOBODY}"},
        f"Redis does not answer: REDIS_URL=redis+cluster://:***@{NOBODY} (ConnectionError).",
    ),
    "clock": (
        ["manage.py", "run_clock", "--loop"],
        {"S3_ENDPOINT_URL": f"http://{NOBODY}"},
        f"The file storage does not answer: S3_BUCKET=http://{NOBODY}/files (EndpointConnectionError).",
    ),
}


@pytest.mark.parametrize("name", STARTS)
def test_a_program_that_finds_a_server_away_says_which_and_ends(site: Site, name: str) -> None:
    command, wrong, sentence = STARTS[name]
    done = run_python(*command, env=site.env | wrong, within=ANSWER_SECONDS)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == sentence
    assert "Traceback" not in done.stderr
    assert "secret@" not in done.stdout + done.stderr


def test_a_server_that_hangs_at_the_start_is_named_too(site: Site) -> None:
    site.servers["jobs"].break_down(signal.SIGSTOP)
    try:
        done = run_python("manage.py", "preflight", env=site.env, within=ANSWER_SECONDS)
    finally:
        site.servers["jobs"].come_back()
    where = f"CELERY_BROKER_URL=redis://127.0.0.1:{site.servers['jobs'].port}/0"
    assert (done.returncode, done.stderr.strip()) == (1, f"The job queue does not answer: {where} (TimeoutError).")
