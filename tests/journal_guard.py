"""
The database refuses to change the journal; tests play a forger who can switch that off, and must clean up.

What a forger needs is the right to alter tables. Nothing here is part of the product.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.operations import BaseDatabaseOperations

from core.models import CompanyRules
from poa_documents.journal import verification

GUARDED_TABLES = (*verification.GUARDED_TABLES, CompanyRules._meta.db_table)


@contextmanager
def guard_lifted(database: BaseDatabaseWrapper = connection) -> Iterator[None]:
    """Allow changes to the journal inside the block, as a forger with every right in the database could."""
    with transaction.atomic(using=database.alias), database.cursor() as cursor:
        if database.vendor == "sqlite":
            cursor.execute("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'")
            triggers = [(name, sql) for name, table, sql in cursor.fetchall() if table in GUARDED_TABLES]
            for name, _sql in triggers:
                cursor.execute(f'DROP TRIGGER "{name}"')
            yield
            for _name, sql in triggers:
                cursor.execute(sql)
            return
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with pending checks cannot be altered
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname = ANY(%s)", [list(GUARDED_TABLES)])
        tables = [name for (name,) in cursor.fetchall()]
        for table in tables:
            cursor.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER USER')
        yield
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            cursor.execute(f'ALTER TABLE "{table}" ENABLE TRIGGER USER')


def let_tests_clean_up() -> None:
    """After a test that commits, all tables are emptied, which the guard refuses: disable it for that."""
    empty_tables = BaseDatabaseOperations.execute_sql_flush

    def execute_sql_flush(self: BaseDatabaseOperations, sql_list: Any) -> None:
        with guard_lifted(self.connection):
            empty_tables(self, sql_list)

    BaseDatabaseOperations.execute_sql_flush = execute_sql_flush  # type: ignore[method-assign]
