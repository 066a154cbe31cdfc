"""
What may come next for an enrollment. Each step carries `because`: the rule and the facts that matter, in one sentence.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from enrollments.states import HoldCode, HoldOwner


@dataclass(frozen=True)
class OpenAccount:
    """Create the customer's account at Light."""

    because: str


@dataclass(frozen=True)
class RecordClientAgent:
    """Tell Light since when we act for the customer."""

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
    """Tell the customer which plan is about to be accepted, from which start, and until when he may object."""

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
    notice_id: int | None = None


@dataclass(frozen=True)
class Finalize:
    because: str


@dataclass(frozen=True)
class SettleDoubt:
    """Read what became of a write whose answer is missing."""

    write_id: int
    is_last_reading: bool
    because: str


class Waiting(StrEnum):
    """What an enrollment waits for."""

    POA_TO_BE_SENT = "POA_TO_BE_SENT"
    CUSTOMER_TO_SIGN = "CUSTOMER_TO_SIGN"
    PAPER_TO_BE_SENT = "PAPER_TO_BE_SENT"
    SIGNER_TO_BE_PROVED = "SIGNER_TO_BE_PROVED"
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
    WRITES_HELD = "WRITES_HELD"
    CALL_UNDER_WAY = "CALL_UNDER_WAY"
    BACKING_OFF = "BACKING_OFF"
    TRYING_AGAIN = "TRYING_AGAIN"
    SERVICE_TO_START = "SERVICE_TO_START"
    SERVICE_ENDING = "SERVICE_ENDING"


@dataclass(frozen=True)
class Wait:
    """Nothing to do until then, or until somebody acts. `act_by` is the last moment at which acting still helps."""

    until: datetime | None
    code: Waiting
    because: str
    whose_turn: HoldOwner | None = None
    act_by: date | None = None


@dataclass(frozen=True)
class Hold:
    """A person must look. `look_again_at` keeps the reading of the account going meanwhile."""

    code: HoldCode
    owner: HoldOwner
    because: str
    look_again_at: datetime | None = None
    act_by: date | None = None


@dataclass(frozen=True)
class LiftHold:
    """The reason of an open hold is gone by itself."""

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
"""What a system hold stops: everything that leaves a trace at Light."""

STOPPED_STEPS = (*WRITE_STEPS, GiveNotice)
"""What a system hold stops besides: nobody is told of something that may not be done."""

HARMLESS_UNDER_HOLD = (ReadAccount, SettleDoubt)

CONSENT_HOLDS = frozenset({HoldCode.AUTHORITY_ENDED})
HOLDS_WITH_OWN_ENDING = CONSENT_HOLDS | {HoldCode.CUSTOMER_LEFT}
"""Holds that no release with a free text ends."""

"""Nobody may release these by hand: only the customer's own new signature ends them."""

OVERTAKING_HOLDS = frozenset(
    {HoldCode.CUSTOMER_ENROLLED_HIMSELF, HoldCode.ACCEPTED_DIFFERENTLY, HoldCode.CUSTOMER_LEFT}
)
"""What a contract at Light asks of the office comes before whatever else the case was held for."""

SELF_CLEARING_HOLDS = CONSENT_HOLDS | {HoldCode.NO_LEGAL_START, HoldCode.MAIL_RETURNED}

FOR_OPERATIONS = frozenset({HoldCode.WRONG_DIALECT, HoldCode.REDIRECTED, HoldCode.NOT_AUTHORIZED})
