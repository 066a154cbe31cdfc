"""
Reading the account: the only way we learn what happened at Light, and the only way to settle a write in doubt.

Webhooks, polling and buttons all end here. Nothing in this module writes to Light.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NoReturn
from uuid import UUID

from django.db.models import F

from core.actors import LIGHT, SYSTEM
from core.clock import Clock
from core.dates import chicago_day, short_date
from core.transactions import repeatable
from enrollments.actions import proven_outcomes
from enrollments.actions.closing import suspend_authority
from enrollments.actions.holds import end_holds, place_hold
from enrollments.actions.mails import schedule_milestone_mail, schedule_service_end_mail
from enrollments.actions.moves import note, take_move
from enrollments.actions.wakeups import nudge
from enrollments.actions.writes import (
    Tools,
    abandon_open_writes,
    back_off,
    close_done,
    close_not_done,
    hold_code_for,
    lock_write,
    mark_not_done,
    mark_not_shown,
)
from enrollments.decision import acceptance_at_light
from enrollments.decision.acceptance_at_light import is_shown_by
from enrollments.decision.steps import OPERATIONS_HOLDS, Hold, SettleDoubt
from enrollments.engine.gathering import accepted_attempt, sent_acceptance
from enrollments.engine.locked_case import LockedCase, lock_case
from enrollments.light.dialect import Dialect
from enrollments.light.errors import LightError, NotReached, PaceExceeded
from enrollments.light.payloads import Account, AccountList, LightStage, derive_stage
from enrollments.models import AcceptAttempt, Enrollment, LightWrite
from enrollments.states import (
    FINAL_STATUSES,
    UNSETTLED_WRITE_STATUSES,
    EnrollmentStatus,
    HoldCode,
    HoldOwner,
    WriteKind,
    WriteStatus,
)
from installations.models import Customer
from poa_documents.models import MailKind, PoaDocument

MAX_ACCOUNTS_IN_QUERY = 500
"""Databases limit the values in one query. For longer lists, all of our accounts are read instead."""
ACCOUNT_CREATION_PAUSE_SECONDS = 10.0
"""How long to wait while an account of the same customer is being created for another case."""
PAUSE_AFTER_REFUSED_READING = timedelta(hours=1)
"""An immediate retry would get the same answer. Releasing the hold ends the pause."""


class ReadingFailed(Exception):
    """The account could not be read. The retry or the hold is already recorded on the enrollment."""


@repeatable
def request_reading(*, enrollment_id: int, at: datetime, due_at: datetime | None = None) -> None:
    """
    Request a reading of the account now, or at `due_at`, even if the last one is recent.

    Requests are counted, and a reading answers those made before it began. News that arrives during a reading leads to
    another one; a thousand requests at once lead to one or two.
    """
    case = Enrollment.objects.filter(pk=enrollment_id)
    nudge(case, at=at, due_at=due_at, readings_asked=F("readings_asked") + 1)


def read_account(enrollment: Enrollment, tools: Tools) -> None:
    """
    Read the account and record what it shows to have happened.

    It answers the requests for a reading that `enrollment`, as read before, counts. Later ones lead to another.

    :raises ReadingFailed: Light could not be reached, or refused
    """
    answered = enrollment.readings_asked
    account = _read(enrollment.pk, str(enrollment.light_account_uuid), tools)

    @repeatable
    def keep() -> None:
        case = lock_case(enrollment.pk)
        case.enrollment.readings_given = answered
        keep_reading(case, account, dialect=tools.light.dialect, at=tools.clock.now())
        case.enrollment.save()
        _apply_account(case, account, at=tools.clock.now())

    keep()


def keep_reading(case: LockedCase, account: Account, *, dialect: Dialect, at: datetime) -> None:
    """Set the fields of a reading on the enrollment, without saving it."""
    enrollment = case.enrollment
    status = (account.status or "")[:100]
    if status != enrollment.light_status or enrollment.light_status_since is None:
        enrollment.light_status_since = at
        if enrollment.last_read_at is not None:
            note(
                case,
                "light_status",
                by=LIGHT,
                at=at,
                reason=f"{enrollment.light_status or '-'} → {status or '-'}",
            )
    enrollment.light_status = status
    ours = account.for_meter(enrollment.site.esi_id)
    enrollment.light_stage = derive_stage(ours, chicago_day(at), known_statuses=dialect.known_statuses).value
    if ours.last_day_of_service != enrollment.service_end_date:
        enrollment.service_end_date = ours.last_day_of_service
        _record_last_day(case, at=at)
    enrollment.light_account = account.model_dump(mode="json", exclude={"email"}) | {"raw": {}}
    enrollment.last_read_at = at
    enrollment.last_read_in_turn = enrollment.leased_by
    enrollment.calls_failed = 0
    enrollment.calls_failing_since = None
    enrollment.calls_not_before = None


def _record_last_day(case: LockedCase, *, at: datetime) -> None:
    """Record a last day of service that Light shows, corrects or withdraws, and notify the customer."""
    enrollment = case.enrollment
    if enrollment.accepted_at is None:
        return
    last_day = enrollment.service_end_date
    shown = (
        f"Light shows {short_date(last_day)} as the last day of service."
        if last_day
        else "Light no longer shows a last day of service."
    )
    note(case, "last_day_of_service", by=LIGHT, at=at, reason=shown)
    if last_day is not None:
        schedule_service_end_mail(case, at=at)


def _apply_account(case: LockedCase, account: Account, *, at: datetime) -> None:
    """Advance the case as far as the account shows for its meter. Never moves a case back."""
    enrollment = case.enrollment
    account = account.for_meter(enrollment.site.esi_id)
    if enrollment.status == EnrollmentStatus.OPEN and account.shows_acceptance:
        case = proven_outcomes.recognize_late_acceptance(case, account, at=at)
    is_ours = not _is_accepted_differently(enrollment, account)
    if is_ours and enrollment.status == EnrollmentStatus.ACCEPTED and account.is_enrollment_finalized:
        proven_outcomes.finalize(case, at=at)
    is_running = enrollment.status in {EnrollmentStatus.ACCEPTED, EnrollmentStatus.FINALIZED} and _is_active(enrollment)
    if is_running and is_ours:
        enrollment.active_at = at
        take_move(case, "activate", by=LIGHT, at=at)
        end_holds(case, because="Service is active.", at=at)
        schedule_milestone_mail(case, MailKind.SERVICE_ACTIVE, at=at)
    if _has_left(enrollment) or (
        enrollment.status in {EnrollmentStatus.ACCEPTED, EnrollmentStatus.FINALIZED} and _is_canceled(account)
    ):
        enrollment.ended_at = at
        enrollment.ended_because = "Light shows a last day of service: the customer opted out, or service was canceled."
        take_move(case, "end", by=LIGHT, at=at, reason=enrollment.ended_because)
        suspend_authority(case, because=enrollment.ended_because, at=at)
        end_holds(case, because="The case has ended.", at=at, keep=HoldCode.CUSTOMER_LEFT)
        if enrollment.service_end_date is None:
            schedule_service_end_mail(case, at=at)


def _is_accepted_differently(enrollment: Enrollment, account: Account) -> bool:
    """Whether the account shows a different contract than the accepted one, and staff have not settled that yet."""
    if enrollment.status not in {EnrollmentStatus.ACCEPTED, EnrollmentStatus.FINALIZED}:
        return False
    attempt = accepted_attempt(enrollment)
    if attempt is None or not acceptance_at_light.difference(account.locations, sent_acceptance(attempt)):
        return False
    return not enrollment.holds.filter(code=HoldCode.ACCEPTED_DIFFERENTLY, released_at__isnull=False).exists()


def _is_active(enrollment: Enrollment) -> bool:
    return enrollment.light_stage == LightStage.ACTIVE.value


def _has_left(enrollment: Enrollment) -> bool:
    return enrollment.status == EnrollmentStatus.ACTIVE and enrollment.light_stage == LightStage.ENDED.value


def _is_canceled(account: Account) -> bool:
    return any(location.final_service_date is not None for location in account.locations)


# Settling doubt


def settle_doubt(enrollment_id: int, step: SettleDoubt, tools: Tools) -> None:
    """
    Read what became of a write without an answer, and close it once that is clear.

    A read may lag behind a write, so "not shown" counts only at the last reading of the settling period.

    :raises ReadingFailed: Light could not be reached, or refused
    """
    write = LightWrite.objects.select_related("enrollment__customer").get(pk=step.write_id)
    if write.status == WriteStatus.OPEN:
        abandon_open_writes(enrollment_id, at=tools.clock.now())
        if write.sent_at is None:
            return
    match write.kind:
        case WriteKind.CREATE_ACCOUNT:
            _settle_account(write, step, tools)
        case WriteKind.REQUEST_PLANS:
            close_not_done(
                write.pk,
                outcome="Requesting plans changes nothing. They will be requested again.",
                at=tools.clock.now(),
            )
        case _:
            _settle_by_account(write, step, tools)


def _settle_account(write: LightWrite, step: SettleDoubt, tools: Tools) -> None:
    """Look for an account under the customer's e-mail address that has no case and is not older than the write."""
    found = _listed_accounts(write.enrollment_id, _addresses_since(write), tools)
    passed_over = {UUID(account_uuid) for account_uuid in write.request.get("passed_over", ())}
    candidates = [
        account
        for account in without_case(found.accounts)
        if UUID(account.uuid) not in passed_over and _may_come_from(account, write)
    ]
    unusable = [each for each in found.unusable if each.identifier not in write.request.get("passed_over_unusable", ())]

    @repeatable
    def settle() -> None:
        case, current = _count_reading(write)
        if current is None:
            return
        at = tools.clock.now()
        if len(candidates) == 1:
            case.enrollment.light_account_uuid = UUID(candidates[0].uuid)
            keep_reading(case, candidates[0], dialect=tools.light.dialect, at=at)
            case.enrollment.save()
            close_done(case, current, answer=candidates[0].raw, outcome=f"Found account {candidates[0].uuid}.", at=at)
        elif step.is_last_reading and not candidates and not unusable:
            mark_not_done(case, current, outcome="No such account appeared at Light.", at=at)
        elif step.is_last_reading:
            proven_outcomes.hold_unclear_account(case, count=len(candidates), unusable=unusable, at=at)

    settle()


