"""Credentials that may not list the bucket cannot store anything: startup says so, with the missing permission."""

import logging
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from config.settings.base import document_storage_options
from core.stored_files import FileNotStored, store
from operations.bucket_permissions import log_missing_permission, missing_permission
from tests.small_s3 import SmallS3, small_s3


@pytest.fixture
def server(settings: Settings) -> Iterator[SmallS3]:
    with small_s3() as server:
        options = document_storage_options(
            bucket="documents", endpoint_url=server.url, access_key="key", secret_key="secret"
        )
        storage = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
        settings.STORAGES = settings.STORAGES | {"default": storage}
        yield server


def test_bucket_without_list_permission_is_refused_at_start(server: SmallS3, caplog: pytest.LogCaptureFixture) -> None:
    server.buckets["documents"] = {}
    server.may_list = False
    with pytest.raises(FileNotStored, match="403"):
        store(b"signed", folder="poa", suffix=".pdf")

    with pytest.raises(CommandError, match=r"s3:ListBucket"):
        call_command("prepare_storage")
    with caplog.at_level(logging.ERROR):
        log_missing_permission()

    assert "may not list the bucket documents" in caplog.text


def test_missing_bucket_is_not_a_missing_permission(server: SmallS3) -> None:
    assert missing_permission() == ""

    call_command("prepare_storage")

    assert server.buckets == {"documents": {}}
    assert missing_permission() == ""


def test_unreachable_storage_does_not_prevent_start(
    server: SmallS3, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    options = {**settings.STORAGES["default"]["OPTIONS"], "endpoint_url": "http://127.0.0.1:9"}
    settings.STORAGES = settings.STORAGES | {"default": settings.STORAGES["default"] | {"OPTIONS": options}}

    log_missing_permission()

    assert "could not be checked at start" in caplog.text


def test_local_files_need_no_permission() -> None:
    assert missing_permission() == ""
