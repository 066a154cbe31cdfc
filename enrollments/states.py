"""
The statuses of an enrollment and the moves between them. Read this first.

These are our own statuses. Light's status is kept separately, as text. The next step is not part of the status:
`decision.decide` computes it from the facts, and the engine stores it on the enrollment.
"""

from core.labeled_enums import Choices
from core.moves import Move


class EnrollmentStatus(Choices):
    OPEN = "OPEN", "Open"
    ACCEPTING = "ACCEPTING", "Accepting a plan"
    IN_DOUBT = "IN_DOUBT", "Acceptance in doubt"
    ACCEPTED = "ACCEPTED", "Plan accepted"
    FINALIZED = "FINALIZED", "Finalized, service ahead"
    ACTIVE = "ACTIVE", "Service active"
    ENDED = "ENDED", "Ended"


_S = EnrollmentStatus

MOVES: dict[str, Move] = {
    "start_accepting": Move(frozenset({_S.OPEN}), _S.ACCEPTING, "The acceptance is recorded and about to be sent."),
    "mark_in_doubt": Move(
        frozenset({_S.ACCEPTING}), _S.IN_DOUBT, "No clear answer came back; reading the account will settle it."
    ),
    "mark_not_accepted": Move(
        frozenset({_S.ACCEPTING, _S.IN_DOUBT}), _S.OPEN, "The acceptance was refused or shown not to have happened."
    ),
    "confirm": Move(frozenset({_S.ACCEPTING, _S.IN_DOUBT}), _S.ACCEPTED, "Light has recorded the acceptance."),
    "confirm_late": Move(
        frozenset({_S.OPEN}),
        _S.ACCEPTED,
        "An acceptance recorded as failed shows up at Light later, or one lost in a restore is adopted.",
    ),
    "finalize": Move(frozenset({_S.ACCEPTED}), _S.FINALIZED, "Light has finalized the enrollment."),
    "activate": Move(frozenset({_S.ACCEPTED, _S.FINALIZED}), _S.ACTIVE, "Electricity flows under the plan."),
    "end": Move(
        frozenset({_S.ACCEPTED, _S.FINALIZED, _S.ACTIVE}),
        _S.ENDED,
        "The customer opted out, switched away, or Light canceled the service.",
    ),
    "close": Move(frozenset({_S.OPEN}), _S.ENDED, "Nothing was accepted and nothing will be: the job was canceled."),
}


def status_label(status: str) -> str:
    """Return the label of a stored status; empty if there is none."""
    return str(EnrollmentStatus(status).label) if status else ""


FINAL_STATUSES = frozenset({_S.ENDED})
SETTLED_STATUSES = frozenset({_S.ACTIVE, _S.ENDED})


class WriteKind(Choices):
    """Every call that changes something at Light."""

    CREATE_ACCOUNT = "CREATE_ACCOUNT", "Create account"
    RECORD_CLIENT_AGENT = "RECORD_CLIENT_AGENT", "Record client agent"
    REQUEST_PLANS = "REQUEST_PLANS", "Request plans"
    ACCEPT_PLAN = "ACCEPT_PLAN", "Accept plan"
    FINALIZE = "FINALIZE", "Finalize"
    UPDATE_ACCOUNT = "UPDATE_ACCOUNT", "Correct the account's e-mail address"


class WriteStatus(Choices):
    OPEN = "OPEN", "In progress"
    IN_DOUBT = "IN_DOUBT", "In doubt"
    DONE = "DONE", "Done"
    NOT_DONE = "NOT_DONE", "Did not happen"
    REFUSED = "REFUSED", "Refused by Light"


UNSETTLED_WRITE_STATUSES = frozenset({WriteStatus.OPEN, WriteStatus.IN_DOUBT})


