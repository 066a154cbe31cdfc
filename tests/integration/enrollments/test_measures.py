"""The figures behind the alarms, from real cases, with a constant number of queries."""

from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from core.clock import now
from core.dates import chicago_day
from core.queue import TaskName
from core.sweep_times import note_backup, note_sweep
from enrollments import tasks
from enrollments.actions.system_holds import hold_writes
from enrollments.engine import wiring
from enrollments.light.client import LightClient
from enrollments.light.documents import DocumentFetcher, DocumentNotFetched
from enrollments.light.errors import LightError
from enrollments.models import Difference, Enrollment, ReconciliationRun, WebhookDelivery
from enrollments.monitoring.alarms import READINESS_ALARMS, AlarmCode, alarms
from enrollments.monitoring.measures import SWEEPS, measure
from enrollments.states import DifferenceKind, EnrollmentStatus, HoldCode
from installations import tasks as proof_tasks
from poa_documents import tasks as poa_tasks
from tests.contract.scripted_light import Script, answer, close_connection, scripted_light
from tests.factories.cases import case
from tests.factories.poa_documents import sealing_poa
from tests.integration.enrollments.flow import OFFICE, Flow

pytestmark = pytest.mark.one_dialect


def raised(flow: Flow) -> set[AlarmCode]:
    now = flow.clock.at
    return {alarm.code for alarm in alarms(measure(now=now), now=now)}


def sweep(flow: Flow) -> None:
    for task in SWEEPS:
        note_sweep(task, at=flow.clock.at)


def test_case_in_progress_raises_nothing(flow: Flow) -> None:
    sweep(flow)
    flow.run(flow.case())

    assert raised(flow) == set()


def test_completed_and_refused_acceptances_are_counted(flow: Flow) -> None:
    good, bad = flow.case(), flow.case()
    for each in (good, bad):
        flow.run(each)
        flow.finish_at_light(each)
        flow.report_pto(each)
    flow.simulator.control.inject_fault("accept", "unprocessable", account_uuid=str(bad.light_account_uuid))
    for each in (good, bad):
        flow.live(each, timedelta(hours=2))

    numbers = measure(now=flow.clock.at)

    assert good.status == EnrollmentStatus.FINALIZED
    assert (numbers.accepted_in_a_day, numbers.failed_acceptances_in_a_day) == (1, 1)
    assert measure(now=flow.clock.at + timedelta(days=2)).accepted_in_a_day == 0


def changed_account(flow: Flow) -> None:
    """An account whose change no webhook reported: a scheduled reading found it."""
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.pass_time(timedelta(hours=2))
    flow.run(case)


def receive_webhook(flow: Flow, key: str) -> None:
    WebhookDelivery.objects.create(
        event_key=key, body="{}", received_at=flow.clock.at, settled_at=flow.clock.at, outcome="nothing to do"
    )


def test_change_without_webhook_is_noticed_until_one_comes(flow: Flow) -> None:
    receive_webhook(flow, "from before")
    changed_account(flow)
    flow.pass_time(timedelta(hours=23))
    sweep(flow)
    assert raised(flow) == set()

    flow.pass_time(timedelta(hours=2))
    sweep(flow)
    assert raised(flow) == {AlarmCode.NO_WEBHOOKS}

    receive_webhook(flow, "after")
    assert raised(flow) == set()


