"""The file of an SQLite database: no other user of the machine reads it, whatever the folder allows."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

COMPANIONS = ("", "-wal", "-shm", "-journal")
OTHERS = 0o077


def keep_private(file: Path) -> None:
    """
    Make the file, or take other users' rights to it and its companions away, before SQLite opens it.

    SQLite gives new companions the rights of the file itself.

    :raises ImproperlyConfigured: it belongs to somebody else, who lets others read it
    """
    if not file.is_absolute() or not file.parent.is_dir():
        return
    if not file.exists() and os.access(file.parent, os.W_OK):
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
    for companion in (file.with_name(file.name + suffix) for suffix in COMPANIONS):
        try:
            if companion.exists() and companion.stat().st_mode & OTHERS:
                companion.chmod(0o600)
        except FileNotFoundError:
            continue  # another process has just closed the database
        except PermissionError as problem:
            raise ImproperlyConfigured(
                f"{companion} can be read by other users and belongs to another one. Only its owner can change that: "
                "chmod 600."
            ) from problem
