"""When each sweep last ran: how it shows that queue, scheduler or workers stand still."""

from datetime import datetime

from core.models import LastSweep
from core.queue import TaskName


def note_sweep(task: TaskName, *, at: datetime) -> None:
    LastSweep.objects.bulk_create(
        [LastSweep(task=task.value, at=at)], update_conflicts=True, unique_fields=["task"], update_fields=["at"]
    )
