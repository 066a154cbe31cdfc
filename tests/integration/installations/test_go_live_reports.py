"""Go-live reports: which count, which wait, which are kept beside the current one; none is overwritten."""

import io
import threading
import uuid
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from PIL import Image

from core.actors import Actor
from core.errors import InvalidInput, ReasonMissing
from core.moves import MoveNotAllowed
from installations import actions
from installations.actions.go_live_reports import GoLiveResult
from installations.guards import ReportNotCurrent, SecondPersonRequired, SubmissionIdReused
from installations.models import GoLiveReport, GoLiveSource, HardwareKind, Installation, KeptProof
from installations.proofs import CheckedProof, check_proof
from installations.queries import current_report
from installations.states import GoLiveReportStatus, InstallationStatus
from tests.factories.company import set_company_rules
from tests.factories.installations import AT, OFFICE, SECOND_PERSON, SUBMITTED, go_live_report, installation_at

pytestmark = pytest.mark.django_db

TECHNICIAN = Actor.technician(UUID(int=7))
DAY = date(2026, 3, 4)


def photo(color: str = "white", name: str = "letter.jpg") -> CheckedProof:
    written = io.BytesIO()
    Image.new("RGB", (40, 30), color).save(written, "JPEG")
    written.seek(0)
    return check_proof(written, name=name, size_bytes=written.getbuffer().nbytes)


def report(job: Installation, **fields: Any) -> actions.GoLiveOutcome:
    return actions.report_go_live(
        **{
            "installation_id": job.pk,
            "submission_id": uuid.uuid4(),
            "granted_date": DAY,
            "source": GoLiveSource.LETTER,
            "utility_reference": "DG-1",
            "by": TECHNICIAN,
            "at": AT,
            **fields,
        }
    )


@pytest.fixture
def job() -> Installation:
    return installation_at(SUBMITTED)


def record(sent: list[dict[str, int]]) -> Callable[..., None]:
    def announce(**ids: Any) -> None:
        sent.append({"site_id": ids["site_id"]})

    return announce


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, int]]:
    sent: list[dict[str, int]] = []
    monkeypatch.setattr("installations.actions.go_live_reports.announce_case_change", record(sent))
    return sent


def test_report_with_proof_counts_immediately(job: Installation, queued: list[dict[str, int]]) -> None:
    outcome = report(job, proofs=[photo()])

    job.refresh_from_db()
    assert outcome.result == GoLiveResult.COUNTS
    assert job.status == InstallationStatus.PTO_CONFIRMED
    assert [proof.original_name for proof in outcome.report.proofs.all()] == ["letter.jpg"]
    assert not KeptProof.objects.exists()
    assert queued == [{"site_id": job.site_id}]


def test_report_without_proof_waits_for_the_office(job: Installation) -> None:
    outcome = report(job)

    job.refresh_from_db()
    assert outcome.result == GoLiveResult.AWAITING_OFFICE
    assert job.status == InstallationStatus.PTO_REPORTED


@pytest.mark.parametrize(
    ("confirmation", "proofs", "result"),
    [
        ("ALWAYS", 1, GoLiveResult.AWAITING_OFFICE),
        ("NEVER", 0, GoLiveResult.COUNTS),
        ("WITHOUT_PROOF", 1, GoLiveResult.COUNTS),
    ],
)
def test_organization_decides_what_needs_confirmation(
    job: Installation, confirmation: str, proofs: int, result: GoLiveResult
) -> None:
    set_company_rules(go_live_confirmation=confirmation)

    outcome = report(job, proofs=[photo()] * proofs)

    assert outcome.result == result


def test_office_confirms_a_waiting_report(job: Installation) -> None:
    waiting = report(job).report

    actions.confirm_go_live(report_id=waiting.pk, by=OFFICE, at=AT)

    job.refresh_from_db()
    confirmed = current_report(job.pk)
    assert confirmed is not None
    assert (confirmed.status, confirmed.confirmed_by, confirmed.confirmed_at) == ("COUNTED", f"staff:{UUID(int=1)}", AT)
    assert job.status == InstallationStatus.PTO_CONFIRMED


def test_confirming_twice_keeps_the_first_confirmation(job: Installation) -> None:
    waiting = report(job).report
    actions.confirm_go_live(report_id=waiting.pk, by=OFFICE, at=AT)

    again = actions.confirm_go_live(report_id=waiting.pk, by=Actor.staff(UUID(int=2)), at=AT + timedelta(hours=1))

    assert again.confirmed_by == f"staff:{UUID(int=1)}"


