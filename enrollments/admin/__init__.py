"""The staff's view of enrollments: the work queue, each case, and everything that was said to and by Light."""

from enrollments.admin import (
    deliveries,
    enrollments,
    history,
    holds,
    offers,
    pauses,
    plan_documents,
    reconciliations,
    retention,
    running_service,
    system_holds,
)

__all__ = [
    "deliveries",
    "enrollments",
    "history",
    "holds",
    "offers",
    "pauses",
    "plan_documents",
    "reconciliations",
    "retention",
    "running_service",
    "system_holds",
]
