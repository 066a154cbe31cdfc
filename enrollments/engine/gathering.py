"""Reads the facts of one enrollment from the database, without HTTP. `decision.facts` says what they are."""

from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

from django.db import connection
from django.db.models import F, Max

from core.dates import chicago_day
from enrollments.decision import acceptance_at_light
from enrollments.decision.acceptance_at_light import SentAcceptance
from enrollments.decision.facts import (
    AccountFacts,
    AuthorityFacts,
    CorrectionFacts,
    Facts,
    FailingCall,
    GoLiveFacts,
    HoldFacts,
    LocationFacts,
    NoticeFacts,
    OfferFacts,
    WriteFacts,
)
from enrollments.decision.offers import OfferedPlan, SignedLimits
from enrollments.engine import copy_guard, write_guard
from enrollments.light.payloads import Account, LightStage, missing_prerequisites
from enrollments.light.webhook_events import KnownEvent
from enrollments.models import AcceptAttempt, AdvanceNotice, Enrollment, Hold, LightWrite, PlanOffer
from enrollments.states import (
    UNSETTLED_WRITE_STATUSES,
    EnrollmentStatus,
    HoldCode,
    HoldOwner,
    WriteKind,
    WriteStatus,
)
from installations.models import HardwareKind, Installation
from installations.states import CURRENT_REPORT_STATUSES, GoLiveReportStatus, InstallationStatus
from poa_documents.authority_check import is_sealed, why_stopped
from poa_documents.limited_fields import LIMITED_FIELDS
from poa_documents.models import CustomerMail, Envelope, MailState, PoaDocument, StopSignal
from poa_documents.queries import failure_of, is_link_dead
from poa_documents.signer_doubts import changed_address, why_address_not_proved, why_not_proved
from poa_documents.states import OPEN_STATUSES, PoaStatus

_AWAITING = GoLiveReportStatus.AWAITING_OFFICE
_NEVER_READ = frozenset({MailState.RETURNED, MailState.HELD, MailState.OVERTAKEN, MailState.FAILED})


def gather(enrollment: Enrollment, poa: PoaDocument | None) -> Facts:
    """
    Read the facts of one enrollment under its governing POA, with a bounded number of queries whatever its history.

    What a person settled by releasing a hold does not count again: refused writes, failed writes and offers from before
    the last release are left out.
    """
    present = _find_rare_records(enrollment)
    authority = _authority(poa, enrollment, present) if poa else None
    account = _account(enrollment)
    holds = list(enrollment.holds.order_by("since", "pk")) if present.hold else []
    open_hold = next((hold for hold in holds if hold.released_at is None), None)
    last_release = max((hold.released_at for hold in holds if hold.released_at is not None), default=None)
    writes = list(enrollment.writes.order_by("opened_at", "pk"))
    recent = [write for write in writes if last_release is None or write.opened_at >= last_release]
    return Facts(
        enrollment_id=enrollment.pk,
        status=EnrollmentStatus(enrollment.status),
        esi_id=enrollment.site.esi_id,
        authority=authority,
        account=account,
        go_live=_go_live(enrollment),
        offers=_offers(recent) if enrollment.accepted_at is None else (),
        has_asked_for_offers=any(_is_done(write, WriteKind.REQUEST_PLANS) for write in recent),
        **_omitted_offers(recent),
        unsettled=_unsettled(writes),
        refused=_refused(recent),
        failed_attempts=tuple(WriteKind(write.kind) for write in recent if _failed_after_doubt(write)),
        rejected_attempts=tuple(
            (WriteKind(write.kind), write.outcome) for write in recent if _failed_after_doubt(write) and write.hold_code
        ),
        hold=_hold(open_hold),
        settled_codes=_settled_codes(holds, poa),
        is_paused=present.pause
        and authority is not None
        and write_guard.are_acceptances_paused(authority.limits.light_plan_group),
        writes_stopped_because=write_guard.why_writes_are_stopped()
        if present.system_hold
        else copy_guard.why_writes_not_allowed_here(),
        accepted_at=enrollment.accepted_at,
        accepted_start=enrollment.service_start_date,
        active_at=enrollment.active_at,
        service_end=enrollment.service_end_date,
        is_cancel_reported=present.cancellation or (account is not None and account.is_canceled),
        calls_not_before=enrollment.calls_not_before,
        notice=_notice(enrollment) if present.notice else None,
        held_by_customer_since=enrollment.held_by_customer_at,
        mail_returned_because=_why_mail_is_returned(enrollment) if present.returned_mail else "",
        correction=_correction(enrollment, writes, recent) if present.contact_change else None,
        failing=_failing(enrollment, writes),
        changes_noted=enrollment.changes_noted,
        accepted_differently=_difference(enrollment, writes),
    )