@pytest.mark.cell("U3")
def test_U3_same_form_sent_five_times_counts_once(job: Installation) -> None:
    submission_id = uuid.uuid4()

    outcomes = [report(job, submission_id=submission_id, proofs=[photo()], note="Left at the door") for _ in range(5)]

    assert {outcome.report.pk for outcome in outcomes} == {GoLiveReport.objects.get().pk}
    assert [outcome.is_repeat for outcome in outcomes] == [False, True, True, True, True]
    assert outcomes[-1].report.proofs.count() == 1
    assert not KeptProof.objects.exists()


@pytest.mark.parametrize(
    "difference",
    [
        {"granted_date": DAY - timedelta(days=1)},
        {"utility_reference": "DG-2"},
        {"note": "another"},
        {"by": Actor.technician(UUID(int=8))},
        {"proofs": [photo("black")]},
    ],
)
def test_same_submission_with_other_contents_is_refused(job: Installation, difference: dict[str, Any]) -> None:
    submission_id = uuid.uuid4()
    report(job, submission_id=submission_id, proofs=[photo()])

    with pytest.raises(SubmissionIdReused, match="already sent with different answers"):
        report(job, submission_id=submission_id, **difference)

    assert GoLiveReport.objects.count() == 1


def test_submission_of_another_job_is_refused(job: Installation) -> None:
    submission_id = uuid.uuid4()
    report(job, submission_id=submission_id)

    with pytest.raises(SubmissionIdReused):
        report(installation_at(SUBMITTED), submission_id=submission_id)


@pytest.mark.cell("U4")
def test_U4_different_date_is_kept_beside_the_current_one(job: Installation, queued: list[dict[str, int]]) -> None:
    first = report(job, granted_date=DAY).report

    second = report(job, granted_date=DAY - timedelta(days=2), proofs=[photo()])

    assert second.result == GoLiveResult.CONFLICTS
    assert second.report.compared_with == first
    assert current_report(job.pk) == first
    assert second.report.proofs.count() == 1
    assert job.events.filter(name="report_conflicting_go_live").exists()
    assert len(queued) == 2


def test_second_report_with_the_same_date_agrees(job: Installation) -> None:
    first = go_live_report(job, granted_date=DAY)

    second = report(job, proofs=[photo()])

    assert second.result == GoLiveResult.AGREES
    assert second.report.compared_with == first
    assert current_report(job.pk) == first


def test_second_report_with_proof_lets_a_waiting_one_count(job: Installation) -> None:
    waiting = report(job).report

    second = report(job, proofs=[photo()])

    job.refresh_from_db()
    waiting.refresh_from_db()
    assert second.result == GoLiveResult.COUNTS
    assert (waiting.status, waiting.compared_with) == (GoLiveReportStatus.AGREEING, second.report)
    assert job.status == InstallationStatus.PTO_CONFIRMED


def test_office_settles_a_conflict_for_the_other_report(job: Installation) -> None:
    first = go_live_report(job, granted_date=DAY)
    other = report(job, granted_date=DAY - timedelta(days=2)).report

    actions.confirm_go_live(report_id=other.pk, by=OFFICE, at=AT, reason="The letter says March 2.")

    first.refresh_from_db()
    other.refresh_from_db()
    assert current_report(job.pk) == other
    assert (first.status, first.closing_reason) == (GoLiveReportStatus.CORRECTED, "The letter says March 2.")
    assert (other.corrects, other.compared_with) == (first, None)


def test_conflict_is_not_settled_without_a_reason(job: Installation) -> None:
    go_live_report(job, granted_date=DAY)
    other = report(job, granted_date=DAY - timedelta(days=2)).report

    with pytest.raises(ReasonMissing):
        actions.confirm_go_live(report_id=other.pk, by=OFFICE, at=AT)

    other.refresh_from_db()
    assert other.status == GoLiveReportStatus.CONFLICTING


def test_correction_is_a_new_report_and_keeps_the_old_one(job: Installation) -> None:
    wrong = report(job).report
    agreeing = report(job).report

    right = actions.correct_go_live(
        report_id=wrong.pk,
        submission_id=uuid.uuid4(),
        granted_date=DAY - timedelta(days=3),
        source=GoLiveSource.PORTAL,
        utility_reference="DG-9",
        reason="Read the wrong line.",
        by=OFFICE,
        at=AT,
    )

    job.refresh_from_db()
    wrong.refresh_from_db()
    agreeing.refresh_from_db()
    assert (wrong.status, wrong.granted_date, wrong.closing_reason) == ("CORRECTED", DAY, "Read the wrong line.")
    assert (right.corrects, right.status, current_report(job.pk)) == (wrong, "AWAITING_OFFICE", right)
    assert (agreeing.status, agreeing.compared_with) == (GoLiveReportStatus.CONFLICTING, right)
    assert job.status == InstallationStatus.PTO_REPORTED


