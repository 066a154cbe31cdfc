"""One case can be followed in the log from sale to active service by its number, and an idle system logs little."""

import io
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
from django.conf import settings

from config.celery import app
from core.queue import TaskName
from enrollments.states import EnrollmentStatus
from operations.log_redaction import LINE_FORMAT, RedactingFormatter
from poa_documents.models import CustomerMail
from tests.integration.enrollments.flow import Flow

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_dialect]
IDLE_HOUR_LINES = 60


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the terminal would show: production's log levels and format."""
    shown = io.StringIO()
    handler = logging.StreamHandler(shown)
    handler.setFormatter(RedactingFormatter(LINE_FORMAT, style="{"))
    root, levels = logging.getLogger(), dict[str, int]()
    logging_settings = cast(Any, settings.LOGGING)
    for name, configured in {**logging_settings["loggers"], "": logging_settings["root"]}.items():
        levels[name] = logging.getLogger(name).level
        logging.getLogger(name).setLevel(configured["level"])
    root.addHandler(handler)
    yield shown
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def run_task(name: TaskName, **kwargs: int) -> None:
    """Run a task as a worker does, with the signals around it."""
    app.tasks[name.value].apply(kwargs=kwargs, throw=True)


def lines_about(shown: io.StringIO, case: int) -> list[str]:
    return [line for line in shown.getvalue().splitlines() if line.endswith(f"[case {case}]")]


def test_log_follows_one_case_to_active_service(flow: Flow, written: io.StringIO) -> None:
    case, other = flow.case(), flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(days=40), until=lambda: case.status == EnrollmentStatus.ACTIVE)

    lines = "\n".join(lines_about(written, case.pk))

    expected = (
        "cases: open, by system",
        "cases: POA ",
        "ACCEPTING → ACCEPTED",
        "ACCEPTED → FINALIZED",
        "FINALIZED → ACTIVE",
    )
    places = [lines.find(words) for words in expected]
    assert -1 not in places, lines
    assert places[2:] == sorted(places[2:])
    assert "Installation " in lines
    assert not any("ACTIVE" in line for line in lines_about(written, other.pk))


def test_task_log_names_its_case(flow: Flow, written: io.StringIO) -> None:
    case = flow.case()
    flow.run(case)
    mail = CustomerMail.objects.filter(poa__site=case.site).earliest("pk")

    run_task(TaskName.SEND_MAIL, mail_id=mail.pk)
    run_task(TaskName.SEAL_POA, poa_id=mail.poa_id)
    run_task(TaskName.CASE_CHANGED, site_id=case.site_id)

    about = [line.partition(": ")[0].rpartition(" ")[2] for line in lines_about(written, case.pk) if " tasks: " in line]
    told = "\n".join(lines_about(written, case.pk))
    assert len(about) == 3
    assert f"tasks: poa_documents.send_mail mail {mail.pk}: " in told
    assert f"tasks: poa_documents.seal_poa poa {mail.poa_id}: " in told


def test_idle_hour_logs_little(flow: Flow, written: io.StringIO) -> None:
    sweeps = (TaskName.SWEEP_PROOFS, TaskName.SWEEP_POAS, TaskName.SWEEP_ENROLLMENTS)
    rounds = 3600 // settings.SWEEP_SECONDS
    for task in sweeps:
        run_task(task)
    written.truncate(0)
    written.seek(0)

    for task in sweeps:
        run_task(task)

    lines_a_round = len(written.getvalue().splitlines())
    hourly = sum(1 for each in settings.CELERY_BEAT_SCHEDULE.values() if each["schedule"] != settings.SWEEP_SECONDS)
    assert lines_a_round * rounds + hourly < IDLE_HOUR_LINES, written.getvalue()


def test_finished_task_leaves_no_case_in_the_log(flow: Flow, written: io.StringIO) -> None:
    case = flow.case()
    run_task(TaskName.CASE_CHANGED, site_id=case.site_id)

    logging.getLogger("elsewhere").info("Something else")

    assert written.getvalue().splitlines()[-1].endswith("Something else")