@dataclass(frozen=True)
class _RareRecords:
    """Which rare records a case has, so that only those are read."""

    hold: bool
    notice: bool
    cancellation: bool
    returned_mail: bool
    stop: bool
    system_hold: bool
    pause: bool
    signer_doubt: bool
    unproved_change: bool
    contact_change: bool


# Runs a dozen times for each enrollment. Building it with the ORM each time would cost more than all other queries.
_RARE_RECORDS_QUERY = """
    SELECT
        EXISTS (SELECT 1 FROM enrollments_hold WHERE enrollment_id = %(enrollment)s),
        EXISTS (SELECT 1 FROM enrollments_advancenotice WHERE enrollment_id = %(enrollment)s),
        EXISTS (SELECT 1 FROM enrollments_webhookdelivery WHERE enrollment_id = %(enrollment)s
                AND event_name = %(cancellation)s),
        EXISTS (SELECT 1 FROM poa_documents_addressfailure WHERE customer_id = %(customer)s AND ended_at IS NULL),
        EXISTS (SELECT 1 FROM poa_documents_stopsignal WHERE customer_id = %(customer)s AND ended_at IS NULL),
        EXISTS (SELECT 1 FROM enrollments_systemhold WHERE ended_at IS NULL),
        EXISTS (SELECT 1 FROM enrollments_pause WHERE ended_at IS NULL),
        EXISTS (SELECT 1 FROM poa_documents_signerdoubt doubt
                JOIN poa_documents_poadocument poa ON poa.id = doubt.poa_id
                WHERE poa.customer_id = %(customer)s AND doubt.cleared_at IS NULL),
        EXISTS (SELECT 1 FROM installations_contactchange WHERE customer_id = %(customer)s AND proved_at IS NULL),
        EXISTS (SELECT 1 FROM installations_contactchange WHERE customer_id = %(customer)s)
"""


def _find_rare_records(enrollment: Enrollment) -> _RareRecords:
    sought: dict[str, int | str] = {
        "enrollment": enrollment.pk,
        "customer": enrollment.customer_id,
        "cancellation": KnownEvent.SERVICE_CANCELED.value,
    }
    with connection.cursor() as cursor:
        cursor.execute(_RARE_RECORDS_QUERY, sought)
        return _RareRecords(*map(bool, cursor.fetchone()))


def _correction(enrollment: Enrollment, writes: list[LightWrite], recent: list[LightWrite]) -> CorrectionFacts | None:
    """
    Return whether the address was corrected after the last write that sent one to Light.

    We never override what customers change at Light themselves. We correct only what we sent, once the customer has
    proved the new address. A write that was refused or failed is not repeated once a person has looked at it.
    """
    if enrollment.light_account_uuid is None:
        return None
    sending = {WriteKind.CREATE_ACCOUNT, WriteKind.UPDATE_ACCOUNT}
    sent_at = [write.opened_at for write in writes if write.kind in sending and write.status == WriteStatus.DONE]
    since = max(sent_at, default=enrollment.opened_at)
    since_then = enrollment.customer.contact_changes.filter(changed_at__gt=since).exclude(old_email=F("new_email"))
    changes = list(since_then.order_by("changed_at", "pk"))
    if changes and changed_address(enrollment.customer) is not None:
        return None
    if not changes or changes[0].old_email.lower() == enrollment.customer.email.lower():
        return None
    looked_at = [
        write
        for write in writes
        if write not in recent
        and write.kind == WriteKind.UPDATE_ACCOUNT
        and write.opened_at >= changes[-1].changed_at
        and (write.status == WriteStatus.REFUSED or _failed_after_doubt(write))
    ]
    return CorrectionFacts(is_settled=bool(looked_at))


def _settled_codes(holds: list[Hold], poa: PoaDocument | None) -> frozenset[HoldCode]:
    """Return the hold codes that a person has released. A released stop does not settle a later one."""
    released = [hold for hold in holds if hold.released_at is not None]
    after_stop = HoldCode.REVOKED_AFTER_ACCEPTANCE
    is_about_stop = poa is not None and any(hold.code == after_stop for hold in released)
    stopped_at = _last_stopped_at(poa) if poa is not None and is_about_stop else None
    return frozenset(
        HoldCode(hold.code)
        for hold in released
        if not (hold.code == after_stop and stopped_at is not None and hold.since < stopped_at)
    )