def correct(wrong: GoLiveReport, **fields: Any) -> GoLiveReport:
    return actions.correct_go_live(
        **{
            "report_id": wrong.pk,
            "submission_id": uuid.uuid4(),
            "granted_date": DAY - timedelta(days=3),
            "source": GoLiveSource.PORTAL,
            "utility_reference": "DG-9",
            "reason": "Read the wrong line.",
            "by": OFFICE,
            "at": AT,
            **fields,
        }
    )


def test_office_report_without_proof_needs_a_second_person(job: Installation) -> None:
    outcome = report(job, by=OFFICE)
    assert outcome.result == GoLiveResult.AWAITING_OFFICE

    with pytest.raises(SecondPersonRequired):
        actions.confirm_go_live(report_id=outcome.report.pk, by=OFFICE, at=AT)
    confirmed = actions.confirm_go_live(report_id=outcome.report.pk, by=SECOND_PERSON, at=AT)

    assert (confirmed.status, confirmed.confirmed_by) == ("COUNTED", f"staff:{UUID(int=2)}")


@pytest.mark.parametrize("other_hat", [Actor.technician(UUID(int=1)), Actor.client_system(UUID(int=1))])
def test_one_account_cannot_confirm_under_another_name(job: Installation, other_hat: Actor) -> None:
    waiting = report(job, by=other_hat).report

    with pytest.raises(SecondPersonRequired):
        actions.confirm_go_live(report_id=waiting.pk, by=OFFICE, at=AT)


def test_office_report_with_proof_counts_immediately(job: Installation) -> None:
    assert report(job, by=OFFICE, proofs=[photo()]).result == GoLiveResult.COUNTS


def test_correction_without_proof_reverts_go_live_until_confirmed(job: Installation) -> None:
    wrong = go_live_report(job)

    right = correct(wrong)

    job.refresh_from_db()
    assert (right.status, job.status) == ("AWAITING_OFFICE", InstallationStatus.PTO_REPORTED)
    actions.confirm_go_live(report_id=right.pk, by=SECOND_PERSON, at=AT)
    job.refresh_from_db()
    assert job.status == InstallationStatus.PTO_CONFIRMED


def test_correction_counts_on_the_same_proof(job: Installation) -> None:
    wrong = report(job, proofs=[photo()]).report

    assert correct(wrong).status == "COUNTED"


def test_correcting_an_own_report_cannot_confirm_it(job: Installation) -> None:
    right = correct(report(job, by=OFFICE).report)

    assert right.status == "AWAITING_OFFICE"
    with pytest.raises(SecondPersonRequired):
        actions.confirm_go_live(report_id=right.pk, by=OFFICE, at=AT)


def test_superseded_report_cannot_be_corrected_again(job: Installation) -> None:
    wrong = go_live_report(job)
    fields: dict[str, Any] = {
        "source": GoLiveSource.LETTER,
        "utility_reference": "A",
        "reason": "Typo",
        "by": OFFICE,
        "at": AT,
    }
    actions.correct_go_live(report_id=wrong.pk, submission_id=uuid.uuid4(), granted_date=DAY, **fields)

    with pytest.raises(ReportNotCurrent, match="corrected by a later report"):
        actions.correct_go_live(report_id=wrong.pk, submission_id=uuid.uuid4(), granted_date=DAY, **fields)


def test_refused_correction_leaves_the_report_unchanged(job: Installation) -> None:
    wrong = go_live_report(job)

    with pytest.raises(InvalidInput, match="is in the future"):
        actions.correct_go_live(
            report_id=wrong.pk,
            submission_id=uuid.uuid4(),
            granted_date=date(2027, 1, 1),
            source=GoLiveSource.LETTER,
            utility_reference="A",
            reason="Typo",
            by=OFFICE,
            at=AT,
        )

    assert current_report(job.pk) == wrong


@pytest.mark.parametrize(
    ("kind", "status"),
    [(HardwareKind.SOLAR, SUBMITTED), (HardwareKind.EV_CHARGER, InstallationStatus.INSTALLED)],
)
def test_withdrawal_reverts_the_installation(
    kind: HardwareKind, status: InstallationStatus, queued: list[dict[str, int]]
) -> None:
    job = installation_at(InstallationStatus.PTO_CONFIRMED, kind=kind)
    withdrawn = current_report(job.pk)
    assert withdrawn is not None

    actions.withdraw_go_live(report_id=withdrawn.pk, reason="The utility took it back.", by=OFFICE, at=AT)

    job.refresh_from_db()
    assert current_report(job.pk) is None
    assert job.status == status
    assert job.events.filter(reason="The utility took it back.", new_status=status).exists()
    assert queued[-1] == {"site_id": job.site_id}


