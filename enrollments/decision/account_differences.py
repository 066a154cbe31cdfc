"""
How an account at Light differs from our records, and what to do about each difference. Pure.

Source: reliability notes, B1.
"""

from dataclasses import dataclass
from datetime import date, datetime

from core.dates import chicago_day
from enrollments.decision.policy import Policy
from enrollments.light.payloads import BEYOND_ACCEPTANCE, Account, LightStage, Location, derive_stage
from enrollments.states import DifferenceKind, EnrollmentStatus

_ACCEPTED_HERE = frozenset({EnrollmentStatus.ACCEPTED, EnrollmentStatus.FINALIZED, EnrollmentStatus.ACTIVE})
_MOVING = frozenset({EnrollmentStatus.ACCEPTING, EnrollmentStatus.IN_DOUBT})

_FOLLOWS = "Nothing to do. The case reads the account again and catches up automatically."
REPAIRS: dict[DifferenceKind, str] = {
    DifferenceKind.ACCEPTED_UNKNOWN_TO_US: (
        "Nothing else is accepted, and the case is held. Compare with Light's record and, after a restore, with what "
        "was lost. If we made the acceptance, adopt it on the case page, which checks it against what the customer "
        "signed. If the customer made it, ask them, then close the case."
    ),
    DifferenceKind.ACCEPTED_DIFFERENTLY: (
        "Ask Light which plan and start are in force. If they are not what the customer signed for, help the customer "
        "cancel before the start."
    ),
    DifferenceKind.FINALIZED_AT_LIGHT: _FOLLOWS,
    DifferenceKind.ACTIVE_AT_LIGHT: _FOLLOWS,
    DifferenceKind.ENDED_AT_LIGHT: f"{_FOLLOWS} If it ends unexpectedly, ask the customer.",
    DifferenceKind.ENDING_AT_LIGHT: (
        "The case reads the account again, shows the last day of service and asks the office to follow up: there may "
        "be time to win the customer back."
    ),
    DifferenceKind.NOT_SHOWN_AT_LIGHT: (
        "Nothing is repeated automatically. Ask Light what happened, with the time and the request shown on the case."
    ),
    DifferenceKind.UNDER_WAY: "Nothing to do: the account is read until the outcome is known. Check again next run.",
    DifferenceKind.UNREADABLE: "Look at the account at Light and compare it with the LIGHT_DIALECT settings.",
    DifferenceKind.ACCOUNT_UNKNOWN_TO_LIGHT: (
        "Check LIGHT_API_URL and LIGHT_APP_TOKEN first: another app cannot see our accounts. If only this account is "
        "missing, ask Light."
    ),
    DifferenceKind.ACCOUNT_WITHOUT_CASE: (
        "If a case is named, it is held until the account is linked to it, so that no second account is created. If no "
        "case is named, find out who the customer is. The case may have been lost in a restore: enter it again and "
        "link the account."
    ),
    DifferenceKind.NOT_READ: "Run “manage.py reconcile --all” again once Light answers.",
}


@dataclass(frozen=True)
class OurRecord:
    """Our record of one account. `accepted_…` is what was accepted; empty if nothing was."""

    status: EnrollmentStatus
    is_unsettled: bool = False
    accepted_plan_uuid: str = ""
    accepted_esi_id: str = ""
    accepted_start: date | None = None
    last_step_at: datetime | None = None
    esi_id: str = ""
    service_end: date | None = None


@dataclass(frozen=True)
class Finding:
    kind: DifferenceKind
    ours: str
    theirs: str

    @property
    def repair(self) -> str:
        return REPAIRS[self.kind]


