"""A sealed file under object lock: written once, and not deletable in any way before its day."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.core.files.storage import storages
from django.test import override_settings

from config.settings import base
from core import clock, stored_files
from core.stored_files import StoredFile
from tools.service_harness.servers import S3Server


@pytest.fixture
def locked_bucket(s3: S3Server) -> Iterator[Any]:
    name = f"locked-{uuid.uuid4().hex[:8]}"
    options = base.document_storage_options(
        bucket=name,
        endpoint_url=s3.endpoint_url,
        access_key=s3.access_key_id,
        secret_key=s3.secret_access_key,
    )
    default = {
        "BACKEND": "operations.object_lock_storage.ObjectLockStorage",
        "OPTIONS": {**options, "lock_mode": "GOVERNANCE", "lock_days": 30},
    }
    with override_settings(STORAGES={**base.STORAGES, "default": default}):
        storage: Any = storages["default"]
        storage.connection.meta.client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
        yield storage.bucket


def test_only_sealed_files_are_locked_until_their_day(locked_bucket: Any) -> None:
    sealed = stored_files.store(b"%PDF-1.7 sealed", folder="poa", suffix=".pdf")
    proof = stored_files.store(b"%PDF-1.7 a letter", folder="proofs", suffix=".pdf")

    with pytest.raises(ClientError, match="AccessDenied"):
        stored_files.destroy(sealed.key)
    stored_files.destroy(proof.key)

    assert stored_files.read(sealed) == b"%PDF-1.7 sealed"
    assert stored_files.store(b"%PDF-1.7 sealed", folder="poa", suffix=".pdf") == sealed
    assert list(locked_bucket.object_versions.filter(Prefix=proof.key)) == []
    lock = locked_bucket.meta.client.get_object_retention(Bucket=locked_bucket.name, Key=sealed.key)["Retention"]
    assert lock["Mode"] == "GOVERNANCE"
    assert lock["RetainUntilDate"] > clock.now() + timedelta(days=29)


def test_overwritten_version_is_destroyed_too(locked_bucket: Any) -> None:
    key = "proofs/aa/letter.pdf"
    for content in (b"one", b"two"):
        locked_bucket.put_object(Key=key, Body=content)

    stored_files.destroy(key)

    assert list(locked_bucket.object_versions.filter(Prefix=key)) == []
    with pytest.raises(stored_files.FileAltered, match="missing"):
        stored_files.read(StoredFile(key, "", 0))
