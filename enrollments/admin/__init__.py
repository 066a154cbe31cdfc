"""Enrollments in the admin: the work queue, the case page, and all exchanges with Light."""

from enrollments.admin import (
    active_service_note,
    deliveries,
    enrollments,
    history,
    holds,
    offers,
    pauses,
    plan_documents,
    reconciliations,
    retention,
    system_holds,
)

__all__ = [
    "active_service_note",
    "deliveries",
    "enrollments",
    "history",
    "holds",
    "offers",
    "pauses",
    "plan_documents",
    "reconciliations",
    "retention",
    "system_holds",
]