def _last_stopped_at(poa: PoaDocument) -> datetime | None:
    ended_at = poa.ended_at if poa.status in {PoaStatus.REVOKED, PoaStatus.CEASED} else None
    reported_at = StopSignal.objects.filter(customer_id=poa.customer_id).aggregate(last=Max("recorded_at"))["last"]
    suspended_at = poa.evidence.filter(kind="suspend").aggregate(last=Max("at"))["last"]
    return max((moment for moment in (ended_at, reported_at, suspended_at) if moment is not None), default=None)


def _why_mail_is_returned(enrollment: Enrollment) -> str:
    failure = failure_of(enrollment.customer)
    return f"{failure.get_source_display()}: {failure.because}" if failure else ""


def governing_poa(enrollment: Enrollment, *, is_locked: bool = False) -> PoaDocument | None:
    """
    Return the POA that governs the case.

    After an acceptance, that is the one it was made under. Before, it is the newest open one of this customer and site,
    or the newest of all if none is open, so that screens can show how it ended.

    `is_locked` locks all candidates until the transaction ends.
    """
    poas = PoaDocument.objects.select_related("envelope").filter(customer_id=enrollment.customer_id)
    if is_locked:
        poas = poas.select_related("site").select_for_update(of=("self",))
    if enrollment.accepted_at is not None:
        accepted_under = poas.filter(acceptances__enrollment=enrollment, acceptances__succeeded=True)
        if poa := accepted_under.order_by("-acceptances__pk").first():
            return poa
    of_site = list(poas.filter(site_id=enrollment.site_id).order_by("-created_at", "-pk"))
    in_force = (poa for poa in of_site if poa.status in {PoaStatus.SIGNED, PoaStatus.SUSPENDED})
    still_open = (poa for poa in of_site if poa.status in OPEN_STATUSES)
    return next(in_force, None) or next(still_open, None) or next(iter(of_site), None)


def signed_limits(envelope: Envelope) -> SignedLimits:
    return SignedLimits(**{field.limit: getattr(envelope, field.limit) for field in LIMITED_FIELDS})


def offered_plan(offer: PlanOffer) -> OfferedPlan:
    limited = {field.offered: getattr(offer, field.offered) for field in LIMITED_FIELDS}
    return OfferedPlan(
        light_plan_uuid=offer.light_plan_uuid,
        **{**limited, "rate_kind": offer.rate_kind or None},
        energy_cents_per_kwh=offer.energy_cents_per_kwh,
        delivery_cents_per_kwh=offer.delivery_cents_per_kwh,
    )


def last_account(enrollment: Enrollment) -> Account | None:
    """Return Light's account as we last read it, or None before the first reading."""
    if not enrollment.light_account:
        return None
    return Account.model_validate(enrollment.light_account, strict=False)


def _authority(poa: PoaDocument, enrollment: Enrollment, present: _RareRecords) -> AuthorityFacts:
    envelope = poa.envelope
    return AuthorityFacts(
        poa_id=poa.pk,
        status=PoaStatus(poa.status),
        signed_at=poa.signed_at,
        is_sealed=is_sealed(poa),
        limits=signed_limits(envelope),
        earliest_start=envelope.earliest_start_date,
        latest_start=envelope.latest_start_date,
        sunset=envelope.sunset_date,
        uses_left=envelope.uses - poa.uses_made,
        is_attested=enrollment.attested_poa_id == poa.pk,
        ended_because=poa.ended_because,
        suspended_because=poa.suspended_because,
        stopped_because=why_stopped(poa.customer_id) if present.stop else "",
        wants_paper=poa.paper_wanted_at is not None,
        signer_in_question=_signer_in_question(poa, enrollment, present),
        is_link_dead=is_link_dead(poa),
    )


def _signer_in_question(poa: PoaDocument, enrollment: Enrollment, present: _RareRecords) -> str:
    """Return why the signer is in question. An unproved address change matters only before an account exists."""
    if present.signer_doubt and (why := why_not_proved(poa)):
        return why
    if present.unproved_change and enrollment.light_account_uuid is None:
        return why_address_not_proved(enrollment.customer)
    return ""


