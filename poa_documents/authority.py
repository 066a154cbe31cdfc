"""
Whether an authority lets us act for a meter on a day: one list of rules, used by screens and before each call.

Pure. `guards.check_authority` raises the obstacle, and `enrollments.decision.gates` turns it into the next step.

Source: domain notes, sections 5 and 6.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum, auto

from core.dates import short_date
from poa_documents.states import PoaStatus


class ObstacleKind(Enum):
    CUSTOMER_STOPPED = auto()
    SIGNER_IN_QUESTION = auto()
    NOT_SENT = auto()
    PAPER_WANTED = auto()
    LINK_DEAD = auto()
    NOT_SIGNED = auto()
    BEING_STORED = auto()
    DECLINED = auto()
    NOT_OPEN = auto()
    REVOKED = auto()
    SUSPENDED = auto()
    ENDED = auto()
    USED_UP = auto()
    NOT_SEALED = auto()
    OTHER_METER = auto()
    EMBARGO = auto()


@dataclass(frozen=True)
class Obstacle:
    """Why we may not act, and what staff can do about it. An embargo ends after `until`."""

    kind: ObstacleKind
    text: str
    until: date | None = None


@dataclass(frozen=True, kw_only=True)
class Authority:
    """
    The facts of a POA that decide whether we may act under it.

    `stopped_because` and `signer_in_question` are sentences for staff, or empty.
    """

    status: PoaStatus
    signed_at: datetime | None
    is_sealed: bool
    sunset: date
    uses_left: int
    ended_because: str = ""
    suspended_because: str = ""
    stopped_because: str = ""
    wants_paper: bool = False
    signer_in_question: str = ""
    is_link_dead: bool = False


@dataclass(frozen=True)
class Use:
    """
    What the authority is asked for: to act for the site's meter on a Chicago day.

    `concluding` marks a step that finishes an acceptance made under this authority. It is allowed even if the uses are
    spent or the signer has been questioned since.
    """

    signed_for_esi_id: str
    esi_id: str
    today: date
    embargo_end: date | None = None
    concluding: bool = field(default=False, kw_only=True)


def find_obstacle(authority: Authority, use: Use) -> Obstacle | None:
    """Return the obstacle of the first rule that does not allow this use, or None."""
    return next(filter(None, (rule(authority, use) for rule in _RULES)), None)


def _customer_is_not_stopped(authority: Authority, _use: Use) -> Obstacle | None:
    if authority.stopped_because:
        return Obstacle(ObstacleKind.CUSTOMER_STOPPED, authority.stopped_because)
    return None


def _signer_is_proved(authority: Authority, use: Use) -> Obstacle | None:
    if authority.signer_in_question and authority.status == PoaStatus.SIGNED and not use.concluding:
        return Obstacle(ObstacleKind.SIGNER_IN_QUESTION, authority.signer_in_question)
    return None


def _is_in_force(authority: Authority, use: Use) -> Obstacle | None:
    finishes_own_use = use.concluding and authority.status == PoaStatus.EXHAUSTED
    if authority.status == PoaStatus.SIGNED or finishes_own_use:
        return None
    return _OBSTACLE_OF_STATUS[authority.status](authority)


def _is_sealed(authority: Authority, _use: Use) -> Obstacle | None:
    if authority.is_sealed and authority.signed_at is not None:
        return None
    return Obstacle(
        ObstacleKind.NOT_SEALED, "The signed document is not on file. Suspend the power of attorney and ask operations."
    )


def _is_for_this_meter(_authority: Authority, use: Use) -> Obstacle | None:
    if use.esi_id and use.esi_id == use.signed_for_esi_id:
        return None
    return Obstacle(
        ObstacleKind.OTHER_METER,
        f"The customer signed for ESI ID {use.signed_for_esi_id}, but the site has {use.esi_id or 'none'}. Draft and "
        "send a new power of attorney.",
    )


def _is_before_sunset(authority: Authority, use: Use) -> Obstacle | None:
    return _lapsed(authority) if use.today > authority.sunset else None


def _has_uses_left(authority: Authority, use: Use) -> Obstacle | None:
    return _used_up(authority) if authority.uses_left < 1 and not use.concluding else None


def _is_past_embargo(_authority: Authority, use: Use) -> Obstacle | None:
    if use.embargo_end is None or use.today > use.embargo_end:
        return None
    return Obstacle(
        ObstacleKind.EMBARGO,
        f"The customer can still cancel the hardware sale until the end of {short_date(use.embargo_end)}. Switchyard "
        "continues the day after.",
        until=use.embargo_end,
    )


_RULES = (
    _customer_is_not_stopped,
    _signer_is_proved,
    _is_in_force,
    _is_sealed,
    _is_for_this_meter,
    _is_before_sunset,
    _has_uses_left,
    _is_past_embargo,
)


def _unsigned(authority: Authority) -> Obstacle:
    if authority.wants_paper:
        return Obstacle(
            ObstacleKind.PAPER_WANTED,
            "The customer wants paper. Print the power of attorney for a signature by hand, mail it, and record the "
            "scan when it comes back.",
        )
    if authority.is_link_dead:
        return Obstacle(
            ObstacleKind.LINK_DEAD,
            "The customer was asked to sign, but their link no longer works. Send a new one.",
        )
    return Obstacle(ObstacleKind.NOT_SIGNED, "The customer has the power of attorney but has not signed it yet.")


def _suspended(authority: Authority) -> Obstacle:
    reason = authority.suspended_because.rstrip(".") or "no reason is on file"
    return Obstacle(
        ObstacleKind.SUSPENDED,
        f"The power of attorney is suspended: {reason}. Resolve the reason, then resume it. Otherwise the customer "
        "must sign a new one.",
    )


def _revoked(authority: Authority) -> Obstacle:
    reason = f" ({authority.ended_because.rstrip('.')})" if authority.ended_because else ""
    return Obstacle(
        ObstacleKind.REVOKED,
        f"The customer revoked the power of attorney{reason}. We may not act for the customer unless they sign a new "
        "one.",
    )


def _lapsed(authority: Authority) -> Obstacle:
    return Obstacle(
        ObstacleKind.ENDED,
        f"The power of attorney ended after {short_date(authority.sunset)}. Draft and send a new one.",
    )


def _used_up(_authority: Authority) -> Obstacle:
    return Obstacle(
        ObstacleKind.USED_UP,
        "Every acceptance that the power of attorney allows has been made. Draft and send a new one.",
    )


def _always(kind: ObstacleKind, text: str) -> Callable[[Authority], Obstacle]:
    return lambda _authority: Obstacle(kind, text)


_OBSTACLE_OF_STATUS: dict[PoaStatus, Callable[[Authority], Obstacle]] = {
    PoaStatus.DRAFT: _always(
        ObstacleKind.NOT_SENT, "The power of attorney is a draft. Review it, then send it to the customer."
    ),
    PoaStatus.SENT: _unsigned,
    PoaStatus.SEALING: _always(ObstacleKind.BEING_STORED, "The customer signed. The document is being stored."),
    PoaStatus.DECLINED: _always(
        ObstacleKind.DECLINED,
        "The customer declined to sign. Talk to the customer. If they want to continue, draft a new power of attorney.",
    ),
    PoaStatus.EXPIRED: _always(
        ObstacleKind.NOT_OPEN, "The invitation expired before the customer signed. Send a new power of attorney."
    ),
    PoaStatus.VOIDED: _always(
        ObstacleKind.NOT_OPEN, "The office voided the power of attorney before it was signed. Send a new one."
    ),
    PoaStatus.REVOKED: _revoked,
    PoaStatus.SUSPENDED: _suspended,
    PoaStatus.SUPERSEDED: _always(
        ObstacleKind.ENDED, "The customer signed a newer power of attorney for this site. That one applies."
    ),
    PoaStatus.EXHAUSTED: _used_up,
    PoaStatus.LAPSED: _lapsed,
    PoaStatus.CEASED: _always(
        ObstacleKind.ENDED,
        "The customer's death was reported. Nothing may be done under this power of attorney. It cannot be resumed.",
    ),
}
