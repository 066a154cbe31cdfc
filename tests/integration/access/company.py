"""A company with two customers, two technicians, one record of every kind, and every role that may call."""

import io
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.cookies import SimpleCookie
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db.models import Model
from django.test import Client
from PIL import Image

from accounts.models import Scope, User
from accounts.staff_groups import OFFICE_GROUP
from core.actors import Actor
from enrollments.actions import pauses, system_holds
from enrollments.models import (
    AcceptAttempt,
    AdvanceNotice,
    DatabasePlace,
    Difference,
    Enrollment,
    Pause,
    ReconciliationRun,
    RemoteCall,
    WebhookDelivery,
    WebhookRefusal,
)
from enrollments.states import DifferenceKind
from installations import actions as jobs
from installations.models import ContactProof, GoLiveReport, Installation
from installations.proofs import check_proof
from poa_documents.models import DoubtReason, PoaDocument, SignerDoubt, StopKind, StopSignal
from tests.factories.accounts import api_client, client_key, personal_key
from tests.factories.cases import case, hold, judged_offer
from tests.factories.installations import AT, SUBMITTED, customer, go_live_report, installation_at, site, technician
from tests.factories.poa_documents import signed_poa
from tests.integration.poa_documents.portal_visits import Visit, token_in_last_mail

ROLES = (
    "nobody",
    "customer with own link",
    "customer with foreign link",
    "technician",
    "other technician",
    "office",
    "superuser",
    "disabled",
    "token of a technician",
    "token of the office",
    "token of a superuser",
    "token of the disabled",
    "key of a client",
    "key of a reading client",
)
UNKNOWN_UUID = "00000000-0000-4000-8000-000000000000"


@dataclass
class Company:
    """
    A case of Carmen's, on which Tess works; Dolores and Tom have one too.

    `links` says with which link a customer comes, `own_links` for which one the code was typed in that browser.
    """

    job: Installation
    report: GoLiveReport
    poa: PoaDocument
    enrollment: Enrollment
    other_job: Installation
    links: dict[str, str]
    own_links: dict[str, str]
    users: dict[str, User]
    tokens: dict[str, str]
    clients: dict[str, Client] = field(default_factory=dict)
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def pause(self) -> Pause:
        return Pause.objects.get()

    def client(self, role: str) -> Client:
        """A browser or system as it was right after sign-in, whatever it was used for since."""
        if role not in self.clients:
            client = Client(raise_request_exception=False)
            if role in self.own_links:
                Visit(self.own_links[role], client).enter_code()
            if role in self.users:
                _force_sign_in(client, self.users[role])
            if role in self.tokens:
                client.defaults["HTTP_AUTHORIZATION"] = f"Token {self.tokens[role]}"
            self.clients[role] = client
            self.cookies[role] = {name: cookie.value for name, cookie in client.cookies.items()}
        self.clients[role].cookies = SimpleCookie(self.cookies[role])
        return self.clients[role]


def _force_sign_in(client: Client, person: User) -> None:
    """Also a person who was deactivated: the session is from before."""
    was_active, person.is_active = person.is_active, True
    client.force_login(person)
    person.is_active = was_active


def built() -> Company:
    tess, tom = technician(username="tess"), technician(username="tom")
    office = User.objects.create_user("olivia", password="a long enough password", is_staff=True)
    office.groups.add(Group.objects.get(name=OFFICE_GROUP))
    root = User.objects.create_superuser("root", password="a long enough password")
    left = User.objects.create_superuser("left", password="a long enough password", is_active=False)
    own, foreign = _case_of(tess, first_name="Carmen"), _case_of(tom, first_name="Dolores")
    _records_of_every_other_kind(own)
    users = {"technician": tess, "other technician": tom, "office": office, "superuser": root, "disabled": left}
    tokens = {
        "token of a technician": tess,
        "token of the office": office,
        "token of a superuser": root,
        "token of the disabled": left,
    }
    return Company(
        job=own.job,
        report=own.report,
        poa=own.poa,
        enrollment=own.enrollment,
        other_job=foreign.job,
        links={"customer with own link": own.link, "customer with foreign link": own.link},
        own_links={"customer with own link": own.link, "customer with foreign link": foreign.link},
        users=users,
        tokens={role: personal_key(user) for role, user in tokens.items()}
        | {
            "key of a client": client_key(api_client(by=root, name="Sales CRM"), by=root).secret,
            "key of a reading client": client_key(api_client(by=root, scope=Scope.READ), by=root).secret,
        },
    )


