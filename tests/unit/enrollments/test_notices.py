"""The notice before an acceptance: when it is sent, how long it lasts, what it covers, and the customer's hold."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from core.dates import chicago_day, chicago_midnight
from enrollments.decision.decide import decide
from enrollments.decision.facts import Facts, NoticeFacts
from enrollments.decision.offers import OfferedPlan, is_no_worse
from enrollments.decision.steps import AcceptPlan, GiveNotice, Hold, ReadAccount, RequestPlans, Step, Wait, Waiting
from enrollments.states import HoldCode, HoldOwner
from tests.unit.enrollments.facts_of_a_case import (
    ACCOUNT,
    AUTHORITY,
    LIVE,
    NOT_LIVE,
    NOW,
    OFFER,
    PLAN,
    POLICY,
    READY_TO_ACCEPT,
    TODAY,
)

THREE_DAYS = replace(POLICY, notice_days=3)
OVER = chicago_midnight(date(2026, 3, 9))
NOTICE = NoticeFacts(notice_id="3", poa_id=AUTHORITY.poa_id, plan=PLAN, start=date(2026, 3, 18), until=OVER)
TOLD = replace(READY_TO_ACCEPT, notice=NOTICE)


def next_step(facts: Facts, now: datetime = NOW) -> Step:
    return decide(facts, now=now, policy=THREE_DAYS)


def fresh_at(now: datetime, facts: Facts = TOLD, plan: OfferedPlan = PLAN) -> Facts:
    offer = replace(OFFER, plan=plan, requested_at=now, stale_at=now + timedelta(days=4))
    return replace(facts, offers=(offer,), account=replace(ACCOUNT, read_at=now))


def test_customer_is_told_before_a_plan_is_accepted() -> None:
    step = next_step(READY_TO_ACCEPT)

    assert isinstance(step, GiveNotice)
    assert step.offer_id == OFFER.offer_id
    assert step.until == OVER
    assert step.start == date(2026, 3, 18)
    assert "through Mar 8, 2026" in step.because


def test_without_notice_days_a_plan_is_accepted_immediately() -> None:
    assert isinstance(decide(READY_TO_ACCEPT, now=NOW, policy=POLICY), AcceptPlan)


@pytest.mark.parametrize("now", [NOW, OVER - timedelta(seconds=1)], ids=["at once", "in the last second"])
def test_nothing_is_accepted_during_the_notice(now: datetime) -> None:
    step = next_step(fresh_at(now), now)

    assert isinstance(step, Wait)
    assert step.code == Waiting.NOTICE
    assert step.until == OVER


def test_plan_is_accepted_with_the_announced_start_after_notice() -> None:
    step = next_step(fresh_at(OVER), OVER)

    assert isinstance(step, AcceptPlan)
    assert step.start == NOTICE.start
    assert step.notice_id == NOTICE.notice_id


def test_running_notice_is_kept_after_notices_are_turned_off() -> None:
    step = decide(TOLD, now=NOW, policy=POLICY)

    assert isinstance(step, Wait)
    assert step.code == Waiting.NOTICE


def test_notice_is_kept_even_if_the_start_slips() -> None:
    slipped = replace(TOLD, go_live=replace(LIVE, counted_date=TODAY + timedelta(days=20)))
    last_second = OVER - timedelta(seconds=1)

    waiting = decide(fresh_at(last_second, slipped), now=last_second, policy=POLICY)
    afterwards = decide(fresh_at(OVER, slipped), now=OVER, policy=POLICY)

    assert isinstance(waiting, Wait)
    assert waiting.until == OVER
    assert isinstance(afterwards, AcceptPlan)


def test_stale_offers_are_requested_again() -> None:
    facts = replace(fresh_at(OVER), offers=(replace(OFFER, stale_at=OVER),))

    assert isinstance(next_step(facts, OVER), RequestPlans)


def test_better_offer_needs_no_new_notice() -> None:
    better = replace(PLAN, light_plan_uuid=UUID(int=9), average_cents_per_kwh_1000=Decimal("14.5"), term_months=6)

    assert isinstance(next_step(fresh_at(OVER, plan=better), OVER), AcceptPlan)


def test_worse_offer_within_the_limits_needs_a_new_notice() -> None:
    dearer = replace(PLAN, average_cents_per_kwh_1000=Decimal("15.01"))

    step = next_step(fresh_at(OVER, plan=dearer), OVER)

    assert isinstance(step, GiveNotice)
    assert step.until == chicago_midnight(date(2026, 3, 13))


def test_only_a_far_slip_of_the_start_needs_notice() -> None:
    little, far = OVER + timedelta(days=3), OVER + timedelta(days=4)

    late = next_step(fresh_at(little), little)
    too_late = next_step(fresh_at(far), far)

    assert isinstance(late, AcceptPlan)
    assert late.start == date(2026, 3, 21)
    assert isinstance(too_late, GiveNotice)


def test_go_live_corrected_far_ahead_is_announced_immediately() -> None:
    facts = replace(fresh_at(NOW), go_live=replace(LIVE, counted_date=date(2026, 3, 25)))

    step = next_step(facts)

    assert isinstance(step, GiveNotice)
    assert step.start == date(2026, 3, 25)


def test_announced_start_is_kept_although_an_earlier_is_possible() -> None:
    told_later = replace(TOLD, notice=replace(NOTICE, start=date(2026, 3, 24)))

    step = next_step(fresh_at(OVER, told_later), OVER)

    assert isinstance(step, AcceptPlan)
    assert step.start == date(2026, 3, 24)
    assert "announced to the customer" in step.because


def test_new_signature_needs_a_new_notice() -> None:
    facts = replace(fresh_at(OVER), notice=replace(NOTICE, poa_id=AUTHORITY.poa_id - 1))

    assert isinstance(next_step(facts, OVER), GiveNotice)


@pytest.mark.parametrize(
    ("signed", "told_days"),
    [
        ({"latest_start": date(2026, 3, 18)}, 3),
        ({"latest_start": date(2026, 3, 17)}, 2),
        ({"sunset": date(2026, 3, 7)}, 1),
    ],
    ids=["just fits", "a day less", "the shortest"],
)
def test_notice_is_shortened_to_the_signed_dates(signed: dict[str, date], told_days: int) -> None:
    authority = replace(AUTHORITY, **signed)  # type: ignore[arg-type]

    step = next_step(replace(READY_TO_ACCEPT, authority=authority))

    assert isinstance(step, GiveNotice)
    assert chicago_day(step.until) == TODAY + timedelta(days=told_days + 1)
    assert chicago_day(step.until) <= authority.sunset
    assert step.start <= authority.latest_start
    assert ("shorter than usual" in step.because) == (told_days < 3)


def test_person_is_asked_if_no_notice_day_fits() -> None:
    facts = replace(READY_TO_ACCEPT, authority=replace(AUTHORITY, latest_start=date(2026, 3, 15)))

    step = next_step(facts)

    assert isinstance(step, Hold)
    assert (step.code, step.owner) == (HoldCode.NO_LEGAL_START, HoldOwner.OFFICE)
    assert "a full day to object" in step.because


def test_last_gate_day_leaves_room_for_the_shortest_notice() -> None:
    facts = replace(READY_TO_ACCEPT, go_live=NOT_LIVE)

    without = decide(facts, now=NOW, policy=POLICY)
    with_notice = next_step(facts)

    assert isinstance(without, Wait)
    assert isinstance(with_notice, Wait)
    assert without.act_by is not None
    assert with_notice.act_by == without.act_by - timedelta(days=2)


def test_paused_plan_group_is_not_announced() -> None:
    step = next_step(replace(READY_TO_ACCEPT, is_paused=True))

    assert isinstance(step, Wait)
    assert step.code == Waiting.PAUSED


def test_nobody_is_told_anything_during_a_system_hold() -> None:
    step = next_step(replace(READY_TO_ACCEPT, writes_stopped_because="Restored from a backup."))

    assert isinstance(step, Wait)
    assert step.code == Waiting.WRITES_STOPPED


@pytest.mark.parametrize("now", [NOW, OVER, OVER + timedelta(days=30)])
def test_customer_hold_stops_requests_and_acceptances(now: datetime) -> None:
    held = replace(fresh_at(now), held_by_customer_since=NOW)

    step = next_step(held, now)

    assert isinstance(step, Wait)
    assert step.code == Waiting.HELD_BY_CUSTOMER
    assert step.whose_turn == HoldOwner.CUSTOMER
    assert step.until is not None
    assert step.act_by is not None


def test_hold_beyond_the_signed_dates_is_a_missed_window() -> None:
    now = datetime(2026, 7, 30, 18, tzinfo=UTC)

    step = next_step(replace(fresh_at(now), held_by_customer_since=NOW), now)

    assert isinstance(step, Hold)
    assert step.code == HoldCode.NO_LEGAL_START


def test_account_is_read_before_accepting_after_notice() -> None:
    facts = replace(fresh_at(OVER), account=replace(ACCOUNT, read_at=OVER - timedelta(minutes=30)))

    assert isinstance(next_step(facts, OVER), ReadAccount)


@pytest.mark.parametrize(
    "change",
    [
        {"average_cents_per_kwh_500": Decimal("17.01")},
        {"average_cents_per_kwh_1000": Decimal("15.01")},
        {"average_cents_per_kwh_2000": Decimal("14.01")},
        {"base_fee_dollars": Decimal("9.01")},
        {"term_months": 13},
        {"termination_fee_dollars": Decimal(151)},
        {"termination_fee_dollars": None},
        {"buyback_cents_per_kwh": Decimal(3)},
        {"rate_kind": "VARIABLE"},
        {"light_plan_group": UUID(int=1)},
        {"esi_id": "10443720000000002"},
    ],
    ids=lambda change: "-".join(change),
)
def test_change_in_any_limited_field_counts(change: dict[str, object]) -> None:
    """A buyback that only one of them names also counts as worse: it cannot be compared."""
    assert not is_no_worse(replace(PLAN, **change), than=PLAN)  # type: ignore[arg-type]
    assert is_no_worse(PLAN, than=PLAN)


def test_only_less_buyback_is_worse() -> None:
    told = replace(PLAN, buyback_cents_per_kwh=Decimal(3))

    assert is_no_worse(replace(told, buyback_cents_per_kwh=Decimal(4)), than=told)
    assert not is_no_worse(replace(told, buyback_cents_per_kwh=Decimal(2)), than=told)
