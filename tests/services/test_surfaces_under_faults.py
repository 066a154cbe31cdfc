"""What customers, technicians and Light experience while something behind the pages is broken or busy."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest
import requests

from core.clock import now
from core.dates import chicago_day
from demo.browser_actors import Customer as VisitingCustomer
from demo.browser_actors import Technician
from enrollments.models import Enrollment, WebhookDelivery
from installations.models import GoLiveReport
from poa_documents.models import PoaDocument
from poa_documents.states import PoaStatus
from simulator.dialect import REFERENCE
from simulator.webhooks import signed_headers
from tests.breaking_line import BreakingConnection
from tests.pdf_files import packed_scattered
from tools.service_harness.stack import Stack
from tools.service_harness.visitors import character_of, the_technician

MAX_ANSWER_SECONDS = 3.0
MAX_THE_QUEUE_ADDS_SECONDS = 2.0
WEBHOOKS = 1_000
SENDERS = 8
LETTERS_AT_ONCE = 8


def slowest_answer(person: VisitingCustomer | Technician) -> Callable[[], tuple[float, str]]:
    """Time every page requested from now on; return the slowest time and page."""
    browser = person._browser
    original, times = browser._session.request, list[tuple[float, str]]()

    def timed(*arguments: object, **options: object) -> requests.Response:
        began = time.monotonic()
        try:
            return original(*arguments, **options)  # type: ignore[arg-type]
        finally:
            times.append((time.monotonic() - began, f"{arguments[0]} {arguments[1]}"))

    browser._session.request = timed  # type: ignore[method-assign]
    return lambda: max(times)


@contextmanager
def redis_gone(stack: Stack) -> Iterator[None]:
    stack.servers.kill("redis")
    yield
    stack.servers.start("redis")


@contextmanager
def redis_frozen(stack: Stack) -> Iterator[None]:
    """Let Redis accept every connection and answer nothing: worse than no Redis."""
    with stack.frozen_redis():
        yield


def sign_and_report(
    stack: Stack, fault: AbstractContextManager[None]
) -> tuple[tuple[float, str], Enrollment, PoaDocument]:
    """Let a customer sign and a technician report; return the slowest page of both."""
    enrollment, poa = stack.invite()
    job = enrollment.installations.get()
    job.technician = the_technician()
    job.save(update_fields=["technician"])
    customer = VisitingCustomer(character_of(poa), mail_folder=stack.mail_folder, site_url=stack.site_url)
    technician = Technician(site_url=stack.site_url)
    assert customer.link
    technician.sign_in()
    customer_waited, technician_waited = slowest_answer(customer), slowest_answer(technician)
    with fault:
        customer.sign()
        technician.report(str(job.public_id), granted=chicago_day(now()), on_site=False, reference="DG-2026-0042")
        customer.close()
        technician.close()
        stack.check()
    return max(customer_waited(), technician_waited()), enrollment, poa


@pytest.mark.parametrize("redis_failing", [redis_gone, redis_frozen])
def test_Q10_people_sign_and_report_while_redis_is_down(
    stack: Stack, redis_failing: Callable[[Stack], AbstractContextManager[None]]
) -> None:
    usual, _, _ = sign_and_report(stack, nullcontext())

    slowest, enrollment, poa = sign_and_report(stack, redis_failing(stack))

    signed = PoaDocument.objects.get(pk=poa.pk)
    assert signed.signed_at is not None
    assert GoLiveReport.objects.filter(installation__enrollments=enrollment).count() == 1
    # On a machine so busy that pages take seconds anyway, only the time that the queue adds says anything.
    assert slowest[0] < max(MAX_ANSWER_SECONDS, usual[0] + MAX_THE_QUEUE_ADDS_SECONDS), (slowest, usual)
    stack.until(lambda: PoaDocument.objects.get(pk=poa.pk).status == PoaStatus.SIGNED, "the document is sealed")
    stack.until(lambda: type(enrollment).objects.get(pk=enrollment.pk).attested_at, "Light knows the customer")
    enrollment.refresh_from_db()
    stack.light.complete(str(enrollment.light_account_uuid), esi_id=enrollment.site.esi_id)
    stack.until_finalized(enrollment)


def test_U11_report_cut_off_in_transit_counts_once_sent_again(
    stack: Stack,
) -> None:
    job = stack.invite()[0].installations.get()
    job.technician = the_technician()
    job.save(update_fields=["technician"])
    technician, line = Technician(site_url=stack.site_url), BreakingConnection(lambda body: body.index(b'name="proof"'))
    technician.sign_in()
    technician._browser._session.mount(stack.site_url, line)

    technician.report(str(job.public_id), granted=chicago_day(now()), on_site=False, reference="DG-2026-0042")

    assert line.answers == [400]
    assert GoLiveReport.objects.get(installation=job).proofs.count() == 1


def test_eight_slow_documents_leave_the_pages_usable(stack: Stack) -> None:
    job = stack.invite()[0].installations.get()
    job.technician = the_technician()
    job.save(update_fields=["technician"])
    path = f"{stack.site_url}/field/jobs/{job.public_id}/"
    letter = packed_scattered(1_000_000)
    technicians = [Technician(site_url=stack.site_url) for _ in range(LETTERS_AT_ONCE)]
    for technician in technicians:
        technician.sign_in()

    def send_report(technician: Technician) -> int:
        session = technician._browser._session
        token = session.get(f"{stack.site_url}/field/session/", timeout=60).json()["csrf_token"]
        report = {
            "submission_id": str(uuid.uuid4()),
            "granted_date": chicago_day(now()).isoformat(),
            "source": "LETTER",
        }
        report["utility_reference"] = "DG-2026-0042"
        return session.post(
            path,
            data=report,
            files={"proof": ("letter.pdf", letter, "application/pdf")},
            headers={"X-CSRFToken": token, "Accept": "application/json", "Referer": path},
            timeout=120,
        ).status_code

    with ThreadPoolExecutor(LETTERS_AT_ONCE) as senders:
        answers = [senders.submit(send_report, technician) for technician in technicians]
        opened_before_the_end = 0
        while not all(answer.done() for answer in answers):
            assert requests.get(f"{stack.site_url}/field/", timeout=60).ok
            opened_before_the_end += 1

    assert {answer.result() for answer in answers} <= {422, 503}
    assert opened_before_the_end > LETTERS_AT_ONCE
    assert not GoLiveReport.objects.filter(installation=job).exists()
    for technician in technicians:
        technician.close()


def test_W12_thousand_webhooks_are_stored_while_the_engine_works(stack: Stack) -> None:
    case = stack.ready_case()
    bodies = [
        json.dumps(
            {
                "uuid": str(uuid.uuid4()),
                "event": "account.updated",
                "data": {},
                "account": {"uuid": str(case.light_account_uuid)},
            }
        ).encode()
        for _ in range(WEBHOOKS)
    ]
    before = WebhookDelivery.objects.count()
    secret = stack.environment["LIGHT_WEBHOOK_SECRET"]
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=SENDERS))

    def deliver(body: bytes) -> int:
        headers = {**signed_headers(REFERENCE, secret, body, now()), "Content-Type": "application/json"}
        return session.post(f"{stack.site_url}/webhooks/light/", data=body, headers=headers, timeout=60).status_code

    with ThreadPoolExecutor(SENDERS) as senders, session:
        statuses = list(senders.map(deliver, bodies))
    stack.report_pto(case)

    assert set(statuses) == {200}
    assert WebhookDelivery.objects.count() >= before + WEBHOOKS
    stack.until_finalized(case)
    stack.until(
        lambda: not WebhookDelivery.objects.filter(settled_at__isnull=True).exclude(due_at=None).exists(),
        "every webhook is settled",
        seconds=150,
    )
    assert stack.calls(case, "accept") == 1
