"""Keys: what is stored, what an unknown one costs, and what people get at sign-in."""

import time
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts import api_client_actions, key_secrets
from accounts.models import ApiKey, User
from accounts.queries import find_key
from installations.tasks import tidy_up_task
from tests.factories.accounts import client_key, personal_key
from tests.factories.installations import staff
from tests.integration.accounts.calls import PASSWORD, read, sign_in

pytestmark = pytest.mark.django_db


def test_secret_has_256_random_bits_and_a_prefix() -> None:
    drawn = {key_secrets.generate().text for _ in range(100)}

    assert len(drawn) == 100
    assert all(text.startswith("swy_") and key_secrets.looks_like_secret(text) for text in drawn)
    assert 62**key_secrets.RANDOM_CHARACTERS > 2**256
    assert 62 ** (key_secrets.RANDOM_CHARACTERS - 6) > 2**160  # what the visible prefix leaves to guess


def test_only_a_hash_of_the_secret_is_kept() -> None:
    made = client_key()

    kept = str(list(ApiKey.objects.values()))

    assert made.secret not in kept
    assert made.secret[len(made.key.prefix) :] not in kept
    assert made.secret not in repr(made) + repr(key_secrets.generate())


def test_key_is_found_by_one_indexed_statement() -> None:
    secret = client_key().secret
    with CaptureQueriesContext(connection) as asked:
        found = find_key(secret)
        assert found is not None
        assert found.account.is_active

    assert len(asked) == 1
    plan = ApiKey.objects.filter(secret_sha256=key_secrets.sha256_of(secret)).explain()
    assert "SCAN" not in plan.replace("Index Scan", "")


@pytest.mark.parametrize(
    "header",
    [
        "Token",
        "Token ",
        "Token x",
        "Token swy_" + "a" * 42,
        "Token swy_" + "a" * 44,
        "Token swy_" + "\u00e9" * 43,
        "Token " + "0" * 40 + " x",
        "Token " + "0" * 16_000,
        "Bearer " * 2_000,
        "x" * 16_000,
        "Basic Zm9vOmJhcg==",
    ],
)
def test_malformed_key_is_refused_without_a_query(header: str, client: Client) -> None:
    began = time.thread_time()
    with CaptureQueriesContext(connection) as asked:
        answer = client.get("/api/v1/customers/", headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"
    assert not asked
    assert time.thread_time() - began < 0.5


def test_key_prefix_reveals_nothing() -> None:
    made = client_key()
    guess = made.key.prefix + "a" * (len(made.secret) - len(made.key.prefix))

    answers = [read(guess), read(key_secrets.generate().text)]

    assert [answer.json() for answer in answers] == [{"detail": "Unknown key."}] * 2


def test_last_use_is_recorded_once_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    made = client_key()
    read(made.secret)
    first = ApiKey.objects.get().last_used_at
    assert first is not None
    read(made.secret)
    assert ApiKey.objects.get().last_used_at == first

    ApiKey.objects.update(last_used_at=first - timedelta(hours=2))
    read(made.secret)

    noted = ApiKey.objects.get().last_used_at
    assert noted is not None
    assert noted >= first


def test_reading_works_while_the_database_is_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = client_key().secret

    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise DatabaseError("attempt to write a readonly database")

    monkeypatch.setattr(QuerySet, "update", refuse)

    assert read(secret).status_code == 200


def test_personal_key_lasts_some_hours() -> None:
    person = staff()

    answer = sign_in(person.username).json()

    expires_at = parse_datetime(answer["expires_at"])
    assert expires_at is not None
    assert timedelta(hours=11) < expires_at - timezone.now() <= timedelta(hours=12)
    assert read(answer["token"]).status_code == 200
    ApiKey.objects.update(expires_at=timezone.now())
    assert read(answer["token"]).status_code == 401


def test_oldest_excess_personal_key_is_revoked() -> None:
    person, colleague = staff(), staff()
    others, system = personal_key(colleague), client_key(by=person).secret

    given = [personal_key(person) for _ in range(api_client_actions.MAX_PERSONAL_KEYS + 1)]

    assert [read(key).status_code for key in given] == [401, *[200] * api_client_actions.MAX_PERSONAL_KEYS]
    assert (read(others).status_code, read(system).status_code) == (200, 200)


@pytest.mark.parametrize("kept", [{"is_staff": "on"}, {"is_active": "on"}], ids=["switched off", "no longer staff"])
def test_personal_key_ends_permanently_with_the_job(admin_client: Client, kept: dict[str, str]) -> None:
    person = User.objects.create_user("olivia", password=PASSWORD, is_staff=True)
    key = personal_key(person)
    form = {"username": "olivia", "date_joined_0": "2026-01-02", "date_joined_1": "10:00:00"}

    assert admin_client.post(f"/admin/accounts/user/{person.public_id}/change/", {**form, **kept}).status_code == 302
    assert read(key).status_code == 401

    back = {**form, "is_staff": "on", "is_active": "on"}
    assert admin_client.post(f"/admin/accounts/user/{person.public_id}/change/", back).status_code == 302
    assert read(key).json() == {"detail": "This key was revoked. Use another one."}


def test_second_factor_reset_revokes_personal_keys() -> None:
    person = staff(username="olivia")
    TOTP.activate(person, "A" * 32)
    key, others = personal_key(person), personal_key()

    call_command("reset_second_factor", "olivia", by=staff().username, reason="lost phone")

    assert read(key).json() == {"detail": "This key was revoked. Use another one."}
    assert read(others).status_code == 200


def test_key_of_a_deactivated_person_is_refused() -> None:
    person = staff()
    key = personal_key(person)

    User.objects.filter(pk=person.pk).update(is_active=False)

    assert read(key).status_code == 401


def test_key_has_exactly_one_owner() -> None:
    made = client_key()

    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.filter(pk=made.key.pk).update(person=staff())
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.filter(pk=made.key.pk).update(client=None)


def test_ended_personal_keys_are_deleted_after_a_month() -> None:
    person, long_ago = staff(), timezone.now() - timedelta(days=31)
    personal_key(person)
    client_key()
    ApiKey.objects.update(expires_at=long_ago)
    living = personal_key(person)

    tidy_up_task()

    assert sorted(key.person is None for key in ApiKey.objects.all()) == [False, True]
    assert read(living).status_code == 200


@pytest.mark.parametrize(
    ("days_left", "unused_days", "state"),
    [(100, 0, "Valid"), (29, 0, "Expires soon"), (100, 91, "Unused for 90 days"), (-1, 0, "Expired")],
)
def test_status_says_what_to_do(days_left: int, unused_days: int, state: str) -> None:
    key, now = client_key().key, timezone.now()
    key.expires_at = now + timedelta(days=days_left, minutes=1)
    key.created_at = now - timedelta(days=unused_days)

    assert key.state_at(now) == state
