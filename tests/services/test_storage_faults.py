"""Documents in a real S3 server that checks signatures and access, behind a proxy that can be cut."""

import hashlib
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from core.clock import now
from core.stored_files import FileAltered, FileNotStored, StoredFile, read, store
from demo.browser_actors import Customer as VisitingCustomer
from enrollments.models import Enrollment, Hold
from enrollments.states import EnrollmentStatus
from operations.orphaned_files import find_orphans, sweep_orphans
from poa_documents import actions as poa_actions
from poa_documents.models import PoaDocument
from poa_documents.states import PoaStatus
from tests.factories.poa_documents import sealing_poa
from tools.service_harness.servers import S3Server
from tools.service_harness.stack import WORKERS, Stack
from tools.service_harness.visitors import character_of
from tools.service_harness.wire import WireState


def client(s3: S3Server, *, secret: str = "", key: str = "", endpoint: str = "") -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint or s3.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=key or s3.access_key_id,
        aws_secret_access_key=secret or s3.secret_access_key,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            retries={"max_attempts": 0},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def bucket(stack: Stack) -> str:
    return stack.environment["STORAGE_S3_BUCKET"]


def versions(stack: Stack, s3: S3Server, key: str) -> list[str]:
    listed = client(s3).list_object_versions(Bucket=bucket(stack), Prefix=key)
    return [version["VersionId"] for version in listed.get("Versions", [])]


@pytest.fixture(autouse=True)
def _whole_wire(stack: Stack) -> Iterator[None]:
    yield
    stack.wire.state = WireState.WHOLE


# What the server refuses


def test_unsigned_requests_cannot_read_a_document(stack: Stack, s3: S3Server) -> None:
    file = store(b"a signed document", folder="poa", suffix=".pdf")
    address = f"{s3.endpoint_url}/{bucket(stack)}/{file.key}"

    unsigned = requests.get(address, timeout=10)
    listing = requests.get(f"{s3.endpoint_url}/{bucket(stack)}/", timeout=10)

    assert unsigned.status_code == 403
    assert listing.status_code == 403
    assert b"a signed document" not in unsigned.content


@pytest.mark.parametrize("wrong", ["secret", "key"])
def test_wrong_credentials_are_refused(stack: Stack, s3: S3Server, wrong: str) -> None:
    file = store(b"another signed document", folder="poa", suffix=".pdf")
    stranger = client(s3, **{wrong: "not-the-one-that-was-given"})

    with pytest.raises(ClientError) as refused:
        stranger.get_object(Bucket=bucket(stack), Key=file.key)
    with pytest.raises(ClientError):
        stranger.put_object(Bucket=bucket(stack), Key=file.key, Body=b"mine now")

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert read(file) == b"another signed document"


def test_short_lived_link_opens_only_its_document(stack: Stack) -> None:
    file = store(b"for the customer", folder="poa", suffix=".pdf")
    other = store(b"for somebody else", folder="poa", suffix=".pdf")

    link = storages["default"].url(file.key)

    assert requests.get(link, timeout=10).content == b"for the customer"
    assert requests.get(link.replace(file.key, other.key), timeout=10).status_code == 403
    assert "X-Amz-Expires=60" in link


# What we promise


def test_document_is_stored_under_its_hash_and_read_back(stack: Stack, s3: S3Server) -> None:
    content = b"content " * 1_000

    file = store(content, folder="poa", suffix=".pdf")

    assert hashlib.sha256(content).hexdigest() in file.key
    assert read(file) == content
    assert len(versions(stack, s3, file.key)) == 1


def test_identical_content_is_written_once(stack: Stack, s3: S3Server) -> None:
    first = store(b"stored twice", folder="poa", suffix=".pdf")

    second = store(b"stored twice", folder="poa", suffix=".pdf")

    assert first == second
    assert len(versions(stack, s3, first.key)) == 1


def test_identical_simultaneous_content_is_one_readable_object(stack: Stack, s3: S3Server) -> None:
    content, together, keys = b"stored by six at once", threading.Barrier(6), set()

    def write() -> None:
        together.wait(20)
        keys.add(store(content, folder="poa", suffix=".pdf").key)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    [key] = keys
    sha256 = hashlib.sha256(content).hexdigest()
    listed = client(s3).list_objects_v2(Bucket=bucket(stack), Prefix=f"poa/{sha256[:2]}/{sha256}")
    assert [each["Key"] for each in listed["Contents"]] == [key]
    assert read(StoredFile(key, sha256, len(content))) == content


def test_taken_name_is_never_overwritten(stack: Stack, s3: S3Server) -> None:
    file = store(b"the first", folder="poa", suffix=".pdf")

    written_key = storages["default"].save(file.key, ContentFile(b"the second"))

    assert written_key != file.key
    assert read(file) == b"the first"


# Faults


@pytest.mark.parametrize("state", [WireState.REFUSES, WireState.HANGS])
def test_S1_S2_customer_signs_while_storage_refuses_or_hangs(stack: Stack, state: WireState) -> None:
    _, poa = stack.invite()
    visitor = VisitingCustomer(character_of(poa), mail_folder=stack.mail_folder, site_url=stack.site_url)
    assert visitor.link
    stack.wire.state = state

    visitor.sign()
    visitor.close()

    kept = PoaDocument.objects.get(pk=poa.pk)
    assert kept.status == PoaStatus.SEALING
    assert kept.signed_at is not None
    assert kept.signature_text
    stack.check()

    stack.wire.state = WireState.WHOLE
    stack.until(
        lambda: PoaDocument.objects.get(pk=poa.pk).status == PoaStatus.SIGNED, "the document is sealed", seconds=150
    )
    stack.check(reads_files=True)


