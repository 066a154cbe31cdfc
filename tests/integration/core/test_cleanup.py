"""What is deleted at night, and what is kept."""

import io
import uuid
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from PIL import Image

from core import cleanup, clock
from core.actors import Actor
from core.models import IdempotentRequest
from installations import actions, proofs
from installations.models import Installation, KeptProof
from installations.states import InstallationStatus
from installations.tasks import tidy_up_task
from tests.factories.installations import AT, SUBMITTED, installation_at, staff

pytestmark = pytest.mark.django_db


def answered(at: datetime) -> IdempotentRequest:
    return IdempotentRequest.objects.create(
        user=staff(),
        key=uuid.uuid4().hex,
        method="POST",
        path="/api/v1/sites/",
        request_sha256="0" * 64,
        response_status=201,
        at=at,
    )


def kept_proof(installation: Installation, *, at: datetime) -> KeptProof:
    photo = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(photo, "JPEG")
    checked = proofs.check_proof(io.BytesIO(photo.getvalue()), name="letter.jpg", size_bytes=1)
    return actions.keep_proof(
        installation_id=installation.pk,
        submission_id=uuid.uuid4(),
        proof=checked,
        by=Actor.technician(UUID(int=7)),
        at=at,
    )


def test_idempotent_answer_is_kept_thirty_days() -> None:
    old, young = answered(AT - timedelta(days=30, seconds=1)), answered(AT - timedelta(days=30))

    assert cleanup.delete_old_idempotent_requests(at=AT) == 1

    assert list(IdempotentRequest.objects.all()) == [young]
    assert old.pk != young.pk


def test_many_rows_are_deleted_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup, "BATCH_SIZE", 2)
    for _ in range(5):
        answered(AT - timedelta(days=31))

    assert cleanup.delete_old_idempotent_requests(at=AT) == 5


def test_ended_sessions_are_deleted_and_active_ones_kept(client: Client) -> None:
    client.force_login(staff())
    ended = Client()
    ended.force_login(staff())
    Session.objects.filter(pk=ended.session.session_key).update(expire_date=timezone.now())

    assert cleanup.delete_ended_sessions() == 1

    assert Session.objects.get().pk == client.session.session_key


@pytest.mark.parametrize(
    ("status", "days", "goes"),
    [
        (InstallationStatus.PTO_CONFIRMED, 91, True),
        (InstallationStatus.CANCELLED, 91, True),
        (InstallationStatus.PTO_CONFIRMED, 89, False),
        (SUBMITTED, 400, False),
    ],
)
def test_unfinished_form_proof_is_deleted_long_after_its_job(
    status: InstallationStatus, days: int, *, goes: bool
) -> None:
    kept_proof(installation_at(status), at=AT - timedelta(days=days))

    assert proofs.delete_abandoned(at=AT) == int(goes)

    assert KeptProof.objects.exists() != goes


def test_nightly_cleanup_does_all_and_reports_it() -> None:
    answered(clock.now() - timedelta(days=31))

    assert tidy_up_task() == "deleted 1 stored answers, 0 sessions, 0 abandoned proofs"
