"""What follows at Light when the office corrects how a customer is reached. Pure."""

from enrollments.decision import lost_answers
from enrollments.decision.facts import Facts
from enrollments.decision.policy import Policy
from enrollments.decision.steps import Hold, UpdateAccount
from enrollments.states import WriteKind
from poa_documents.states import PoaStatus

_MAY_ACT = frozenset({PoaStatus.SIGNED, PoaStatus.EXHAUSTED})


def tell_light(facts: Facts, policy: Policy) -> UpdateAccount | Hold | None:
    """Have a corrected e-mail address sent to Light, as long as we may act for the customer."""
    poa, correction = facts.authority, facts.correction
    if correction is None or correction.is_settled or facts.account is None:
        return None
    if poa is None or poa.status not in _MAY_ACT or poa.stopped_because:
        return None
    return lost_answers.came_to_nothing_too_often(WriteKind.UPDATE_ACCOUNT, facts, policy) or UpdateAccount(
        because="The customer's e-mail address was corrected; Light still has the one before."
    )
