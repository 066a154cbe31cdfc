"""A key of the encrypted fields can be replaced while people work."""

from datetime import date

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from config.celery import check_field_keys
from core.encryption import CannotDecrypt, count_by_key, reencrypt
from installations.models import Customer
from operations.key_checks import check_keys_at_start
from poa_documents.models import PoaDocument
from tests.factories.installations import customer, staff
from tests.factories.phones import set_up_phone
from tests.factories.poa_documents import sealing_poa

pytestmark = pytest.mark.django_db
OLD, NEW = b"t" * 32, b"n" * 32


def in_the_database(record: Customer) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT date_of_birth_text FROM installations_customer WHERE id = %s", [record.pk])
        return str(cursor.fetchone()[0])


def test_after_rotation_the_new_key_alone_reads_everything(settings: Settings) -> None:
    carmen, signed = customer(date_of_birth=date(1984, 5, 17)), sealing_poa(signature_text="Carmen Reyes")
    customer(date_of_birth=None)
    settings.FIELD_ENCRYPTION_KEYS = {"new": NEW, "test": OLD}

    call_command("rotate_field_keys")

    settings.FIELD_ENCRYPTION_KEYS = {"new": NEW}
    assert set(count_by_key()) == {"new"}
    assert in_the_database(carmen).startswith("new:")
    assert Customer.objects.get(pk=carmen.pk).date_of_birth == date(1984, 5, 17)
    assert PoaDocument.objects.get(pk=signed.pk).signature_text == "Carmen Reyes"


def test_second_run_finds_nothing_to_do(settings: Settings) -> None:
    customer(date_of_birth=date(1984, 5, 17))
    settings.FIELD_ENCRYPTION_KEYS = {"new": NEW, "test": OLD}

    assert [reencrypt(), reencrypt()] == [1, 0]


def test_dry_run_only_counts(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    carmen = customer(date_of_birth=date(1984, 5, 17))
    before = in_the_database(carmen)
    settings.FIELD_ENCRYPTION_KEYS = {"new": NEW, "test": OLD}

    call_command("rotate_field_keys", dry_run=True)

    assert capsys.readouterr().out == "Values that need key test: 1.\n"
    assert in_the_database(carmen) == before


def test_prematurely_removed_key_is_named(settings: Settings) -> None:
    carmen = customer(date_of_birth=date(1984, 5, 17))
    before = in_the_database(carmen)
    settings.FIELD_ENCRYPTION_KEYS = {"new": NEW}

    with pytest.raises(CommandError, match=r"key 'test'.*Add that key back"):
        call_command("rotate_field_keys")

    assert in_the_database(carmen) == before


def test_encrypted_value_is_bound_to_its_field(settings: Settings) -> None:
    carmen, signed = customer(date_of_birth=date(1984, 5, 17)), sealing_poa(signature_text="Carmen Reyes")
    with connection.cursor() as cursor:
        moved = in_the_database(carmen)
        cursor.execute("UPDATE poa_documents_poadocument SET signature_text = %s WHERE id = %s", [moved, signed.pk])

    with pytest.raises(CannotDecrypt, match="was altered or belongs elsewhere"):
        PoaDocument.objects.get(pk=signed.pk)


def lacking(settings: Settings) -> None:
    customer(date_of_birth=date(1984, 5, 17))
    settings.FIELD_ENCRYPTION_KEYS = {"new": NEW}


@pytest.mark.django_db(transaction=True)
def test_process_without_the_keys_does_not_start(settings: Settings) -> None:
    lacking(settings)

    with pytest.raises(ImproperlyConfigured, match=r"lacks key 'test'.*docs/runbooks/secrets\.md"):
        check_keys_at_start()
    with pytest.raises(SystemExit, match="lacks key 'test'"):
        check_field_keys()
    with pytest.raises(CommandError, match="lacks key 'test'"):
        call_command("up", port=0)


def test_different_key_with_the_same_name_is_detected(settings: Settings) -> None:
    customer(date_of_birth=date(1984, 5, 17))
    settings.FIELD_ENCRYPTION_KEYS = {"test": NEW}

    with pytest.raises(ImproperlyConfigured, match="does not decrypt"):
        check_keys_at_start()


def test_second_factor_secret_needs_its_key_too(settings: Settings) -> None:
    client = Client()
    client.force_login(staff())
    set_up_phone(client)
    settings.FIELD_ENCRYPTION_KEYS = {"new": NEW}

    with pytest.raises(ImproperlyConfigured, match="lacks key 'test'"):
        check_keys_at_start()


def test_process_with_all_keys_starts(settings: Settings) -> None:
    customer(date_of_birth=date(1984, 5, 17))
    settings.FIELD_ENCRYPTION_KEYS = {"new": NEW, "test": OLD}

    check_keys_at_start()
