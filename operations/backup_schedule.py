"""
Scheduled backups: one folder each, named after its time. The newest complete ones are kept.

The time of the last backup is in the database, so a restart neither skips nor repeats one.
"""

import json
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path

from core.sweep_times import last_backup_at
from operations.backups import MANIFEST, IncompleteBackup, Summary, back_up

NAME_FORMAT = "%Y-%m-%dT%H%MZ"
_NAME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{4}Z")


def is_due(*, every: timedelta, at: datetime) -> bool:
    last = last_backup_at()
    return last is None or at - last >= every


def back_up_into(folder: Path, *, keep: int, at: datetime) -> tuple[Path, Summary]:
    """
    Take a backup into a new folder inside `folder`, then delete the oldest complete ones beyond `keep`.

    Leftovers of interrupted runs are deleted first. If this backup fails, no complete one is deleted.

    :raises IncompleteBackup: some files are missing; the others are backed up
    """
    target = folder / f"{at:{NAME_FORMAT}}"
    for each in _folders(folder):
        if each != target and not (each / MANIFEST).exists():
            shutil.rmtree(each)
    summary = back_up(target, at=at)
    complete = sorted(each for each in _folders(folder) if is_complete(each))
    for each in complete[: max(len(complete) - keep, 0)]:
        shutil.rmtree(each)
    return target, summary


def is_complete(folder: Path) -> bool:
    try:
        return not json.loads((folder / MANIFEST).read_text())["missing"]
    except (OSError, ValueError, KeyError):
        return False


def _folders(folder: Path) -> list[Path]:
    """Return only folders named by this module. Others belong to someone else."""
    if not folder.is_dir():
        raise IncompleteBackup(f"{folder} is not a folder. Create it first, accessible to this user only.")
    return [each for each in folder.iterdir() if each.is_dir() and _NAME.fullmatch(each.name)]