class HoldCode(Choices):
    """Why a person is needed. The rules in `decision/` say what each means and who must act."""

    AUTHORITY_ENDED = "AUTHORITY_ENDED", "The authority ended"
    AUTHORITY_UNCLEAR = "AUTHORITY_UNCLEAR", "The authority is unclear"
    REVOKED_AFTER_ACCEPTANCE = "REVOKED_AFTER_ACCEPTANCE", "Revoked after the acceptance"
    OUTSIDE_LIMITS = "OUTSIDE_LIMITS", "No offer within the signed limits"
    IMPLAUSIBLE_OFFER = "IMPLAUSIBLE_OFFER", "Implausible offer"
    OFFERS_EXPIRED = "OFFERS_EXPIRED", "Offers had expired on arrival"
    NO_PROGRESS = "NO_PROGRESS", "No progress after repeating a step"
    TOO_MANY_CALLS = "TOO_MANY_CALLS", "Too many calls to Light in a day"
    OFFER_UNCLEAR = "OFFER_UNCLEAR", "Offer is missing required details"
    NO_PLANS = "NO_PLANS", "Light offers no plan"
    NO_LEGAL_START = "NO_LEGAL_START", "No legal start date"
    ACCEPTED_DIFFERENTLY = "ACCEPTED_DIFFERENTLY", "Light accepted something else"
    SELF_ENROLLED = "SELF_ENROLLED", "Accepted without us"
    COMPLETE_BUT_NOT_READY = "COMPLETE_BUT_NOT_READY", "Complete but not ready at Light"
    UNKNOWN_LIGHT_STATUS = "UNKNOWN_LIGHT_STATUS", "Unknown status at Light"
    REFUSED_BY_LIGHT = "REFUSED_BY_LIGHT", "Light refused a call"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN", "Outcome of a call is unknown"
    ACCOUNT_UNCLEAR = "ACCOUNT_UNCLEAR", "Unclear which Light account is ours"
    WRONG_DIALECT = "WRONG_DIALECT", "Light does not recognize a URL we call"
    REDIRECTED = "REDIRECTED", "Light redirects a call to another URL"
    NOT_AUTHORIZED = "NOT_AUTHORIZED", "Light rejects our token"
    CANCEL_REPORTED = "CANCEL_REPORTED", "Light reported a cancellation"
    CUSTOMER_LEFT = "CUSTOMER_LEFT", "Customer is leaving or has left"
    GO_LIVE_WITHDRAWN = "GO_LIVE_WITHDRAWN", "Go-live changed after the acceptance"
    NOT_ACTIVE_IN_TIME = "NOT_ACTIVE_IN_TIME", "Service did not start in time"
    MAIL_RETURNED = "MAIL_RETURNED", "E-mail to the customer bounces"
    REPEATED_FAILURES = "REPEATED_FAILURES", "Our own processing keeps failing"


class LeavingReason(Choices):
    """Why a customer left, as the office found out."""

    MOVED = "MOVED", "Moved"
    SWITCHED = "SWITCHED", "Switched to another company"
    PRICE = "PRICE", "Price"
    BILLING_TROUBLE = "BILLING_TROUBLE", "Trouble with bills or payments"
    DECEASED = "DECEASED", "Died"
    NEVER_STARTED = "NEVER_STARTED", "Service never started"
    OTHER = "OTHER", "Other"


class DifferenceKind(Choices):
    """How an account at Light can differ from our records. `decision.account_differences` has the remedies."""

    ACCEPTED_UNKNOWN_TO_US = "ACCEPTED_UNKNOWN_TO_US", "Light has an acceptance that we do not know about"
    ACCEPTED_DIFFERENTLY = "ACCEPTED_DIFFERENTLY", "Light shows another plan or start than ours"
    FINALIZED_AT_LIGHT = "FINALIZED_AT_LIGHT", "Finalized at Light, not here"
    ACTIVE_AT_LIGHT = "ACTIVE_AT_LIGHT", "Active at Light, not here"
    ENDED_AT_LIGHT = "ENDED_AT_LIGHT", "Ended at Light, not here"
    ENDING_AT_LIGHT = "ENDING_AT_LIGHT", "Service ends soon at Light, not known here"
    NOT_SHOWN_AT_LIGHT = "NOT_SHOWN_AT_LIGHT", "Light does not show what we did"
    UNDER_WAY = "UNDER_WAY", "A call is under way or in doubt"
    UNREADABLE = "UNREADABLE", "We cannot read the account"
    ACCOUNT_UNKNOWN_TO_LIGHT = "ACCOUNT_UNKNOWN_TO_LIGHT", "Light does not know the account"
    ACCOUNT_WITHOUT_CASE = "ACCOUNT_WITHOUT_CASE", "An account at Light belongs to no case"
    NOT_READ = "NOT_READ", "The account could not be read"


class HoldOwner(Choices):
    OFFICE = "OFFICE", "Office"
    CUSTOMER = "CUSTOMER", "Customer"
    TECHNICIAN = "TECHNICIAN", "Technician"
    OPERATIONS = "OPERATIONS", "Operations"