def compare(
    ours: OurRecord, account: Account, *, now: datetime, policy: Policy, known_statuses: tuple[str, ...]
) -> Finding | None:
    """
    Return the difference between our record and the account as just read, or None when they agree.

    A recent change of ours may not show yet. Within the settling period it counts as under way.
    """
    account = account.for_meter(ours.esi_id) if ours.esi_id else account
    stage = derive_stage(account, chicago_day(now), known_statuses=known_statuses)
    kind = _kind(ours, account, stage)
    if kind == DifferenceKind.NOT_SHOWN_AT_LIGHT and _is_fresh(ours, now, policy):
        kind = DifferenceKind.UNDER_WAY
    return Finding(kind, ours=_describe_ours(ours), theirs=_describe_theirs(account, stage)) if kind else None


def _kind(ours: OurRecord, account: Account, stage: LightStage) -> DifferenceKind | None:
    if ours.is_unsettled or ours.status in _MOVING:
        return DifferenceKind.UNDER_WAY
    if any(name.startswith(("enrollment", "locations")) for name in account.unreadable_fields):
        return DifferenceKind.UNREADABLE
    if ours.status in _ACCEPTED_HERE:
        return _kind_after_acceptance(ours, account, stage)
    if not ours.accepted_plan_uuid and (account.shows_acceptance or stage in BEYOND_ACCEPTANCE):
        return DifferenceKind.ACCEPTED_UNKNOWN_TO_US
    return None


def _kind_after_acceptance(ours: OurRecord, account: Account, stage: LightStage) -> DifferenceKind | None:
    if stage == LightStage.ENDED:
        return DifferenceKind.ENDED_AT_LIGHT
    if account.last_day_of_service is not None:
        is_known = account.last_day_of_service == ours.service_end
        return None if is_known else DifferenceKind.ENDING_AT_LIGHT
    if not account.shows_acceptance and stage not in BEYOND_ACCEPTANCE:
        return DifferenceKind.NOT_SHOWN_AT_LIGHT
    telling = [place for place in account.locations if place.names_contract]
    if telling and not any(_is_ours(place, ours) for place in telling):
        return DifferenceKind.ACCEPTED_DIFFERENTLY
    if ours.status == EnrollmentStatus.ACTIVE:
        return None if stage == LightStage.ACTIVE else DifferenceKind.NOT_SHOWN_AT_LIGHT
    if stage == LightStage.ACTIVE:
        return DifferenceKind.ACTIVE_AT_LIGHT
    is_finalized_here = ours.status == EnrollmentStatus.FINALIZED
    if account.is_enrollment_finalized and not is_finalized_here:
        return DifferenceKind.FINALIZED_AT_LIGHT
    if is_finalized_here and not account.is_enrollment_finalized:
        return DifferenceKind.NOT_SHOWN_AT_LIGHT
    return None


def _is_ours(place: Location, ours: OurRecord) -> bool:
    """Whether everything a location names is what we accepted. An active service may have begun on another day."""
    named = [
        (place.esi_id, ours.accepted_esi_id),
        (place.plan_uuid and place.plan_uuid.lower(), ours.accepted_plan_uuid),
    ]
    if not place.is_service_active and ours.status != EnrollmentStatus.ACTIVE:
        return place.service_start_date in (None, ours.accepted_start) and _all_fit(named)
    return _all_fit(named)


def _all_fit(named: list[tuple[str | None, str]]) -> bool:
    return all(theirs in (None, "", ours) for theirs, ours in named)


def _is_fresh(ours: OurRecord, now: datetime, policy: Policy) -> bool:
    return ours.last_step_at is not None and now < ours.last_step_at + policy.settling_period


def _describe_ours(ours: OurRecord) -> str:
    words = str(ours.status.label)
    if ours.accepted_plan_uuid:
        words += f"; plan {ours.accepted_plan_uuid} from {ours.accepted_start}"
    return words


def _describe_theirs(account: Account, stage: LightStage) -> str:
    places = [
        f"plan {place.plan_uuid or 'not named'} from {place.service_start_date or 'an unspecified date'}"
        for place in account.locations
    ]
    status = f"status “{account.status}”" if account.status else "derived, because Light shows no status"
    return "; ".join([stage.value.capitalize(), status, *places])