def test_withdrawing_a_conflicting_report_leaves_the_current_one(job: Installation) -> None:
    first = go_live_report(job, granted_date=DAY)
    other = report(job, granted_date=DAY - timedelta(days=2)).report

    actions.withdraw_go_live(report_id=other.pk, reason="Another job's letter.", by=OFFICE, at=AT)

    job.refresh_from_db()
    assert current_report(job.pk) == first
    assert job.status == InstallationStatus.PTO_CONFIRMED


def test_withdrawal_needs_a_reason(job: Installation) -> None:
    counted = go_live_report(job)

    with pytest.raises(ReasonMissing):
        actions.withdraw_go_live(report_id=counted.pk, reason="  ", by=OFFICE, at=AT)

    assert current_report(job.pk) == counted


def test_new_report_is_possible_after_a_withdrawal(job: Installation) -> None:
    counted = go_live_report(job)
    actions.withdraw_go_live(report_id=counted.pk, reason="Wrong house.", by=OFFICE, at=AT)

    again = report(job, proofs=[photo()])

    job.refresh_from_db()
    assert again.result == GoLiveResult.COUNTS
    assert job.status == InstallationStatus.PTO_CONFIRMED


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"granted_date": date(2026, 3, 6)}, "granted_date"),
        ({"granted_date": date(2025, 1, 1)}, "granted_date"),
        ({"utility_reference": " "}, "utility_reference"),
        ({"utility_reference": "x" * 61}, "utility_reference"),
        ({"source": "RUMOR"}, "source"),
        ({"source": GoLiveSource.ON_SITE}, "source"),
    ],
)
def test_wrong_report_names_the_field_and_keeps_the_photo(
    job: Installation, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        report(job, proofs=[photo()], **fields)

    assert set(refused.value.problems) == {field}
    assert not GoLiveReport.objects.exists()
    assert KeptProof.objects.get().original_name == "letter.jpg"


def test_corrected_form_reuses_the_kept_photo(job: Installation) -> None:
    submission_id = uuid.uuid4()
    with pytest.raises(InvalidInput):
        report(job, submission_id=submission_id, granted_date=date(2026, 3, 6), proofs=[photo()])

    outcome = report(job, submission_id=submission_id)

    assert outcome.result == GoLiveResult.COUNTS
    assert outcome.report.proofs.get().original_name == "letter.jpg"


def test_late_evening_report_is_not_in_the_future(job: Installation) -> None:
    just_before_midnight_utc_next_day = AT.replace(day=6, hour=5, minute=30)

    outcome = report(job, granted_date=date(2026, 3, 5), at=just_before_midnight_utc_next_day)

    assert outcome.report.granted_date == date(2026, 3, 5)
    with pytest.raises(InvalidInput):
        report(installation_at(SUBMITTED), granted_date=date(2026, 3, 6), at=just_before_midnight_utc_next_day)


def test_on_site_charger_needs_no_utility_reference() -> None:
    charger = installation_at(InstallationStatus.INSTALLED, kind=HardwareKind.EV_CHARGER)

    outcome = report(charger, source=GoLiveSource.ON_SITE, utility_reference="", proofs=[photo()])

    assert outcome.result == GoLiveResult.COUNTS


def test_canceled_job_accepts_no_report() -> None:
    job = installation_at(InstallationStatus.CANCELLED)

    with pytest.raises(MoveNotAllowed):
        report(job)

    assert not GoLiveReport.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
def test_P4_same_form_sent_simultaneously_counts_once() -> None:
    job = installation_at(SUBMITTED)
    submission_id, proof = uuid.uuid4(), photo()
    outcomes: list[actions.GoLiveOutcome] = []
    barrier = threading.Barrier(5)

    def send() -> None:
        barrier.wait()
        try:
            outcomes.append(report(job, submission_id=submission_id, proofs=[proof]))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(outcomes) == 5
    assert sum(not outcome.is_repeat for outcome in outcomes) == 1
    assert GoLiveReport.objects.get().proofs.count() == 1
    assert not KeptProof.objects.exists()


@pytest.mark.cell("U4")
@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
def test_U4_simultaneous_different_dates_leave_one_current() -> None:
    job = installation_at(SUBMITTED)
    results: list[GoLiveResult] = []
    barrier = threading.Barrier(2)

    def send(by: Actor, granted_date: date) -> None:
        barrier.wait()
        try:
            results.append(report(job, by=by, granted_date=granted_date, proofs=[photo()]).result)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=send, args=(TECHNICIAN, DAY)),
        threading.Thread(target=send, args=(OFFICE, DAY - timedelta(days=3))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == [GoLiveResult.CONFLICTS, GoLiveResult.COUNTS]
    assert GoLiveReport.objects.count() == 2
    assert current_report(job.pk) is not None
