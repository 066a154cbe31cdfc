"""Sending Light a customer's corrected e-mail address. Pure."""

from enrollments.decision import lost_answers
from enrollments.decision.facts import Facts
from enrollments.decision.policy import Policy
from enrollments.decision.steps import Hold, UpdateAccount
from enrollments.states import WriteKind
from poa_documents.states import PoaStatus

_MAY_ACT = frozenset({PoaStatus.SIGNED, PoaStatus.EXHAUSTED})


def send_correction(facts: Facts, policy: Policy) -> UpdateAccount | Hold | None:
    """Return the step that tells Light a corrected e-mail address, if we may still act for the customer."""
    poa, correction = facts.authority, facts.correction
    if correction is None or correction.is_settled or facts.account is None:
        return None
    if poa is None or poa.status not in _MAY_ACT or poa.stopped_because:
        return None
    return lost_answers.too_many_failed_attempts(WriteKind.UPDATE_ACCOUNT, facts, policy) or UpdateAccount(
        because="The customer's e-mail address was corrected, and Light still has the old one."
    )
