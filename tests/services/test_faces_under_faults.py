"""What customers, technicians and Light meet at our doors while something behind them is broken or busy."""

import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import requests
from django.contrib.auth.models import User

from config.demo import cast
from config.demo.people import Customer as VisitingCustomer
from config.demo.people import Technician
from core.clock import now
from core.dates import chicago_day
from enrollments.models import WebhookDelivery
from installations.models import GoLiveReport
from poa_documents.models import PoaDocument
from poa_documents.states import PoaStatus
from simulator.dialect import REFERENCE
from simulator.webhooks import signed_headers
from tests.factories import installations as made
from tests.services.house import House
from tests.services.visitors import character_of

LONGEST_ANSWER_SECONDS = 3.0
WEBHOOKS = 1_000
SENDERS = 8


def slowest_answer(person: VisitingCustomer | Technician) -> Callable[[], tuple[float, str]]:
    """Time every page that a person asks for from now on; give the slowest, and which it was."""
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


def the_technician() -> User:
    known = User.objects.filter(username=cast.TECHNICIAN_NAME).first()
    return known or made.technician(username=cast.TECHNICIAN_NAME, password=cast.TECHNICIAN_PASSWORD)


def test_Q10_redis_down_while_a_customer_signs_and_a_technician_marks_pto(house: House) -> None:
    enrollment, poa = house.invite()
    job = enrollment.installations.get()
    job.technician = the_technician()
    job.save(update_fields=["technician"])
    customer = VisitingCustomer(character_of(poa), mail_folder=house.mail_folder, site_url=house.site_url)
    technician = Technician(site_url=house.site_url)
    assert customer.link
    technician.sign_in()
    house.servers.kill("redis")
    customer_waited, technician_waited = slowest_answer(customer), slowest_answer(technician)

    customer.sign()
    technician.report(job.pk, granted=chicago_day(now()), on_site=False, reference="DG-2026-0042")
    customer.close()
    technician.close()

    assert customer_waited() < (LONGEST_ANSWER_SECONDS, ""), customer_waited()
    assert technician_waited() < (LONGEST_ANSWER_SECONDS, ""), technician_waited()
    signed = PoaDocument.objects.get(pk=poa.pk)
    assert signed.signed_at is not None
    assert GoLiveReport.objects.filter(installation=job).count() == 1
    house.check()

    house.servers.start("redis")
    house.until(lambda: PoaDocument.objects.get(pk=poa.pk).status == PoaStatus.SIGNED, "the document is sealed")
    house.until(lambda: type(enrollment).objects.get(pk=enrollment.pk).attested_at, "Light knows the customer")
    enrollment.refresh_from_db()
    house.light.complete(str(enrollment.light_account_uuid), esi_id=enrollment.site.esi_id)
    house.until_finalized(enrollment)


def test_W12_a_thousand_webhooks_at_once_are_all_stored_and_the_engine_goes_on(house: House) -> None:
    case = house.ready_case()
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
    secret = house.environment["LIGHT_WEBHOOK_SECRET"]
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=SENDERS))

    def deliver(body: bytes) -> int:
        headers = {**signed_headers(REFERENCE, secret, body, now()), "Content-Type": "application/json"}
        return session.post(f"{house.site_url}/webhooks/light/", data=body, headers=headers, timeout=60).status_code

    with ThreadPoolExecutor(SENDERS) as senders, session:
        statuses = list(senders.map(deliver, bodies))
    house.report_pto(case)

    assert set(statuses) == {200}
    assert WebhookDelivery.objects.count() >= before + WEBHOOKS
    house.until_finalized(case)
    house.until(
        lambda: not WebhookDelivery.objects.filter(settled_at__isnull=True).exclude(due_at=None).exists(),
        "every webhook is settled",
        seconds=150,
    )
    assert house.calls(case, "accept") == 1
