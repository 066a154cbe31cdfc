"""
Finding names and addresses however their accents are typed: “trevino” finds “Treviño”, and the other way round.

The lookup `plainly` compares both sides without accents and in small letters. The database spells its side itself, so
that nothing is stored twice: PostgreSQL with functions of its own, SQLite with one that it is taught.
"""

import sqlite3
import unicodedata
from typing import Any, cast

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Lookup
from django.db.models.sql.compiler import SQLCompiler

LONGEST_TEXT = 1000  # no name or address is longer, and normalizing may take the square of the length
_STROKED = {"đ": "d", "Đ": "d", "ł": "l", "Ł": "l", "ø": "o", "Ø": "o"}
"""Letters whose stroke is no accent to Unicode."""

_ACCENTS = "".join(map(chr, range(0x300, 0x370)))
_TABLE = str.maketrans("".join(_STROKED), "".join(_STROKED.values()), _ACCENTS)


def plainly(text: str) -> str:
    """Return the beginning of a text in small letters without accents."""
    return unicodedata.normalize("NFD", text[:LONGEST_TEXT]).translate(_TABLE).lower()


@CharField.register_lookup
class Plainly(Lookup):
    """Whether a text has another one in it, both spelled plainly."""

    lookup_name = "plainly"

    def get_prep_lookup(self) -> str:
        return plainly(str(self.rhs))

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[str | int, ...]]:
        text, of_text = self.process_lhs(compiler, connection)
        wanted = f"%{connection.ops.prep_for_like_query(cast(str, self.rhs))}%"
        if connection.vendor == "sqlite":
            return rf"PLAINLY({text}) LIKE %s ESCAPE '\'", (*of_text, wanted)
        # TRANSLATE goes through its whole table for every letter: only where there is an accent is it worth that.
        spelled = f"TRANSLATE(NORMALIZE({text}, NFD), %s, %s)"
        spelled = f"LOWER(CASE WHEN OCTET_LENGTH({text}) = CHAR_LENGTH({text}) THEN {text} ELSE {spelled} END)"
        letters = ("".join(_STROKED) + _ACCENTS, "".join(_STROKED.values()))
        return rf"{spelled} LIKE %s ESCAPE '\'", (*of_text, *of_text, *of_text, *of_text, *letters, wanted)


def teach_sqlite(*, connection: BaseDatabaseWrapper, **_of_signal: Any) -> None:
    """Give a new connection to SQLite the function PLAINLY."""
    if connection.vendor == "sqlite":
        raw = cast(sqlite3.Connection, connection.connection)
        raw.create_function("PLAINLY", 1, _plainly_or_null, deterministic=True)


def _plainly_or_null(text: str | None) -> str | None:
    return None if text is None else plainly(text)
