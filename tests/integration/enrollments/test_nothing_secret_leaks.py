"""
One whole case with everything written down that anybody could read afterward, searched for what must not be there.

From the invitation to the accepted plan, over the pages, with lost answers and refusals in between.
"""

import base64
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest
import requests
from celery.signals import before_task_publish
from django.conf import settings as ours
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core import mail
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from accounts.models import User
from accounts.staff_groups import OFFICE_GROUP
from core.admin.links import record_url
from enrollments.actions import case_opening
from enrollments.models import Enrollment, EnrollmentEvent, Hold, LightWrite, RemoteCall, WebhookDelivery
from installations import actions as jobs
from operations.log_redaction import RedactingFormatter
from poa_documents import actions as poa_actions
from poa_documents.models import EvidenceEntry, PoaDocument
from simulator.server import start_simulator
from tests.contract.dialects import REFERENCE
from tests.factories import installations as made
from tests.factories.accounts import client_key, personal_key
from tests.factories.poa_documents import drafted_poa
from tests.integration.access.company import UNKNOWN_UUID, records_in_admin
from tests.integration.enrollments.flow import MORNING, OFFICE, SECOND_PERSON, Flow, roomy_promise
from tests.integration.faults.walks import ARRIVED, open_hold, release
from tests.integration.poa_documents.portal_visits import CODE, Visit, token_in_last_mail
from tests.integration.webhooks.deliveries import deliver, event, settle_due

pytestmark = pytest.mark.django_db(transaction=True)

BORN = date(1984, 5, 17)
WAVE = json.dumps([[[10 + step * 4, 40 + (step % 7) * 5] for step in range(40)]])
PASSWORD = "a long enough password"


