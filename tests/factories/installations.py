"""Customers, sites and installations brought to their stage by real actions of the office and technicians."""

import itertools
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.auth.models import Group

from accounts.models import User
from accounts.staff_groups import TECHNICIANS_GROUP
from core.actors import Actor
from core.dates import chicago_day
from installations import actions
from installations.models import Customer, GoLiveReport, GoLiveSource, HardwareKind, Installation, Site
from installations.states import GoLiveReportStatus, InstallationStatus

_numbers = itertools.count(1)

AT = datetime(2026, 3, 5, 16, 0, tzinfo=UTC)
OFFICE = Actor.staff(UUID(int=1))
SECOND_PERSON = Actor.staff(UUID(int=2))
SUBMITTED = InstallationStatus.INTERCONNECTION_SUBMITTED


def technician(**fields: Any) -> User:
    """A user in the technicians' group, with the password `a long enough password`."""
    number = next(_numbers)
    user = User.objects.create_user(
        **{
            "username": f"technician{number}",
            "password": "a long enough password",
            "first_name": "Tess",
            "last_name": f"Nguyen {number}",
            **fields,
        }
    )
    user.groups.add(Group.objects.get_or_create(name=TECHNICIANS_GROUP)[0])
    return user


def staff(**fields: Any) -> User:
    """A user of the office with every right, with the password `a long enough password`."""
    number = next(_numbers)
    return User.objects.create_superuser(
        **{"username": f"staff{number}", "password": "a long enough password", **fields}
    )


def customer(at: datetime = AT, **fields: Any) -> Customer:
    number = next(_numbers)
    return actions.register_customer(
        **{
            "first_name": "Carmen",
            "last_name": f"Reyes {number}",
            "email": f"carmen.reyes{number}@example.com",
            "phone": f"+1512474{number % 10_000:04d}",
            "date_of_birth": date(1984, 5, 17),
            "by": OFFICE,
            "at": at,
            **fields,
        }
    )


def customer_with_legacy_name(at: datetime = AT, *, first_name: str, last_name: str) -> Customer:
    """A customer whose name was recorded before line breaks and control characters were refused."""
    person = customer(at)
    Customer.objects.filter(pk=person.pk).update(first_name=first_name, last_name=last_name)
    person.refresh_from_db()
    return person


def esi_id() -> str:
    """A new ESI ID with Oncor's prefix that cannot be mistaken for a rounded one."""
    return f"1044372{next(_numbers):09d}7"


def site(at: datetime = AT, **fields: Any) -> Site:
    number = next(_numbers)
    return actions.register_site(
        **{
            "address_1": f"{number} Juniper Lane",
            "city": "Round Rock",
            "postal_code": "78664",
            "esi_id": esi_id(),
            "by": OFFICE,
            "at": at,
            **fields,
        }
    )


def installation(at: datetime = AT, **fields: Any) -> Installation:
    """A sold job. Give `customer` and `site` to put it beside others."""
    customer_ = fields.pop("customer", None) or customer(at)
    site_ = fields.pop("site", None) or site(at)
    technician_ = fields.pop("technician", None)
    return actions.register_installation(
        **{
            "customer_id": customer_.pk,
            "site_id": site_.pk,
            "kind": HardwareKind.SOLAR,
            "size_kw": Decimal("7.6"),
            "contract_signed_date": chicago_day(at) - timedelta(days=60),
            "technician_id": technician_.pk if technician_ else None,
            "by": OFFICE,
            "at": at,
            **fields,
        }
    )


def installation_at(status: str, at: datetime = AT, **fields: Any) -> Installation:
    """An installation brought to `status` by the real moves; PTO_REPORTED and PTO_CONFIRMED by a report."""
    job = installation(at, **fields)
    for move in _WAY.get(status, ()):
        day = chicago_day(at) if move == "schedule" else None
        job = actions.move_installation(installation_id=job.pk, move=move, scheduled_date=day, by=OFFICE, at=at)
    if status == InstallationStatus.PTO_REPORTED:
        go_live_report(job, at=at, by=Actor.technician(UUID(int=0)))
    elif status == InstallationStatus.PTO_CONFIRMED:
        go_live_report(job, at=at)
    elif status == InstallationStatus.CANCELLED:
        actions.cancel_installation(installation_id=job.pk, reason="The customer moved away.", by=OFFICE, at=at)
    job.refresh_from_db()
    return job


def go_live_report(job: Installation, at: datetime = AT, **fields: Any) -> GoLiveReport:
    """A report that counts: by the office and confirmed by a second person, unless another actor is given."""
    report = actions.report_go_live(
        **{
            "installation_id": job.pk,
            "submission_id": uuid.uuid4(),
            "granted_date": chicago_day(at) - timedelta(days=1),
            "source": GoLiveSource.LETTER if job.goes_live_by_pto else GoLiveSource.ON_SITE,
            "utility_reference": "DG-2026-0042",
            "by": OFFICE,
            "at": at,
            **fields,
        }
    ).report
    if report.reported_by == str(OFFICE) and report.status == GoLiveReportStatus.AWAITING_OFFICE:
        return actions.confirm_go_live(report_id=report.pk, by=SECOND_PERSON, at=at)
    return report


_WAY: dict[str, tuple[str, ...]] = {
    InstallationStatus.SCHEDULED: ("schedule",),
    InstallationStatus.INSTALLED: ("schedule", "install"),
    InstallationStatus.INSPECTED: ("schedule", "install", "inspect"),
    SUBMITTED: ("schedule", "install", "inspect", "submit_interconnection"),
    InstallationStatus.PTO_REPORTED: ("schedule", "install", "inspect", "submit_interconnection"),
    InstallationStatus.PTO_CONFIRMED: ("schedule", "install", "inspect", "submit_interconnection"),
}