def _account(enrollment: Enrollment) -> AccountFacts | None:
    if enrollment.light_account_uuid is None:
        return None
    account = last_account(enrollment)
    account = account.for_meter(enrollment.site.esi_id) if account is not None else None
    if account is None:
        return AccountFacts(
            uuid=enrollment.light_account_uuid,
            read_at=None,
            stage=LightStage.COLLECTING,
            status="",
            status_since=None,
            missing=(),
            has_accepted_plan=False,
            is_finalized=False,
            is_reading_requested=_is_reading_requested(enrollment),
        )
    return AccountFacts(
        uuid=enrollment.light_account_uuid,
        read_at=enrollment.last_read_at,
        stage=LightStage(enrollment.light_stage),
        status=enrollment.light_status,
        status_since=enrollment.light_status_since,
        missing=missing_prerequisites(account),
        has_accepted_plan=account.shows_acceptance,
        is_finalized=account.is_enrollment_finalized,
        locations=tuple(
            LocationFacts(
                esi_id=location.esi_id,
                plan_uuid=location.plan_uuid,
                service_start=location.service_start_date,
                final_service=location.final_service_date,
            )
            for location in account.locations
        ),
        is_reading_requested=_is_reading_requested(enrollment),
        is_read_in_this_turn=bool(enrollment.leased_by) and enrollment.last_read_in_turn == enrollment.leased_by,
        is_canceled=account.is_canceled,
    )


def _failing(enrollment: Enrollment, writes: list[LightWrite]) -> FailingCall | None:
    """Return the write that keeps failing, or else the failing readings. Readings between writes do not count."""
    newest = writes[-1] if writes else None
    never_sent = list(takewhile(lambda write: newest is not None and _never_sent(write, newest.kind), reversed(writes)))
    if newest is not None and len(never_sent) > 1:
        return FailingCall(newest.get_kind_display(), since=never_sent[-1].opened_at, tries=len(never_sent))
    if enrollment.calls_failing_since is not None:
        what = newest.get_kind_display() if never_sent and newest is not None else "Read the account"
        return FailingCall(what, since=enrollment.calls_failing_since, tries=enrollment.calls_failed)
    return None


def _never_sent(write: LightWrite, kind: str) -> bool:
    return write.kind == kind and write.status == WriteStatus.NOT_DONE and write.doubt_since is None


def _difference(enrollment: Enrollment, writes: list[LightWrite]) -> str:
    if enrollment.accepted_at is None:
        sent = next((write for write in reversed(writes) if write.kind == WriteKind.ACCEPT_PLAN), None)
        is_different = sent is not None and sent.hold_code == HoldCode.ACCEPTED_DIFFERENTLY
        return sent.outcome if sent is not None and is_different else ""
    account = last_account(enrollment)
    if account is None or not any(place.names_contract for place in account.locations):
        return ""
    attempt = accepted_attempt(enrollment)
    if attempt is None:
        return ""
    return acceptance_at_light.difference(account.locations, sent_acceptance(attempt))


def accepted_attempt(enrollment: Enrollment) -> AcceptAttempt | None:
    """Return the acceptance that Light holds, with its offer."""
    return AcceptAttempt.objects.filter(enrollment=enrollment, succeeded=True).select_related("offer").last()


def sent_acceptance(attempt: AcceptAttempt) -> SentAcceptance:
    return SentAcceptance(
        plan_uuid=str(attempt.offer.light_plan_uuid),
        plan_name=attempt.offer.name,
        esi_id=attempt.esi_id,
        start=attempt.service_start_date,
    )


def _is_reading_requested(enrollment: Enrollment) -> bool:
    return enrollment.readings_asked > enrollment.readings_given


def _go_live(enrollment: Enrollment) -> GoLiveFacts:
    jobs = (  # one row per job and report
        Installation.objects.filter(enrollments=enrollment)
        .order_by()
        .values_list("status", "kind", "embargo_end_date", "reports__status", "reports__granted_date", named=True)
    )
    alive = [job for job in jobs if job.status != InstallationStatus.CANCELLED]
    current = [job for job in alive if job.reports__status in CURRENT_REPORT_STATUSES]
    counted = [job.reports__granted_date for job in current if job.reports__status == GoLiveReportStatus.COUNTED]
    awaited = [job.reports__granted_date for job in current if job.reports__status == _AWAITING]
    embargoes = [job.embargo_end_date for job in alive if job.embargo_end_date is not None]
    return GoLiveFacts(
        counted_date=min(counted, default=None),
        is_awaiting_office=bool(awaited),
        is_conflicting=any(job.reports__status == GoLiveReportStatus.CONFLICTING for job in alive),
        is_job_canceled=bool(jobs) and not alive,
        by_pto=any(job.kind != HardwareKind.EV_CHARGER for job in alive),
        embargo_end=max(embargoes, default=None),
        awaited_date=min(awaited, default=None),
    )


