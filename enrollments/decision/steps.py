"""
The possible next steps of an enrollment. Each has `because`: the rule and the relevant facts, in a sentence for staff.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from enrollments.states import HoldCode, HoldOwner


@dataclass(frozen=True)
class OpenAccount:
    because: str


@dataclass(frozen=True)
class RecordClientAgent:
    """Attest to Light that we act for the customer, and since when."""

    poa_id: int
    because: str


@dataclass(frozen=True)
class UpdateAccount:
    """Tell Light the customer's corrected e-mail address."""

    because: str


@dataclass(frozen=True)
class ReadAccount:
    because: str


@dataclass(frozen=True)
class RequestPlans:
    because: str


@dataclass(frozen=True)
class GiveNotice:
    """Tell the customer which plan will be accepted, when it starts, and until when they may object."""

    offer_id: int
    poa_id: int
    start: date
    until: datetime
    because: str


@dataclass(frozen=True)
class AcceptPlan:
    offer_id: int
    poa_id: int
    start: date
    because: str
    notice_id: str | None = None


@dataclass(frozen=True)
class Finalize:
    because: str


@dataclass(frozen=True)
class SettleDoubt:
    """Read the account to find out whether a write whose answer is missing happened."""

    write_id: int
    is_last_reading: bool
    because: str


class Waiting(StrEnum):
    """What an enrollment waits for."""

    POA_TO_BE_SENT = "POA_TO_BE_SENT"
    CUSTOMER_TO_SIGN = "CUSTOMER_TO_SIGN"
    PAPER_TO_BE_SENT = "PAPER_TO_BE_SENT"
    SIGNER_TO_BE_VERIFIED = "SIGNER_TO_BE_VERIFIED"
    DOCUMENT_TO_BE_STORED = "DOCUMENT_TO_BE_STORED"
    EMBARGO = "EMBARGO"
    CUSTOMER_TO_FINISH = "CUSTOMER_TO_FINISH"
    CREDIT_FROZEN = "CREDIT_FROZEN"
    LIGHT_TO_FINISH = "LIGHT_TO_FINISH"
    GO_LIVE = "GO_LIVE"
    GO_LIVE_CONFIRMATION = "GO_LIVE_CONFIRMATION"
    START_TOO_FAR = "START_TOO_FAR"
    NOTICE = "NOTICE"
    HELD_BY_CUSTOMER = "HELD_BY_CUSTOMER"
    PAUSED = "PAUSED"
    WRITES_STOPPED = "WRITES_STOPPED"
    CALL_IN_PROGRESS = "CALL_IN_PROGRESS"
    BACKING_OFF = "BACKING_OFF"
    RETRYING = "RETRYING"
    SERVICE_TO_START = "SERVICE_TO_START"
    SERVICE_ENDING = "SERVICE_ENDING"


@dataclass(frozen=True)
class Wait:
    """Nothing to do until then, or until someone acts. `act_by` is the last day on which acting still helps."""

    until: datetime | None
    code: Waiting
    because: str
    whose_turn: HoldOwner | None = None
    act_by: date | None = None


@dataclass(frozen=True)
class Hold:
    """A person is needed. `look_again_at` keeps the account readings going until then."""

    code: HoldCode
    owner: HoldOwner
    because: str
    look_again_at: datetime | None = None
    act_by: date | None = None


@dataclass(frozen=True)
class LiftHold:
    """The reason for an open hold is gone, so it ends without a release."""

    hold_id: int
    because: str


@dataclass(frozen=True)
class Close:
    """Nothing was accepted and nothing will be."""

    because: str


@dataclass(frozen=True)
class Finished:
    because: str


Step = (
    OpenAccount
    | RecordClientAgent
    | UpdateAccount
    | ReadAccount
    | RequestPlans
    | GiveNotice
    | AcceptPlan
    | Finalize
    | SettleDoubt
    | Wait
    | Hold
    | LiftHold
    | Close
    | Finished
)
REMOTE_STEPS = (
    OpenAccount,
    RecordClientAgent,
    UpdateAccount,
    ReadAccount,
    RequestPlans,
    AcceptPlan,
    Finalize,
    SettleDoubt,
)
WRITE_STEPS = (OpenAccount, RecordClientAgent, UpdateAccount, RequestPlans, AcceptPlan, Finalize)
"""Steps that change something at Light."""

STOPPED_STEPS = (*WRITE_STEPS, GiveNotice)
"""Steps that a system hold stops. No notice goes out for a plan that cannot be accepted."""

ALLOWED_UNDER_HOLD = (ReadAccount, SettleDoubt)

CONSENT_HOLDS = frozenset({HoldCode.AUTHORITY_ENDED})
"""Only a new signature of the customer ends these; nobody may release them."""

HOLDS_NOT_RELEASABLE = CONSENT_HOLDS | {HoldCode.CUSTOMER_LEFT}
"""Holds that cannot be released with a note."""

PRIORITY_HOLDS = frozenset({HoldCode.SELF_ENROLLED, HoldCode.ACCEPTED_DIFFERENTLY, HoldCode.CUSTOMER_LEFT})
"""Holds about a contract at Light. They replace any other hold on the case."""

SELF_CLEARING_HOLDS = CONSENT_HOLDS | {HoldCode.NO_LEGAL_START, HoldCode.MAIL_RETURNED}

OPERATIONS_HOLDS = frozenset({HoldCode.WRONG_DIALECT, HoldCode.REDIRECTED, HoldCode.NOT_AUTHORIZED})
