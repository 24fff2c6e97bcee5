"""The cache, the limits and the sessions, with Redis and without."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client, RequestFactory
from django_ratelimit.core import get_usage, is_ratelimited

from accounts.models import User
from accounts.tests.factories import PASSWORD
from accountsstore import redis as store_redis
from accountsstore.cache import StoreCache
from accountsstore.tests.own_valkey import Valkey, valkey  # noqa: F401  # a fixture

pytestmark = pytest.mark.stack

# A port that nothing listens on: connecting is refused at once.
NOBODY = "redis://127.0.0.1:1/0"


@pytest.fixture
def cache() -> StoreCache:
    return caches["default"]


# ---------------------------------------------------------------- as every cache of Django


@pytest.mark.parametrize("value", [0, -5, 2**40, 1.5, "text", b"\0raw", None, True, [1, {"a": (2, 3)}], "حساب"])
def test_what_was_set_is_what_one_gets(cache: StoreCache, value: Any) -> None:
    cache.set("key", value)
    assert cache.get("key", "default") == value
    assert type(cache.get("key")) is type(value)
    assert cache.has_key("key")
    assert "key" in cache


def test_what_is_not_there_is_the_default(cache: StoreCache) -> None:
    assert cache.get("missing") is None
    assert cache.get("missing", 7) == 7
    assert not cache.delete("missing")
    assert not cache.touch("missing")
    with pytest.raises(ValueError, match="missing"):
        cache.incr("missing")
    assert cache.get_or_set("made", lambda: 5) == 5


def test_only_the_first_add_counts(cache: StoreCache) -> None:
    assert cache.add("key", 1)
    assert not cache.add("key", 2)
    assert cache.get("key") == 1
    assert not cache.add("key", 3, timeout=0)
    assert cache.add("other", 3, timeout=0)
    assert cache.get("other") is None


def test_the_copy_of_a_session_lives_no_longer_than_a_minute() -> None:
    sessions: Any = caches["sessions"]
    for timeout in (14 * 24 * 3600, None):
        sessions.set("key", 1, timeout)
        assert 50 < store_redis.execute("TTL", sessions.make_key("key")) <= 60
    sessions.set("key", 1, 20)
    assert store_redis.execute("TTL", sessions.make_key("key")) <= 20


def test_lifetimes(cache: StoreCache) -> None:
    def left(key: str) -> int:
        return store_redis.execute("TTL", cache._key(key, None))

    cache.set("default", 1)
    cache.set("minute", 1, timeout=60)
    cache.set("ever", 1, timeout=None)
    assert 290 <= left("default") <= 300
    assert 50 <= left("minute") <= 60
    assert left("ever") == -1
    assert cache.touch("minute", 600) and 590 <= left("minute") <= 600
    assert cache.touch("minute", None) and left("minute") == -1
    cache.incr("minute")
    assert cache.touch("minute", 60) and cache.incr("minute") == 3 and 50 <= left("minute") <= 60
    for over in (0, -1):
        cache.set("default", 1)
        cache.set("default", 2, timeout=over)
        assert cache.get("default") is None


def test_many_keys_at_once_wherever_they_are(cache: StoreCache) -> None:
    data = {f"key{n}": n for n in range(700)}
    assert cache.set_many(data, timeout=60) == []
    assert cache.get_many([*data, "missing"]) == data
    cache.delete_many([f"key{n}" for n in range(699)])
    assert cache.get_many(data) == {"key699": 699}
    assert cache.get_many([]) == {} and cache.set_many({}) == []
    cache.delete_many([])


def test_counting(cache: StoreCache) -> None:
    cache.set("count", 1)
    assert [cache.incr("count"), cache.incr("count", 10), cache.decr("count")] == [2, 12, 11]


def test_clearing_leaves_what_belongs_to_others(cache: StoreCache) -> None:
    others = {"presence": f"{cache.key_prefix}2:key", "store": "another:default:1:key"}
    for key in others.values():
        store_redis.execute("SET", key, 1, "EX", 60)
    caches["limits"].set("kept", 1)
    cache.set_many({f"key{n}": n for n in range(50)})
    cache.clear()
    assert cache.get_many([f"key{n}" for n in range(50)]) == {}
    assert caches["limits"].get("kept") == 1
    assert store_redis.execute_many([("EXISTS", key) for key in others.values()]) == [1, 1]


# ---------------------------------------------------------------- limits


def limited(increment: bool = True) -> bool:
    request = RequestFactory().get("/")
    return is_ratelimited(request, group="counted", key=lambda group, request: "one", rate="2/m", increment=increment)


def test_limits_count_while_redis_answers() -> None:
    assert [limited() for _ in range(4)] == [False, False, True, True]


@pytest.mark.parametrize("fail_open", [True, False])
def test_limits_without_redis_do_as_the_setting_says(settings: Any, fail_open: bool) -> None:
    settings.REDIS_URL, settings.RATELIMIT_FAIL_OPEN = NOBODY, fail_open
    assert [limited() for _ in range(4)] == [not fail_open] * 4
    usage = get_usage(None, group="g", key=lambda group, request: "one", rate="1/m", increment=False)
    assert (usage is not None and usage["count"] >= usage["limit"]) is not fail_open


def test_a_form_counts_without_redis_whatever_the_limits_do(settings: Any) -> None:
    settings.REDIS_URL, settings.RATELIMIT_FAIL_OPEN = NOBODY, False
    assert caches["limits"].add("once:somebody:key", 1)


# ---------------------------------------------------------------- people without Redis


@pytest.fixture(params=["refuses", "hangs"])
def away(request: pytest.FixtureRequest, settings: Any, valkey: Valkey) -> Callable[[], None]:  # noqa: F811
    """`away()` takes the Redis from the store that it has used so far."""
    settings.REDIS_URL = valkey.url

    def leave() -> None:
        valkey.kill() if request.param == "refuses" else valkey.freeze()

    return leave


def test_who_is_signed_in_stays_so_while_redis_is_away(
    client: Client, buyer: User, away: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(buyer)
    assert buyer.name in client.get("/me/").content.decode()
    asked = 0
    execute = store_redis.execute

    def counted(*command: Any) -> Any:
        nonlocal asked
        asked += 1
        return execute(*command)

    monkeypatch.setattr("accountsstore.cache.execute", counted)
    away()
    for name in ("PAUSE_FACTOR", "LONGEST_PAUSE_SECONDS"):
        monkeypatch.setattr(store_redis, name, 10**9)
    for page in ("/me/", "/", "/browse/"):
        assert client.get(page, follow=True).status_code == 200
    # Whatever the pages ask of the cache, they wait for it once.
    assert asked == 1


def test_people_sign_in_and_out_while_redis_is_away(client: Client, buyer: User, away: Callable[[], None]) -> None:
    away()
    answer = client.post("/account/login/", {"login": buyer.email, "password": PASSWORD})
    assert answer.status_code == 302
    assert client.session["_auth_user_id"] == str(buyer.pk)
    assert client.post("/account/logout/").status_code == 302
    assert "_auth_user_id" not in client.session


def test_nobody_signs_in_without_redis_where_limits_fail_closed(client: Client, buyer: User, settings: Any) -> None:
    settings.REDIS_URL, settings.RATELIMIT_FAIL_OPEN = NOBODY, False
    assert client.post("/account/login/", {"login": buyer.email, "password": PASSWORD}).status_code == 429


def test_the_cache_works_again_once_redis_is_back(cache: StoreCache, settings: Any, valkey: Valkey) -> None:  # noqa: F811
    settings.REDIS_URL = valkey.url
    cache.set("key", 1)
    valkey.kill()
    assert cache.get("key") is None
    assert cache.set_many({"a": 1}) == ["a"]
    valkey.start()
    end = time.monotonic() + store_redis.LONGEST_PAUSE_SECONDS + 10
    while cache.get("key") != 2 and time.monotonic() < end:
        cache.set("key", 2)
    assert cache.get("key") == 2
