"""Finding a legal start."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrollments.decision.start_dates import (
    DEFAULT_WINDOW,
    FULL_WINDOW,
    NoLegalStart,
    Rule,
    StartPlan,
    Window,
    is_legal,
    plan,
    rescission_end,
)

DAYS = st.dates(min_value=date(2026, 1, 1), max_value=date(2029, 12, 31))
WINDOWS = st.sampled_from([DEFAULT_WINDOW, FULL_WINDOW])


def plan_for(
    *,
    today: date,
    go_live: date | None = None,
    earliest: date = date(2026, 1, 1),
    latest: date = date(2030, 12, 31),
    sunset: date = date(2030, 12, 31),
    embargo_end: date | None = None,
    window: Window = DEFAULT_WINDOW,
) -> StartPlan | NoLegalStart:
    return plan(
        today=today,
        go_live_date=go_live or today,
        signed_earliest=earliest,
        signed_latest=latest,
        sunset=sunset,
        embargo_end=embargo_end,
        window=window,
    )


def test_one_day_of_margin_is_kept_at_both_ends() -> None:
    today = date(2026, 3, 5)

    found = plan_for(today=today)

    assert isinstance(found, StartPlan)
    assert found.earliest.date >= date(2026, 3, 13)
    assert found.latest.date == date(2026, 4, 3)


@pytest.mark.parametrize(
    ("start", "in_default", "in_full"),
    [
        (date(2026, 3, 11), False, False),
        (date(2026, 3, 12), False, True),
        (date(2026, 3, 13), True, True),
        (date(2026, 4, 3), True, True),
        (date(2026, 4, 4), False, True),
        (date(2026, 4, 5), False, False),
    ],
)
def test_D4_edge_days_are_legal_only_by_setting(start: date, in_default: bool, in_full: bool) -> None:  # noqa: FBT001
    sent = date(2026, 3, 5)

    assert is_legal(start, sent=sent) is in_default
    assert is_legal(start, sent=sent, window=FULL_WINDOW) is in_full


def test_terms_posted_before_christmas_are_rescindable_until_new_year() -> None:
    assert rescission_end(date(2026, 12, 23)) == date(2027, 1, 4)


def test_start_waits_for_the_rescission_period() -> None:
    found = plan_for(today=date(2026, 12, 23))

    assert isinstance(found, StartPlan)
    assert found.best == date(2027, 1, 5)
    assert found.earliest.rule == Rule.RESCISSION


def test_acting_waits_until_the_signed_range_is_reachable() -> None:
    found = plan_for(today=date(2026, 3, 1), earliest=date(2026, 6, 1), window=DEFAULT_WINDOW)

    assert isinstance(found, StartPlan)
    assert found.act_from.date == date(2026, 6, 1) - timedelta(days=29)
    assert found.best == date(2026, 6, 1)
    assert found.earliest.rule == Rule.SIGNED_EARLIEST


def test_acting_waits_for_the_solar_buyers_right_to_cancel() -> None:
    found = plan_for(today=date(2026, 11, 20), embargo_end=date(2026, 11, 30))

    assert isinstance(found, StartPlan)
    assert found.act_from.date == date(2026, 12, 1)
    assert found.act_from.rule == Rule.EMBARGO


def test_range_that_ends_too_soon_allows_no_start() -> None:
    found = plan_for(today=date(2026, 3, 5), latest=date(2026, 3, 10))

    assert isinstance(found, NoLegalStart)
    assert found.latest.rule == Rule.SIGNED_LATEST
    assert "Mar 10, 2026" in str(found)


def test_authority_ending_before_the_first_day_allows_no_start() -> None:
    found = plan_for(today=date(2026, 3, 1), earliest=date(2026, 6, 1), sunset=date(2026, 4, 1))

    assert isinstance(found, NoLegalStart)
    assert found.latest.rule == Rule.SUNSET


@given(
    today=DAYS,
    go_live_after=st.integers(-400, 60),
    earliest_after=st.integers(-100, 300),
    range_days=st.integers(0, 300),
    sunset_after=st.integers(-10, 400),
    embargo_after=st.none() | st.integers(-30, 30),
    window=WINDOWS,
)
def test_every_plan_satisfies_every_rule_on_both_end_days(
    today: date,
    go_live_after: int,
    earliest_after: int,
    range_days: int,
    sunset_after: int,
    embargo_after: int | None,
    window: Window,
) -> None:
    go_live = today + timedelta(days=go_live_after)
    earliest = today + timedelta(days=earliest_after)
    latest = earliest + timedelta(days=range_days)
    sunset = today + timedelta(days=sunset_after)
    embargo_end = None if embargo_after is None else today + timedelta(days=embargo_after)

    found = plan(
        today=today,
        go_live_date=go_live,
        signed_earliest=earliest,
        signed_latest=latest,
        sunset=sunset,
        embargo_end=embargo_end,
        window=window,
    )

    def is_allowed(start: date, sent: date) -> bool:
        return (
            window.first_day <= (start - sent).days <= window.last_day
            and earliest <= start <= latest
            and start >= go_live
            and start > rescission_end(sent)
            and today <= sent <= sunset
            and (embargo_end is None or sent > embargo_end)
        )

    if isinstance(found, StartPlan):
        assert is_allowed(found.best, found.act_from.date)
        assert is_allowed(found.earliest.date, found.act_from.date)
        assert is_allowed(found.latest.date, found.act_from.date)
        assert found.act_from.date <= found.last_act.date
        again = plan(
            today=found.last_act.date,
            go_live_date=go_live,
            signed_earliest=earliest,
            signed_latest=latest,
            sunset=sunset,
            embargo_end=embargo_end,
            window=window,
        )
        assert isinstance(again, StartPlan)
        assert again.act_from.date == found.last_act.date
        assert not is_allowed(found.best - timedelta(days=1), found.act_from.date)
    else:
        for sent_after in range(70):
            sent = max(today, earliest - timedelta(days=31)) + timedelta(days=sent_after)
            assert not any(
                is_allowed(sent + timedelta(days=ahead), sent) for ahead in range(window.first_day, window.last_day + 1)
            )


@given(today=DAYS)
def test_day_after_the_last_day_to_act_allows_no_start(today: date) -> None:
    latest = today + timedelta(days=40)
    found = plan_for(today=today, latest=latest)
    assert isinstance(found, StartPlan)

    too_late = plan_for(today=found.last_act.date + timedelta(days=1), go_live=today, latest=latest)

    assert isinstance(too_late, NoLegalStart)
