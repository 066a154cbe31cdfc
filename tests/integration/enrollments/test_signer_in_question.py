"""No account is opened at Light for a signature, or with an address, that the customer has not proven."""

from datetime import timedelta
from uuid import UUID

import pytest

from core.actors import Actor
from enrollments.decision.steps import Waiting
from enrollments.models import Enrollment, LightWrite
from enrollments.states import HoldOwner
from poa_documents import actions, signer_doubts
from tests.factories.company import set_company_rules
from tests.integration.enrollments.flow import Flow

pytestmark = pytest.mark.one_dialect

SECOND = Actor.staff(UUID(int=2))


def call_back(flow: Flow, case: Enrollment) -> None:
    number = signer_doubts.trusted_phone(case.customer)
    actions.record_call_back(
        customer_id=case.customer_id,
        number=number,
        number_from="The signed hardware contract.",
        confirmed="The customer: yes, both.",
        by=SECOND,
        at=flow.clock.at,
    )


def test_changed_address_allows_nothing_until_the_callback(flow: Flow) -> None:
    case = flow.case()
    flow.correct_address(case, "new.address@example.net")

    assert flow.run(case) == Waiting.SIGNER_TO_BE_VERIFIED
    assert not LightWrite.objects.exists()
    assert case.whose_turn == HoldOwner.OFFICE

    call_back(flow, case)
    flow.run(case)

    assert case.light_account_uuid is not None


def test_change_after_opening_does_not_stop_the_case(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    flow.correct_address(case, "new.address@example.net")

    assert flow.run(case) != Waiting.SIGNER_TO_BE_VERIFIED


def test_second_person_setting_holds_the_first_address(flow: Flow) -> None:
    set_company_rules(call_back_for_first_address=True)
    case = flow.case()
    assert flow.run(case) == Waiting.SIGNER_TO_BE_VERIFIED
    flow.pass_time(timedelta(minutes=1))

    call_back(flow, case)
    flow.run(case)

    assert case.light_account_uuid is not None
