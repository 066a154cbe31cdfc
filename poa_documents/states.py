"""The life of a power of attorney and the moves between its statuses."""

from core.labeled_enums import Choices
from core.moves import Move


class PoaStatus(Choices):
    DRAFT = "DRAFT", "Draft"
    SENT = "SENT", "Sent, waiting for the customer"
    SEALING = "SEALING", "Signature received, document being stored"
    SIGNED = "SIGNED", "Signed"
    DECLINED = "DECLINED", "Declined by the customer"
    EXPIRED = "EXPIRED", "Expired unsigned"
    VOIDED = "VOIDED", "Voided by the office"
    REVOKED = "REVOKED", "Revoked"
    SUSPENDED = "SUSPENDED", "Suspended"
    SUPERSEDED = "SUPERSEDED", "Replaced by a newer one"
    EXHAUSTED = "EXHAUSTED", "Used up"
    LAPSED = "LAPSED", "Ended on its last day"
    CEASED = "CEASED", "Ended by the customer's death"


_S = PoaStatus

MOVES: dict[str, Move] = {
    "send": Move(frozenset({_S.DRAFT}), _S.SENT, "The invitation was sent to the customer."),
    "sign": Move(frozenset({_S.SENT}), _S.SEALING, "The customer signed. The signature is stored."),
    "sign_on_paper": Move(
        frozenset({_S.DRAFT, _S.SENT}),
        _S.SEALING,
        "The customer signed the printed document by hand. Two staff members compared the scan.",
    ),
    "seal": Move(
        frozenset({_S.SEALING}), _S.SIGNED, "The signed document is stored and was verified by reading it back."
    ),
    "decline": Move(frozenset({_S.SENT}), _S.DECLINED, "The customer said no."),
    "expire": Move(frozenset({_S.SENT}), _S.EXPIRED, "It was not signed while the invitation was valid."),
    "renew": Move(frozenset({_S.EXPIRED}), _S.SENT, "A new link was asked for while it could still be signed."),
    "void": Move(frozenset({_S.DRAFT, _S.SENT}), _S.VOIDED, "The office withdrew it before it was signed."),
    "revoke": Move(
        frozenset({_S.SEALING, _S.SIGNED, _S.SUSPENDED, _S.EXHAUSTED}),
        _S.REVOKED,
        "The customer took the authority back. This stops everything at once, including work already queued.",
    ),
    "suspend": Move(
        frozenset({_S.SIGNED}),
        _S.SUSPENDED,
        "A stop signal. Nothing is done under this authority until someone resolves it.",
    ),
    "resume": Move(frozenset({_S.SUSPENDED}), _S.SIGNED, "The reason for the suspension is resolved."),
    "supersede": Move(frozenset({_S.SIGNED, _S.SUSPENDED}), _S.SUPERSEDED, "A newer one was signed for this site."),
    "exhaust": Move(frozenset({_S.SIGNED, _S.SUSPENDED}), _S.EXHAUSTED, "Every use it grants has been made."),
    "lapse": Move(frozenset({_S.SIGNED, _S.SUSPENDED}), _S.LAPSED, "Its last day passed."),
    "cease": Move(
        frozenset({_S.SEALING, _S.SIGNED, _S.SUSPENDED, _S.EXHAUSTED}),
        _S.CEASED,
        "The customer's death was reported. This stops everything at once, permanently.",
    ),
}

OPEN_STATUSES = frozenset({_S.DRAFT, _S.SENT, _S.SEALING, _S.SIGNED, _S.SUSPENDED})
SIGNABLE_STATUSES = frozenset({_S.SENT})
ELECTRONIC_STATUSES = frozenset({_S.SENT, _S.SEALING, _S.SIGNED, _S.SUSPENDED, _S.EXHAUSTED})
"""Electronic records may still follow, so the consent to them can be withdrawn."""
EVER_SIGNED_STATUSES = frozenset(
    {_S.SIGNED, _S.REVOKED, _S.SUSPENDED, _S.SUPERSEDED, _S.EXHAUSTED, _S.LAPSED, _S.CEASED}
)
ENDED_MAYBE_UNSTORED = frozenset({_S.REVOKED, _S.CEASED})
"""Also possible while the signed document is still being stored."""
