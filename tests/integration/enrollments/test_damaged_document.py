"""One byte of a signed document changes in the storage: what is shown, who is asked, and how it ends."""

import html
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.test import Client

from accounts.models import User
from core.admin.links import button_url
from enrollments.actions import case_opening
from enrollments.models import AcceptAttempt, Enrollment, Hold
from enrollments.states import HoldOwner
from poa_documents import actions as poa_actions
from poa_documents.models import PoaDocument
from poa_documents.states import PoaStatus
from tests.integration.enrollments.flow import Flow
from tests.integration.enrollments.test_crashes import ready_to_accept

pytestmark = [pytest.mark.django_db, pytest.mark.one_dialect]


@pytest.fixture
def office(client: Client) -> Client:
    person = User.objects.create_user("olivia", password="a long enough password", is_staff=True)
    person.groups.add(Group.objects.get(name="office"))
    client.force_login(person)
    return client


@pytest.fixture
def queued(flow: Flow) -> Iterator[Enrollment]:
    """All gates are open and the acceptance is due. The damaged file is restored at the end."""
    case = ready_to_accept(flow)
    poa = PoaDocument.objects.get(site=case.site)
    good = bytes_of(poa)
    yield case
    put(poa, good)


def bytes_of(poa: PoaDocument) -> bytes:
    with storages["default"].open(poa.pdf_storage_key) as file:
        content: bytes = file.read()
    return content


def put(poa: PoaDocument, content: bytes) -> None:
    storages["default"].delete(poa.pdf_storage_key)
    storages["default"].save(poa.pdf_storage_key, ContentFile(content))


def alter(poa: PoaDocument) -> bytes:
    good = bytes_of(poa)
    middle = len(good) // 2
    put(poa, good[:middle] + bytes([good[middle] ^ 0x01]) + good[middle + 1 :])
    return good


def night(flow: Flow, _case: Enrollment) -> None:
    poa_actions.check_sealed_files(at=flow.clock.at)


def use(flow: Flow, case: Enrollment) -> None:
    flow.run(case)


@pytest.mark.parametrize("find", [night, use], ids=["the nightly check", "the check before use"])
def test_altered_document_stops_all_until_the_office_restores_it(
    flow: Flow, queued: Enrollment, office: Client, find: Callable[[Flow, Enrollment], None]
) -> None:
    poa = PoaDocument.objects.get(site=queued.site)
    good = alter(poa)

    find(flow, queued)

    poa.refresh_from_db()
    assert poa.status == PoaStatus.SUSPENDED

    flow.live(queued, timedelta(hours=3))
    assert flow.acceptances_of(queued) == []
    assert not AcceptAttempt.objects.exists()
    hold = Hold.objects.get(enrollment=queued, released_at__isnull=True)
    queue = html.unescape(office.get("/admin/").content.decode())
    assert hold.owner == HoldOwner.OFFICE
    assert str(queued.customer) in queue
    assert "the signed document is missing, was altered, or its seal is not valid" in hold.because
    assert "then resume it" in hold.because
    assert hold.because in queue
    assert ">Office<" in queue
    assert "Signed documents that are missing, altered or badly sealed: 1." in queue

    refused = office.post(button_url(poa, "resume"), {"reason": "It looks fine to me."}, follow=True).content.decode()
    poa.refresh_from_db()
    assert poa.status == PoaStatus.SUSPENDED
    assert "Restore the file from a backup, then resume the POA" in refused

    put(poa, good)
    night(flow, queued)
    flow.live(queued, timedelta(hours=3))
    poa.refresh_from_db()
    assert poa.status == PoaStatus.SUSPENDED, "a good file alone resumes nothing"
    assert flow.acceptances_of(queued) == []

    office.post(button_url(poa, "resume"), {"reason": "The file is back from the bucket's versions."})
    assert case_opening.reconsider_changed_sites(at=flow.clock.at, limit=10)
    flow.run(queued)
    flow.live(queued, timedelta(hours=3))
    poa.refresh_from_db()
    assert poa.status in {PoaStatus.SIGNED, PoaStatus.EXHAUSTED}
    assert len(flow.acceptances_of(queued)) == 1
    assert not Hold.objects.filter(enrollment=queued, released_at__isnull=True).exists()
    kinds = list(poa.evidence.order_by("number").values_list("kind", flat=True))
    told = ["suspend", "file_damaged", "file_restored", "resume", "enrollment.start_accepting"]
    assert [kind for kind in kinds if kind in told] == told
