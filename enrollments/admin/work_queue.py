"""The work queue, the first page of the admin: what is stuck, why, whose turn it is, and what to do."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.urls import reverse

from core import clock, company_rules
from core.admin.links import button_url, record_url
from core.admin.tables import Cell
from core.dates import chicago_day, short_date
from core.staff_formats import age, moment, name_actors
from enrollments import presenters, queries
from enrollments.monitoring.alarms import alarms
from enrollments.monitoring.measures import measure
from enrollments.presenters import QueueRow
from enrollments.queries import QueueChoice, QueuePart
from enrollments.states import HoldOwner

CASES_PER_PAGE = 25
ALERTS_SHOWN = 5


def add_work_queue(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the work queue to the context of the admin's first page, if the user may view enrollments."""
    context["title"] = "Work queue"
    may_see = any(request.user.has_perm(f"enrollments.{verb}_enrollment") for verb in ("view", "change"))
    if not may_see:
        return context
    now = clock.now()
    choice = chosen(request)
    counts = queries.count_cases()
    page = Paginator(queries.cases_of(choice), CASES_PER_PAGE).get_page(request.GET.get("page"))
    rows: list[QueueRow] = [presenters.queue_row(case, now=now) for case in page.object_list]
    return context | {
        "queue": {
            "parts": presenters.part_tabs(counts, choice),
            "reasons": presenters.reason_tabs(counts, choice),
            "owners": presenters.owner_tabs(counts, choice),
            "rows": rows,
            "page": page,
            "page_query": _query(choice),
            "is_held": choice.part == QueuePart.HELD,
            "seen_at": moment(now),
        },
        "alarms": raised(now),
        "alerts": alerts(request),
        "pauses": pauses(request),
        "shortcuts": shortcuts(request),
    }


def raised(now: datetime) -> list[Cell]:
    """List the alarms about the system as a whole, and that the company is still the sample one."""
    found = [Cell(alarm.text, note=alarm.advice) for alarm in alarms(measure(now=now), now=now)]
    left = [] if settings.SAMPLE_COMPANY_ALLOWED else company_rules.sample_values_left(company_rules.rules_at(now))
    if left:
        text = f"Company rules still have the sample's {', '.join(left)}."
        found.insert(0, Cell(text, note="No power of attorney can be drafted. Add your own under “Company rules”."))
    return found


def chosen(request: HttpRequest) -> QueueChoice:
    """Read the choice from the query string. Unknown values fall back to blocked cases."""
    part = request.GET.get("part", "")
    owner = request.GET.get("owner", "")
    return QueueChoice(
        part=QueuePart(part) if part in set(QueuePart) else QueuePart.HELD,
        reason=request.GET.get("reason", "")[:60],
        owner=owner if owner in HoldOwner.values else "",
    )


def _query(choice: QueueChoice) -> str:
    parts = [f"part={choice.part.value}"]
    if choice.owner:
        parts.append(f"owner={choice.owner}")
    if choice.reason:
        parts.append(f"reason={choice.reason}")
    return "&".join(parts)


