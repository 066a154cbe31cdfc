from datetime import timedelta
from typing import Any

import pytest

from core.actors import Actor
from enrollments.actions import comparing, stopping
from enrollments.light.payloads import Account
from enrollments.models import AcceptAttempt, Enrollment, LightWrite
from enrollments.states import EnrollmentStatus, HoldCode, WriteKind, WriteStatus
from installations.actions import registering
from tests.contract.dialects import REFERENCE
from tests.integration.enrollments.road import OFFICE, Road
from tests.integration.faults.journey import calls, open_hold, ready_to_accept, release, walk

pytestmark = pytest.mark.parametrize("pair", [REFERENCE], ids=["reference"], indirect=True)


def showing(road: Road, monkeypatch: pytest.MonkeyPatch, change: Any, while_: Any) -> None:
    read = road.light.read_account

    def read_changed(uuid: str) -> Account:
        account = read(uuid)
        return account.model_copy(update=change(account)) if while_() else account

    monkeypatch.setattr(road.light, "read_account", read_changed)


def in_doubt() -> bool:
    return LightWrite.objects.filter(kind=WriteKind.ACCEPT_PLAN, status=WriteStatus.IN_DOUBT).exists()


def test_location_shows_ours_flag_stale(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(road)
    road.simulator.control.order_fault("accept", "drop_after")
    stale = lambda a: {"has_accepted_plan": False, "status": "enrollment_pending_client_agent"}
    end = road.clock.at + timedelta(hours=1)
    showing(road, monkeypatch, stale, lambda: road.clock.at < end)
    walk(road, case, span=timedelta(minutes=40))
    print([(w.kind, w.status, w.outcome) for w in LightWrite.objects.all()], case.status, case.because)
    assert calls(road, "accept") == 1


def test_flag_true_location_says_nothing(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(road)
    road.simulator.control.order_fault("accept", "drop_after")
    def bare(a: Account) -> dict:
        return {"locations": tuple(p.model_copy(update={"plan_uuid": None, "service_start_date": None}) for p in a.locations)}
    end = road.clock.at + timedelta(hours=3)
    showing(road, monkeypatch, bare, lambda: road.clock.at < end)
    walk(road, case, span=timedelta(hours=8))
    road.live(case, timedelta(hours=8))
    print([(w.kind, w.status, w.outcome) for w in LightWrite.objects.all()], case.status, case.because, open_hold(case))
    h = open_hold(case)
    assert h is None, (case.status, h.code, h.because)


def test_unreadable_flag(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(road)
    road.simulator.control.order_fault("accept", "drop_after")
    odd = lambda a: {"has_accepted_plan": False, "locations": (), "unreadable_fields": ("enrollment.has_accepted_plan", "locations")}
    end = road.clock.at + timedelta(hours=3)
    showing(road, monkeypatch, odd, lambda: road.clock.at < end and calls(road, "accept"))
    walk(road, case, span=timedelta(hours=1))
    w = LightWrite.objects.get(kind=WriteKind.ACCEPT_PLAN)
    assert w.status != WriteStatus.NOT_DONE, (w.outcome, case.status, case.because)


def test_email_corrected_while_create_in_doubt(road: Road) -> None:
    road.simulator.control.order_fault("create", "drop_after")
    road.simulator.control.order_fault("list", "error_before", status=503, times=4)
    case = road.case()
    road.engine.advance(case.pk)
    registering.correct_contact(customer_id=case.customer_id, email="other@example.com", phone="+15125550100", language="en", by=OFFICE, at=road.clock.at)
    road.live(case, timedelta(hours=1))
    assert len(road.simulator.control.state()["accounts"]) == 1


def test_stranger_account_and_open_hold(road: Road) -> None:
    case = road.case()
    road.run(case)
    Enrollment.objects.filter(pk=case.pk).update(light_account_uuid=None, light_account={}, last_read_at=None, attested_poa=None, attested_at=None)
    road.has_lost_records = True
    road.revoke(case)
    road.run(case)
    assert open_hold(case).code == HoldCode.AUTHORITY_ENDED
    run = comparing.start_run(by=OFFICE, at=road.clock.at)
    while not comparing.continue_run(run.pk, road.engine.tools, pause=lambda _s: None):
        pass
    road.pass_time(timedelta(hours=1))
    road.sign(case.installations.get())
    road.live(case, timedelta(days=1))
    road.run(case)
    print(open_hold(case), case.because)
    assert len(road.simulator.control.state()["accounts"]) == 1


def test_accept_conflict_twice(road: Road) -> None:
    case = ready_to_accept(road)
    road.simulator.control.order_fault("accept", "conflict", times=None)
    walk(road, case, span=timedelta(days=2))
    h = open_hold(case)
    print(h.code, h.owner, h.because, [(w.kind, w.status, w.outcome) for w in LightWrite.objects.all()])
    assert "Refused on order" in h.because


def test_evidence_cannot_be_kept(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    case = road.case()
    from poa_documents import evidence
    def bad(*a: Any, **k: Any) -> Any:
        raise ArithmeticError("journal broken")
    monkeypatch.setattr(evidence, "record", bad)
    seen = []
    for _ in range(14):
        case.refresh_from_db()
        at = min(x for x in (case.due_at, case.lease_until) if x)
        road.pass_time(max(at - road.clock.at, timedelta(seconds=1)))
        try:
            seen.append(road.engine.advance(case.pk))
        except ArithmeticError:
            seen.append("raised")
    case.refresh_from_db()
    print(seen, case.failures, case.due_at, case.lease_until)
    monkeypatch.undo()
    assert open_hold(case) is not None
