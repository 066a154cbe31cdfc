"""
The start of one case, and the notice that its customer gets before a plan is accepted: pure.

A notice names plan and start, and the last day to object. It lasts as long as the office set it; where the signed dates
leave no room for that, as long as they allow, but never shorter than a whole day.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from core.dates import Calendar, add_business_days, chicago_day, chicago_midnight
from enrollments.decision import offers, start_dates
from enrollments.decision.facts import Facts, NoticeFacts
from enrollments.decision.offers import OfferedPlan
from enrollments.decision.policy import Policy
from enrollments.decision.start_dates import NoLegalStart, StartPlan

SHORTEST_NOTICE_DAYS = 1


@dataclass(frozen=True)
class PlannedNotice:
    """What a notice given now would say: which start, and from when on it is over."""

    start: date
    until: datetime
    is_shortened: bool

    @property
    def last_day(self) -> date:
        """The last Chicago day on which the customer may object."""
        return chicago_day(self.until) - timedelta(days=1)


def start_plan(facts: Facts, now: datetime, policy: Policy) -> StartPlan | NoLegalStart:
    """Find the start for a case whose authority gate is passed, with the rule that binds each date."""
    poa = facts.authority
    assert poa is not None  # noqa: S101 - the authority gate is passed
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
    Work out the notice that can be given today, or None when no start would be legal after even the shortest.

    It always ends at a Chicago midnight, so the customer has every one of its days to the end.
    """
    wants_paper = facts.authority is not None and facts.authority.wants_paper
    told = _received_by_post(chicago_day(now)) if wants_paper else chicago_day(now)
    for days in range(max(policy.notice_days, SHORTEST_NOTICE_DAYS), SHORTEST_NOTICE_DAYS - 1, -1):
        until = chicago_midnight(told + timedelta(days=days + 1))
        start = start_plan(facts, until, policy)
        if isinstance(start, StartPlan) and start.act_from.date == chicago_day(until):
            return PlannedNotice(start.best, until, is_shortened=days < policy.notice_days)
    return None


def _received_by_post(posted: date) -> date:
    """A notice that goes by post, for a customer who wants paper, counts as received some business days later."""
    return add_business_days(posted, start_dates.POSTED_TERMS_BUSINESS_DAYS, Calendar.FEDERAL)


def standing_notice(facts: Facts, now: datetime, policy: Policy) -> NoticeFacts | None:
    """
    Give the notice that still tells the truth, if there is one.

    It does not where the customer signed anew since, where its mail was not sent before it was over or was posted too
    late to leave him a day, or where the start would by now lie later than was said, by more than the office allows. Of
    that he is told anew; where the office wants no notices any more, and nothing will tell him, he has the days he was
    promised all the same.
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
    """Whether whoever is told now has a whole Chicago day left to object."""
    return _leaves_a_day(until, chicago_day(now))


def _leaves_a_day(until: datetime, told: date) -> bool:
    return chicago_day(until) - told > timedelta(days=SHORTEST_NOTICE_DAYS)


def covers(notice: NoticeFacts, plan: OfferedPlan) -> bool:
    """Whether accepting `plan` is no worse for the customer, in any limited field, than what the notice announced."""
    return offers.is_no_worse(plan, than=notice.plan)


def start_to_name(notice: NoticeFacts | None, start: StartPlan) -> date:
    """Keep to the day that the customer was told, as long as it is legal."""
    if notice is not None and start.earliest.date <= notice.start <= start.latest.date:
        return notice.start
    return start.best


def last_day_to_begin(start: StartPlan, policy: Policy) -> date:
    """The last day on which a shut gate may open, so that the shortest notice still fits before the last acceptance."""
    if not policy.notice_days:
        return start.last_act.date
    return start.last_act.date - timedelta(days=SHORTEST_NOTICE_DAYS + 1)
