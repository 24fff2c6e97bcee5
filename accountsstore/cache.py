"""Django's cache on the store's Redis, one server or a cluster. A store without Redis works: slower, and forgetful."""

import re
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.redis import RedisSerializer

from accountsstore.redis import answer_or, client, execute, execute_many

# How django-ratelimit and django-allauth begin the keys of their limits. They raise, or refuse everybody, when a cache
# does not answer, whatever RATELIMIT_FAIL_OPEN says.
LIMITS = ("rl:", "allauth:rl:")
# INCRBY makes a key that is missing, and one that ended meanwhile would then live for ever.
INCREMENT = "if redis.call('EXISTS', KEYS[1]) == 1 then return redis.call('INCRBY', KEYS[1], ARGV[1]) end"
AWAY = object()


class StoreCache(BaseCache):
    """While Redis is away it is an empty cache, but for the limits: they fail as RATELIMIT_FAIL_OPEN says.

    Values are pickled, whole numbers are not, as in Django's own. What was set without a lifetime stays until Redis is
    restarted: the cluster evicts only what has one. The option `longest_seconds` shortens every lifetime to it.
    """

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._serializer = RedisSerializer()
        self._longest = (params.get("OPTIONS") or {}).get("longest_seconds")

    # ------------------------------------------------------------ one key

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        command = self._set_command(key, value, timeout, version)
        if command[0] != "SET":  # over at once
            return not self.has_key(key, version)
        return bool(answer_or(self._passes(key), lambda: execute(*command, "NX")))

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        found: Any = answer_or(AWAY, lambda: execute("GET", self._key(key, version)))
        if found is AWAY:
            # django-ratelimit takes None for "nobody knows", and what it gave as default for "none so far".
            return default if self._passes(key) else None
        return default if found is None else self._serializer.loads(found)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        answer_or(None, lambda: execute(*self._set_command(key, value, timeout, version)))

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        seconds = self._seconds(timeout)
        name = self._key(key, version)
        command = ("PERSIST", name) if seconds is None else ("EXPIRE", name, seconds)
        return bool(answer_or(False, lambda: execute(*command)))

    def delete(self, key: Any, version: int | None = None) -> bool:
        return bool(answer_or(False, lambda: execute("UNLINK", self._key(key, version))))

    def has_key(self, key: Any, version: int | None = None) -> bool:
        return bool(answer_or(False, lambda: execute("EXISTS", self._key(key, version))))

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        """Raises ValueError for a key that is not there, as every cache does, and while Redis is away."""
        value = answer_or(None, lambda: execute("EVAL", INCREMENT, 1, self._key(key, version), delta))
        if value is None:
            raise ValueError(f"Key {key!r} not found")
        return int(value)

    # ------------------------------------------------------------ many keys

    def get_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]:
        wanted = list(keys)
        found: list[Any] = answer_or([], lambda: execute_many([("GET", self._key(key, version)) for key in wanted]))
        return {
            key: self._serializer.loads(value) for key, value in zip(wanted, found, strict=False) if value is not None
        }

    def set_many(self, data: dict[Any, Any], timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> list[Any]:
        commands = [self._set_command(key, value, timeout, version) for key, value in data.items()]
        return [] if answer_or(None, lambda: execute_many(commands)) is not None else list(data)

    def delete_many(self, keys: Iterable[Any], version: int | None = None) -> None:
        commands = [("UNLINK", self._key(key, version)) for key in keys]
        answer_or(None, lambda: execute_many(commands))

    def clear(self) -> None:
        """Delete every key with this cache's prefix and no other: sessions apart, the same Redis holds presence, the
        limits and perhaps another store. It looks at every key there is, so it is for people and tests, not for pages.
        """

        def sweep() -> None:
            prefix = re.sub(r"([*?\[\]\\])", r"\\\1", self.key_prefix)
            found = list(client().scan_iter(match=f"{prefix}:*", count=1000))
            execute_many([("UNLINK", key) for key in found])

        answer_or(None, sweep)

    # ------------------------------------------------------------ what Redis is asked

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
        if self._longest is not None:
            timeout = self._longest if timeout is None else min(timeout, self._longest)
        return None if timeout is None else max(0, int(timeout))

    @staticmethod
    def _passes(key: Any) -> bool:
        return settings.RATELIMIT_FAIL_OPEN or not str(key).startswith(LIMITS)
