"""Every screen shows the same about a case: the engine's last decision, at any time of day."""

import json
from datetime import timedelta
from html import unescape
from pathlib import Path
from uuid import UUID

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from core import clock
from core.actors import Actor
from core.admin.links import record_url
from enrollments import presenters
from enrollments.actions.holds import release_hold
from enrollments.customer_home.progress import words
from enrollments.decision.customer_message import WORKING, code_of_hold
from enrollments.decision.steps import Waiting
from enrollments.evidence_pack import contents, story
from enrollments.evidence_pack.spool import Spool
from enrollments.models import Enrollment
from enrollments.states import HoldCode, HoldOwner
from installations.models import Customer
from tests.factories.cases import StoppedClock, case, held_case, hold
from tests.factories.installations import AT, installation
from tests.factories.poa_documents import signed_poa
from tests.integration.poa_documents.portal_visits import Visit

pytestmark = pytest.mark.django_db

LATER = timedelta(days=3)
SOON = (timedelta(0), timedelta(hours=2))
SENTENCE = "This is the one sentence that was decided."


def everything_shown(office: User, enrollment: Enrollment, part: str) -> dict[str, str]:
    """Return the text of each screen of the office, white space folded, and what other systems are told."""
    client, other_system = Client(), APIClient()
    client.force_login(office)
    other_system.force_authenticate(office)
    shown = {
        "case": client.get(record_url(enrollment)).content.decode(),
        "queue": client.get(f"/admin/?part={part}").content.decode(),
    }
    told = other_system.get(f"/api/v1/enrollments/{enrollment.public_id}/").json()
    assert (told["because"], told["whose_turn"]) == (SENTENCE, Enrollment.objects.get().whose_turn)
    return {name: " ".join(unescape(text).split()) for name, text in shown.items()}


def list_shown(office: User) -> str:
    client = Client()
    client.force_login(office)
    return " ".join(unescape(client.get("/admin/enrollments/enrollment/").content.decode()).split())


def evidence_shown(enrollment: Enrollment, folder: Path) -> dict[str, str]:
    """Return what an evidence pack says about the decision: its record, and the story for people."""
    spool = Spool(folder)
    contents.collect(enrollment, spool)
    facts = dict(story.gather(enrollment, spool)["facts"])
    record = json.loads((folder / "case" / "case.json").read_text())["decision"]
    assert (record["because"], record["whose_turn"]) == (SENTENCE, enrollment.whose_turn)
    assert facts["Because"] == SENTENCE
    return facts


def signed_case() -> Enrollment:
    """A case whose customer signed and has a link to its page."""
    job = installation(AT)
    signed_poa(customer=job.customer, site=job.site, at=AT)
    return case(job=job)


def check_customers_page(enrollment: Enrollment, code: str) -> None:
    """Check that the page shows the stored decision in both languages, and none of the office's reasons."""
    visit = Visit.by_last_mail()
    for language in ("en", "es"):
        Customer.objects.filter(pk=enrollment.customer_id).update(language=language)
        page = unescape(visit.open().content.decode())
        assert words(language)[code]["title"].partition("{")[0] in page
        assert SENTENCE not in page
    Customer.objects.filter(pk=enrollment.customer_id).update(language="en")


def pass_time(monkeypatch: pytest.MonkeyPatch, passed: timedelta) -> None:
    monkeypatch.setattr(clock, "configured_clock", lambda: StoppedClock(AT + passed))


def check_held_case(office: User, enrollment: Enrollment, code: HoldCode) -> None:
    shown = everything_shown(office, enrollment, "held")
    for text in shown.values():
        assert SENTENCE in text
        assert str(code.label) in text
        assert "Office" in text
    assert f"Blocked: {code.label}" in shown["case"]
    assert "When someone acts" in shown["case"]
    assert f"Blocked: {code.label}" in list_shown(office)
    check_customers_page(enrollment, code_of_hold(code))


