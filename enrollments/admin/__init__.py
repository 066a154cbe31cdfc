"""Enrollments in the admin: the work queue, the case page, and all exchanges with Light."""

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
    service_warning,
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
    "service_warning",
    "system_holds",
]
