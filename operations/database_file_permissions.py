"""Keeps other users of the machine from reading the SQLite database file."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

SUFFIXES = ("", "-wal", "-shm", "-journal")
OTHER_USERS = 0o077


def make_private(file: Path) -> None:
    """
    Create the file with owner-only permissions, or restrict it and its side files, before SQLite opens it.

    SQLite creates side files with the permissions of the database file.

    :raises ImproperlyConfigured: it belongs to another user and others can read it
    """
    if not file.is_absolute() or not file.parent.is_dir():
        return
    if not file.exists() and os.access(file.parent, os.W_OK):
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
    for companion in (file.with_name(file.name + suffix) for suffix in SUFFIXES):
        try:
            if companion.exists() and companion.stat().st_mode & OTHER_USERS:
                companion.chmod(0o600)
        except FileNotFoundError:
            continue  # another process has just closed the database
        except PermissionError as problem:
            raise ImproperlyConfigured(
                f"{companion} can be read by other users and is not owned by this user. Its owner must run chmod 600."
            ) from problem
