"""Q12: one record whose processing always raises. The others go on; it waits longer each time and asks for a person."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection

from core.models import CaseChange
from enrollments.actions import case_opening, holds
from enrollments.engine import engine
from enrollments.models import Enrollment, Hold
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner
from installations.models import Customer
from poa_documents.journal import chain
from poa_documents.models import EvidenceEntry, PoaDocument
from tests.factories import installations as made
from tests.integration.enrollments.flow import OFFICE, Flow

pytestmark = pytest.mark.one_dialect


@contextmanager
def unreadable(customer: Customer) -> Iterator[None]:
    """Leave a birth date that none of our keys can decrypt, as after losing a key."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT date_of_birth_text FROM installations_customer WHERE id = %s", [customer.pk])
        [good] = cursor.fetchone()
        change = "UPDATE installations_customer SET date_of_birth_text = %s WHERE id = %s"
        cursor.execute(change, ["lost-key:AAAA", customer.pk])
        yield
        cursor.execute(change, [good, customer.pk])


def due_at_of(enrollment: Enrollment) -> datetime:
    due_at = Enrollment.objects.values_list("due_at", flat=True).get(pk=enrollment.pk)
    assert due_at is not None
    return due_at


def test_Q12_failing_record_waits_longer_each_time_then_holds(flow: Flow) -> None:
    broken, sound = flow.case(), flow.case()
    pauses = list[timedelta]()

    with unreadable(broken.customer):
        for _ in range(engine.MAX_FAILURES):
            flow.clock.at = max(flow.clock.at, due_at_of(broken))
            assert flow.engine.advance(broken.pk) == "failed"
            pauses.append(due_at_of(broken) - flow.clock.at)
        flow.run(sound)

    assert all(later > earlier * 1.5 for earlier, later in pairwise(pauses))
    assert len({pause / (engine.BACKOFF.first * 2**tries) for tries, pause in enumerate(pauses)}) > 1
    hold = Hold.objects.get(enrollment_id=broken.pk, released_at=None)
    assert (hold.code, hold.owner) == (HoldCode.REPEATED_FAILURES, HoldOwner.OPERATIONS)
    assert "CannotDecrypt" in hold.because
    assert hold.because.endswith("Fix the cause, then release the hold.")
    assert Enrollment.objects.only("lease_until").get(pk=broken.pk).lease_until is None
    assert sound.attested_at is not None


@pytest.mark.parametrize("is_under_way", [False, True], ids=["at_rest", "with_an_open_write"])
def test_Q12_case_with_unwritable_journal_needs_a_person(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, *, is_under_way: bool
) -> None:
    case = flow.case()
    kept = chain.record

    def record(poa: PoaDocument, *, kind: str, **entry: Any) -> EvidenceEntry:
        if is_under_way and kind == "enrollment.begin_create_account":
            return kept(poa, kind=kind, **entry)
        raise ArithmeticError("a journal that nobody foresaw")

    with monkeypatch.context() as broken:
        broken.setattr(chain, "record", record)
        flow.live(case, timedelta(hours=2))

    hold = case.holds.get(released_at=None)
    assert (hold.code, hold.owner) == (HoldCode.REPEATED_FAILURES, HoldOwner.OPERATIONS)
    assert "nobody foresaw" in hold.because
    assert case.lease_until is None
    flow.pass_time(timedelta(hours=1))
    holds.release_hold(hold_id=hold.pk, reason="The journal is fixed.", by=OFFICE, at=flow.clock.at)
    flow.live(case, timedelta(hours=1))
    assert case.attested_at is not None
    assert len(flow.simulator.control.state()["accounts"]) == 1


def test_Q12_unreadable_site_news_does_not_block_others(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, sound = made.installation(flow.clock.at), made.installation(flow.clock.at)
    original = case_opening.reconsider_site

    def reconsider_site(*, site_id: int, at: datetime) -> Enrollment | None:
        if site_id == broken.site_id:
            raise ArithmeticError("a record that nobody foresaw")
        return original(site_id=site_id, at=at)

    monkeypatch.setattr(case_opening, "reconsider_site", reconsider_site)

    case_opening.reconsider_changed_sites(at=flow.clock.at, limit=10)

    assert Enrollment.objects.get(site=sound.site_id).status == EnrollmentStatus.OPEN
    assert CaseChange.objects.filter(site_id=broken.site_id).exists()
    assert not CaseChange.objects.filter(site_id=sound.site_id).exists()


def test_our_first_error_after_a_light_outage_asks_nobody(flow: Flow) -> None:
    case = flow.case()
    flow.simulator.control.inject_fault("*", "error_before", status=503, times=None)

    def next_turn() -> str:
        flow.clock.at = max(flow.clock.at, due_at_of(case))
        return flow.engine.advance(case.pk)

    for _ in range(engine.MAX_FAILURES + 1):
        next_turn()
    case.refresh_from_db()
    assert case.calls_failed > engine.MAX_FAILURES

    with unreadable(case.customer):
        assert next_turn() == "failed"

    case.refresh_from_db()
    assert case.failures == 1
    assert not Hold.objects.filter(enrollment=case, released_at=None).exists()
    flow.simulator.control.clear_faults()
    flow.run(case)
    assert (case.failures, case.calls_failed) == (0, 0)
