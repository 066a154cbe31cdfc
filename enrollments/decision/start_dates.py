"""
Finding a legal start. Pure functions over Chicago calendar days.

An acceptance sent on day `d` may name a start from `d + 7` to `d + 30`. We stay a day inside both ends, because Light
does not say in which zone it counts days. The start must also be in the range that the customer signed, not before the
hardware may run, and after the customer's right to rescind has ended even if the terms reach them by mail.

Source: Light notes, section 7; domain notes, sections 3 and 7.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from core.dates import Calendar, add_business_days, short_date

RESCISSION_BUSINESS_DAYS = 3
POSTED_TERMS_BUSINESS_DAYS = 3


class Rule(StrEnum):
    """The rule that determines a date, in words for staff."""

    LIGHT_WINDOW_OPENS = "Light allows no earlier start for an acceptance sent that day"
    LIGHT_WINDOW_CLOSES = "Light allows no later start for an acceptance sent that day"
    RESCISSION = "the customer's right to rescind must have ended"
    SIGNED_EARLIEST = "the customer signed for no earlier start"
    SIGNED_LATEST = "the customer signed for no later start"
    GO_LIVE = "the hardware may not run before that day"
    EMBARGO = "the buyer may still cancel the solar sale"
    SUNSET = "the authority ends that day"
    TODAY = "nothing earlier is possible"


@dataclass(frozen=True)
class Window:
    """How many days after the Chicago day of the call a start may lie, both ends included."""

    first_day: int
    last_day: int


FULL_WINDOW = Window(first_day=7, last_day=30)
DEFAULT_WINDOW = Window(first_day=8, last_day=29)
"""A day of margin at both ends. Source: domain notes, section 3; Light notes, section 7."""


@dataclass(frozen=True)
class Bound:
    date: date
    rule: Rule


@dataclass(frozen=True)
class StartPlan:
    """
    When to act and which start to name.

    `earliest`, `latest` and `best` are starts for an acceptance sent on `act_from`; `last_act` is the last Chicago day
    on which an acceptance can still name a legal start.
    """

    act_from: Bound
    earliest: Bound
    latest: Bound
    best: date
    last_act: Bound


@dataclass(frozen=True)
class NoLegalStart:
    """On no remaining day can an acceptance name a start that satisfies every rule."""

    earliest: Bound
    latest: Bound

    def __str__(self) -> str:
        return (
            f"The earliest start would be {short_date(self.earliest.date)} ({self.earliest.rule.value}), "
            f"but the latest is {short_date(self.latest.date)} ({self.latest.rule.value})."
        )


def rescission_end(accepted: date) -> date:
    """
    Return the last day on which the customer may rescind if the terms are mailed on the day `accepted`.

    Mailed terms count as received after three federal business days; three more to rescind follow.

    Source: domain notes, section 7; 16 TAC 25.474.
    """
    received = add_business_days(accepted, POSTED_TERMS_BUSINESS_DAYS, Calendar.FEDERAL)
    return add_business_days(received, RESCISSION_BUSINESS_DAYS, Calendar.FEDERAL)


def earliest_rescission_end(accepted: date) -> date:
    """
    Return the last day on which the customer may certainly still rescind: the terms arrived on the day `accepted`.

    Source: domain notes, section 7; 16 TAC 25.474.
    """
    return add_business_days(accepted, RESCISSION_BUSINESS_DAYS, Calendar.FEDERAL)


def plan(
    *,
    today: date,
    go_live_date: date,
    signed_earliest: date,
    signed_latest: date,
    sunset: date,
    embargo_end: date | None = None,
    window: Window = DEFAULT_WINDOW,
) -> StartPlan | NoLegalStart:
    """
    Return the first day to act, the starts it allows, the best of them and the last day to act.

    The best start is the earliest one, because the hardware may already run. Acting later never allows an earlier
    start, so the first day to act decides whether there is a legal start at all.
    """
    not_before = max(Bound(signed_earliest, Rule.SIGNED_EARLIEST), Bound(go_live_date, Rule.GO_LIVE), key=_by_date)
    act_from = _first_day_to_act(today=today, not_before=not_before.date, embargo_end=embargo_end, window=window)
    earliest = _earliest_start(act_from.date, not_before=not_before, window=window)
    latest = min(
        Bound(signed_latest, Rule.SIGNED_LATEST),
        Bound(act_from.date + timedelta(days=window.last_day), Rule.LIGHT_WINDOW_CLOSES),
        key=_by_date,
    )
    if earliest.date > latest.date:
        return NoLegalStart(earliest=earliest, latest=latest)
    if act_from.date > sunset:
        return NoLegalStart(earliest=act_from, latest=Bound(sunset, Rule.SUNSET))
    return StartPlan(
        act_from=act_from,
        earliest=earliest,
        latest=latest,
        best=earliest.date,
        last_act=_last_day_to_act(
            act_from.date, not_before=not_before, signed_latest=signed_latest, sunset=sunset, window=window
        ),
    )


def is_legal(start: date, *, sent: date, window: Window = DEFAULT_WINDOW) -> bool:
    """Whether Light's window allows `start` for an acceptance sent on the Chicago day `sent`."""
    return window.first_day <= (start - sent).days <= window.last_day


def _first_day_to_act(*, today: date, not_before: date, embargo_end: date | None, window: Window) -> Bound:
    bounds = [
        Bound(today, Rule.TODAY),
        Bound(not_before - timedelta(days=window.last_day), Rule.LIGHT_WINDOW_CLOSES),
    ]
    if embargo_end is not None:
        bounds.append(Bound(embargo_end + timedelta(days=1), Rule.EMBARGO))
    return max(bounds, key=_by_date)


def _earliest_start(sent: date, *, not_before: Bound, window: Window) -> Bound:
    return max(
        not_before,
        Bound(sent + timedelta(days=window.first_day), Rule.LIGHT_WINDOW_OPENS),
        Bound(rescission_end(sent) + timedelta(days=1), Rule.RESCISSION),
        key=_by_date,
    )


def _last_day_to_act(act_from: date, *, not_before: Bound, signed_latest: date, sunset: date, window: Window) -> Bound:
    by_signed_latest = signed_latest - timedelta(days=window.first_day)
    last = min(Bound(sunset, Rule.SUNSET), Bound(by_signed_latest, Rule.SIGNED_LATEST), key=_by_date)
    while (
        last.date > act_from and _earliest_start(last.date, not_before=not_before, window=window).date > signed_latest
    ):
        last = Bound(last.date - timedelta(days=1), Rule.RESCISSION)
    return last


def _by_date(bound: Bound) -> date:
    return bound.date
