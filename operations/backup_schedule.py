"""
Backups on a schedule: one folder each, named after its time, and as many of the good ones kept as was said.

When the next one is due is read from the database, so a restart neither forgets nor repeats one.
"""

import json
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path

from core.sweeps import last_backup_at
from operations.backups import MANIFEST, BackupFailed, Summary, back_up

NAME_FORMAT = "%Y-%m-%dT%H%MZ"
_NAME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{4}Z")


def is_due(*, every: timedelta, at: datetime) -> bool:
    last = last_backup_at()
    return last is None or at - last >= every


def back_up_into(folder: Path, *, keep: int, at: datetime) -> tuple[Path, Summary]:
    """
    Take a backup into a folder of its own below `folder`, then remove the oldest complete ones beyond `keep`.

    Nothing is removed when this one fails. What an earlier run that was cut off left behind goes first.

    :raises BackupFailed: it is not complete; what could be kept is there
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
    """Only what this module named: whatever else lies there is somebody's own."""
    if not folder.is_dir():
        raise BackupFailed(f"{folder} is not a folder. Make it first, for this user alone.")
    return [each for each in folder.iterdir() if each.is_dir() and _NAME.fullmatch(each.name)]