@pytest.mark.parametrize("code", list(HoldCode))
def test_held_case_looks_the_same_everywhere(
    office: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: HoldCode
) -> None:
    enrollment = signed_case()
    hold(enrollment, at=AT, code=code, owner=HoldOwner.OFFICE, because=SENTENCE)
    enrollment.refresh_from_db()
    facts = evidence_shown(enrollment, tmp_path)
    assert (facts["Next"], facts["Whose turn"]) == (f"Blocked: {code.label}", "Office")

    pass_time(monkeypatch, LATER)
    check_held_case(office, enrollment, code)


def waiting_case(code: Waiting) -> Enrollment:
    enrollment = signed_case()
    stored = {
        "next_step": code.value,
        "because": SENTENCE,
        "whose_turn": HoldOwner.CUSTOMER,
        "customer_code": customer_code(code),
    }
    Enrollment.objects.filter(pk=enrollment.pk).update(**stored)
    enrollment.refresh_from_db()
    return enrollment


def customer_code(code: Waiting) -> str:
    return code.value if code.value in words("en") else WORKING


def check_waiting_case(office: User, enrollment: Enrollment, code: Waiting) -> None:
    shown = everything_shown(office, enrollment, "waiting")
    for text in shown.values():
        assert SENTENCE in text
        assert presenters.reason_label(code) in text
        assert "Customer" in text
    assert f"Next: {presenters.reason_label(code)}" in shown["case"]
    assert presenters.reason_label(code) in list_shown(office)
    check_customers_page(enrollment, customer_code(code))


@pytest.mark.parametrize("code", list(Waiting))
def test_waiting_case_looks_the_same_everywhere(
    office: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: Waiting
) -> None:
    enrollment = waiting_case(code)
    facts = evidence_shown(enrollment, tmp_path)
    assert (facts["Next"], facts["Whose turn"]) == (presenters.reason_label(code), "Customer")

    pass_time(monkeypatch, LATER)
    check_waiting_case(office, enrollment, code)


@pytest.mark.parametrize("passed", SOON)
def test_decision_is_shown_alike_at_any_time(office: User, monkeypatch: pytest.MonkeyPatch, passed: timedelta) -> None:
    """No screen looks at the clock for this, so one code of each kind is enough."""
    enrollment = waiting_case(Waiting.GO_LIVE)
    pass_time(monkeypatch, passed)
    check_waiting_case(office, enrollment, Waiting.GO_LIVE)

    hold(enrollment, at=AT, code=HoldCode.OUTSIDE_LIMITS, owner=HoldOwner.OFFICE, because=SENTENCE)
    check_held_case(office, enrollment, HoldCode.OUTSIDE_LIMITS)


def test_hold_placed_outside_the_engine_is_the_stored_decision() -> None:
    enrollment = case()

    placed = hold(enrollment, at=AT, because=SENTENCE)

    enrollment.refresh_from_db()
    assert (enrollment.next_step, enrollment.because, enrollment.whose_turn) == ("HOLD", SENTENCE, placed.owner)


def test_released_hold_leaves_no_old_reason(office_client: Client) -> None:
    enrollment = held_case(because=SENTENCE)

    release_hold(hold_id=enrollment.holds.get().pk, reason="Done.", by=Actor.staff(UUID(int=1)), at=clock.now())

    enrollment.refresh_from_db()
    assert (enrollment.next_step, enrollment.because, enrollment.whose_turn) == ("", "", "")
    page = " ".join(office_client.get(record_url(enrollment)).content.decode().split())
    assert "Next: Not decided yet" in page


def test_blocked_time_counts_from_the_first_hold_for_the_reason(office: User) -> None:
    enrollment = case(AT - timedelta(days=20))
    first = hold(enrollment, at=AT - timedelta(days=18), because=SENTENCE)
    release_hold(hold_id=first.pk, reason="Tried.", by=Actor.staff(UUID(int=1)), at=AT - timedelta(hours=2))
    enrollment.refresh_from_db()
    hold(enrollment, at=AT - timedelta(minutes=7), because=SENTENCE)

    for text in everything_shown(office, enrollment, "held").values():
        assert "18 days" in text
        assert "released 1 time before" in text