def alerts(request: HttpRequest) -> list[dict[str, Any]]:
    """List everything else that needs attention besides the cases; empty kinds are left out."""
    now = clock.now()
    found = [
        _alert(
            "Conflicting go-live reports",
            "Open one and confirm the correct date.",
            [
                Cell(
                    f"{report.installation.customer}: {short_date(report.granted_date)}",
                    record_url(report),
                    note=age(report.received_at, now),
                )
                for report in queries.conflicting_reports()[: ALERTS_SHOWN + 1]
            ],
            f"{reverse('admin:installations_golivereport_changelist')}?status__exact=CONFLICTING",
        ),
        _alert(
            "Go-live reports without proof",
            "They count once the office confirms them.",
            [
                Cell(
                    f"{report.installation.customer}: {short_date(report.granted_date)}",
                    record_url(report),
                    note=age(report.received_at, now),
                )
                for report in queries.reports_awaiting_office()[: ALERTS_SHOWN + 1]
            ],
            f"{reverse('admin:installations_golivereport_changelist')}?status__exact=AWAITING_OFFICE",
        ),
        _alert(
            "Mails that could not be delivered",
            "Open one to see what to do. Waiting mail is sent automatically once there is a working address.",
            [
                Cell(f"{mail.get_kind_display()} to {mail.poa.customer}", record_url(mail), note=mail.last_error[:120])
                for mail in queries.failing_mails()[: ALERTS_SHOWN + 1]
            ],
            f"{reverse('admin:poa_documents_customermail_changelist')}?delivery=failing",
        ),
        _alert(
            "Signed documents that cannot be stored",
            "The signature is safe and storing is retried. Tell operations.",
            [
                Cell(str(poa), record_url(poa), note=poa.last_error[:120])
                for poa in queries.failing_seals()[: ALERTS_SHOWN + 1]
            ],
            f"{reverse('admin:poa_documents_poadocument_changelist')}?status__exact=SEALING",
        ),
        _alert(
            "Plan documents that could not be fetched",
            "The acceptance is not affected. Open one to see why, then press “Fetch the plan's documents” on its case.",
            [
                Cell(
                    f"{document.get_kind_display()} for {document.offer.enrollment.customer}",
                    record_url(document),
                    note=document.last_error[:120],
                )
                for document in queries.plan_documents_given_up()[: ALERTS_SHOWN + 1]
            ],
            f"{reverse('admin:enrollments_plandocument_changelist')}?state=given-up",
        ),
        _alert(
            "Webhooks that could not be processed",
            "Open one to see why. Nothing is lost: the account is read regularly anyway.",
            [
                Cell(
                    delivery.event_name or "Unnamed event",
                    record_url(delivery),
                    note=(delivery.last_error or delivery.outcome)[:120],
                )
                for delivery in queries.failed_deliveries()[: ALERTS_SHOWN + 1]
            ],
            f"{reverse('admin:enrollments_webhookdelivery_changelist')}?settling=failed",
        ),
        _alert(
            "Webhooks refused today",
            "Wrong signature: the sender's secret has changed, or someone else is calling this endpoint. Tell "
            "operations.",
            [
                Cell(
                    f"{refused.get_sender_display()}: {refused.count} today, the last at {moment(refused.last_at)}",
                    record_url(refused),
                    note=refused.last_reason,
                )
                for refused in queries.refused_webhooks(chicago_day(now))
            ],
            "",
        ),
    ]
    return [alert for alert in found if alert["cells"]]


def _alert(title: str, advice: str, cells: list[Cell], more_url: str) -> dict[str, Any]:
    return {
        "title": title,
        "advice": advice,
        "cells": cells[:ALERTS_SHOWN],
        "count": f"more than {ALERTS_SHOWN}" if len(cells) > ALERTS_SHOWN else str(len(cells)),
        "more_url": more_url if len(cells) > ALERTS_SHOWN else "",
    }


def shortcuts(request: HttpRequest) -> list[Cell]:
    """Return the links for adding a customer and pausing acceptances that this user may use."""
    ways = []
    if request.user.has_perm("installations.add_customer"):
        ways.append(Cell("Add a customer", reverse("admin:installations_customer_add")))
    if request.user.has_perm("enrollments.add_pause"):
        ways.append(Cell("Pause acceptances", reverse("admin:enrollments_pause_add"), tone="grave"))
    return ways


def pauses(request: HttpRequest) -> list[dict[str, Any]]:
    """List the pauses in force, with the link to resume if this user may."""
    found = list(queries.open_pauses())
    names = name_actors(pause.started_by for pause in found)
    may_resume = request.user.has_perm("enrollments.change_pause")
    return [
        {
            "text": str(pause),
            "url": record_url(pause),
            "reason": pause.reason,
            "since": f"{moment(pause.started_at)}, {names[pause.started_by]}",
            "resume_url": button_url(pause, "resume") if may_resume else "",
        }
        for pause in found
    ]
