"""
Comparing every account at Light with our records: nightly, and after a restore before anything may be written.

Only reads are sent to Light. Differences are stored as rows, the affected cases read their account next, and a case for
which a second account could be created is held.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q

from core.actors import Actor
from core.transactions import repeatable
from enrollments.actions.account_reading import request_reading, without_case
from enrollments.actions.accounts import hold_for_unlinked_accounts
from enrollments.actions.writes import Tools
from enrollments.decision.account_differences import REPAIRS, Finding, OurRecord, compare
from enrollments.light.errors import LightError, NotReached, UnknownToLight
from enrollments.light.payloads import Account
from enrollments.models import Difference, Enrollment, ReconciliationRun
from enrollments.states import (
    FINAL_STATUSES,
    UNSETTLED_WRITE_STATUSES,
    DifferenceKind,
    EnrollmentStatus,
)
from installations.models import Site

ACCOUNTS_PER_BATCH = 50
MAX_COMPARISONS = 3
MAX_READ_TRIES = 3
MAX_PAUSE_SECONDS = 30.0
MAX_UNREAD_IN_A_ROW = 3
MIN_UNKNOWN_ACCOUNTS = 3
WRONG_APP_MESSAGE = (
    "Light knows none of our accounts. LIGHT_APP_TOKEN or LIGHT_API_URL may belong to another app. Correct them and "
    "compare again."
)

_NEEDS_READING = frozenset(
    {
        DifferenceKind.ACCEPTED_UNKNOWN_TO_US,
        DifferenceKind.ACCEPTED_DIFFERENTLY,
        DifferenceKind.FINALIZED_AT_LIGHT,
        DifferenceKind.ACTIVE_AT_LIGHT,
        DifferenceKind.ENDED_AT_LIGHT,
        DifferenceKind.ENDING_AT_LIGHT,
    }
)


class RunFinished(Exception):
    """The run is finished, or another process is continuing it."""


def start_run(*, by: Actor, at: datetime) -> ReconciliationRun:
    return ReconciliationRun.objects.create(started_at=at, started_by=str(by))


def continue_run(
    run_id: int, tools: Tools, *, limit: int = ACCOUNTS_PER_BATCH, pause: Callable[[float], None] = time.sleep
) -> bool:
    """
    Continue a run by at most `limit` accounts, in order, and return whether it is finished.

    After the last linked account, the list of all accounts is read to find those that belong to no case. If Light
    cannot be reached for several accounts in a row, the run ends with the rest unread.

    :raises RunFinished: there is nothing to continue
    """
    run = ReconciliationRun.objects.get(pk=run_id)
    if run.finished_at is not None:
        raise RunFinished(f"{run} is finished.")
    linked = Enrollment.objects.filter(light_account_uuid__isnull=False, pk__gt=run.last_enrollment_id).order_by("pk")
    ids = list(linked.values_list("pk", flat=True)[:limit])
    batch = _Batch()
    for enrollment_id in ids:
        batch.add(enrollment_id, _compare_one(enrollment_id, tools, pause))
        if batch.is_light_unreachable:
            batch.unread += linked.filter(pk__gt=enrollment_id).count()
            break
    is_last = batch.is_light_unreachable or len(ids) < limit
    if is_last and not batch.is_light_unreachable:
        _add_accounts_without_case(batch, tools, pause)
    _keep(run, batch, is_last=is_last, at=tools.clock.now())
    return is_last


@dataclass
class _Batch:
    """The results of one batch of a run so far."""

    found: list[Difference] = field(default_factory=list)
    accounts_of_cases: dict[int, list[str]] = field(default_factory=dict)
    up_to: int = 0
    compared: int = 0
    matching: int = 0
    unread: int = 0
    unread_in_a_row: int = 0

    @property
    def is_light_unreachable(self) -> bool:
        return self.unread_in_a_row >= MAX_UNREAD_IN_A_ROW

    def add(self, enrollment_id: int, difference: Difference | None) -> None:
        self.up_to = enrollment_id
        is_unread = difference is not None and difference.kind == DifferenceKind.NOT_READ
        self.unread_in_a_row = self.unread_in_a_row + 1 if is_unread else 0
        self.compared += not is_unread
        self.matching += difference is None
        if difference is not None:
            self.found.append(difference)


@repeatable
def _keep(run: ReconciliationRun, batch: _Batch, *, is_last: bool, at: datetime) -> None:
    """Store the results of a batch, unless another process took the same one, and have the affected cases read."""
    current = ReconciliationRun.objects.select_for_update().get(pk=run.pk)
    if current.finished_at is not None or current.last_enrollment_id != run.last_enrollment_id:
        raise RunFinished(f"Another process is continuing {run}.")
    current.read_count += batch.compared
    if is_last and _is_wrong_app(current, batch):
        batch.found.append(_difference(DifferenceKind.NOT_READ, "", None, WRONG_APP_MESSAGE))
    current.matching_count += batch.matching
    current.unread_count += batch.unread + sum(each.kind == DifferenceKind.NOT_READ for each in batch.found)
    current.last_enrollment_id = batch.up_to or run.last_enrollment_id
    current.finished_at = at if is_last else None
    current.save()
    for difference in batch.found:
        difference.run = current
        if difference.kind in _NEEDS_READING and difference.enrollment_id:
            request_reading(enrollment_id=difference.enrollment_id, at=at)
    for enrollment_id, account_uuids in batch.accounts_of_cases.items():
        hold_for_unlinked_accounts(enrollment_id, account_uuids, at=at)
    Difference.objects.bulk_create(batch.found)


def _is_wrong_app(run: ReconciliationRun, batch: _Batch) -> bool:
    """Whether Light knows none of our accounts. Then the run has compared nothing and is incomplete."""
    found_before = run.differences.filter(kind=DifferenceKind.ACCOUNT_UNKNOWN_TO_LIGHT).count()
    unknown = found_before + sum(each.kind == DifferenceKind.ACCOUNT_UNKNOWN_TO_LIGHT for each in batch.found)
    return unknown >= MIN_UNKNOWN_ACCOUNTS and unknown == run.read_count


# One account


def _compare_one(enrollment_id: int, tools: Tools, pause: Callable[[float], None]) -> Difference | None:
    """Read one account and compare it. If the case moved during the reading, compare again."""
    before = _our_side(enrollment_id)
    for _ in range(MAX_COMPARISONS):
        account_uuid = str(Enrollment.objects.values_list("light_account_uuid", flat=True).get(pk=enrollment_id))
        try:
            account = _read_patiently(account_uuid, tools, pause)
        except UnknownToLight as unknown:
            return _difference(DifferenceKind.ACCOUNT_UNKNOWN_TO_LIGHT, account_uuid, enrollment_id, str(unknown))
        except LightError as problem:
            return _difference(DifferenceKind.NOT_READ, account_uuid, enrollment_id, str(problem))
        after = _our_side(enrollment_id)
        if after == before:
            finding = compare(
                after,
                account,
                now=tools.clock.now(),
                policy=tools.policy,
                known_statuses=tools.light.dialect.known_statuses,
            )
            return _difference_from_finding(finding, account_uuid, enrollment_id) if finding else None
        before = after
    return _difference(DifferenceKind.UNDER_WAY, account_uuid, enrollment_id, "The case changed during the comparison.")


def _read_patiently(account_uuid: str, tools: Tools, pause: Callable[[float], None]) -> Account:
    for tries_left in reversed(range(MAX_READ_TRIES)):
        try:
            return tools.light.read_account(account_uuid)
        except NotReached as problem:
            if not tries_left:
                raise
            pause(min(problem.retry_after_seconds or 1.0, MAX_PAUSE_SECONDS))
    raise AssertionError("the last try returns or raises")


def _our_side(enrollment_id: int) -> OurRecord:
    enrollment = Enrollment.objects.select_related("accepted_offer", "site").get(pk=enrollment_id)
    steps_at = [at for at in (enrollment.accepted_at, enrollment.finalized_at, enrollment.active_at) if at]
    offer = enrollment.accepted_offer
    return OurRecord(
        status=EnrollmentStatus(enrollment.status),
        is_unsettled=enrollment.writes.filter(status__in=UNSETTLED_WRITE_STATUSES).exists(),
        accepted_plan_uuid=str(offer.light_plan_uuid) if offer else "",
        accepted_esi_id=offer.esi_id if offer else "",
        accepted_start=enrollment.service_start_date,
        last_step_at=max(steps_at, default=None),
        esi_id=enrollment.site.esi_id,
        service_end=enrollment.service_end_date,
    )


# Accounts without a case


def _add_accounts_without_case(batch: _Batch, tools: Tools, pause: Callable[[float], None]) -> None:
    try:
        listed = tools.light.list_accounts()
    except LightError as problem:
        batch.found.append(_difference(DifferenceKind.NOT_READ, "", None, f"The list of all accounts: {problem}"))
        return
    batch.found += [
        _difference(DifferenceKind.UNREADABLE, entry.identifier, None, f"In the list of all accounts: {entry}.")
        for entry in listed.unusable
    ]
    for unlinked in without_case(listed.accounts):
        try:
            account = _read_patiently(unlinked.uuid, tools, pause)
        except LightError as problem:
            batch.found.append(_difference(DifferenceKind.NOT_READ, unlinked.uuid, None, str(problem)))
            continue
        cases = _cases_of(account, email=unlinked.email or account.email or "")
        for enrollment_id in cases:
            batch.accounts_of_cases.setdefault(enrollment_id, []).append(account.uuid)
        batch.found.append(
            _difference(
                DifferenceKind.ACCOUNT_WITHOUT_CASE,
                account.uuid,
                cases[0] if len(cases) == 1 else None,
                _describe_unlinked_account(account, cases),
            )
        )


def _describe_unlinked_account(account: Account, cases: list[int]) -> str:
    text = f"Status “{account.status or ''}”, {'with' if account.shows_acceptance else 'without'} an accepted plan."
    if len(cases) > 1:
        places = "; ".join(str(place) for place in Site.objects.filter(enrollments__in=cases).order_by("pk"))
        text += f" It may belong to the case of any of these sites, which are on hold: {places}."
    return text


def _cases_of(account: Account, *, email: str) -> list[int]:
    """
    Find the unfinished cases that an account may belong to, by e-mail address or meter.

    A customer with several sites has several: none of them may get a second account.
    """
    unfinished = Enrollment.objects.exclude(status__in=FINAL_STATUSES)
    email = email.strip()
    has_address = Q(customer__email__iexact=email) | Q(customer__contact_changes__old_email__iexact=email)
    meters = [place.esi_id for place in account.locations if place.esi_id]
    found = unfinished.filter(Q(light_account_uuid=None) & has_address | Q(site__esi_id__in=meters))
    return sorted(set(found.values_list("pk", flat=True)))


def _difference(kind: DifferenceKind, account_uuid: str, enrollment_id: int | None, theirs: str) -> Difference:
    return Difference(
        kind=kind,
        enrollment_id=enrollment_id,
        light_account_uuid=account_uuid,
        theirs=theirs,
        repair=REPAIRS[kind],
    )


def _difference_from_finding(finding: Finding, account_uuid: str, enrollment_id: int) -> Difference:
    return Difference(
        kind=finding.kind,
        enrollment_id=enrollment_id,
        light_account_uuid=account_uuid,
        ours=finding.ours,
        theirs=finding.theirs,
        repair=finding.repair,
    )
