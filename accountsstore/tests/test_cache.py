import pytest
import redis
from django.core.cache import caches
from django.test import RequestFactory
from django_ratelimit.core import is_ratelimited


def test_limits_count_while_redis_answers(rf: RequestFactory) -> None:
    tries = [
        is_ratelimited(rf.get("/"), group="counted", key=lambda group, request: "one", rate="2/m", increment=True)
        for _ in range(4)
    ]
    assert tries == [False, False, True, True]


def test_without_redis_nobody_is_limited_and_nobody_sees_an_error(
    rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: object, **kwargs: object) -> None:
        raise redis.ConnectionError

    for name in ("add", "get", "incr", "set"):
        monkeypatch.setattr(f"django.core.cache.backends.redis.RedisCacheClient.{name}", away)
    with pytest.raises(redis.ConnectionError):
        caches["default"].get("x")
    tries = [
        is_ratelimited(rf.get("/"), group="away", key=lambda group, request: "one", rate="1/m", increment=True)
        for _ in range(4)
    ]
    assert tries == [False] * 4