class Terminal(logging.Handler):
    """What the terminal would show with every logger at its lowest level."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(RedactingFormatter("{name}: {message}", style="{"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@dataclass
class Kept:
    """All output by where it appeared, and what must not be in it."""

    said: dict[str, list[str]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def hear(self, where: str, text: object) -> None:
        self.said.setdefault(where, []).append(text if isinstance(text, str) else repr(text))

    def leaks(self) -> list[str]:
        return [
            f"{what} in {where}: {text.replace(secret, '<HERE>')[:300]}"
            for where, texts in self.said.items()
            for what, secret in self.secrets.items()
            for text in texts
            if secret in text
        ]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    kept, terminal = Kept(), Terminal()
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in logging.root.manager.loggerDict)]
    before = [(logger, logger.level, logger.disabled) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.disabled = False
        if not logger.propagate or logger is logging.getLogger():
            logger.addHandler(terminal)
    send = requests.Session.send

    def note_and_send(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if "/__sim__/" not in str(request.url):
            kept.hear("the URLs that we called", str(request.url))
            bearer = str(request.headers.get("Authorization", "")).removeprefix("Bearer ")
            kept.secrets[f"a token of Light's ({bearer[:4]}…)"] = bearer
        return send(self, request, **options)

    def note_message(body: Any = None, headers: Any = None, **_rest: Any) -> None:
        kept.hear("the messages of the queue", [body, headers])

    monkeypatch.setattr(requests.Session, "send", note_and_send)
    before_task_publish.connect(note_message, weak=False, dispatch_uid="kept")
    yield kept
    before_task_publish.disconnect(dispatch_uid="kept")
    for logger, level, disabled in before:
        logger.removeHandler(terminal)
        logger.setLevel(level)
        logger.disabled = disabled
    kept.said["the log"] = terminal.lines
    assert len(terminal.lines) > 50
    assert kept.leaks() == []


@pytest.fixture
def flow(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flow]:
    running = start_simulator()
    running.control.set_now(MORNING)
    running.control.freeze_clock()
    walked = Flow(running, REFERENCE)
    settings.LIGHT_HOSTED_ORIGINS = [running.url]
    settings.LIGHT_APP_TOKEN = running.app_token
    monkeypatch.setattr("core.clock.configured_clock", lambda: walked.clock)
    monkeypatch.setattr("enrollments.customer_home.views.hosted_pages_client", lambda: walked.light)
    yield walked
    walked.light.close()
    running.stop()


def test_whole_flow_leaks_no_secret(flow: Flow, kept: Kept) -> None:
    kept.secrets |= {
        "the secret key": ours.SECRET_KEY,
        "the app token": flow.simulator.app_token,
        "the webhook secret": ours.LIGHT_WEBHOOK_SECRETS[0],
        "the key of encrypted fields": base64.b64encode(next(iter(ours.FIELD_ENCRYPTION_KEYS.values()))).decode(),
        "the birth date": BORN.isoformat(),
        "the birth date in American": BORN.strftime("%m/%d/%Y"),
        "points of the signature": WAVE[3:60],
        "the same points with fewer spaces": WAVE.replace(" ", "")[3:50],
        "a password": PASSWORD,
    }

    case = invite_and_sign(flow, kept)
    run_with_failures(flow, kept, case)
    view_everything(flow, kept, case)

    assert case.status in ARRIVED
    kept.hear("the records of what was sent", list(LightWrite.objects.values()))
    kept.hear("the records of calls", list(RemoteCall.objects.values()))
    kept.hear("the history of the case", list(EnrollmentEvent.objects.values()))
    kept.hear("the holds", list(Hold.objects.values()))
    kept.hear("the case", list(Enrollment.objects.values()))
    kept.hear("the webhooks", list(WebhookDelivery.objects.values()))
    kept.hear("the evidence", list(EvidenceEntry.objects.values()))
    rows = PoaDocument.objects.defer("signature_text").values(
        "token_hash", "last_error", "ended_because", "pdf_storage_key"
    )
    kept.hear("the documents", list(rows))
    assert {"the URLs that we called", "the messages of the queue"} <= {*kept.said}


def invite_and_sign(flow: Flow, kept: Kept) -> Enrollment:
    tess = made.technician(username="tess")
    person = made.customer(flow.clock.at, date_of_birth=BORN)
    job = made.installation_at(made.SUBMITTED, flow.clock.at, customer=person, site=made.site(flow.clock.at))
    jobs.assign_technician(installation_id=job.pk, technician_id=tess.pk, by=OFFICE, at=flow.clock.at)
    poa = drafted_poa(customer=person, site=job.site, promise=roomy_promise(), at=flow.clock.at)
    poa_actions.send_mail(mail_id=poa_actions.send_poa(poa_id=poa.pk, by=OFFICE, at=flow.clock.at).pk, at=flow.clock.at)
    token = token_in_last_mail()
    kept.secrets["the signing link"] = token
    visit = Visit(token)
    visit.open()
    visit.client.get(f"/portal/{token}x/")  # a mistyped link is logged as not found
    visit.enter_code()
    visit.agree_to_everything()
    visit.send("step/signature/", kind="DRAWN", strokes=WAVE)
    visit.send("step/review/")
    poa.refresh_from_db()
    assert poa.signature_text
    assert poa.sealed_at
    for number, code in enumerate(CODE.findall("\n".join(str(message.body) for message in mail.outbox))):
        kept.secrets[f"portal code {number}"] = code
    flow.pass_time(timedelta(seconds=2))
    case = Enrollment.objects.filter(site=job.site).first() or case_opening.reconsider_site(
        site_id=job.site_id, at=flow.clock.at
    )
    assert case is not None
    return case


def run_with_failures(flow: Flow, kept: Kept, case: Enrollment) -> None:
    flow.simulator.control.inject_fault("create", "drop_after")
    flow.live(case, timedelta(hours=2), until=lambda: case.light_account_uuid is not None)
    newest = token_in_last_mail()  # a mail about the missing details carries a link of its own
    kept.secrets["the newest link"] = newest
    visit = Visit(newest).enter_code()
    sent_on = visit.client.post(visit.address("continue/"), visit.fields("decline/") or visit.fields(""))
    kept.secrets |= {
        f"the way into Light's pages {number}": text
        for number, text in enumerate(re.findall(r"token=([^&]+)", sent_on.headers.get("Location", "")))
    }
    deliver(event("account.updated", case.light_account_uuid))
    deliver(event("account.updated", case.light_account_uuid), secret="a wrong one")
    settle_due(flow.clock.at)
    flow.finish_at_light(case)
    tess = Client()
    tess.post("/field/sign-in/", {"username": "tess", "password": PASSWORD})
    job = case.installations.get()
    form = {
        "submission_id": UNKNOWN_UUID,
        "granted_date": "2026-03-04",
        "source": "LETTER",
        "utility_reference": "DG-1",
    }
    assert tess.post(f"/field/jobs/{job.public_id}/", form).status_code == 302
    kept.secrets["the technician's session"] = tess.cookies["sessionid"].value
    for report in job.reports.all():
        jobs.confirm_go_live(report_id=report.pk, reason="Seen.", by=SECOND_PERSON, at=flow.clock.at)
    flow.simulator.control.inject_fault("accept", "rate_limit", retry_after="60")
    flow.live(case, timedelta(days=3), until=lambda: case.status in ARRIVED or open_hold(case) is not None)
    if open_hold(case) is not None:
        release(flow, case)
        flow.live(case, timedelta(days=3), until=lambda: case.status in ARRIVED)


def view_everything(flow: Flow, kept: Kept, case: Enrollment) -> None:
    """The office opens every record in the admin, and a system reads all over the API."""
    olivia = User.objects.create_user("olivia", password=PASSWORD, is_staff=True)
    olivia.groups.add(Group.objects.get(name=OFFICE_GROUP))
    kept.secrets["the personal API key"] = key = personal_key(olivia)
    office, system = Client(), Client(headers={"Authorization": f"Token {key}"})
    kept.secrets["the API key of a system"] = crm = client_key().secret
    assert Client(headers={"Authorization": f"Bearer {crm}"}).get("/api/v1/enrollments/").status_code == 200
    office.post("/admin/login/", {"username": "olivia", "password": PASSWORD})
    kept.secrets["the office's session"] = office.cookies["sessionid"].value
    # It would log a whole traceback for each variable missing on a page; the portal's pages already cover that.
    logging.getLogger("django.template").setLevel(logging.INFO)
    decided_once = 0
    for model, _key in records_in_admin():
        if model in admin.site._registry:
            for record in model._default_manager.all()[:5]:
                kept.hear(f"the page of a {model._meta.verbose_name}", office.get(record_url(record)).content.decode())
                decided_once += 1
            listed = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            kept.hear(f"the list of {model._meta.verbose_name_plural}", office.get(listed).content.decode())
    for name in ("customers", "sites", "installations", "pto-reports", "poa-requests", "enrollments", "pauses"):
        answer = system.get(f"/api/v1/{name}/")
        kept.hear(f"the API's {name}", answer.content.decode())
        for row in answer.json()["results"]:
            kept.hear(f"one of the API's {name}", system.get(f"/api/v1/{name}/{row['id']}/").content.decode())
    for log_line in flow.simulator.control.requests():
        kept.hear("the URLs that Light saw", str(log_line.get("path")) + str(log_line.get("query")))
    assert decided_once > 30
