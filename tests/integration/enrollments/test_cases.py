"""Opening, closing and reopening: which jobs have a case, and what their end means."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from core.actors import Actor
from core.models import CaseChange
from enrollments.actions import case_opening, closing
from enrollments.decision.steps import Waiting
from enrollments.models import Enrollment
from enrollments.states import EnrollmentStatus, HoldOwner
from installations import actions as installation_actions
from installations.models import HardwareKind, Installation
from poa_documents import actions as poa_actions
from poa_documents.models import PoaDocument
from poa_documents.states import PoaStatus
from tests.factories import installations as made
from tests.factories.poa_documents import sent_poa
from tests.integration.enrollments.flow import OFFICE, Flow

pytestmark = [pytest.mark.django_db, pytest.mark.one_dialect]


def test_new_job_gets_a_case_even_without_the_message(flow: Flow) -> None:
    job = made.installation(flow.clock.at)
    assert CaseChange.objects.filter(site_id=job.site_id).exists()

    case_opening.reconsider_changed_sites(at=flow.clock.at, limit=10)

    case = Enrollment.objects.get(site=job.site)
    assert list(case.installations.all()) == [job]
    assert case.due_at == flow.clock.at
    assert not CaseChange.objects.exists()


def test_long_sweep_leaves_the_rest_to_the_next(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [made.installation(flow.clock.at) for _ in range(3)]
    reconsider_site = case_opening.reconsider_site

    def look_slowly(*, site_id: int, at: datetime) -> Enrollment | None:
        time.sleep(0.05)
        return reconsider_site(site_id=site_id, at=at)

    monkeypatch.setattr(case_opening, "reconsider_site", look_slowly)
    decided_once = [
        case_opening.reconsider_changed_sites(at=flow.clock.at, limit=10, within_seconds=0.02) for _ in range(4)
    ]

    assert decided_once == [1, 1, 1, 0]
    assert Enrollment.objects.filter(site__in=[job.site_id for job in jobs]).count() == 3


def test_case_opened_simultaneously_by_another_worker_is_found(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    job = made.installation(flow.clock.at)
    look = case_opening._installations_without_case

    def look_after_the_other(site_id: int) -> list[Installation]:
        monkeypatch.undo()
        case_opening.reconsider_site(site_id=site_id, at=flow.clock.at)
        return look(site_id)

    monkeypatch.setattr(case_opening, "_installations_without_case", look_after_the_other)

    case = case_opening.reconsider_site(site_id=job.site_id, at=flow.clock.at)

    assert case == Enrollment.objects.get(site_id=job.site_id)


def test_solar_and_battery_of_one_site_share_one_case(flow: Flow) -> None:
    solar = made.installation(flow.clock.at)
    case_opening.reconsider_site(site_id=solar.site_id, at=flow.clock.at)
    battery = made.installation(flow.clock.at, customer=solar.customer, site=solar.site, kind=HardwareKind.BATTERY)

    case_opening.reconsider_site(site_id=solar.site_id, at=flow.clock.at)
    case_opening.reconsider_site(site_id=solar.site_id, at=flow.clock.at)

    case = Enrollment.objects.get(site=solar.site)
    assert set(case.installations.all()) == {solar, battery}


def _decline(poa: PoaDocument, at: datetime) -> None:
    poa_actions.decline_poa(poa_id=poa.pk, by=Actor.customer(poa.customer.public_id), at=at)


def _void(poa: PoaDocument, at: datetime) -> None:
    poa_actions.void_poa(poa_id=poa.pk, reason="A typing error.", by=OFFICE, at=at)


def _expire(poa: PoaDocument, at: datetime) -> None:
    poa_actions.expire_poa(poa_id=poa.pk, at=at)


@pytest.mark.parametrize("end", [_decline, _void, _expire])
def test_ended_unsigned_authority_is_immediately_the_office_turn(
    flow: Flow, end: Callable[[PoaDocument, datetime], None]
) -> None:
    case = flow.case(signed=False)
    job = case.installations.get()
    poa = sent_poa(at=flow.clock.at, customer=job.customer, site=job.site)
    assert flow.run(case) == Waiting.CUSTOMER_TO_SIGN
    flow.pass_time(timedelta(days=40))

    end(poa, flow.clock.at)
    case_opening.reconsider_changed_sites(at=flow.clock.at, limit=10)
    flow.engine.advance(case.pk)

    case.refresh_from_db()
    assert case.whose_turn == HoldOwner.OFFICE


def test_canceled_sale_closes_case_and_suspends_authority(flow: Flow) -> None:
    case = flow.case()
    job = case.installations.get()
    installation_actions.cancel_installation(
        installation_id=job.pk, reason="The buyer changed their mind.", by=OFFICE, at=flow.clock.at
    )

    flow.run(case)

    assert case.status == EnrollmentStatus.ENDED
    assert PoaDocument.objects.get(site=case.site).status == PoaStatus.SUSPENDED


def test_new_poa_after_the_end_opens_a_new_case(flow: Flow) -> None:
    case = flow.case()
    closing.close_enrollment(enrollment_id=case.pk, reason="The customer moved abroad.", by=OFFICE, at=flow.clock.at)
    case_opening.reconsider_site(site_id=case.site_id, at=flow.clock.at)
    assert Enrollment.objects.filter(site=case.site).count() == 1

    flow.pass_time(timedelta(days=1))
    flow.sign(case.installations.get())
    case_opening.reconsider_site(site_id=case.site_id, at=flow.clock.at)

    assert Enrollment.objects.filter(site=case.site, status=EnrollmentStatus.OPEN).count() == 1


def test_only_a_case_without_acceptance_can_be_closed(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(hours=2))

    with pytest.raises(closing.CannotClose):
        closing.close_enrollment(enrollment_id=case.pk, reason="No more.", by=OFFICE, at=flow.clock.at)
