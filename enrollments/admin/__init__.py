"""The staff's view of enrollments: the work queue, each case, and everything that was said to and by Light."""

from enrollments.admin import (
    acceptances,
    deliveries,
    enrollments,
    events,
    evidence_reads,
    holds,
    notices,
    offers,
    pauses,
    plan_documents,
    reconciliations,
    remote_calls,
    retention,
    running_service,
    system_holds,
    writes,
)

__all__ = [
    "acceptances",
    "deliveries",
    "enrollments",
    "events",
    "evidence_reads",
    "holds",
    "notices",
    "offers",
    "pauses",
    "plan_documents",
    "reconciliations",
    "remote_calls",
    "retention",
    "running_service",
    "system_holds",
    "writes",
]
