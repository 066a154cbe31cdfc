"""
Alarms for operations. Pure, over the numbers from `measures.measure`.

An alarm is about the system as a whole. A problem with a single case is a hold.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from core.dates import chicago_time, short_date
from core.queue import TaskName
from poa_documents.seal.keys import WARN_BEFORE_END

MAX_WEBHOOK_DELAY = timedelta(days=1)
MAX_QUEUE_DELAY = timedelta(minutes=2)
MAX_SWEEP_AGE = timedelta(minutes=1)
MAX_RECONCILIATION_AGE = timedelta(days=2)
MAX_ANCHOR_AGE = timedelta(days=2)
MAX_PAUSE = timedelta(days=1)
DAYS_BEFORE_WINDOW_CLOSES = 3
SWEEP_LABELS: dict[str, str] = {
    TaskName.SWEEP_PROOFS: "go-live proofs",
    TaskName.SWEEP_POAS: "powers of attorney",
    TaskName.SWEEP_ENROLLMENTS: "enrollments",
}
MIN_FAILED_ACCEPTANCES = 3
MIN_CALLS_WITHOUT_ANSWER = 3
MAX_CLIENTS_NAMED = 5
MIN_CASES_REFUSED = 2
"""A single account may be refused for its own reason, which its case shows."""


class AlarmCode(StrEnum):
    WRITES_STOPPED = "WRITES_STOPPED"
    SWEEPS_STOPPED = "SWEEPS_STOPPED"
    QUEUE_BACKLOG = "QUEUE_BACKLOG"
    QUEUE_UNAVAILABLE = "QUEUE_UNAVAILABLE"
    CLOCK_WRONG = "CLOCK_WRONG"
    LIGHT_UNREACHABLE = "LIGHT_UNREACHABLE"
    LIGHT_REFUSES = "LIGHT_REFUSES"
    CHANGES_NOT_PROCESSED = "CHANGES_NOT_PROCESSED"
    NO_WEBHOOKS = "NO_WEBHOOKS"
    ACCEPTANCES_FAILING = "ACCEPTANCES_FAILING"
    WINDOWS_CLOSING = "WINDOWS_CLOSING"
    SEALS_FAILING = "SEALS_FAILING"
    PROOFS_NOT_STORED = "PROOFS_NOT_STORED"
    PLAN_DOCUMENTS_MISSING = "PLAN_DOCUMENTS_MISSING"
    DIFFERENCES_AT_LIGHT = "DIFFERENCES_AT_LIGHT"
    NOT_RECONCILED = "NOT_RECONCILED"
    SEAL_KEY_UNUSABLE = "SEAL_KEY_UNUSABLE"
    SEAL_KEY_EXPIRING = "SEAL_KEY_EXPIRING"
    SEAL_ISSUER_UNANSWERED = "SEAL_ISSUER_UNANSWERED"
    DOCUMENTS_DAMAGED = "DOCUMENTS_DAMAGED"
    JOURNAL_BROKEN = "JOURNAL_BROKEN"
    JOURNAL_NOT_ANCHORED = "JOURNAL_NOT_ANCHORED"
    PAUSED_TOO_LONG = "PAUSED_TOO_LONG"
    NO_BACKUP = "NO_BACKUP"
    API_KEYS_EXPIRING = "API_KEYS_EXPIRING"


READINESS_ALARMS = frozenset(
    {
        AlarmCode.WRITES_STOPPED,
        AlarmCode.SWEEPS_STOPPED,
        AlarmCode.QUEUE_BACKLOG,
        AlarmCode.QUEUE_UNAVAILABLE,
        AlarmCode.CLOCK_WRONG,
        AlarmCode.LIGHT_UNREACHABLE,
        AlarmCode.LIGHT_REFUSES,
        AlarmCode.CHANGES_NOT_PROCESSED,
        AlarmCode.SEALS_FAILING,
        AlarmCode.PROOFS_NOT_STORED,
        AlarmCode.SEAL_KEY_UNUSABLE,
        AlarmCode.SEAL_KEY_EXPIRING,
        AlarmCode.SEAL_ISSUER_UNANSWERED,
        AlarmCode.DOCUMENTS_DAMAGED,
        AlarmCode.JOURNAL_BROKEN,
        AlarmCode.JOURNAL_NOT_ANCHORED,
        AlarmCode.NO_BACKUP,
        AlarmCode.API_KEYS_EXPIRING,
    }
)
"""Alarms that the readiness probe also reports. The others are about cases and Light."""


@dataclass(frozen=True)
class Numbers:
    """Measurements of the system. An instant is None if it never happened."""

    expects_webhooks: bool = False
    last_webhook_at: datetime | None = None
    unreported_change_at: datetime | None = None
    """The first recent account change that no webhook reported."""
    due_cases: int = 0
    oldest_due_at: datetime | None = None
    oldest_change_at: datetime | None = None
    unfinished_cases: int = 0
    accepted_in_a_day: int = 0
    failed_acceptances_in_a_day: int = 0
    acceptances_in_doubt: int = 0
    windows_closing: int = 0
    first_window_closes: date | None = None
    failing_seals: int = 0
    unstored_proofs: int = 0
    plan_documents_given_up: int = 0
    unsettled_deliveries: int = 0
    swept_at: dict[str, datetime | None] = field(default_factory=dict)
    light_answered_at: datetime | None = None
    """The last usable answer to any recent call."""
    calls_failing_since: datetime | None = None
    """The first call since then without a usable answer."""
    calls_unanswered: int = 0
    calls_refused: int = 0
    cases_refused: int = 0
    cases_backing_off: int = 0
    clock_drift: tuple[str, ...] = ()
    worked_without_queue_at: datetime | None = None
    writes_stopped_because: str = ""
    paused_since: datetime | None = None
    reconciled_at: datetime | None = None
    differences: int = 0
    oldest_account_at: datetime | None = None
    damaged_documents: int = 0
    seal_key_problem: str = ""
    seal_key_ends_at: datetime | None = None
    seal_unanswered_because: str = ""
    journal_problem: str = ""
    journal_unanchored_since: datetime | None = None
    backup_expected_days: int = 0
    """0: backups are taken by other means, so there is no alarm."""
    backed_up_at: datetime | None = None
    first_evidence_at: datetime | None = None
    api_clients_running_out: tuple[str, ...] = ()
    """API clients whose last key expires soon or has expired."""


@dataclass(frozen=True)
class Alarm:
    code: AlarmCode
    text: str
    advice: str


def alarms(numbers: Numbers, *, now: datetime) -> tuple[Alarm, ...]:
    """Return the raised alarms, the most serious first."""
    return (
        *_about_processes(numbers, now),
        *_about_changes(numbers, now),
        *_about_calls(numbers),
        *_about_light(numbers, now),
        *_about_files(numbers),
        *_about_seals(numbers, now),
        *_about_journal(numbers, now),
        *_about_reconciliation(numbers, now),
        *_about_backups(numbers, now),
        *_about_api_keys(numbers),
    )


def _about_processes(numbers: Numbers, now: datetime) -> Iterator[Alarm]:
    if numbers.writes_stopped_because:
        yield Alarm(
            AlarmCode.WRITES_STOPPED,
            f"All writes to Light are stopped: {numbers.writes_stopped_because}",
            "Unless the text says otherwise, “manage.py release_writes” allows them again. After a restore, reconcile "
            "all accounts first.",
        )
    silent = [task for task, at in numbers.swept_at.items() if at is None or now - at > MAX_SWEEP_AGE]
    if silent and numbers.unfinished_cases:
        since = min((at for at in numbers.swept_at.values() if at), default=None)
        yield Alarm(
            AlarmCode.SWEEPS_STOPPED,
            f"Sweeps are not running: {', '.join(sorted(SWEEP_LABELS.get(task, task) for task in silent))}. "
            + (f"The oldest last ran on {chicago_time(since)}." if since else "They have never run."),
            "Check that the scheduler, the queue and the workers are running. Until then, nothing happens "
            "automatically.",
        )
    if numbers.oldest_due_at is not None and now - numbers.oldest_due_at > MAX_QUEUE_DELAY:
        yield Alarm(
            AlarmCode.QUEUE_BACKLOG,
            f"Cases due but not processed: {numbers.due_cases}. The oldest has waited "
            f"{_minutes(now - numbers.oldest_due_at)}.",
            "The workers cannot keep up, or none is running: check their log and start more. Or the call limit is "
            "reached (LIGHT_CALLS_PER_SECOND): then the most urgent cases go first.",
        )
    if numbers.worked_without_queue_at is not None and now - numbers.worked_without_queue_at <= MAX_QUEUE_DELAY:
        yield Alarm(
            AlarmCode.QUEUE_UNAVAILABLE,
            "The queue accepts no messages: it cannot be reached, is full, or is read-only.",
            "The scheduler processes due work without it, more slowly. /readyz says what is wrong with the broker. "
            "Workers and schedulers reconnect automatically.",
        )
    if numbers.clock_drift:
        yield Alarm(
            AlarmCode.CLOCK_WRONG,
            " ".join(numbers.clock_drift),
            "Correct the clock of that machine (NTP). Until then it takes no cases and writes nothing to Light; other "
            "machines continue.",
        )
    if numbers.paused_since is not None and now - numbers.paused_since > MAX_PAUSE:
        yield Alarm(
            AlarmCode.PAUSED_TOO_LONG,
            f"Acceptances have been paused since {short_date(numbers.paused_since)}.",
            "Resume them as soon as possible: the dates that customers signed for are passing.",
        )


def _about_calls(numbers: Numbers) -> Iterator[Alarm]:
    since = numbers.calls_failing_since
    if since is None:
        return
    if numbers.cases_refused >= MIN_CASES_REFUSED and numbers.calls_refused >= MIN_CALLS_WITHOUT_ANSWER:
        yield Alarm(
            AlarmCode.LIGHT_REFUSES,
            f"Light has refused every call since {chicago_time(since)}. Cases affected so far: "
            f"{numbers.cases_refused}.",
            "Check LIGHT_APP_TOKEN and whether the app is still enabled in Light's dashboard; then restart the workers "
            "and release the holds.",
        )
    elif numbers.calls_unanswered >= MIN_CALLS_WITHOUT_ANSWER:
        yield Alarm(
            AlarmCode.LIGHT_UNREACHABLE,
            f"Light has not answered since {chicago_time(since)}. Failed calls: {numbers.calls_unanswered}; cases "
            f"waiting to try again: {numbers.cases_backing_off}.",
            "Check Light's status page and our connection: LIGHT_API_URL, LIGHT_PROXY_URL, LIGHT_CA_FILE, firewall, "
            "DNS. Each case tries again automatically within 19 minutes.",
        )


def _about_light(numbers: Numbers, now: datetime) -> Iterator[Alarm]:
    since = numbers.unreported_change_at
    if numbers.expects_webhooks and since is not None and now - since > MAX_WEBHOOK_DELAY:
        yield Alarm(
            AlarmCode.NO_WEBHOOKS,
            f"No webhook has arrived since {short_date(since)}, although accounts at Light changed.",
            "Polling catches up, but later. Check the URL and the secret in Light's dashboard.",
        )
    failed, done = numbers.failed_acceptances_in_a_day, numbers.accepted_in_a_day
    if failed >= MIN_FAILED_ACCEPTANCES and failed >= done:
        yield Alarm(
            AlarmCode.ACCEPTANCES_FAILING,
            f"{failed} of {failed + done} acceptances since yesterday failed.",
            "Check the writes to Light. If the cause is not specific to single cases, pause acceptances and ask Light.",
        )
    if numbers.windows_closing:
        closes = numbers.first_window_closes
        first = f" The first is due by {short_date(closes)}." if closes else ""
        yield Alarm(
            AlarmCode.WINDOWS_CLOSING,
            f"Cases that must be accepted within {DAYS_BEFORE_WINDOW_CLOSES} days but are not ready: "
            f"{numbers.windows_closing}.{first}",
            "Open them in the work queue; each says who must act. After that date the customer must sign again.",
        )


def _about_changes(numbers: Numbers, now: datetime) -> Iterator[Alarm]:
    if numbers.oldest_change_at is not None and now - numbers.oldest_change_at > MAX_QUEUE_DELAY:
        yield Alarm(
            AlarmCode.CHANGES_NOT_PROCESSED,
            f"A change at a site has not been processed for {_minutes(now - numbers.oldest_change_at)}.",
            "If the sweeps are running, processing this change fails: search the workers' log for “could not be "
            "looked at”. Other sites are not affected.",
        )


def _about_files(numbers: Numbers) -> Iterator[Alarm]:
    if numbers.failing_seals:
        yield Alarm(
            AlarmCode.SEALS_FAILING,
            f"Signed documents that cannot be sealed or stored: {numbers.failing_seals}.",
            "The signatures are safe and sealing is retried. Check the seal key and the storage.",
        )
    if numbers.unstored_proofs:
        yield Alarm(
            AlarmCode.PROOFS_NOT_STORED,
            f"Proofs kept in the database because they could not be stored: {numbers.unstored_proofs}.",
            "Nothing is lost and storing is retried. Check the storage.",
        )
    if numbers.plan_documents_given_up:
        yield Alarm(
            AlarmCode.PLAN_DOCUMENTS_MISSING,
            f"Documents of accepted plans that we stopped trying to fetch: {numbers.plan_documents_given_up}.",
            "Open them to see why. Allow their origin (LIGHT_DOCUMENT_ORIGINS) or ask the retailer, then press “Fetch "
            "the plan's documents” on the case.",
        )


def _about_seals(numbers: Numbers, now: datetime) -> Iterator[Alarm]:
    if numbers.damaged_documents:
        yield Alarm(
            AlarmCode.DOCUMENTS_DAMAGED,
            f"Signed documents that are missing, altered or badly sealed: {numbers.damaged_documents}.",
            "Their authority is suspended. The seal runbook says how to find the cause and restore them.",
        )
    if numbers.seal_key_problem:
        yield Alarm(
            AlarmCode.SEAL_KEY_UNUSABLE,
            f"Nothing can be sealed: {numbers.seal_key_problem}",
            "Signatures are kept until sealing works again. Run “manage.py seal check”; the seal runbook says how to "
            "get a new key.",
        )
    elif numbers.seal_key_ends_at is not None and numbers.seal_key_ends_at - now <= WARN_BEFORE_END:
        yield Alarm(
            AlarmCode.SEAL_KEY_EXPIRING,
            f"The seal's certificate expires on {short_date(numbers.seal_key_ends_at)}.",
            "Get the next one now. After that day nothing can be sealed. Documents already sealed stay valid.",
        )
    if numbers.seal_unanswered_because:
        yield Alarm(
            AlarmCode.SEAL_ISSUER_UNANSWERED,
            f"Documents are sealed without an answer from the seal's issuer: {numbers.seal_unanswered_because}.",
            "They are still valid. Run “manage.py seal ask”. To turn this off, set POA_SEAL_LONG_TERM to no.",
        )


def _about_journal(numbers: Numbers, now: datetime) -> Iterator[Alarm]:
    if numbers.journal_problem:
        yield Alarm(
            AlarmCode.JOURNAL_BROKEN,
            f"The evidence journal does not verify: {numbers.journal_problem}",
            "Change nothing in the database. Run “manage.py journal verify” and follow the seal and journal runbook.",
        )
    since = numbers.journal_unanchored_since
    if since is not None and now - since > MAX_ANCHOR_AGE:
        yield Alarm(
            AlarmCode.JOURNAL_NOT_ANCHORED,
            f"The evidence journal has not been anchored in the storage since {short_date(since)}.",
            "This normally happens every day. Check the storage, then run “manage.py journal anchor”.",
        )


def _about_reconciliation(numbers: Numbers, now: datetime) -> Iterator[Alarm]:
    if numbers.differences:
        yield Alarm(
            AlarmCode.DIFFERENCES_AT_LIGHT,
            f"Differences between Light and our records at the last reconciliation: {numbers.differences}.",
            "Each is listed under Reconciliation runs with what to do.",
        )
    oldest = numbers.oldest_account_at
    if oldest is None or now - oldest <= MAX_RECONCILIATION_AGE:
        return
    if numbers.reconciled_at is None or now - numbers.reconciled_at > MAX_RECONCILIATION_AGE:
        yield Alarm(
            AlarmCode.NOT_RECONCILED,
            "There has been no complete comparison of all accounts at Light with our records for two days.",
            "This normally happens every night. Run “manage.py reconcile --all” and check the log.",
        )


def _about_backups(numbers: Numbers, now: datetime) -> Iterator[Alarm]:
    """Count from the last backup, or from the first signature if there is none."""
    since = numbers.backed_up_at or numbers.first_evidence_at
    if not numbers.backup_expected_days or since is None:
        return
    if now - since > timedelta(days=numbers.backup_expected_days):
        last = f"since {short_date(numbers.backed_up_at)}" if numbers.backed_up_at else "yet"
        yield Alarm(
            AlarmCode.NO_BACKUP,
            f"No complete backup has been taken {last}.",
            "Check the log of the backup service, then run “manage.py backup” by hand. If backups are taken by other "
            "means, set BACKUP_ALARM_DAYS=0.",
        )


def _minutes(span: timedelta) -> str:
    return f"{int(span.total_seconds() // 60)} minutes"


def _about_api_keys(numbers: Numbers) -> Iterator[Alarm]:
    names = numbers.api_clients_running_out
    if names:
        others = f" and {len(names) - MAX_CLIENTS_NAMED} others" if len(names) > MAX_CLIENTS_NAMED else ""
        yield Alarm(
            AlarmCode.API_KEYS_EXPIRING,
            "The last API key has expired or expires within 30 days for: "
            f"{', '.join(names[:MAX_CLIENTS_NAMED])}{others}.",
            "Create a new key on the API client's page, configure it in the other system, then revoke the old one. If "
            "the system is no longer used, turn the client off.",
        )
