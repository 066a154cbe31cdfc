"""
What operations must know without looking for it. Pure, over numbers that `measures.measure` gathered.

An alarm is about the system as a whole; what is the matter with one case stands in its hold.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from core.dates import chicago_day
from poa_documents.seal.keys import WARN_BEFORE_END

NEWS_PATIENCE = timedelta(days=1)
QUEUE_PATIENCE = timedelta(minutes=2)
SWEEP_PATIENCE = timedelta(minutes=1)
RECONCILIATION_PATIENCE = timedelta(days=2)
ANCHOR_PATIENCE = timedelta(days=2)
PAUSE_PATIENCE = timedelta(days=1)
DAYS_BEFORE_WINDOW_CLOSES = 3
FEWEST_FAILED_ACCEPTANCES = 3
MIN_CALLS_WITHOUT_ANSWER = 3
CLIENTS_NAMED = 5
MIN_CASES_REFUSED = 2
"""One account may be refused for a reason of its own; its case says so."""


class AlarmCode(StrEnum):
    WRITES_STOPPED = "WRITES_STOPPED"
    SWEEPS_SILENT = "SWEEPS_SILENT"
    QUEUE_OLD = "QUEUE_OLD"
    QUEUE_AWAY = "QUEUE_AWAY"
    CLOCK_WRONG = "CLOCK_WRONG"
    LIGHT_UNREACHABLE = "LIGHT_UNREACHABLE"
    LIGHT_REFUSES = "LIGHT_REFUSES"
    CHANGES_NOT_SEEN = "CHANGES_NOT_SEEN"
    NO_WEBHOOKS = "NO_WEBHOOKS"
    ACCEPTANCES_FAILING = "ACCEPTANCES_FAILING"
    WINDOWS_CLOSING = "WINDOWS_CLOSING"
    SEALS_FAILING = "SEALS_FAILING"
    PROOFS_NOT_STORED = "PROOFS_NOT_STORED"
    PLAN_DOCUMENTS_MISSING = "PLAN_DOCUMENTS_MISSING"
    DIFFERENCES_AT_LIGHT = "DIFFERENCES_AT_LIGHT"
    NOT_RECONCILED = "NOT_RECONCILED"
    SEAL_KEY_UNUSABLE = "SEAL_KEY_UNUSABLE"
    SEAL_KEY_ENDS = "SEAL_KEY_ENDS"
    SEAL_UNANSWERED = "SEAL_UNANSWERED"
    DOCUMENTS_DAMAGED = "DOCUMENTS_DAMAGED"
    JOURNAL_BROKEN = "JOURNAL_BROKEN"
    JOURNAL_NOT_ANCHORED = "JOURNAL_NOT_ANCHORED"
    PAUSED_FOR_LONG = "PAUSED_FOR_LONG"
    NO_BACKUP = "NO_BACKUP"
    API_KEYS_END = "API_KEYS_END"


CONCERN_THE_PROCESSES = frozenset(
    {
        AlarmCode.WRITES_STOPPED,
        AlarmCode.SWEEPS_SILENT,
        AlarmCode.QUEUE_OLD,
        AlarmCode.QUEUE_AWAY,
        AlarmCode.CLOCK_WRONG,
        AlarmCode.LIGHT_UNREACHABLE,
        AlarmCode.LIGHT_REFUSES,
        AlarmCode.CHANGES_NOT_SEEN,
        AlarmCode.SEALS_FAILING,
        AlarmCode.PROOFS_NOT_STORED,
        AlarmCode.SEAL_KEY_UNUSABLE,
        AlarmCode.SEAL_KEY_ENDS,
        AlarmCode.SEAL_UNANSWERED,
        AlarmCode.DOCUMENTS_DAMAGED,
        AlarmCode.JOURNAL_BROKEN,
        AlarmCode.JOURNAL_NOT_ANCHORED,
        AlarmCode.NO_BACKUP,
        AlarmCode.API_KEYS_END,
    }
)
"""What a readiness probe tells besides; the others are about cases and Light."""


@dataclass(frozen=True)
class Numbers:
    """How the system stands. Instants are None when the thing never happened."""

    expects_webhooks: bool = False
    last_webhook_at: datetime | None = None
    unannounced_since: datetime | None = None
    """The first change of an account since the last webhook, as far as it is of late."""
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
    """The last usable answer to any call, as far as it is of late."""
    calls_failing_since: datetime | None = None
    """The first call since then that got none."""
    calls_unanswered: int = 0
    calls_refused: int = 0
    cases_refused: int = 0
    cases_backing_off: int = 0
    wrong_clocks: tuple[str, ...] = ()
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
    """0: backups are taken by other means, and nobody is told."""
    backed_up_at: datetime | None = None
    first_evidence_at: datetime | None = None
    api_clients_running_out: tuple[str, ...] = ()
    """Other systems whose last key ends soon, or has ended."""


@dataclass(frozen=True)
class Alarm:
    code: AlarmCode
    text: str
    advice: str


def alarms(numbers: Numbers, *, now: datetime) -> tuple[Alarm, ...]:
    """Name all that is wrong, the gravest first."""
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
            "Unless the text says otherwise, “manage.py release_writes” lets them go on; after a restore, once all "
            "accounts are reconciled.",
        )
    silent = [task for task, at in numbers.swept_at.items() if at is None or now - at > SWEEP_PATIENCE]
    if silent and numbers.unfinished_cases:
        since = min((at for at in numbers.swept_at.values() if at), default=None)
        yield Alarm(
            AlarmCode.SWEEPS_SILENT,
            f"The sweeps do not run ({', '.join(sorted(silent))}); "
            + (f"the oldest ran last at {since:%Y-%m-%d %H:%M} UTC." if since else "they have never run."),
            "Look whether scheduler, queue and workers are alive. Nothing goes on by itself meanwhile.",
        )
    if numbers.oldest_due_at is not None and now - numbers.oldest_due_at > QUEUE_PATIENCE:
        yield Alarm(
            AlarmCode.QUEUE_OLD,
            f"{numbers.due_cases} cases are due, the oldest for {_minutes(now - numbers.oldest_due_at)}.",
            "The workers do not keep up, or none runs: look at their log, start more of them. Or Light allows no more "
            "calls a second (LIGHT_CALLS_PER_SECOND): then the most urgent cases go first.",
        )
    if numbers.worked_without_queue_at is not None and now - numbers.worked_without_queue_at <= QUEUE_PATIENCE:
        yield Alarm(
            AlarmCode.QUEUE_AWAY,
            "The queue takes no messages: it cannot be reached, is full, or is read-only.",
            "The scheduler does due work without it, more slowly. /readyz says what is wrong with the broker; workers "
            "and schedulers connect again automatically.",
        )
    if numbers.wrong_clocks:
        yield Alarm(
            AlarmCode.CLOCK_WRONG,
            " ".join(numbers.wrong_clocks),
            "Set the clock of that machine right (NTP). Until then it takes no cases and writes nothing to Light; "
            "others go on.",
        )
    if numbers.paused_since is not None and now - numbers.paused_since > PAUSE_PATIENCE:
        yield Alarm(
            AlarmCode.PAUSED_FOR_LONG,
            f"Acceptances have been paused since {chicago_day(numbers.paused_since)}.",
            "Resume them as soon as the reason is gone: dates that customers signed go by.",
        )


def _about_calls(numbers: Numbers) -> Iterator[Alarm]:
    since = numbers.calls_failing_since
    if since is None:
        return
    if numbers.cases_refused >= MIN_CASES_REFUSED and numbers.calls_refused >= MIN_CALLS_WITHOUT_ANSWER:
        yield Alarm(
            AlarmCode.LIGHT_REFUSES,
            f"Light refuses every call since {since:%Y-%m-%d %H:%M} UTC, for {numbers.cases_refused} cases so far.",
            "Check LIGHT_APP_TOKEN and whether the app is still enabled in Light's dashboard; then restart the workers "
            "and release the holds.",
        )
    elif numbers.calls_unanswered >= MIN_CALLS_WITHOUT_ANSWER:
        yield Alarm(
            AlarmCode.LIGHT_UNREACHABLE,
            f"Light has not answered since {since:%Y-%m-%d %H:%M} UTC: {numbers.calls_unanswered} calls failed, and "
            f"{numbers.cases_backing_off} cases wait to try again.",
            "Look at Light's status page and at our way out: LIGHT_API_URL, LIGHT_PROXY_URL, LIGHT_CA_FILE, firewall, "
            "DNS. Each case tries again automatically, at the latest after 19 minutes.",
        )


def _about_light(numbers: Numbers, now: datetime) -> Iterator[Alarm]:
    since = numbers.unannounced_since
    if numbers.expects_webhooks and since is not None and now - since > NEWS_PATIENCE:
        yield Alarm(
            AlarmCode.NO_WEBHOOKS,
            f"No webhook came since {chicago_day(since)} although accounts at Light changed.",
            "Polling does the work, later. Check the address and the secret in Light's dashboard.",
        )
    failed, done = numbers.failed_acceptances_in_a_day, numbers.accepted_in_a_day
    if failed >= FEWEST_FAILED_ACCEPTANCES and failed >= done:
        yield Alarm(
            AlarmCode.ACCEPTANCES_FAILING,
            f"Of {failed + done} acceptances since yesterday {failed} failed.",
            "Look at the writes to Light. If the cause is not with single cases, pause acceptances and ask Light.",
        )
    if numbers.windows_closing:
        yield Alarm(
            AlarmCode.WINDOWS_CLOSING,
            f"{numbers.windows_closing} cases must be accepted within {DAYS_BEFORE_WINDOW_CLOSES} days and cannot yet; "
            f"the first until {numbers.first_window_closes}.",
            "Open them in the work queue: each names who must act. Later, the customer must sign anew.",
        )


def _about_changes(numbers: Numbers, now: datetime) -> Iterator[Alarm]:
    if numbers.oldest_change_at is not None and now - numbers.oldest_change_at > QUEUE_PATIENCE:
        yield Alarm(
            AlarmCode.CHANGES_NOT_SEEN,
            f"News of a site was not looked at for {_minutes(now - numbers.oldest_change_at)}.",
            "If the sweeps run, looking at this one fails: search the workers' log for “could not be looked at”. The "
            "others go on.",
        )


def _about_files(numbers: Numbers) -> Iterator[Alarm]:
    if numbers.failing_seals:
        yield Alarm(
            AlarmCode.SEALS_FAILING,
            f"{numbers.failing_seals} signed documents cannot be sealed or stored.",
            "The signatures are safe and it is tried again. Check the key of the seal and the storage.",
        )
    if numbers.unstored_proofs:
        yield Alarm(
            AlarmCode.PROOFS_NOT_STORED,
            f"{numbers.unstored_proofs} proofs wait in the database because they could not be stored.",
            "Nothing is lost and storing is tried again. Check the storage.",
        )
    if numbers.plan_documents_given_up:
        yield Alarm(
            AlarmCode.PLAN_DOCUMENTS_MISSING,
            f"{numbers.plan_documents_given_up} documents of accepted plans could not be fetched and are given up.",
            "Open them to see why. Allow their address (LIGHT_DOCUMENT_ORIGINS) or ask the retailer, then press "
            "“Fetch the plan's documents” on the case.",
        )


def _about_seals(numbers: Numbers, now: datetime) -> Iterator[Alarm]:
    if numbers.damaged_documents:
        yield Alarm(
            AlarmCode.DOCUMENTS_DAMAGED,
            f"{numbers.damaged_documents} signed documents are missing, altered or badly sealed.",
            "Their authority is suspended. The runbook of the seal says how to find out why, and how to restore them.",
        )
    if numbers.seal_key_problem:
        yield Alarm(
            AlarmCode.SEAL_KEY_UNUSABLE,
            f"Nothing can be sealed: {numbers.seal_key_problem}",
            "Signatures are kept and wait. Run “manage.py seal check”; its runbook says how to get a new key.",
        )
    elif numbers.seal_key_ends_at is not None and numbers.seal_key_ends_at - now <= WARN_BEFORE_END:
        yield Alarm(
            AlarmCode.SEAL_KEY_ENDS,
            f"The certificate of the seal ends on {chicago_day(numbers.seal_key_ends_at)}.",
            "Get the next one now. From that day on nothing can be sealed; what is sealed already goes on counting.",
        )
    if numbers.seal_unanswered_because:
        yield Alarm(
            AlarmCode.SEAL_UNANSWERED,
            f"Sealed documents say nothing of the issuer of the seal: {numbers.seal_unanswered_because}.",
            "They count all the same. Run “manage.py seal ask”; to do without, set POA_SEAL_LONG_TERM to no.",
        )


def _about_journal(numbers: Numbers, now: datetime) -> Iterator[Alarm]:
    if numbers.journal_problem:
        yield Alarm(
            AlarmCode.JOURNAL_BROKEN,
            f"The evidence journal is not in order: {numbers.journal_problem}",
            "Change nothing in the database. Run “manage.py journal verify”; its runbook says what to do next.",
        )
    since = numbers.journal_unanchored_since
    if since is not None and now - since > ANCHOR_PATIENCE:
        yield Alarm(
            AlarmCode.JOURNAL_NOT_ANCHORED,
            f"The evidence journal was not anchored in the storage since {chicago_day(since)}.",
            "It is done every day. Check the storage, then run “manage.py journal anchor”.",
        )


def _about_reconciliation(numbers: Numbers, now: datetime) -> Iterator[Alarm]:
    if numbers.differences:
        yield Alarm(
            AlarmCode.DIFFERENCES_AT_LIGHT,
            f"The last reconciliation found {numbers.differences} differences between Light and what we know.",
            "Each stands with a proposed repair under Reconciliations.",
        )
    oldest = numbers.oldest_account_at
    if oldest is None or now - oldest <= RECONCILIATION_PATIENCE:
        return
    if numbers.reconciled_at is None or now - numbers.reconciled_at > RECONCILIATION_PATIENCE:
        yield Alarm(
            AlarmCode.NOT_RECONCILED,
            "Accounts at Light have not been compared completely with what we know for two days.",
            "It is done every night. Run “manage.py reconcile --all” and look at the log.",
        )


def _about_backups(numbers: Numbers, now: datetime) -> Iterator[Alarm]:
    """What would be lost begins with the last backup, or with the first thing that was ever signed."""
    since = numbers.backed_up_at or numbers.first_evidence_at
    if not numbers.backup_expected_days or since is None:
        return
    if now - since > timedelta(days=numbers.backup_expected_days):
        last = f"since {chicago_day(numbers.backed_up_at)}" if numbers.backed_up_at else "yet"
        yield Alarm(
            AlarmCode.NO_BACKUP,
            f"No complete backup was taken {last}.",
            "Look at the log of the backup service, then run “manage.py backup” by hand. If backups are taken by other "
            "means, set BACKUP_ALARM_DAYS=0.",
        )


def _minutes(span: timedelta) -> str:
    return f"{int(span.total_seconds() // 60)} minutes"


def _about_api_keys(numbers: Numbers) -> Iterator[Alarm]:
    names = numbers.api_clients_running_out
    if names:
        others = f" and {len(names) - CLIENTS_NAMED} others" if len(names) > CLIENTS_NAMED else ""
        yield Alarm(
            AlarmCode.API_KEYS_END,
            f"The last API key ends within 30 days, or has ended, of: {', '.join(names[:CLIENTS_NAMED])}{others}.",
            "Make a new key on the page of the API client, put it into the system, then revoke the old one. If the "
            "system is no longer used, turn the client off.",
        )