def test_quiet_week_after_a_reported_change_raises_nothing(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.pass_time(timedelta(hours=2))
    receive_webhook(flow, "it changed")
    flow.run(case)

    flow.pass_time(timedelta(days=3))
    sweep(flow)

    assert AlarmCode.NO_WEBHOOKS not in raised(flow)


def test_approaching_last_day_to_act_is_noticed(flow: Flow) -> None:
    waiting = flow.case()
    flow.report_pto(waiting)
    flow.run(waiting)
    sweep(flow)
    assert waiting.act_by_date is not None
    assert raised(flow) == set()

    Enrollment.objects.filter(pk=waiting.pk).update(act_by_date=flow.clock.at.date() + timedelta(days=2))

    assert raised(flow) == {AlarmCode.WINDOWS_CLOSING}


def test_held_cases_last_day_is_noticed_until_it_passes(flow: Flow) -> None:
    """A person must notice these cases in time: nothing else happens to them."""
    held = flow.case()
    flow.run(held)
    flow.finish_at_light(held)
    flow.report_pto(held)
    flow.simulator.control.inject_fault("accept", "unprocessable", account_uuid=str(held.light_account_uuid))
    flow.live(held, timedelta(hours=2))
    assert held.holds.get().code == HoldCode.REFUSED_BY_LIGHT
    assert held.act_by_date == held.holds.get().act_by_date is not None

    flow.run(held)
    assert held.act_by_date is not None
    left = held.act_by_date - chicago_day(flow.clock.at)

    rings = {}
    for days_before in (4, 3, 0, -1):
        numbers = measure(now=flow.clock.at + left - timedelta(days=days_before))
        rings[days_before] = numbers.windows_closing

    assert rings == {4: 0, 3: 1, 0: 1, -1: 0}


def test_unclaimed_cases_are_noticed(flow: Flow) -> None:
    flow.case()
    flow.pass_time(timedelta(minutes=5))
    sweep(flow)

    numbers = measure(now=flow.clock.at)

    assert numbers.due_cases == 1
    assert raised(flow) == {AlarmCode.QUEUE_BACKLOG}


def test_system_hold_is_shown(flow: Flow) -> None:
    hold_writes(reason="The provider moves.", by=OFFICE, at=flow.clock.at)

    assert raised(flow) == {AlarmCode.WRITES_STOPPED}


def test_last_runs_differences_count_unless_they_settle_automatically(flow: Flow) -> None:
    old, new = (
        ReconciliationRun.objects.create(started_at=at, finished_at=at, started_by="system")
        for at in (flow.clock.at - timedelta(days=1), flow.clock.at)
    )
    Difference.objects.create(run=old, kind=DifferenceKind.NOT_SHOWN_AT_LIGHT, repair="x")
    Difference.objects.create(run=new, kind=DifferenceKind.UNDER_WAY, repair="x")
    assert measure(now=flow.clock.at).differences == 0

    Difference.objects.create(run=new, kind=DifferenceKind.ENDED_AT_LIGHT, repair="x")

    assert measure(now=flow.clock.at).differences == 1


def test_failing_seal_is_counted(db: None) -> None:
    poa = sealing_poa()
    type(poa).objects.filter(pk=poa.pk).update(seal_failures=2)
    assert poa.signed_at is not None

    assert measure(now=poa.signed_at).failing_seals == 1


@pytest.mark.django_db
def test_every_sweep_records_its_run() -> None:
    tasks.sweep_enrollments_task()
    poa_tasks.sweep_poas_task()
    proof_tasks.sweep_proofs_task()
    tasks.sweep_enrollments_task()

    assert all(measure(now=now()).swept_at.values())
    assert (
        set(measure(now=now()).swept_at)
        == {task.value for task in SWEEPS}
        == {name.value for name in TaskName if name.value.endswith(("sweep", "sweep_proofs"))}
    )


def test_query_count_does_not_grow_with_cases(flow: Flow) -> None:
    with CaptureQueriesContext(connection) as without_cases:
        measure(now=flow.clock.at)
    for _ in range(3):
        case()
    with CaptureQueriesContext(connection) as with_cases:
        measure(now=flow.clock.at)

    assert len(with_cases) == len(without_cases)


def test_missing_recent_backup_is_reported(flow: Flow, settings: Settings) -> None:
    settings.BACKUP_ALARM_DAYS = 2
    flow.case()
    sweep(flow)
    assert AlarmCode.NO_BACKUP not in raised(flow)

    flow.pass_time(timedelta(days=3))
    assert AlarmCode.NO_BACKUP in raised(flow)

    note_backup(at=flow.clock.at)
    assert AlarmCode.NO_BACKUP not in raised(flow)


def test_backups_are_not_expected_without_the_setting(flow: Flow, settings: Settings) -> None:
    settings.BACKUP_ALARM_DAYS = 0
    flow.case()
    flow.pass_time(timedelta(days=30))

    assert AlarmCode.NO_BACKUP not in raised(flow)


def calls(*scripts: Script, case_numbers: tuple[int | None, ...] = (None,)) -> None:
    """Call Light for each case in turn, recorded as workers record their calls."""
    with scripted_light() as light:
        light.will(*scripts)
        for number in case_numbers:
            token = wiring.current_enrollment_id.set(number)
            with (
                LightClient(
                    base_url=light.base_url, app_token="app", observe=wiring._record_call, pause=lambda _seconds: None
                ) as client,
                suppress(LightError),
            ):
                client.ping()
            wiring.current_enrollment_id.reset(token)


@pytest.mark.django_db
def test_silent_light_is_reported_until_one_answer() -> None:
    calls(close_connection, answer(503), close_connection)

    numbers = measure(now=now())
    [alarm] = [alarm for alarm in alarms(numbers, now=now()) if alarm.code == AlarmCode.LIGHT_UNREACHABLE]
    assert "Failed calls: 3" in alarm.text
    assert AlarmCode.LIGHT_UNREACHABLE in READINESS_ALARMS

    calls(answer(404))

    assert measure(now=now()).calls_failing_since is None


@pytest.mark.parametrize(("cases", "is_told"), [(2, True), (1, False)])
def test_light_refusing_every_call_is_reported(flow: Flow, cases: int, *, is_told: bool) -> None:
    numbers = tuple(flow.case().pk for _ in range(cases)) * 2

    calls(*[answer(401)] * len(numbers), case_numbers=numbers)

    found = {alarm.code for alarm in alarms(measure(now=now()), now=now())}
    assert (AlarmCode.LIGHT_REFUSES in found) is is_told


@pytest.mark.django_db
def test_unreachable_plan_documents_do_not_count_as_light() -> None:
    fetcher = DocumentFetcher(allowed_origins=["http://127.0.0.1:1"], observe=wiring._record_call)
    for _ in range(3):
        with suppress(DocumentNotFetched):
            fetcher.fetch("http://127.0.0.1:1/efl.pdf")

    assert measure(now=now()).calls_unanswered == 0
