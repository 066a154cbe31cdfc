"""Each alarm is raised by its own cause, and by nothing else."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from enrollments.monitoring.alarms import READINESS_ALARMS, AlarmCode, Numbers, alarms

NOW = datetime(2026, 3, 5, 18, tzinfo=UTC)
DAY = timedelta(days=1)
QUIET = Numbers(
    expects_webhooks=True,
    last_webhook_at=NOW - timedelta(hours=3),
    unreported_change_at=NOW - timedelta(hours=23),
    due_cases=4,
    oldest_due_at=NOW - timedelta(seconds=20),
    unfinished_cases=9,
    accepted_in_a_day=30,
    failed_acceptances_in_a_day=2,
    swept_at={"enrollments.sweep": NOW - timedelta(seconds=7), "poa_documents.sweep": NOW},
    paused_since=NOW - timedelta(hours=2),
    reconciled_at=NOW - DAY,
    oldest_account_at=NOW - 40 * DAY,
    seal_key_ends_at=NOW + 61 * DAY,
)
RAISED = {
    AlarmCode.WRITES_STOPPED: replace(QUIET, writes_stopped_because="A restore."),
    AlarmCode.SWEEPS_STOPPED: replace(QUIET, swept_at={**QUIET.swept_at, "enrollments.sweep": NOW - DAY}),
    AlarmCode.LIGHT_UNREACHABLE: replace(QUIET, calls_unanswered=3, calls_failing_since=NOW),
    AlarmCode.LIGHT_REFUSES: replace(QUIET, calls_refused=3, cases_refused=2, calls_failing_since=NOW),
    AlarmCode.CLOCK_WRONG: replace(QUIET, clock_drift=("The clock of “one” is 2 h 0 min ahead of that of Light.",)),
    AlarmCode.QUEUE_UNAVAILABLE: replace(QUIET, worked_without_queue_at=NOW - timedelta(seconds=10)),
    AlarmCode.QUEUE_BACKLOG: replace(QUIET, oldest_due_at=NOW - timedelta(minutes=3)),
    AlarmCode.NO_WEBHOOKS: replace(QUIET, unreported_change_at=NOW - timedelta(hours=25)),
    AlarmCode.ACCEPTANCES_FAILING: replace(QUIET, failed_acceptances_in_a_day=3, accepted_in_a_day=3),
    AlarmCode.WINDOWS_CLOSING: replace(QUIET, windows_closing=2, first_window_closes=date(2026, 3, 7)),
    AlarmCode.SEALS_FAILING: replace(QUIET, failing_seals=1),
    AlarmCode.CHANGES_NOT_PROCESSED: replace(QUIET, oldest_change_at=NOW - timedelta(minutes=3)),
    AlarmCode.PROOFS_NOT_STORED: replace(QUIET, unstored_proofs=1),
    AlarmCode.DIFFERENCES_AT_LIGHT: replace(QUIET, differences=1),
    AlarmCode.NOT_RECONCILED: replace(QUIET, reconciled_at=NOW - 3 * DAY),
    AlarmCode.PAUSED_TOO_LONG: replace(QUIET, paused_since=NOW - 2 * DAY),
    AlarmCode.SEAL_KEY_UNUSABLE: replace(QUIET, seal_key_problem="POA_SEAL_KEY_FILE names no key."),
    AlarmCode.SEAL_KEY_EXPIRING: replace(QUIET, seal_key_ends_at=NOW + 60 * DAY),
    AlarmCode.SEAL_ISSUER_UNANSWERED: replace(QUIET, seal_unanswered_because="its issuer has not answered yet"),
    AlarmCode.PLAN_DOCUMENTS_MISSING: replace(QUIET, plan_documents_given_up=3),
    AlarmCode.DOCUMENTS_DAMAGED: replace(QUIET, damaged_documents=1),
    AlarmCode.JOURNAL_BROKEN: replace(QUIET, journal_problem="POA 7: Entry 3 (seal) was altered."),
    AlarmCode.NO_BACKUP: replace(QUIET, backed_up_at=NOW - 3 * DAY, backup_expected_days=2),
    AlarmCode.API_KEYS_EXPIRING: replace(QUIET, api_clients_running_out=("Sales CRM",)),
    AlarmCode.JOURNAL_NOT_ANCHORED: replace(QUIET, journal_unanchored_since=NOW - 3 * DAY),
}


def raised(numbers: Numbers) -> list[AlarmCode]:
    return [alarm.code for alarm in alarms(numbers, now=NOW)]


def test_quiet_day_raises_nothing() -> None:
    assert raised(QUIET) == []
    assert raised(Numbers()) == []


@pytest.mark.parametrize("code", AlarmCode)
def test_every_alarm_is_raised_and_says_what_to_do(code: AlarmCode) -> None:
    [alarm] = alarms(RAISED[code], now=NOW)

    assert alarm.code == code
    assert alarm.text.endswith(".")
    assert alarm.advice.endswith(".")


def test_sweeps_that_never_ran_are_silent_with_work() -> None:
    never = replace(QUIET, swept_at={"enrollments.sweep": None})

    assert raised(never) == [AlarmCode.SWEEPS_STOPPED]
    assert raised(replace(never, unfinished_cases=0)) == []


def test_webhook_silence_counts_only_where_webhooks_are_expected() -> None:
    silent = replace(QUIET, unreported_change_at=NOW - 2 * DAY)

    assert raised(silent) == [AlarmCode.NO_WEBHOOKS]
    assert raised(replace(silent, expects_webhooks=False)) == []


def test_few_failures_among_many_acceptances_are_no_alarm() -> None:
    assert raised(replace(QUIET, failed_acceptances_in_a_day=29, accepted_in_a_day=30)) == []
    assert raised(replace(QUIET, failed_acceptances_in_a_day=2, accepted_in_a_day=0)) == []


def test_new_system_has_two_days_to_be_reconciled() -> None:
    assert raised(replace(QUIET, reconciled_at=None, oldest_account_at=NOW - DAY)) == []
    assert raised(replace(QUIET, reconciled_at=None)) == [AlarmCode.NOT_RECONCILED]


def test_readiness_reports_processes_and_not_cases() -> None:
    assert AlarmCode.SWEEPS_STOPPED in READINESS_ALARMS
    assert AlarmCode.WINDOWS_CLOSING not in READINESS_ALARMS


def test_runbook_covers_every_alarm() -> None:
    page = (Path(__file__).parents[3] / "docs/runbooks/alarms.md").read_text()

    assert [code for code in AlarmCode if f"| `{code}` |" not in page] == []
