"""Cache backends."""

import logging
from typing import Any

import redis
from django.core.cache.backends.redis import RedisCache

logger = logging.getLogger(__name__)


class FailOpenRedisCache(RedisCache):
    """For rate limits: when Redis is away, nobody is limited and nobody sees an error.

    django-ratelimit raises on a lost connection whatever RATELIMIT_FAIL_OPEN says.
    """

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return self._quietly(super().add, True, *args, **kwargs)

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        return self._quietly(super().get, default, key, default=default, version=version)

    def set(self, *args: Any, **kwargs: Any) -> None:
        self._quietly(super().set, None, *args, **kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> int:
        return self._quietly(super().incr, 1, *args, **kwargs)

    def _quietly(self, call: Any, otherwise: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except redis.RedisError:
            logger.warning("rate limits are off: the cache does not answer")
            return otherwise