def _offers(recent: list[LightWrite]) -> tuple[OfferFacts, ...]:
    """Return the offers of the newest answered request. They are stale once an acceptance of one failed."""
    requests = [number for number, write in enumerate(recent) if _is_done(write, WriteKind.REQUEST_PLANS)]
    if not requests:
        return ()
    since = recent[requests[-1] + 1 :]
    failed_attempts = [
        write.closed_at
        for write in since
        if write.kind == WriteKind.ACCEPT_PLAN and _failed_after_doubt(write) and write.closed_at is not None
    ]
    return tuple(
        OfferFacts(
            offer_id=offer.pk,
            plan=offered_plan(offer),
            requested_at=offer.requested_at,
            stale_at=min([offer.stale_at, *failed_attempts]),
            expires_at=offer.stale_at,
        )
        for offer in recent[requests[-1]].offers.order_by("pk")
    )


def _omitted_offers(recent: list[LightWrite]) -> dict[str, Any]:
    """Return how many offers of the newest answer were not stored, and which were unusable."""
    answers = [write.answer for write in recent if _is_done(write, WriteKind.REQUEST_PLANS)]
    newest = answers[-1] if answers else {}
    return {
        "left_out_offers": newest.get("left_out", 0),
        "unusable_offers": tuple(newest.get("unusable", ())),
    }


def _is_done(write: LightWrite, kind: WriteKind) -> bool:
    return write.kind == kind and write.status == WriteStatus.DONE


def _failed_after_doubt(write: LightWrite) -> bool:
    """Whether a write was in doubt and the account did not show it afterward."""
    return write.status == WriteStatus.NOT_DONE and write.doubt_since is not None


def _unsettled(writes: list[LightWrite]) -> WriteFacts | None:
    return next((_write(write) for write in writes if write.status in UNSETTLED_WRITE_STATUSES), None)


def _refused(recent: list[LightWrite]) -> WriteFacts | None:
    """Return the newest write if Light refused it and no one has looked at that since."""
    if recent and recent[-1].status == WriteStatus.REFUSED:
        return _write(recent[-1])
    return None


def _write(write: LightWrite) -> WriteFacts:
    return WriteFacts(
        write_id=write.pk,
        kind=WriteKind(write.kind),
        status=WriteStatus(write.status),
        opened_at=write.opened_at,
        outcome=write.outcome,
        hold_code=HoldCode(write.hold_code or HoldCode.REFUSED_BY_LIGHT),
        doubt_since=write.doubt_since,
        doubt_readings=write.doubt_readings,
    )


def newest_notice(enrollment: Enrollment) -> AdvanceNotice | None:
    """Return the newest notice with its offer, or None if its mail was returned or not sent."""
    found = _notice_and_mail(enrollment)
    return found[0] if found else None


def _notice_and_mail(enrollment: Enrollment) -> tuple[AdvanceNotice, CustomerMail | None] | None:
    notice = enrollment.notices.select_related("offer").order_by("-given_at", "-pk").first()
    if notice is None:
        return None
    mail = CustomerMail.objects.filter(once_key=notice.mail_key).first()
    return None if mail is not None and mail.state in _NEVER_READ else (notice, mail)


def _notice(enrollment: Enrollment) -> NoticeFacts | None:
    found = _notice_and_mail(enrollment)
    if found is None:
        return None
    notice, mail = found
    posted_at = mail.not_needed_at if mail is not None and mail.state == MailState.POSTED else None
    return NoticeFacts(
        notice_id=str(notice.public_id),
        poa_id=notice.poa_id,
        plan=offered_plan(notice.offer),
        start=notice.start_date,
        until=notice.until,
        is_sent=mail is None or mail.sent_at is not None or posted_at is not None,
        posted_date=chicago_day(posted_at) if posted_at is not None else None,
    )


def missing_details(enrollment: Enrollment) -> tuple[str, ...]:
    """Return what Light still needed from the customer when the account was last read."""
    account = last_account(enrollment)
    return missing_prerequisites(account.for_meter(enrollment.site.esi_id)) if account is not None else ()


def _hold(hold: Hold | None) -> HoldFacts | None:
    if hold is None:
        return None
    return HoldFacts(
        hold_id=hold.pk,
        code=HoldCode(hold.code),
        because=hold.because,
        owner=HoldOwner(hold.owner),
        since=hold.since,
    )
