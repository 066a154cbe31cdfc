"""Viewing what a customer signed is logged with the viewer."""

import logging

import pytest
from django.test import Client

from accounts.models import User
from core.admin.links import record_url
from tests.factories.accounts import personal_key
from tests.factories.installations import AT
from tests.factories.poa_documents import sent_poa


def test_opening_a_poa_is_logged(office_client: Client, office: User, caplog: pytest.LogCaptureFixture) -> None:
    poa = sent_poa(at=AT)
    caplog.set_level(logging.INFO)

    office_client.get(record_url(poa))

    assert f"POA {poa.pk} was read by user {office.pk}." in caplog.messages


def test_reading_a_poa_over_the_api_is_logged(office: User, caplog: pytest.LogCaptureFixture) -> None:
    poa = sent_poa(at=AT)
    system = Client(headers={"Authorization": f"Token {personal_key(office)}"})
    caplog.set_level(logging.INFO)

    system.get(f"/api/v1/poa-requests/{poa.public_id}/")

    assert f"POA {poa.pk} was read by user {office.pk}." in caplog.messages
