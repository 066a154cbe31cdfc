"""
The start date of one case, and the notice to the customer before a plan is accepted. Pure.

A notice names the plan, the start and the last day to object. It runs for as many days as the office set, or for as
long as the signed dates allow if that is shorter, but for at least one whole day.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from core.dates import Calendar, add_business_days, chicago_day, chicago_midnight
from enrollments.decision import offers, start_dates
from enrollments.decision.facts import Facts, NoticeFacts
from enrollments.decision.offers import OfferedPlan
from enrollments.decision.policy import Policy
from enrollments.decision.start_dates import NoLegalStart, StartPlan

MIN_NOTICE_DAYS = 1


@dataclass(frozen=True)
class PlannedNotice:
    """What a notice sent now would say: the start, and when the objection period ends."""

    start: date
    until: datetime
    is_shortened: bool

    @property
    def last_day(self) -> date:
        """The last Chicago day on which the customer may object."""
        return chicago_day(self.until) - timedelta(days=1)


def start_plan(facts: Facts, now: datetime, policy: Policy) -> StartPlan | NoLegalStart:
    """Find the start for a case whose authority gate is open, with the rule behind each date."""
    poa = facts.authority
    assert poa is not None  # noqa: S101 - the authority gate is open
    today = chicago_day(now)
    return start_dates.plan(
        today=today,
        go_live_date=facts.go_live.counted_date or today,
        signed_earliest=poa.earliest_start,
        signed_latest=poa.latest_start,
        sunset=poa.sunset,
        embargo_end=facts.go_live.embargo_end,
        window=policy.window,
    )


def planned_notice(facts: Facts, now: datetime, policy: Policy) -> PlannedNotice | None:
    """
    Return the notice that can be sent today, or None when not even the shortest one leaves a legal start.

    It always ends at midnight in Chicago, so the customer has full days.
    """
    wants_paper = facts.authority is not None and facts.authority.wants_paper
    told = _received_by_post(chicago_day(now)) if wants_paper else chicago_day(now)
    for days in range(max(policy.notice_days, MIN_NOTICE_DAYS), MIN_NOTICE_DAYS - 1, -1):
        until = chicago_midnight(told + timedelta(days=days + 1))
        start = start_plan(facts, until, policy)
        if isinstance(start, StartPlan) and start.act_from.date == chicago_day(until):
            return PlannedNotice(start.best, until, is_shortened=days < policy.notice_days)
    return None


def _received_by_post(posted: date) -> date:
    """Return the day on which a mailed paper notice counts as received."""
    return add_business_days(posted, start_dates.POSTED_TERMS_BUSINESS_DAYS, Calendar.FEDERAL)


def notice_in_force(facts: Facts, now: datetime, policy: Policy) -> NoticeFacts | None:
    """
    Return the current notice if what it says is still true.

    It is not if the customer has signed again since, if it was not sent in time or was mailed too late to leave a full
    day, or if the start would now be later than announced by more than the office allows. The customer then gets a new
    notice. If the office has turned notices off, the customer still has the days they were promised.
    """
    notice, poa = facts.notice, facts.authority
    if notice is None or poa is None or notice.poa_id != poa.poa_id:
        return None
    if not notice.is_sent and now >= notice.until:
        return None
    if notice.posted_date is not None and not _leaves_a_day(notice.until, _received_by_post(notice.posted_date)):
        return None
    if not policy.notice_days and now < notice.until:
        return notice
    start = start_plan(facts, max(now, notice.until), policy)
    latest_told = notice.start + policy.notice_start_slack
    return notice if isinstance(start, StartPlan) and start.best <= latest_told else None


def leaves_a_day(until: datetime, now: datetime) -> bool:
    """Whether a customer who is told now has a whole Chicago day left to object."""
    return _leaves_a_day(until, chicago_day(now))


def _leaves_a_day(until: datetime, told: date) -> bool:
    return chicago_day(until) - told > timedelta(days=MIN_NOTICE_DAYS)


def covers(notice: NoticeFacts, plan: OfferedPlan) -> bool:
    """Whether accepting `plan` is no worse for the customer, in any limited field, than what the notice announced."""
    return offers.is_no_worse(plan, than=notice.plan)


def start_to_name(notice: NoticeFacts | None, start: StartPlan) -> date:
    """Return the announced start as long as it is legal, else the best one."""
    if notice is not None and start.earliest.date <= notice.start <= start.latest.date:
        return notice.start
    return start.best


def last_day_to_begin(start: StartPlan, policy: Policy) -> date:
    """Return the last day on which a gate may open and still leave room for the shortest notice."""
    if not policy.notice_days:
        return start.last_act.date
    return start.last_act.date - timedelta(days=MIN_NOTICE_DAYS + 1)