@dataclass
class _Case:
    job: Installation
    report: GoLiveReport
    poa: PoaDocument
    enrollment: Enrollment
    link: str


def _case_of(who: User, *, first_name: str) -> _Case:
    person, place = customer(first_name=first_name), site()
    job = installation_at(SUBMITTED, customer=person, site=place, technician=who)
    poa = signed_poa(customer=person, site=place, at=AT, signature_text=f"{first_name} Reyes")
    link = token_in_last_mail()
    by = Actor.technician(who.public_id)
    jobs.keep_proof(installation_id=job.pk, submission_id=uuid.uuid4(), proof=_photo(), by=by, at=AT)
    report = go_live_report(job, by=by, proofs=[_photo()])
    return _Case(job, report, poa, case(job=job), link)


def _photo() -> Any:
    written = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(written, "JPEG")
    written.seek(0)
    return check_proof(written, name="letter.jpg", size_bytes=len(written.getvalue()))


def _records_of_every_other_kind(own: _Case, at: datetime = AT) -> None:
    hold(own.enrollment, at=at)
    offer = judged_offer(own.enrollment, own.poa)
    AcceptAttempt.objects.create(
        write=offer.write,
        enrollment=own.enrollment,
        poa=own.poa,
        offer=offer,
        esi_id=offer.esi_id,
        service_start_date=at.date() + timedelta(days=10),
        chicago_date=at.date(),
        succeeded=False,
    )
    StopSignal.objects.create(
        customer=customer(first_name="Emilio"),
        kind=StopKind.DECEASED,
        source="The customer's son.",
        received_at=at,
        recorded_at=at,
    )
    SignerDoubt.objects.create(
        poa=own.poa,
        reason=DoubtReason.FIRST_ADDRESS,
        because="Company rule: a second person confirms every first address.",
        noted_at=at,
        proof=ContactProof.CALL_BACK,
        cleared_at=at,
        cleared_by=f"staff:{UUID(int=1)}",
    )
    AdvanceNotice.objects.create(
        enrollment=own.enrollment,
        poa=own.poa,
        offer=offer,
        start_date=at.date() + timedelta(days=13),
        given_at=at,
        until=at + timedelta(days=3),
    )
    RemoteCall.objects.create(
        enrollment=own.enrollment, purpose="read", method="GET", path="/v1/app", seconds=0.1, at=at
    )
    WebhookDelivery.objects.create(event_key="e1", body="{}", event_name="account.updated", received_at=at)
    WebhookRefusal.objects.create(date=at.date(), last_at=at, last_reason="missing")
    run = ReconciliationRun.objects.create(started_at=at, started_by="operator", finished_at=at)
    Difference.objects.create(
        run=run, kind=DifferenceKind.values[0], light_account_uuid=UNKNOWN_UUID, repair="Ask Light."
    )
    DatabasePlace.objects.get_or_create(defaults={"since": at}, place="here")
    LogEntry.objects.create(user=User.objects.get(username="olivia"), action_flag=2, object_repr="Hardware job")
    pauses.pause(reason="Prices look odd.", by=Actor.staff(UUID(int=1)), at=at)
    system_holds.hold_writes(reason="A look at things.", by=Actor.staff(UUID(int=1)), at=at)


def records_in_admin() -> Iterator[tuple[type[Model], Any]]:
    """Each kind of our records with the ID of one of them."""
    for label in ("accounts", "installations", "poa_documents", "enrollments"):
        for model in apps.get_app_config(label).get_models():
            yield model, model._default_manager.values_list("public_id", flat=True).first()
