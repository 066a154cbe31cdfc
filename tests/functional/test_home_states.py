"""The customer's home in every main state of a case, on a phone and on a desktop, in both languages."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import Error, Page, expect
from pytest_django.live_server_helper import LiveServer

from enrollments.actions.account_reading import request_reading
from enrollments.decision.steps import Waiting
from enrollments.models import AdvanceNotice, Enrollment
from enrollments.states import EnrollmentStatus
from installations.models import Language
from poa_documents.models import PoaDocument
from simulator.server import start_simulator
from tests.contract.dialects import REFERENCE
from tests.factories.company import set_company_rules
from tests.functional.accessibility import violations_on
from tests.functional.pages import enter_the_code
from tests.integration.enrollments.flow import MORNING, POLICY, Flow
from tests.integration.poa_documents.portal_visits import token_in_last_mail

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def flow(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flow]:
    running = start_simulator()
    running.control.set_now(MORNING)
    running.control.freeze_clock()
    set_company_rules(advance_notice_days=3)
    walked = Flow(running, REFERENCE, policy=replace(POLICY, notice_days=3))
    monkeypatch.setattr("core.clock.configured_clock", lambda: walked.clock)
    yield walked
    walked.light.close()
    running.stop()


@pytest.mark.parametrize("language", Language)
def test_home_is_readable_in_every_state(
    phone: Page, desktop: Page, live_server: LiveServer, flow: Flow, language: Language
) -> None:
    complaints: list[str] = []
    case = flow.case()
    case.customer.language = language
    case.customer.save()

    def look(name: str) -> None:
        complaints.extend(_look(f"{language}-{name}", phone, desktop, live_server))

    look("01-just-signed")
    flow.run(case)
    look("02-your-turn")
    request_reading(enrollment_id=case.pk, at=flow.clock.at)
    look("03-asking-light")
    flow.finish_at_light(case)
    flow.run(case)
    assert case.next_step == Waiting.GO_LIVE
    look("04-waiting")
    flow.report_pto(case)
    flow.live(case, timedelta(hours=2), until=AdvanceNotice.objects.exists)
    flow.run(case)
    look("05-announced")
    _walk_to_the_end(flow, case, look)

    assert "\n".join(complaints) == ""


def test_home_of_a_plan_that_never_began_promises_no_start(
    phone: Page, desktop: Page, live_server: LiveServer, flow: Flow
) -> None:
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(days=15), until=lambda: case.status == EnrollmentStatus.FINALIZED)
    flow.simulator.control.opt_out(str(case.light_account_uuid))
    flow.live(case, timedelta(days=2))
    assert case.status == EnrollmentStatus.ENDED

    complaints = _look("en-10-never-began", phone, desktop, live_server)

    assert complaints == []
    expect(phone.get_by_role("heading", name="Your plan was canceled before it began")).to_be_visible()
    expect(phone.get_by_text("Service starts")).not_to_be_visible()


def _look(name: str, phone: Page, desktop: Page, live_server: LiveServer) -> list[str]:
    """Open the home by the newest link on both screens; return what is wrong with them."""
    link, complaints = token_in_last_mail(), list[str]()
    for page in (phone, desktop):
        _open(page, f"{live_server.url}/portal/{link}/")
        enter_the_code(page)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        complaints += violations_on(page, f"state-{name}")
    return complaints


def _open(page: Page, address: str) -> None:
    """Open an address. The previous page may reload itself at the same moment, which aborts our navigation."""
    try:
        page.goto(address)
    except Error as problem:
        if "ERR_ABORTED" not in str(problem):
            raise
        page.goto(address)


def _walk_to_the_end(flow: Flow, case: Enrollment, look: Callable[[str], None]) -> None:
    flow.live(case, timedelta(days=15), until=lambda: case.status == EnrollmentStatus.FINALIZED)
    assert case.status == EnrollmentStatus.FINALIZED
    look("06-accepted")
    flow.live(case, timedelta(days=40), until=lambda: case.status == EnrollmentStatus.ACTIVE)
    look("07-active")
    flow.simulator.control.cancel(str(case.light_account_uuid))
    request_reading(enrollment_id=case.pk, at=flow.clock.at)
    flow.run(case)
    look("08-ending")
    flow.live(case, timedelta(days=2))
    assert case.status == EnrollmentStatus.ENDED
    look("09-ended")
    assert PoaDocument.objects.count() == 1
