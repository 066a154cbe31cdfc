"""Taking over from a process that is known to be dead."""

from datetime import datetime

from enrollments.actions.writing import lose_answer
from enrollments.models import Enrollment, LightWrite
from enrollments.states import WriteStatus


def take_over(*, at: datetime) -> int:
    """
    Take back whatever an earlier worker had in hand; give the number of enrollments.

    Only for the start of the one-process mode, where no other worker can be alive. With workers apart, leases and open
    writes run out by themselves.
    """
    for write_id in LightWrite.objects.filter(status=WriteStatus.OPEN).values_list("pk", flat=True):
        lose_answer(write_id, outcome="The process stopped before an answer was kept.", at=at)
    return Enrollment.objects.filter(lease_until__isnull=False).update(lease_until=None, due_at=at)