def _addresses_since(write: LightWrite) -> set[str]:
    """Return every address the account may have been created under, including ones corrected since."""
    customer = write.enrollment.customer
    changes = customer.contact_changes.filter(changed_at__gte=write.opened_at - proven_outcomes.CLOCK_TOLERANCE)
    return {customer.email, *changes.values_list("old_email", flat=True)}


def find_accounts_without_case(enrollment: Enrollment, tools: Tools) -> AccountList:
    """
    Find the accounts at Light under the customer's current or former e-mail addresses that belong to no case.

    Unusable entries cannot be matched to a case, so all under these addresses are returned.

    :raises ReadingFailed: Light could not be reached, or refused; or an account under one of the addresses is being
        created for another case, so it cannot be distinguished from an unknown one yet
    """
    addresses = _addresses(enrollment.customer)
    found = _listed_accounts(enrollment.pk, addresses, tools)
    if found.accounts and _is_account_being_created(addresses, tools):
        problem = PaceExceeded(
            "An account is being created for another case of this customer.",
            retry_after_seconds=ACCOUNT_CREATION_PAUSE_SECONDS,
        )
        _fail_reading(enrollment.pk, problem, clock=tools.clock)
    return AccountList(accounts=tuple(without_case(found.accounts)), unusable=found.unusable)