def test_S3_lost_put_answer_leaves_one_object(stack: Stack, s3: S3Server) -> None:
    stack.wire.lost_answers = 0
    stack.wire.state = WireState.LOSES_ANSWERS_TO_PUT
    with pytest.raises(FileNotStored):
        store(b"its answer is lost", folder="poa", suffix=".pdf")
    assert stack.wire.lost_answers >= 1
    stack.wire.state = WireState.WHOLE

    file = store(b"its answer is lost", folder="poa", suffix=".pdf")

    sha256 = hashlib.sha256(b"its answer is lost").hexdigest()
    listed = client(s3).list_objects_v2(Bucket=bucket(stack), Prefix=f"poa/{sha256[:2]}/{sha256}")
    assert [each["Key"] for each in listed["Contents"]] == [file.key]
    assert read(file) == b"its answer is lost"


@pytest.mark.parametrize("harm", ["missing", "altered"])
def test_S4_S5_missing_or_altered_document_stops_the_acceptance(stack: Stack, s3: S3Server, harm: str) -> None:
    case = stack.ready_case()
    poa = PoaDocument.objects.get(site=case.site)
    original = read(StoredFile(poa.pdf_storage_key, poa.pdf_sha256, poa.pdf_size_bytes or 0))
    if harm == "missing":
        client(s3).delete_object(Bucket=bucket(stack), Key=poa.pdf_storage_key)
    else:
        client(s3).put_object(Bucket=bucket(stack), Key=poa.pdf_storage_key, Body=original[:-1] + b"!")

    stack.report_pto(case)

    stack.until(lambda: Hold.objects.filter(enrollment=case, released_at=None).exists(), "a person is asked")
    hold = Hold.objects.get(enrollment=case, released_at=None)
    assert hold.owner
    assert PoaDocument.objects.get(pk=poa.pk).status == PoaStatus.SUSPENDED
    assert Enrollment.objects.get(pk=case.pk).status == EnrollmentStatus.OPEN
    assert stack.calls(case, "accept") == 0
    assert stack.acceptances_of(case) == []
    stack.check()
    client(s3).put_object(Bucket=bucket(stack), Key=poa.pdf_storage_key, Body=original)


def test_S6_crash_between_put_and_commit_leaves_no_row(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    class Crashed(BaseException):
        """Stands for signal 9."""

    def crash(*_arguments: object, **_options: object) -> None:
        raise Crashed

    sold = stack.sell()
    stack.kill(*WORKERS)  # else one of them may seal it first
    poa = sealing_poa(at=now(), customer=sold.customer, site=sold.site, promise=stack.promise())
    monkeypatch.setattr("poa_documents.actions.seals._conclude", crash)
    with pytest.raises(Crashed):
        poa_actions.seal_poa(poa_id=poa.pk, at=now())
    assert PoaDocument.objects.get(pk=poa.pk).pdf_storage_key == ""

    stack.start(*WORKERS)
    # The lease of the one that crashed is over.
    PoaDocument.objects.filter(pk=poa.pk, status=PoaStatus.SEALING).update(due_at=now())
    stack.until(lambda: PoaDocument.objects.get(pk=poa.pk).status == PoaStatus.SIGNED, "a worker seals it")

    stack.check(reads_files=True)


def test_S6_only_crash_orphans_are_deleted(stack: Stack, s3: S3Server) -> None:
    signed = PoaDocument.objects.get(site=stack.ready_case().site)
    orphan = store(b"stored by one that died before it wrote the row", folder="poa", suffix=".pdf")
    stack.until(lambda: not PoaDocument.objects.filter(status=PoaStatus.SEALING).exists(), "no document is being made")
    assert orphan.key not in [each.key for each in find_orphans(at=now())]
    tomorrow = now() + timedelta(days=1, minutes=10)

    swept = sweep_orphans(at=tomorrow, recheck_after_seconds=0)

    assert orphan.key in [each.key for each in swept]
    with pytest.raises(FileAltered):
        read(orphan)
    listed = client(s3).list_objects_v2(Bucket=bucket(stack), Prefix=signed.pdf_storage_key)
    assert [each["Key"] for each in listed["Contents"]] == [signed.pdf_storage_key]
    stack.check(reads_files=True)


def test_missing_object_is_distinguished_from_silent_storage(stack: Stack) -> None:
    missing = StoredFile("poa/00/nothing-there.pdf", "0" * 64, 1)

    with pytest.raises(FileAltered):
        read(missing)

    stack.wire.state = WireState.REFUSES
    with pytest.raises(Exception) as silent:
        read(missing)
    assert not isinstance(silent.value, FileAltered)


def test_bucket_keeps_every_version(stack: Stack, s3: S3Server) -> None:
    status = client(s3).get_bucket_versioning(Bucket=bucket(stack))

    assert status["Status"] == "Enabled"
    assert settings.STORAGES["default"]["OPTIONS"]["default_acl"] == "private"
