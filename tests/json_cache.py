"""The cache of the test suite: in this process, and as strict about its values as production's in Redis."""

from typing import Any

from django.core.cache.backends.locmem import LocMemCache

from core.shared_cache import JsonSerializer


class JsonCache(LocMemCache):
    def add(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> bool:
        return super().add(key, _as_from_redis(value), *args, **kwargs)

    def set(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> None:
        super().set(key, _as_from_redis(value), *args, **kwargs)


def _as_from_redis(value: Any) -> Any:
    written = JsonSerializer().dumps(value)
    return value if type(written) is int else JsonSerializer().loads(written)
