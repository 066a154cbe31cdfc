"""
`updated_at` of mirrored records: triggers set it, so `save`, `update`, `bulk_update` and plain SQL all count.

Used in migrations. SQLite drops the triggers of a table that a later migration rebuilds, so such a migration must add
them again. The time is the database's own, also where the application runs on another clock.
"""

from functools import partial
from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def keep_updated_at(*tables: str) -> migrations.RunPython:
    """Return the operation that adds the triggers to these tables."""
    return migrations.RunPython(partial(_add, tables), partial(_remove, tables))


def _add(tables: tuple[str, ...], _apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor != "sqlite":
        editor.execute(
            "CREATE OR REPLACE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$ "
            "BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END $$",
            params=None,
        )
    for table in tables:
        editor.execute(_trigger(editor.connection.vendor, table), params=None)


def _trigger(vendor: str, table: str) -> str:
    if vendor == "sqlite":
        # The update inside does not run the trigger again: SQLite's triggers are not recursive unless told to be.
        now = "STRFTIME('%Y-%m-%d %H:%M:%f000', 'NOW')"
        touch = f"UPDATE {table} SET updated_at = {now} WHERE id = NEW.id"  # noqa: S608 - the migration names the table
        return f"CREATE TRIGGER {table}_updated_at AFTER UPDATE ON {table} BEGIN {touch}; END"
    run = "FOR EACH ROW EXECUTE FUNCTION set_updated_at()"
    return f"CREATE TRIGGER {table}_updated_at BEFORE UPDATE ON {table} {run}"


def _remove(tables: tuple[str, ...], _apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    on_table = "" if editor.connection.vendor == "sqlite" else " ON {table}"
    for table in tables:
        editor.execute(f"DROP TRIGGER {table}_updated_at{on_table.format(table=table)}", params=None)
