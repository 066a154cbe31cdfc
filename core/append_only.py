"""
Tables to which rows are only ever added: triggers of the database refuse everything else, on PostgreSQL and SQLite.

Used in migrations. SQLite drops the triggers of a table that a later migration rebuilds, so such a migration must guard
the table again.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def append_only(table: str, *, because: str, same_row: str = "", deletable_if: str = "") -> migrations.RunPython:
    """
    Return the operation that guards a table.

    `because` is the error that writers see. `same_row` is SQL over NEW: what besides the primary key must not be
    inserted twice, since SQLite can replace a row without deleting it. `deletable_if` is SQL over OLD: when a row may
    be deleted.
    """
    guard = partial(_run, _guards, table, because, same_row, deletable_if)
    lift = partial(_run, _lifts, table, because, same_row, deletable_if)
    return migrations.RunPython(guard, lift)


def _run(statements: Any, *words: Any) -> None:
    *told, _apps, schema_editor = words
    editor: BaseDatabaseSchemaEditor = schema_editor
    for statement in statements(editor.connection.vendor, *told):
        editor.execute(statement, params=None)


def _guards(vendor: str, table: str, because: str, same_row: str, deletable_if: str) -> Iterator[str]:
    if vendor == "sqlite":
        yield f"CREATE TRIGGER {table}_is_final BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, '{because}'); END"
        unless = f"WHEN NOT ({deletable_if})" if deletable_if else ""
        yield (
            f"CREATE TRIGGER {table}_is_kept BEFORE DELETE ON {table} {unless} "
            f"BEGIN SELECT RAISE(ABORT, '{because}'); END"
        )
        same = f" OR {same_row}" if same_row else ""
        taken = f"SELECT 1 FROM {table} WHERE id = NEW.id{same}"  # noqa: S608 - the migration names the table
        yield (
            f"CREATE TRIGGER {table}_is_not_replaced BEFORE INSERT ON {table} "
            f"WHEN EXISTS ({taken}) "
            f"BEGIN SELECT RAISE(ABORT, '{because}'); END"
        )
        return
    deletion = f"IF TG_OP = 'DELETE' THEN IF {deletable_if} THEN RETURN OLD; END IF; END IF;" if deletable_if else ""
    yield (
        f"CREATE FUNCTION {table}_is_final() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {deletion} "
        f"RAISE EXCEPTION USING ERRCODE = 'restrict_violation', MESSAGE = '{because}'; END $$"
    )
    yield (
        f"CREATE TRIGGER {table}_is_final BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_is_final()"
    )
    yield (
        f"CREATE TRIGGER {table}_is_not_emptied BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_final()"
    )


def _lifts(vendor: str, table: str, *_: str) -> Iterator[str]:
    if vendor == "sqlite":
        yield from (f"DROP TRIGGER {table}_{what}" for what in ("is_final", "is_kept", "is_not_replaced"))
        return
    yield from (f"DROP TRIGGER {table}_{what} ON {table}" for what in ("is_final", "is_not_emptied"))
    yield f"DROP FUNCTION {table}_is_final"
