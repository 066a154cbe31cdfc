"""Identifiers that are never used twice, and `updated_at` however a record is changed."""

import time
import uuid
from collections.abc import Callable
from datetime import datetime

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection

from core.public_records import MirroredRecord, PublicRecord, new_public_id
from installations.models import Customer
from tests.factories.installations import customer

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

WITHOUT_PUBLIC_ID = {"auth.Group", "admin.LogEntry"}  # Django's own, shown to superusers only
MIRRORED = [model for model in apps.get_models() if issubclass(model, MirroredRecord)]


def save(record: Customer) -> None:
    record.save()


def save_one_field(record: Customer) -> None:
    record.save(update_fields=["city" if hasattr(record, "city") else "last_name"])


def update(record: Customer) -> None:
    Customer.objects.filter(pk=record.pk).update(last_name="Ortega")


def bulk_update(record: Customer) -> None:
    Customer.objects.bulk_update([record], ["last_name"])


def plain_sql(record: Customer) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE installations_customer SET last_name = 'Ortega' WHERE id = %s", [record.pk])


def updated_at(record: Customer) -> datetime:
    return Customer.objects.values_list("updated_at", flat=True).get(pk=record.pk)


@pytest.mark.parametrize("change", [save, save_one_field, update, bulk_update, plain_sql])
def test_every_way_to_change_a_record_updates_its_time(change: Callable[[Customer], None]) -> None:
    record, other = customer(), customer()
    before, others = updated_at(record), updated_at(other)
    time.sleep(0.005)  # SQLite's clock counts milliseconds

    change(record)

    assert updated_at(record) > before
    assert updated_at(other) == others


def test_stale_copy_does_not_turn_the_time_back() -> None:
    record = customer()
    stale = Customer.objects.get(pk=record.pk)
    time.sleep(0.005)
    record.save()
    later = updated_at(record)
    time.sleep(0.005)

    stale.save()

    assert updated_at(record) > later


def test_times_compare_with_any_instant_to_the_microsecond() -> None:
    record = customer()
    seen = updated_at(record)

    assert Customer.objects.filter(updated_at__gte=seen).exists()
    Customer.objects.filter(pk=record.pk).update(last_name="Ortega")
    assert Customer.objects.filter(updated_at__gte=updated_at(record)).exists()


def test_every_mirrored_table_has_its_trigger() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT tbl_name FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%_updated_at'")
        else:
            cursor.execute(
                "SELECT event_object_table FROM information_schema.triggers WHERE trigger_name LIKE '%_updated_at'"
            )
        found = {table for (table,) in cursor.fetchall()}

    assert found == {model._meta.db_table for model in MIRRORED}


def test_every_record_with_a_page_has_a_public_id() -> None:
    without = {model._meta.label for model in admin.site._registry if not issubclass(model, PublicRecord)}

    assert without == WITHOUT_PUBLIC_ID


def test_public_ids_are_uuids_in_the_order_of_creation() -> None:
    made = [new_public_id() for _ in range(100)]

    assert {each.version for each in made} == {7}
    assert made == sorted(made)
    assert all(type(each) is uuid.UUID for each in made)
