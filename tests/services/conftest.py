"""Servers and a stack for each test process, started once; every test starts with a working stack."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from tools.service_harness.assembly import built_stack, own_servers
from tools.service_harness.servers import S3Server, Servers, s3_server
from tools.service_harness.stack import Stack
from tools.service_harness.wire import Wire

MAX_TEST_SECONDS = 1800


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.services)
            item.add_marker(pytest.mark.timeout(MAX_TEST_SECONDS))


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with own_servers() as started:
        yield started


@pytest.fixture(scope="session")
def s3() -> S3Server:
    return s3_server()


@pytest.fixture(scope="session")
def wire(s3: S3Server) -> Iterator[Wire]:
    """The proxy between the stack and the S3 server."""
    with Wire(s3.endpoint_url) as wire:
        yield wire


@pytest.fixture(scope="session")
def started_stack(servers: Servers, s3: S3Server, wire: Wire, django_db_blocker: DjangoDbBlocker) -> Iterator[Stack]:
    with django_db_blocker.unblock(), built_stack(servers, s3, wire) as stack:
        yield stack


@pytest.fixture
def stack(started_stack: Stack) -> Stack:
    """The stack, repaired whatever the previous test did."""
    connections["default"].close_if_unusable_or_obsolete()
    started_stack.make_whole()
    return started_stack
