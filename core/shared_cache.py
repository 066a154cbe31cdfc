"""The cache that all processes share: atomic counting in the database, and JSON values in Redis."""

import base64
import json
import pickle
from typing import Any

from django.core.cache.backends.db import DatabaseCache
from django.db import connections, router, transaction


class CountingDatabaseCache(DatabaseCache):
    """
    Django's database cache with atomic counting, for one machine without Redis.

    Django's own `incr` takes no lock and extends the life of a count by five minutes each time.
    """

    _table: str

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        """
        Add to a count atomically, without changing when it expires.

        :raises ValueError: there is no such count
        """
        name = self.make_and_validate_key(key, version=version)
        using = router.db_for_write(self.cache_model_class)
        connection = connections[using]
        table = connection.ops.quote_name(self._table)
        # With SQLite, the transaction has already locked the whole database.
        lock = "FOR UPDATE" if connection.features.has_select_for_update else ""
        with transaction.atomic(using=using), connection.cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM {table} WHERE cache_key = %s {lock}", [name])  # noqa: S608 - a table name, no user input
            before: int | None = self.get(key, version=version)
            if before is None:
                raise ValueError(f"There is no count {key!r}.")
            after = before + delta
            kept = base64.b64encode(pickle.dumps(after, self.pickle_protocol)).decode("latin1")
            cursor.execute(f"UPDATE {table} SET value = %s WHERE cache_key = %s", [kept, name])  # noqa: S608 - the same
        return after


class JsonSerializer:
    """Values in Redis as JSON. With pickles, anyone who can write to Redis could run code here."""

    def dumps(self, value: Any) -> Any:
        return value if type(value) is int else json.dumps(value)

    def loads(self, stored: bytes) -> Any:
        return json.loads(stored)
