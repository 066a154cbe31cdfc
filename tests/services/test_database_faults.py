"""The database's faults, cell by cell, against a real PostgreSQL that is killed and restarted."""

import hashlib
import hmac
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg
import pytest
import requests
from django.db import IntegrityError, connection, connections

from core.actors import SYSTEM
from core.clock import now
from core.dates import chicago_day
from core.transactions import repeatable
from demo.browser_actors import Customer as VisitingCustomer
from demo.browser_actors import Technician
from enrollments.actions.moves import note
from enrollments.actions.webhooks import store_delivery
from enrollments.engine.locked_case import lock_case
from enrollments.models import Enrollment, LightWrite, WebhookDelivery
from enrollments.states import EnrollmentStatus, WriteKind, WriteStatus
from installations import actions as installation_actions
from installations.models import GoLiveReport, GoLiveSource
from poa_documents.models import PoaDocument
from tests.factories import installations as made
from tools.service_harness.stack import (
    SCHEDULERS,
    SECONDS_TO_TAKE_OVER,
    WORKERS,
    Stack,
    held_row,
    writers_waiting,
)
from tools.service_harness.visitors import character_of, the_technician

MAX_REFUSAL_SECONDS = 10


def cut_other_connections() -> int:
    """Have PostgreSQL end every connection of this database except ours."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


def test_P1_case_survives_a_killed_and_restarted_server(stack: Stack) -> None:
    cases = stack.ready_cases(3)
    stack.light.inject_fault("accept", "delay", seconds=4, times=3)
    for case in cases:
        stack.report_pto(case)
    stack.until(lambda: any(stack.acceptances_of(case) for case in cases), "acceptances are under way")

    stack.servers.kill("postgres")
    stack.until(
        lambda: requests.get(f"{stack.site_url}/readyz", timeout=30).status_code == 503,
        "the site says so",
        is_checked=False,
    )
    stack.servers.start("postgres")
    connections["default"].close()

    stack.until_finalized(*cases, seconds=SECONDS_TO_TAKE_OVER + 60)
    assert all(stack.calls(case, "accept") == 1 for case in cases)
    assert all(stack.running[name].poll() is None for name in (*WORKERS, *SCHEDULERS, "web"))


def test_P2_cut_connections_cost_no_recorded_answer(stack: Stack) -> None:
    case = stack.ready_case()
    stack.light.inject_fault("accept", "delay", seconds=3, account_uuid=str(case.light_account_uuid))
    stack.report_pto(case)
    stack.until(lambda: stack.acceptances_of(case), "Light holds the acceptance")

    assert cut_other_connections() > 0

    stack.until_finalized(case, seconds=SECONDS_TO_TAKE_OVER + 30)
    assert stack.calls(case, "accept") == 1
    assert stack.calls(case, "finalize") == 1


def test_P2_webhooks_survive_dead_connections(stack: Stack) -> None:
    secret = stack.environment["LIGHT_WEBHOOK_SECRET"]
    before = WebhookDelivery.objects.count()

    def post() -> int:
        body = f'{{"uuid": "{uuid.uuid4()}", "event": "account.updated"}}'.encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Light-Signature": signature, "Content-Type": "application/json"}
        return requests.post(f"{stack.site_url}/webhooks/light/", data=body, headers=headers, timeout=30).status_code

    answers = [post() for _ in range(16)]
    assert cut_other_connections() > 0
    answers += [post() for _ in range(16)]

    assert answers == [200] * 32
    assert WebhookDelivery.objects.count() == before + 32


@contextmanager
def deadlock(stack: Stack, case: Enrollment) -> Iterator[None]:
    """Lock the case's POA, and request its enrollment once the worker holds that and waits for the POA."""
    with psycopg.connect(stack.database_url) as other:
        other.execute("SET deadlock_timeout = '1min'")  # the one that detects the deadlock first is aborted: the worker
        other.execute("SELECT 1 FROM poa_documents_poadocument WHERE site_id = %s FOR UPDATE", [case.site_id])
        yield
        other.execute("SELECT 1 FROM enrollments_enrollment WHERE id = %s FOR UPDATE", [case.pk])


@contextmanager
def held_lock(stack: Stack, case: Enrollment) -> Iterator[None]:
    """Lock the enrollment longer than any session waits for it."""
    logged = stack.listen()
    with held_row(case):
        yield
        stack.until(lambda: logged("The database aborted"), "the worker waited in vain")


@pytest.fixture
def patient_database(stack: Stack) -> Iterator[None]:
    """Take some seconds to detect a deadlock, so that there is time to make one."""
    with psycopg.connect(f"{stack.servers.postgres_url}/postgres", autocommit=True) as server:
        server.execute("ALTER SYSTEM SET deadlock_timeout = '5s'")
        server.execute("SELECT pg_reload_conf()")
        yield
        server.execute("ALTER SYSTEM RESET deadlock_timeout")
        server.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize("break_off", [deadlock, held_lock])
