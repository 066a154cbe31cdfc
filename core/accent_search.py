"""
Search that ignores accents and case: “trevino” finds “Treviño”, and the other way around.

The database converts its own side of the comparison: PostgreSQL with built-in functions, SQLite with a function that we
register on each connection.
"""

import sqlite3
import unicodedata
from typing import Any, cast

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Lookup
from django.db.models.sql.compiler import SQLCompiler

MAX_TEXT_CHARACTERS = 1000  # no name or address is longer, and normalizing can take quadratic time
_STROKED = {"đ": "d", "Đ": "d", "ł": "l", "Ł": "l", "ø": "o", "Ø": "o"}
"""Letters with a stroke, which Unicode does not treat as an accent."""

_ACCENTS = "".join(map(chr, range(0x300, 0x370)))
_TABLE = str.maketrans("".join(_STROKED), "".join(_STROKED.values()), _ACCENTS)


def remove_accents(text: str) -> str:
    """Return the start of a text in lower case without accents."""
    return unicodedata.normalize("NFD", text[:MAX_TEXT_CHARACTERS]).translate(_TABLE).lower()


@CharField.register_lookup
class UnaccentedContains(Lookup):
    """Whether a text contains another one, ignoring accents and case."""

    lookup_name = "unaccented"

    def get_prep_lookup(self) -> str:
        return remove_accents(str(self.rhs))

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[str | int, ...]]:
        text, of_text = self.process_lhs(compiler, connection)
        wanted = f"%{connection.ops.prep_for_like_query(cast(str, self.rhs))}%"
        if connection.vendor == "sqlite":
            return rf"REMOVE_ACCENTS({text}) LIKE %s ESCAPE '\'", (*of_text, wanted)
        # TRANSLATE scans its whole table for every letter, so it is used only for text with accents.
        spelled = f"TRANSLATE(NORMALIZE({text}, NFD), %s, %s)"
        spelled = f"LOWER(CASE WHEN OCTET_LENGTH({text}) = CHAR_LENGTH({text}) THEN {text} ELSE {spelled} END)"
        letters = ("".join(_STROKED) + _ACCENTS, "".join(_STROKED.values()))
        return rf"{spelled} LIKE %s ESCAPE '\'", (*of_text, *of_text, *of_text, *of_text, *letters, wanted)


def register_sqlite_functions(*, connection: BaseDatabaseWrapper, **_of_signal: Any) -> None:
    """Register the function REMOVE_ACCENTS on a new SQLite connection."""
    if connection.vendor == "sqlite":
        raw = cast(sqlite3.Connection, connection.connection)
        raw.create_function("REMOVE_ACCENTS", 1, _remove_accents_or_null, deterministic=True)


def _remove_accents_or_null(text: str | None) -> str | None:
    return None if text is None else remove_accents(text)
