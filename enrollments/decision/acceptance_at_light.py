"""
How an acceptance shows at Light: in the answer to it, or in the account read later. Pure.

What names our plan, meter and start proves it, what names something else contradicts it, and what names nothing says
nothing. Source: light-api notes, sections 2.6 and 8 (row 10).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from enrollments.light.payloads import Location, WriteAnswer


@dataclass(frozen=True)
class SentAcceptance:
    """What was asked for. `plan_uuid` is Light's, in lower case."""

    plan_uuid: str
    plan_name: str
    esi_id: str
    start: date


def is_shown_by(location: Location, sent: SentAcceptance) -> bool:
    """Whether a location bears witness to it: it names a plan or start, and all that it names is ours."""
    is_same_start = location.service_start_date in (None, sent.start) or location.is_service_active
    is_same_rest = location.esi_id in (None, "", sent.esi_id) and _plan_of(location) in ("", sent.plan_uuid)
    return location.names_contract and is_same_start and is_same_rest


def is_contradicted_by(location: Location, sent: SentAcceptance) -> bool:
    """
    Whether a location shows something else: another plan or start at the meter, or the plan at another meter.

    Another meter under another plan is another home of the customer's and says nothing.
    """
    is_of_meter = location.esi_id in (None, "", sent.esi_id)
    is_about_us = is_of_meter or _plan_of(location) == sent.plan_uuid
    return is_about_us and location.names_contract and not is_shown_by(location, sent)


def is_proven_by(answer: WriteAnswer, sent: SentAcceptance) -> bool:
    """Whether Light's answer alone is enough: it names plan, meter and start in one place, and no trouble."""
    in_full = (place for place in answer.locations if place.plan_uuid and place.esi_id and place.service_start_date)
    return not answer.words and any(is_shown_by(place, sent) for place in in_full)


def difference(locations: Sequence[Location], sent: SentAcceptance) -> str:
    """
    Put what was asked for beside what Light shows instead, in a sentence for people.

    Empty where nothing contradicts it, or where one location shows it: the other one may be an older contract.
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
    return f"plan {plan} from {location.service_start_date or 'a day it does not name'} at meter " + (
        location.esi_id or "not named"
    )
