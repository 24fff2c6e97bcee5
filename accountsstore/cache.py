"""Django's cache on the store's Redis, one server or a cluster. A store without Redis works: slower, and forgetful."""

import logging
import re
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import redis
from django.conf import settings
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.redis import RedisSerializer

from accountsstore.redis import client, execute, execute_many

logger = logging.getLogger(__name__)

T = TypeVar("T")

# How django-ratelimit and django-allauth begin the keys of their limits. They raise, or refuse everybody, when a cache
# does not answer, whatever RATELIMIT_FAIL_OPEN says.
LIMITS = ("rl:", "allauth:rl:")
# INCRBY makes a key that is missing, and one that ended meanwhile would then live for ever.
INCREMENT = "if redis.call('EXISTS', KEYS[1]) == 1 then return redis.call('INCRBY', KEYS[1], ARGV[1]) end"
# After a failure nobody asks for this many times as long as it took, but soon again: a Redis that hangs costs a thread
# a fifth of its time at most, and one that refuses at once next to nothing.
PAUSE_FACTOR, LONGEST_PAUSE_SECONDS = 9, 10

AWAY = object()


class StoreCache(BaseCache):
    """While Redis is away it is an empty cache, but for the limits: they fail as RATELIMIT_FAIL_OPEN says.

    Values are pickled, whole numbers are not, as in Django's own. What was set without a lifetime stays until Redis is
    restarted: the cluster evicts only what has one.
    """

    # Shared by the threads of a process, each of which has a cache of its own.
    _paused_until = 0.0

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._serializer = RedisSerializer()

    # ------------------------------------------------------------ one key

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        command = self._set_command(key, value, timeout, version)
        if command[0] != "SET":  # over at once
            return not self.has_key(key, version)
        return bool(self._answer(lambda: execute(*command, "NX"), self._passes(key)))

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        found = self._answer(lambda: execute("GET", self._key(key, version)), AWAY)
        if found is AWAY:
            # django-ratelimit takes None for "nobody knows", and what it gave as default for "none so far".
            return default if self._passes(key) else None
        return default if found is None else self._serializer.loads(found)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self._answer(lambda: execute(*self._set_command(key, value, timeout, version)), None)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        seconds = self._seconds(timeout)
        name = self._key(key, version)
        command = ("PERSIST", name) if seconds is None else ("EXPIRE", name, seconds)
        return bool(self._answer(lambda: execute(*command), False))

    def delete(self, key: Any, version: int | None = None) -> bool:
        return bool(self._answer(lambda: execute("UNLINK", self._key(key, version)), False))

    def has_key(self, key: Any, version: int | None = None) -> bool:
        return bool(self._answer(lambda: execute("EXISTS", self._key(key, version)), False))

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        """Raises ValueError for a key that is not there, as every cache does, and while Redis is away."""
        value = self._answer(lambda: execute("EVAL", INCREMENT, 1, self._key(key, version), delta), None)
        if value is None:
            raise ValueError(f"Key {key!r} not found")
        return int(value)

    # ------------------------------------------------------------ many keys

    def get_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]:
        wanted = list(keys)
        found = self._answer(lambda: execute_many([("GET", self._key(key, version)) for key in wanted]), [])
        return {
            key: self._serializer.loads(value) for key, value in zip(wanted, found, strict=False) if value is not None
        }

    def set_many(self, data: dict[Any, Any], timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> list[Any]:
        commands = [self._set_command(key, value, timeout, version) for key, value in data.items()]
        return [] if self._answer(lambda: execute_many(commands), None) is not None else list(data)

    def delete_many(self, keys: Iterable[Any], version: int | None = None) -> None:
        commands = [("UNLINK", self._key(key, version)) for key in keys]
        self._answer(lambda: execute_many(commands), None)

    def clear(self) -> None:
        """Delete every key with this cache's prefix and no other: sessions apart, the same Redis holds presence, the
        limits and perhaps another store. It looks at every key there is, so it is for people and tests, not for pages.
        """

        def sweep() -> None:
            prefix = re.sub(r"([*?\[\]\\])", r"\\\1", self.key_prefix)
            found = list(client().scan_iter(match=f"{prefix}:*", count=1000))
            execute_many([("UNLINK", key) for key in found])

        self._answer(sweep, None)

    # ------------------------------------------------------------ asking Redis

    def _answer(self, ask: Callable[[], T], otherwise: T) -> T:
        """What Redis says, or `otherwise` while it is away."""
        began = time.monotonic()
        if began < StoreCache._paused_until:
            return otherwise
        try:
            return ask()
        except redis.RedisError as error:
            now = time.monotonic()
            StoreCache._paused_until = now + min((now - began) * PAUSE_FACTOR, LONGEST_PAUSE_SECONDS)
            logger.warning("the cache does not answer", extra={"error": repr(error)})
            return otherwise

    def _set_command(self, key: Any, value: Any, timeout: Any, version: int | None) -> tuple[Any, ...]:
        seconds = self._seconds(timeout)
        name = self._key(key, version)
        if seconds == 0:
            return ("UNLINK", name)
        return ("SET", name, self._serializer.dumps(value), *(() if seconds is None else ("EX", seconds)))

    def _key(self, key: Any, version: int | None) -> str:
        name: str = self.make_and_validate_key(key, version=version)
        return name

    def _seconds(self, timeout: Any) -> int | None:
        """None is for ever, 0 and less is over at once."""
        if timeout is DEFAULT_TIMEOUT:
            timeout = self.default_timeout
        return None if timeout is None else max(0, int(timeout))

    @staticmethod
    def _passes(key: Any) -> bool:
        return settings.RATELIMIT_FAIL_OPEN or not str(key).startswith(LIMITS)