def _is_account_being_created(addresses: set[str], tools: Tools) -> bool:
    """
    Whether an account under one of these addresses is being created for a case.

    Writes that never settled do not count: their case is closed or on hold, and their account is like any unknown one.
    """
    since = tools.clock.now() - tools.policy.max_call_duration - 2 * tools.policy.settling_period
    writes = LightWrite.objects.filter(
        kind=WriteKind.CREATE_ACCOUNT, status__in=UNSETTLED_WRITE_STATUSES, opened_at__gt=since
    )
    under_way = writes.exclude(enrollment__status__in=FINAL_STATUSES).select_related("enrollment__customer")
    return any(not addresses.isdisjoint(_addresses(write.enrollment.customer)) for write in under_way)


def _addresses(customer: Customer) -> set[str]:
    """Return the customer's current and former e-mail addresses."""
    former = customer.contact_changes.exclude(old_email="").values_list("old_email", flat=True)
    return {customer.email, *former}


def without_case(listed: Sequence[Account]) -> list[Account]:
    """
    Return the accounts that are linked to no case.

    Call it after the list was read, so that an account linked since then counts as ours.
    """
    ours = Enrollment.objects.exclude(light_account_uuid=None)
    if len(listed) <= MAX_ACCOUNTS_IN_QUERY:
        ours = ours.filter(light_account_uuid__in=[UUID(account.uuid) for account in listed])
    known = set(ours.values_list("light_account_uuid", flat=True))
    return [account for account in listed if UUID(account.uuid) not in known]


def _listed_accounts(enrollment_id: int, addresses: set[str], tools: Tools) -> AccountList:
    try:
        lists = [tools.light.find_accounts(email) for email in sorted(addresses)]
    except LightError as problem:
        _fail_reading(enrollment_id, problem, clock=tools.clock)
    found = {account.uuid: account for listed in lists for account in listed.accounts}
    return AccountList(
        accounts=tuple(found.values()), unusable=tuple(entry for listed in lists for entry in listed.unusable)
    )


def _may_come_from(account: Account, write: LightWrite) -> bool:
    """Whether an account may come from the write, with a tolerance of five minutes between the clocks."""
    return account.created_at is None or account.created_at >= write.opened_at - proven_outcomes.CLOCK_TOLERANCE


