"""
Whether this database may write to Light from where it runs. A copy of production started elsewhere may not.

A database remembers the place where it first worked with a Light that is not on this machine. Anywhere else it writes
nothing until `LIGHT_WRITES_ALLOWED_FOR` names that place.

Source: reliability notes, B2.
"""

import hashlib
import platform
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError, connection, transaction

from core import clock
from core.loopback import is_loopback
from enrollments.models import DatabasePlace

ONLY_PLACE = 1


def why_writes_not_allowed_here() -> str:
    """Return why writes from this place are not allowed, or an empty string if they are."""
    if is_on_this_machine(settings.LIGHT_API_URL):
        return ""
    here = current_place()
    allowed = settings.LIGHT_WRITES_ALLOWED_FOR or first_place()
    if allowed == here:
        return ""
    return (
        f"This database runs at “{here}” but may write to Light only from “{allowed}”, so it may be a copy. To let it "
        f"write from here, make sure that the other one does not, and set LIGHT_WRITES_ALLOWED_FOR={here}."
    )


def is_on_this_machine(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")


@cache
def first_place() -> str:
    """Return the place where this database first worked, storing the current one if there is none. It never changes."""
    row, _ = DatabasePlace.objects.get_or_create(
        pk=ONLY_PLACE, defaults={"place": current_place(), "since": clock.now()}
    )
    return row.place


@cache
def current_place() -> str:
    """
    Return the place of the current database: its name, and a short hash that identifies its server.

    A promoted standby of PostgreSQL counts as the same server. A dump restored elsewhere or under another name does
    not.
    """
    name = Path(str(connection.settings_dict["NAME"])).stem
    return f"{name}-{hashlib.sha256(_server().encode()).hexdigest()[:10]}"


def _server() -> str:
    database = connection.settings_dict
    if connection.vendor == "postgresql":
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT system_identifier FROM pg_control_system()")
                return str(cursor.fetchone()[0])
        except DatabaseError:  # some providers deny this query; the address is the next best
            return f"{database['HOST']}:{database['PORT']}"
    return f"{platform.node()}:{Path(str(database['NAME'])).resolve()}"
