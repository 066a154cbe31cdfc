"""Everything the decision needs to know about one enrollment, as plain values. `engine.gathering` collects them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from core.dates import chicago_day
from enrollments.decision.offers import OfferedPlan, SignedLimits
from enrollments.light.payloads import LightStage
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner, WriteKind, WriteStatus
from poa_documents.authority import Authority


@dataclass(frozen=True, kw_only=True)
class AuthorityFacts(Authority):
    """The POA that governs the case: the newest open one of this customer and site, else the newest of all."""

    poa_id: int
    limits: SignedLimits
    earliest_start: date
    latest_start: date
    is_attested: bool


@dataclass(frozen=True)
class LocationFacts:
    esi_id: str | None
    plan_uuid: str | None
    service_start: date | None
    final_service: date | None


@dataclass(frozen=True)
class AccountFacts:
    """The account as last read; flags are what that reading said."""

    uuid: UUID
    read_at: datetime | None
    stage: LightStage
    status: str
    status_since: datetime | None
    missing: tuple[str, ...]
    has_accepted_plan: bool
    is_finalized: bool
    locations: tuple[LocationFacts, ...] = ()
    is_reading_requested: bool = False
    is_read_in_this_turn: bool = False
    is_canceled: bool = False

    @property
    def is_stage_derived(self) -> bool:
        """Whether Light shows no status at all, so the stage is derived from its flags alone."""
        return self.read_at is not None and not self.status


@dataclass(frozen=True)
class GoLiveFacts:
    """What is known of the hardware at the site. `counted_date` is the earliest go-live that counts."""

    counted_date: date | None
    is_awaiting_office: bool
    is_conflicting: bool
    is_job_canceled: bool
    by_pto: bool
    embargo_end: date | None = None
    awaited_date: date | None = None
    """The earliest go-live that counts once a second person has confirmed it."""


@dataclass(frozen=True)
class OfferFacts:
    """An offer we have. `expires_at` is when Light says it ends; `stale_at` is when we stop using it."""

    offer_id: int
    plan: OfferedPlan
    requested_at: datetime
    stale_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True)
class WriteFacts:
    """A write whose outcome is unknown, or the newest one that Light refused."""

    write_id: int
    kind: WriteKind
    status: WriteStatus
    opened_at: datetime
    outcome: str = ""
    hold_code: HoldCode = HoldCode.REFUSED_BY_LIGHT
    doubt_since: datetime | None = None
    doubt_readings: int = 0


@dataclass(frozen=True)
class FailingCall:
    """A call that keeps failing: since when, and how often it was tried."""

    what: str
    since: datetime
    tries: int


@dataclass(frozen=True)
class HoldFacts:
    hold_id: int
    code: HoldCode
    because: str
    owner: HoldOwner
    since: datetime


@dataclass(frozen=True)
class NoticeFacts:
    """
    The newest notice to the customer: the plan and start it announced, and when its objection period ends.

    `posted_date` is the Chicago day on which a paper notice was mailed, if one was.
    """

    notice_id: str
    poa_id: int
    plan: OfferedPlan
    start: date
    until: datetime
    is_sent: bool = True
    posted_date: date | None = None

    @property
    def last_day(self) -> date:
        """The last Chicago day on which the customer may object."""
        return chicago_day(self.until) - timedelta(days=1)


@dataclass(frozen=True)
class CorrectionFacts:
    """An e-mail address corrected since Light was last told one. `is_settled`: staff dealt with it."""

    is_settled: bool = False


@dataclass(frozen=True)
class Facts:
    enrollment_id: int
    status: EnrollmentStatus
    esi_id: str
    authority: AuthorityFacts | None
    account: AccountFacts | None
    go_live: GoLiveFacts
    offers: tuple[OfferFacts, ...] = ()
    has_asked_for_offers: bool = False
    left_out_offers: int = 0
    unusable_offers: tuple[str, ...] = ()
    unsettled: WriteFacts | None = None
    refused: WriteFacts | None = None
    failed_attempts: tuple[WriteKind, ...] = ()
    rejected_attempts: tuple[tuple[WriteKind, str], ...] = ()
    hold: HoldFacts | None = None
    settled_codes: frozenset[HoldCode] = frozenset()
    is_paused: bool = False
    writes_stopped_because: str = ""
    accepted_at: datetime | None = None
    accepted_start: date | None = None
    active_at: datetime | None = None
    service_end: date | None = None
    """The last day of service that Light shows for the meter."""
    is_cancel_reported: bool = False
    calls_not_before: datetime | None = None
    notice: NoticeFacts | None = None
    held_by_customer_since: datetime | None = None
    mail_returned_because: str = ""
    correction: CorrectionFacts | None = None
    failing: FailingCall | None = None
    changes_noted: int = 0
    """How many changes of the case these facts include, so that a later change can be detected."""
    accepted_differently: str = ""
    """A sentence with both sides when Light shows another plan, start or meter than our acceptance asked for."""

    @property
    def known_authority(self) -> AuthorityFacts:
        """The authority, for rules that come after its gate."""
        assert self.authority is not None  # noqa: S101 - the authority gate was checked first
        return self.authority

    @property
    def known_account(self) -> AccountFacts:
        """The account, for rules that come after its creation."""
        assert self.account is not None  # noqa: S101 - the account was created first
        return self.account