def _settle_by_account(write: LightWrite, step: SettleDoubt, tools: Tools) -> None:
    account = _read(write.enrollment_id, str(write.enrollment.light_account_uuid), tools)

    @repeatable
    def settle() -> None:
        case, current = _count_reading(write)
        if current is None:
            return
        at = tools.clock.now()
        keep_reading(case, account, dialect=tools.light.dialect, at=at)
        case.enrollment.save()
        match current.kind:
            case WriteKind.ACCEPT_PLAN:
                case = _settle_acceptance(case, current, account, step, at=at)
            case WriteKind.FINALIZE if account.is_enrollment_finalized:
                proven_outcomes.finalize(case, at=at)
                close_done(case, current, answer={}, outcome="The account shows it finalized.", at=at)
            case WriteKind.RECORD_CLIENT_AGENT if proven_outcomes.shows_attestation(
                account, proven_outcomes.attestation_sent_at(current)
            ):
                proven_outcomes.attest(
                    case.enrollment, PoaDocument.objects.get(public_id=current.request["poa"]), at=at
                )
                close_done(case, current, answer={}, outcome="The account shows our attestation.", at=at)
            case WriteKind.UPDATE_ACCOUNT if proven_outcomes.shows_address(account, current):
                close_done(case, current, answer={}, outcome="The account shows the corrected e-mail address.", at=at)
            case _ if step.is_last_reading:
                mark_not_shown(case, current, outcome="The account does not show it.", at=at)
        _apply_account(case, account, at=at)

    settle()


def _settle_acceptance(
    case: LockedCase, write: LightWrite, account: Account, step: SettleDoubt, *, at: datetime
) -> LockedCase:
    """
    Close an acceptance in doubt by what the account shows. Parts of the account may lag behind others.

    Returns the case under the POA that governs it now.

    A location with our plan or start date proves the acceptance, whatever the flag says. Only an explicit no counts as
    no. An account that says nothing, or does not say which plan, is held for staff and read again.
    """
    attempt = AcceptAttempt.objects.select_related("offer", "poa").get(write=write)
    sent = sent_acceptance(attempt)
    if any(is_shown_by(location, sent) for location in account.locations):
        case = proven_outcomes.confirm(case, attempt, by=SYSTEM, at=at)
        close_done(case, write, answer={}, outcome="The account shows the accepted plan.", at=at)
    elif difference := acceptance_at_light.difference(account.locations, sent):
        if write.hold_code:  # Light refused ours, so someone else made the acceptance it shows
            mark_not_done(case, write, outcome=f"{write.outcome.rstrip('.')}. {difference}", at=at)
        else:
            proven_outcomes.hold_for_difference(case, difference, at=at)
            mark_not_done(case, write, outcome=difference, code=HoldCode.ACCEPTED_DIFFERENTLY, at=at)
    elif step.is_last_reading and account.is_acceptance_denied:
        said = f"{write.outcome.rstrip('.')}. " if write.hold_code else ""  # kept: an expired plan is requested again
        outcome = f"{said}The account does not show an accepted plan."
        mark_not_done(case, write, outcome=outcome, at=at, code=write.hold_code)
    elif step.is_last_reading:
        because = (
            "The account shows an accepted plan but not which one."
            if account.shows_acceptance
            else "The account does not show whether a plan was accepted."
        )
        because += " Check the account at Light. Switchyard keeps reading it."
        place_hold(case, Hold(HoldCode.OUTCOME_UNKNOWN, HoldOwner.OPERATIONS, because=because), at=at)
    return case


def _count_reading(write: LightWrite) -> tuple[LockedCase, LightWrite | None]:
    """Lock the case of a write in doubt and count the reading. No write if it has been settled since."""
    case, current = lock_write(write.pk)
    if current.status not in UNSETTLED_WRITE_STATUSES:
        return case, None
    current.doubt_readings += 1
    current.save(update_fields=["doubt_readings"])
    return case, current


# Reading, and failures to read


def _read(enrollment_id: int, account_uuid: str, tools: Tools) -> Account:
    try:
        return tools.light.read_account(account_uuid)
    except LightError as problem:
        _fail_reading(enrollment_id, problem, clock=tools.clock)


def _fail_reading(enrollment_id: int, problem: LightError, *, clock: Clock) -> NoReturn:
    at = clock.now()

    @repeatable
    def note_failure() -> None:
        case = lock_case(enrollment_id)
        enrollment = case.enrollment
        if isinstance(problem, NotReached):
            back_off(enrollment, problem, at=at)
        else:
            enrollment.readings_given = enrollment.readings_asked
            enrollment.calls_not_before = at + PAUSE_AFTER_REFUSED_READING
            enrollment.save(update_fields=["readings_given", "calls_not_before"])
            code = hold_code_for(problem)
            owner = HoldOwner.OPERATIONS if code in OPERATIONS_HOLDS else HoldOwner.OFFICE
            place_hold(case, Hold(code, owner, because=f"The account cannot be read: {problem}"), at=at)

    note_failure()
    raise ReadingFailed(str(problem)) from problem
