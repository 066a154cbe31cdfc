"""Nothing is opened at Light for a signature, or with an address, that the customer has not proved."""

from datetime import timedelta

from core.actors import Actor
from enrollments.decision.steps import Waiting
from enrollments.models import Enrollment, LightWrite
from enrollments.states import HoldOwner
from poa_documents import actions, signers
from tests.factories.company import company_rules_are
from tests.integration.enrollments.road import Road

SECOND = Actor.staff(2)


def call_back(road: Road, case: Enrollment) -> None:
    number = signers.trusted_number(case.customer)
    actions.record_call_back(
        customer_id=case.customer_id,
        number=number,
        number_from="The signed hardware contract.",
        confirmed="The customer: yes, both.",
        by=SECOND,
        at=road.clock.at,
    )


def test_changed_address_opens_nothing_until_the_call_back(road: Road) -> None:
    case = road.case()
    road.correct_address(case, "new.address@example.net")

    assert road.run(case) == Waiting.SIGNER_TO_BE_VERIFIED
    assert not LightWrite.objects.exists()
    assert case.whose_turn == HoldOwner.OFFICE

    call_back(road, case)
    road.run(case)

    assert case.light_account_uuid is not None


def test_change_after_opening_does_not_stop_the_case(road: Road) -> None:
    case = road.case()
    road.run(case)
    road.correct_address(case, "new.address@example.net")

    assert road.run(case) != Waiting.SIGNER_TO_BE_VERIFIED


def test_second_persons_setting_holds_the_first_address(road: Road) -> None:
    company_rules_are(call_back_for_first_address=True)
    case = road.case()
    assert road.run(case) == Waiting.SIGNER_TO_BE_VERIFIED
    road.pass_time(timedelta(minutes=1))

    call_back(road, case)
    road.run(case)

    assert case.light_account_uuid is not None
