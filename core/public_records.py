"""
What names a record outside the system, and when it last changed.

Primary keys are counted, so after a restored backup the next customer gets the number of one that was lost. They stay
inside: foreign keys, tasks, locks. Everything that leaves (API, links, documents, the journal) uses `public_id`.
"""

from typing import Any
from uuid import UUID

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.functions import Now
from django.db.models.sql.compiler import SQLCompiler
from uuid6 import uuid7


def new_public_id() -> UUID:
    """Return a UUIDv7: it begins with the time and ends in 62 random bits, so no two machines create the same one."""
    return UUID(int=uuid7().int)


def parse_public_id(text: str) -> UUID | None:
    """Return the identifier that a URL or a form names, or None if it is not one."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None


class DatabaseNow(Now):
    """The database's clock, in the form in which Django compares times on SQLite."""

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        template = "STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f000', 'NOW')"
        return self.as_sql(compiler, connection, template=template, **extra)


class PublicRecord(models.Model):
    """A record with a page, a link or a mention outside the database."""

    public_id = models.UUIDField("identifier", default=new_public_id, unique=True, editable=False)

    class Meta:
        abstract = True


class MirroredRecord(PublicRecord):
    """A record that other systems copy. Triggers set `updated_at` with every update (`core.update_times`)."""

    updated_at = models.DateTimeField(db_default=DatabaseNow(), editable=False)

    class Meta:
        abstract = True
