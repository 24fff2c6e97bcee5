"""Where Redis is, and the one client."""

import os
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from django.core.exceptions import ImproperlyConfigured

from accountsstore import redis as store_redis
from accountsstore.redis import Servers, channels_redis_host, execute, execute_many, ping, servers_of
from accountsstore.stack import programs
from accountsstore.tests.own_valkey import Valkey, valkey  # noqa: F401  # a fixture
from accountsstore.tests.programs import eventually, own_stack

READ = {
    "redis://localhost": Servers((("localhost", 6379),)),
    "redis://:p%40ss%3A@[::1]:7000/3": Servers((("::1", 7000),), password="p@ss:", database=3),
    "rediss://me:secret@redis.example:6380?ssl_ca_certs=/etc/ca.pem": Servers(
        (("redis.example", 6380),), username="me", password="secret", is_encrypted=True, ca_file="/etc/ca.pem"
    ),
    "redis+cluster://:secret@10.0.0.1:7001,10.0.0.2:7002,node": Servers(
        (("10.0.0.1", 7001), ("10.0.0.2", 7002), ("node", 6379)), is_cluster=True, password="secret"
    ),
    "rediss+cluster://a:1": Servers((("a", 1),), is_cluster=True, is_encrypted=True),
    "redis+sentinel://:secret@a:26379,b:26379/jobs": Servers(
        (("a", 26379), ("b", 26379)), password="secret", sentinel_master="jobs"
    ),
}


@pytest.mark.parametrize("url", READ)
def test_an_address_is_read(url: str) -> None:
    assert servers_of(url) == READ[url]
    assert "secret" not in repr(servers_of(url))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://:secret@localhost",
        "redis://",
        "redis://:secret@a:1,b:2",
        "redis://:secret@a:99999",
        "redis://:secret@a:port",
        "redis://:secret@a/text",
        "redis+cluster://:secret@a:1/1",
        "redis+cluster://:secret@a:1,,b:2",
        "redis+sentinel://:secret@a:1",
        "redis+nothing://:secret@a:1",
        "redis://:secret@a?timeout=5",
    ],
)
def test_a_wrong_address_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL") as refusal:
        servers_of(url)
    assert "secret" not in str(refusal.value)


def test_channels_redis_is_told_of_one_server_or_sentinels_and_kept_from_a_cluster() -> None:
    assert channels_redis_host("redis://a") == {"socket_timeout": None, "address": "redis://a"}
    behind = channels_redis_host("redis+sentinel://:secret@a:1,b:2/jobs")
    assert (behind["sentinels"], behind["master_name"], behind["password"]) == ([("a", 1), ("b", 2)], "jobs", "secret")
    with pytest.raises(ImproperlyConfigured, match="cluster"):
        channels_redis_host("redis+cluster://a:1")


@pytest.mark.stack
def test_many_answers_come_in_the_order_of_the_questions() -> None:
    keys = [f"{os.getpid()}:{n}" for n in range(1200)]
    assert execute_many([("SET", key, n, "EX", 60) for n, key in enumerate(keys)]) == [True] * 1200
    assert execute_many([("GET", key) for key in keys]) == [b"%d" % n for n in range(1200)]
    assert execute_many([]) == []
    ping()


@pytest.mark.stack
def test_threads_share_the_client_and_get_their_own_answers() -> None:
    wrong: list[Any] = []

    def work(n: int) -> None:
        key = f"{os.getpid()}:thread:{n}"
        for m in range(50):
            execute("SET", key, m, "EX", 60)
            if execute("GET", key) != b"%d" % m:
                wrong.append((n, m))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.stack
def test_a_forked_process_has_a_client_of_its_own() -> None:
    mine = store_redis.client()
    execute("SET", "forked", 1, "EX", 60)
    child = os.fork()
    if child == 0:
        is_well = store_redis.client() is not mine and execute("GET", "forked") == b"1"
        os._exit(0 if is_well else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert execute("GET", "forked") == b"1"


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "redis+cluster://127.0.0.1:1,127.0.0.1:2"])
def test_where_nobody_listens_the_error_is_redis_own(settings: Any, url: str) -> None:
    settings.REDIS_URL = url
    for ask in (lambda: execute("GET", "x"), lambda: execute_many([("GET", "x")]), ping):
        with pytest.raises(redis.RedisError):
            ask()


def test_a_restarted_redis_is_found_again(settings: Any, valkey: Valkey) -> None:  # noqa: F811
    settings.REDIS_URL = valkey.url
    execute("SET", "x", 1)
    valkey.kill()
    with pytest.raises(redis.RedisError):
        execute("GET", "x")
    valkey.start()
    assert execute("GET", "x") is None


@pytest.mark.production
def test_behind_sentinels_the_master_is_asked_whoever_it_is(settings: Any, tmp_path: Path) -> None:
    with own_stack(tmp_path, "jobs") as stack:
        env = stack.env(["jobs"])
        urls = [urlsplit(url) for url in env["CELERY_BROKER_URL"].split(";")]
        settings.REDIS_URL = (
            f"redis+sentinel://:{urls[0].password}@{','.join(f'{url.hostname}:{url.port}' for url in urls)}/"
            f"{env['CELERY_SENTINEL_MASTER']}"
        )
        execute("SET", "kept", 1)
        assert execute("WAIT", 1, 5000) == 1
        programs.kill(stack.node("jobs-1"))
        # Until the Sentinels agree on another.
        with pytest.raises(redis.RedisError):
            execute("GET", "kept")
        eventually(is_there, "the new master is not found")
        assert execute("GET", "kept") == b"1"


def is_there() -> bool:
    try:
        ping()
    except redis.RedisError:
        return False
    return True
