"""
How an acceptance shows up at Light: in the response, or in the account when it is read later. Pure.

Naming our plan, meter and start proves the acceptance. Naming something else contradicts it. Naming nothing is
inconclusive. Source: light-api notes, sections 2.6 and 8 (row 10).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from enrollments.light.payloads import Location, WriteResult


@dataclass(frozen=True)
class SentAcceptance:
    """What we asked for. `plan_uuid` is Light's, in lower case."""

    plan_uuid: str
    plan_name: str
    esi_id: str
    start: date


def is_shown_by(location: Location, sent: SentAcceptance) -> bool:
    """Whether a location confirms the acceptance: it names a plan or start, and everything it names is ours."""
    is_same_start = location.service_start_date in (None, sent.start) or location.is_service_active
    is_same_rest = location.esi_id in (None, "", sent.esi_id) and _plan_of(location) in ("", sent.plan_uuid)
    return location.names_contract and is_same_start and is_same_rest


def is_contradicted_by(location: Location, sent: SentAcceptance) -> bool:
    """
    Whether a location shows something else: another plan or start at the meter, or our plan at another meter.

    Another meter under another plan is another home of the same customer. It is ignored.
    """
    is_of_meter = location.esi_id in (None, "", sent.esi_id)
    is_about_us = is_of_meter or _plan_of(location) == sent.plan_uuid
    return is_about_us and location.names_contract and not is_shown_by(location, sent)


def is_proven_by(answer: WriteResult, sent: SentAcceptance) -> bool:
    """Whether Light's answer alone is proof: one location names plan, meter and start, and there is no error."""
    in_full = (place for place in answer.locations if place.plan_uuid and place.esi_id and place.service_start_date)
    return not answer.error_text and any(is_shown_by(place, sent) for place in in_full)


def difference(locations: Sequence[Location], sent: SentAcceptance) -> str:
    """
    Describe for staff what we asked for and what Light shows instead.

    Empty when nothing contradicts the acceptance, or when one location confirms it: another location may be an older
    contract.
    """
    others = [location for location in locations if is_contradicted_by(location, sent)]
    if not others or any(is_shown_by(location, sent) for location in locations):
        return ""
    ours = f"plan “{sent.plan_name}” ({sent.plan_uuid}) from {sent.start} at meter {sent.esi_id}"
    return f"We asked for {ours}. Light shows {'; '.join(_described(location) for location in others)}."


def _plan_of(location: Location) -> str:
    return (location.plan_uuid or "").lower()


def _described(location: Location) -> str:
    plan = location.plan_uuid or "not named"
    if location.plan_name:
        plan = f"“{location.plan_name}” ({plan})"
    return f"plan {plan} from {location.service_start_date or 'an unspecified date'} at meter " + (
        location.esi_id or "not named"
    )
