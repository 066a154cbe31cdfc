"""Cases that were decided before customers' codes were stored tell their customers the same as before."""

from datetime import date, datetime, timedelta
from importlib import import_module

import pytest
from django.apps import apps

from core.dates import chicago_midnight
from enrollments.decision.steps import Waiting
from enrollments.models import Enrollment
from enrollments.states import HoldCode
from tests.factories.cases import case, hold
from tests.factories.installations import AT

pytestmark = pytest.mark.django_db
UNTIL = date(2026, 3, 20)


def code_after_upgrade(enrollment: Enrollment, next_step: str, due_at: datetime | None = None) -> Enrollment:
    Enrollment.objects.filter(pk=enrollment.pk).update(
        customer_code="", customer_until_date=None, next_step=next_step, due_at=due_at
    )
    step = import_module("enrollments.migrations.0024_stored_customer_state")
    step.tell_customers_what_is_stored(apps, None)
    enrollment.refresh_from_db()
    return enrollment


@pytest.mark.parametrize(
    ("next_step", "code"),
    [
        (Waiting.CUSTOMER_TO_SIGN, "CUSTOMER_TO_SIGN"),
        (Waiting.LIGHT_TO_FINISH, "PREPARING"),
        (Waiting.BACKING_OFF, ""),
        ("FINISHED", ""),
    ],
)
def test_waiting_case_keeps_its_words(next_step: str, code: str) -> None:
    assert code_after_upgrade(case(), next_step).customer_code == code


@pytest.mark.parametrize(("held_for", "code"), [(HoldCode.NO_PLANS, "NO_PLANS"), (HoldCode.WRONG_DIALECT, "CHECKING")])
def test_held_case_keeps_its_words(held_for: HoldCode, code: str) -> None:
    enrollment = case()
    hold(enrollment, at=AT, code=held_for)

    assert code_after_upgrade(enrollment, "HOLD").customer_code == code


@pytest.mark.parametrize(
    ("next_step", "day"), [(Waiting.START_TOO_FAR, UNTIL), (Waiting.EMBARGO, UNTIL - timedelta(days=1))]
)
def test_day_that_the_page_names_is_kept(next_step: str, day: date) -> None:
    assert code_after_upgrade(case(), next_step, chicago_midnight(UNTIL)).customer_until_date == day