def test_P3_aborted_transaction_is_repeated_without_a_call(
    stack: Stack,
    patient_database: None,
    break_off: Callable[[Stack, Enrollment], AbstractContextManager[None]],
) -> None:
    case = stack.ready_case()
    stack.light.inject_fault("accept", "delay", seconds=8, account_uuid=str(case.light_account_uuid))
    stack.report_pto(case)
    stack.until(lambda: stack.acceptances_of(case), "Light holds the acceptance", is_checked=False)
    logged = stack.listen()

    with break_off(stack, case):
        stack.until(lambda: writers_waiting(), "the worker wants to keep the answer", is_checked=False)

    stack.until_finalized(case)
    assert logged("The database aborted")  # recording the answer, or what else wanted the case at that moment
    assert stack.calls(case, "accept") == 1
    assert stack.calls(case, "finalize") == 1
    assert not case.events.filter(name="mark_in_doubt").exists()


def test_P3_deadlocked_transactions_both_finish(stack: Stack) -> None:
    one, other = stack.sell(), stack.sell()
    together, tries = threading.Barrier(2), list[str]()

    @repeatable
    def hold_both(name: str, first: Enrollment, second: Enrollment) -> None:
        tries.append(name)
        lock_case(first.pk)
        if len(tries) <= 2:
            together.wait(20)
        note(lock_case(second.pk), name, by=SYSTEM, at=now())

    def work(name: str, first: Enrollment, second: Enrollment) -> None:
        try:
            hold_both(name, first, second)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=work, args=("there", one, other)),
        threading.Thread(target=work, args=("back", other, one)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(tries) == 3
    assert other.events.filter(name="there").count() == 1
    assert one.events.filter(name="back").count() == 1
    stack.check()


def test_P3_serialization_failure_repeats_the_transaction(stack: Stack) -> None:
    case = stack.sell()
    tries = list[str]()

    @repeatable
    def note_what_was_read() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        tries.append(Enrollment.objects.values_list("last_error", flat=True).get(pk=case.pk))
        if len(tries) == 1:
            with psycopg.connect(stack.database_url) as other:
                other.execute("UPDATE enrollments_enrollment SET last_error = 'in between' WHERE id = %s", [case.pk])
        note(lock_case(case.pk), "read", by=SYSTEM, at=now(), reason=tries[-1])

    note_what_was_read()

    assert (tries[0], tries[-1]) == ("", "in between")  # more often if a worker writes to the case as well
    assert list(case.events.filter(name="read").values_list("reason", flat=True)) == ["in between"]


def test_P4_one_of_two_sessions_opens_the_write(stack: Stack) -> None:
    case = stack.ready_case()
    outcomes: list[str] = []
    together = threading.Barrier(4)

    def open_write() -> None:
        try:
            together.wait(20)
            LightWrite.objects.create(enrollment=case, kind=WriteKind.FINALIZE, opened_at=now())
            outcomes.append("opened")
        except IntegrityError:
            outcomes.append("refused")
        finally:
            connection.close()

    in_threads(open_write, 4)

    assert sorted(outcomes) == ["opened", "refused", "refused", "refused"]
    writes = LightWrite.objects.filter(enrollment=case, kind=WriteKind.FINALIZE)
    writes.update(status=WriteStatus.NOT_DONE, closed_at=now())
    Enrollment.objects.filter(pk=case.pk).update(due_at=now())


def test_P4_webhook_stored_by_eight_sessions_is_one_row(stack: Stack) -> None:
    body = f'{{"uuid": "{uuid.uuid4()}", "event": "account.updated"}}'.encode()
    before = WebhookDelivery.objects.count()
    together = threading.Barrier(8)

    def store() -> None:
        try:
            together.wait(20)
            store_delivery(body=body, headers={}, at=now())
        finally:
            connection.close()

    in_threads(store, 8)

    assert WebhookDelivery.objects.count() == before + 1
    stack.check()


def test_P4_report_sent_by_five_sessions_counts_once(stack: Stack) -> None:
    case = stack.ready_case()
    job, submission = case.installations.get(), uuid.uuid4()
    together, problems = threading.Barrier(5), []

    def report() -> None:
        try:
            together.wait(20)
            installation_actions.report_go_live(
                installation_id=job.pk,
                submission_id=submission,
                granted_date=chicago_day(now()) - timedelta(days=1),
                source=GoLiveSource.LETTER,
                utility_reference="DG-2026-0042",
                by=made.OFFICE,
                at=now(),
            )
        except Exception as problem:  # noqa: BLE001 - whatever it is, the test fails with it
            problems.append(repr(problem))
        finally:
            connection.close()

    in_threads(report, 5)

    waiting = job.reports.get()
    installation_actions.confirm_go_live(report_id=waiting.pk, by=made.SECOND_PERSON, at=now())
    assert problems == []
    assert GoLiveReport.objects.filter(installation=job).count() == 1
    stack.until_finalized(case)


def test_P5_pages_and_webhooks_say_that_the_database_is_down(stack: Stack) -> None:
    case = stack.ready_case()
    stack.servers.kill("postgres")

    answers = {
        page: requests.get(f"{stack.site_url}{page}", timeout=MAX_REFUSAL_SECONDS).status_code
        for page in ("/readyz", "/portal/a-link-that-may-be-one-of-ours/")
    }
    stack.light.send_event("account.updated", str(case.light_account_uuid))
    stack.servers.start("postgres")
    connections["default"].close()

    assert answers == dict.fromkeys(answers, 503)
    stack.until(
        lambda: (
            WebhookDelivery.objects.filter(light_account_uuid=str(case.light_account_uuid), settled_at__isnull=False)
            .filter(event_name="account.updated")
            .exists()
        ),
        "the webhook came again",
    )
    assert Enrollment.objects.get(pk=case.pk).status == EnrollmentStatus.OPEN


@contextmanager
def read_only_database(stack: Stack) -> Iterator[None]:
    """Have PostgreSQL refuse every write in this database, as a replica does, also on open connections."""
    with psycopg.connect(stack.database_url, autocommit=True) as own:
        own.execute("SET default_transaction_read_only = off")
        own.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        own.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            own.execute("ALTER SYSTEM RESET default_transaction_read_only")
            own.execute("SELECT pg_reload_conf()")


@dataclass
class Answers:
    """What a browser was answered, status by status; it keeps its value until the next request."""

    seen: list[tuple[int, str]] = field(default_factory=list)

    def watch(self, session: requests.Session) -> None:
        def note(response: requests.Response, **_options: object) -> None:
            self.seen.append((response.status_code, response.headers.get("Retry-After", "")))

        session.hooks["response"].append(note)

    def was_asked_to_wait(self) -> bool:
        return any(status == 503 and waiting for status, waiting in self.seen)


def test_P6_pages_and_webhooks_answer_while_database_is_read_only(stack: Stack) -> None:
    case = stack.ready_case()
    enrollment, poa = stack.invite()
    job = enrollment.installations.get()
    job.technician = the_technician()
    job.save(update_fields=["technician"])
    customer = VisitingCustomer(character_of(poa), mail_folder=stack.mail_folder, site_url=stack.site_url)
    technician = Technician(site_url=stack.site_url)
    assert customer.link
    technician.sign_in()
    at_the_customers, at_the_technicians = Answers(), Answers()
    at_the_customers.watch(customer._browser._session)
    at_the_technicians.watch(technician._browser._session)
    today = chicago_day(now())
    with ThreadPoolExecutor(2) as people:
        with read_only_database(stack):
            stack.until(lambda: database_part(stack).startswith("read-only"), "readiness says it", is_checked=False)
            acts = [
                people.submit(customer.sign),
                people.submit(
                    technician.report, str(job.public_id), granted=today, on_site=False, reference="DG-2026-0042"
                ),
            ]
            stack.light.send_event("account.updated", str(case.light_account_uuid))
            stack.until(at_the_customers.was_asked_to_wait, "the customer is asked to wait", is_checked=False)
            stack.until(at_the_technicians.was_asked_to_wait, "the technician is asked to wait", is_checked=False)
        for act in acts:
            act.result(timeout=120)

    assert {status for status, _ in at_the_customers.seen + at_the_technicians.seen} <= {200, 302, 503}
    stack.until(lambda: PoaDocument.objects.get(pk=poa.pk).signed_at, "the signature is stored")
    assert GoLiveReport.objects.filter(installation=job).count() == 1
    stack.until(
        WebhookDelivery.objects.filter(event_name="account.updated", settled_at__isnull=False).exists,
        "the webhook came again",
    )


def database_part(stack: Stack) -> str:
    return str(requests.get(f"{stack.site_url}/readyz", timeout=30).json()["parts"]["database"])


def test_engine_indexes_exist_on_postgresql(stack: Stack) -> None:
    with psycopg.connect(stack.database_url) as own:
        names = {row[0] for row in own.execute("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")}

    for needed in (
        "one_open_enrollment_per_esi_id",
        "one_unsettled_write_per_enrollment",
        "one_open_acceptance_per_enrollment",
        "one_acceptance_per_authority_use_and_esi_id",
        "one_open_hold_per_enrollment",
    ):
        assert needed in names


def in_threads(act: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=act) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
