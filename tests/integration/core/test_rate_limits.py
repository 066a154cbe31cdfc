"""Limits: counted by all processes together, by pairs and never by a name alone; and when counting is down."""

import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache, caches
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from core import clock, rate_limits
from core.rate_limits import Limit, RateLimitReached, RateLimitStoreDown
from enrollments.models import WebhookDelivery, WebhookRefusal
from poa_documents.models import PoaDocument
from poa_documents.states import PoaStatus
from tests.conftest import REDIS_URL
from tests.factories.accounts import personal_key
from tests.factories.installations import SUBMITTED, installation_at, staff, technician
from tests.factories.phones import set_up_phone
from tests.factories.poa_documents import sent_poa
from tests.integration.poa_documents.portal_visits import Visit, token_in_last_mail
from tests.integration.webhooks.deliveries import ADDRESS, deliver, event

PASSWORD = "a long enough password"
NOBODY = "redis://127.0.0.1:1/0"
THREE = Limit("three", max_tries=3, seconds=3600)
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def in_database(settings: Settings, transactional_db: None) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "core.shared_cache.CountingDatabaseCache",
            "LOCATION": settings.CACHE_TABLE,
            "OPTIONS": {"MAX_ENTRIES": 10_000},
        }
    }


@pytest.fixture
def store_away(settings: Settings) -> Iterator[None]:
    """The cache is at an address where nothing answers."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": NOBODY}}
    yield
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    rate_limits.reset_circuit()


def at_once(number: int, act: Callable[[], Any]) -> list[Any]:
    """Run something in many threads at the same instant; return the result of each."""
    came_to: list[Any] = []
    gate = threading.Barrier(number)

    def one() -> None:
        gate.wait()
        try:
            came_to.append(act())
        except (RateLimitReached, RateLimitStoreDown) as refused:
            came_to.append(type(refused))
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return came_to


def test_each_key_is_counted_separately_until_its_window_ends() -> None:
    for _ in range(3):
        rate_limits.count(THREE, "a", "here")

    with pytest.raises(RateLimitReached) as refused:
        rate_limits.count(THREE, "a", "here")

    assert 0 < refused.value.seconds <= 3600
    rate_limits.count(THREE, "a", "there")
    rate_limits.count(THREE, "ah", "ere")
    rate_limits.forget(THREE, "a", "here")
    rate_limits.count(THREE, "a", "here")


def test_ipv6_network_counts_as_one_address() -> None:
    """An owner of one address in it has all the others."""
    for address in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "2001:DB8:1:2::3"):
        rate_limits.count(THREE, "a", address)

    with pytest.raises(RateLimitReached):
        rate_limits.count(THREE, "a", "2001:db8:1:2:a:b:c:d")
    rate_limits.count(THREE, "a", "2001:db8:1:3::1")


def test_two_spellings_of_an_address_count_together() -> None:
    for _ in range(3):
        rate_limits.count(THREE, "192.0.2.7")

    with pytest.raises(RateLimitReached):
        rate_limits.count(THREE, "::ffff:192.0.2.7")


def test_counting_restarts_in_the_next_window(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000_000]
    monkeypatch.setattr(rate_limits, "_now_seconds", lambda: now[0])
    for _ in range(3):
        rate_limits.count(THREE, "a")
    with pytest.raises(RateLimitReached) as refused:
        rate_limits.count(THREE, "a")

    now[0] += refused.value.seconds

    rate_limits.count(THREE, "a")


def test_cache_holds_no_name_or_address(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[str] = []

    def note(key: str) -> int:
        keys.append(key)
        return 1

    monkeypatch.setattr(cache, "incr", note)

    rate_limits.count(rate_limits.SIGN_IN, "olivia", "192.0.2.7")

    assert keys
    assert not any("olivia" in key or "192.0.2.7" in key for key in keys)


@pytest.mark.usefixtures("in_database")
def test_database_lets_exactly_the_limit_pass_under_concurrency() -> None:
    came_to = at_once(8, lambda: rate_limits.count(THREE, "a"))

    assert sorted(map(str, came_to)) == sorted(map(str, [None] * 3 + [RateLimitReached] * 5))


@pytest.mark.usefixtures("in_database")
def test_database_count_ends_at_its_time() -> None:
    cache.add("count", 0, timeout=3600)
    with connection.cursor() as cursor:
        cursor.execute("SELECT expires FROM switchyard_cache")
        before = cursor.fetchall()
        assert [cache.incr("count"), cache.incr("count")] == [1, 2]
        cursor.execute("SELECT expires FROM switchyard_cache")
        assert cursor.fetchall() == before
    with pytest.raises(ValueError, match="no count"):
        cache.incr("another")


_COUNT = """
import django
django.setup()
from core.rate_limits import Limit, count
count(Limit("two", max_tries=2, seconds=86_400), "x")
"""


@pytest.mark.parametrize("where", ["database", pytest.param("redis", marks=pytest.mark.services)])
def test_processes_count_together(where: str, tmp_path: Path) -> None:
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "DJANGO_SETTINGS_MODULE": "config.settings.local",
        "DATA_DIR": str(tmp_path),
        "CACHE_URL": REDIS_URL if where == "redis" else "",
        "CELERY_KEY_PREFIX": f"switchyard-{uuid.uuid4().hex[:12]}:",
    }

    def start(*command: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(  # noqa: S603 - our own commands
            [sys.executable, *command],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    table = start("manage.py", "createcachetable")
    assert not table.communicate()[1]
    counting = [start("-c", _COUNT) for _ in range(3)]
    said = [process.communicate()[1] for process in counting]

    assert sorted(process.returncode for process in counting) == [0, 0, 1], said
    assert sum("RateLimitReached" in words for words in said) == 1


@pytest.mark.services
def test_redis_counts_simultaneous_requests(settings: Settings, redis_key_prefix: str) -> None:
    settings.CACHES = {"default": {**_redis_as_configured(), "LOCATION": REDIS_URL, "KEY_PREFIX": redis_key_prefix}}

    came_to = at_once(8, lambda: rate_limits.count(THREE, "a"))

    assert sorted(map(str, came_to)) == sorted(map(str, [None] * 3 + [RateLimitReached] * 5))
    caches["default"].set("words", {"a": [1, "ü"]})
    assert caches["default"].get("words") == {"a": [1, "ü"]}
    client = caches["default"]._cache.get_client()  # type: ignore[attr-defined]
    assert all(0 < client.ttl(key) <= 7200 for key in client.scan_iter(f"{redis_key_prefix}*three*"))


def _redis_as_configured() -> dict[str, Any]:
    """The cache that the settings derive from a Redis broker."""
    code = "import json; from config.settings import local as s; print(json.dumps(s.CACHES['default']))"
    environment = {"PATH": os.environ["PATH"], "CELERY_BROKER_URL": "redis://127.0.0.1:6379/3", "DATA_DIR": "/tmp"}  # noqa: S108
    said = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    configured: dict[str, Any] = json.loads(said.stdout)
    return configured


# Sign-in pages


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/admin/login/", "/field/sign-in/"])
def test_guesses_of_others_lock_out_nobody(page: str) -> None:
    username = staff().username
    thief, owner = Client(REMOTE_ADDR="192.0.2.66"), Client(REMOTE_ADDR="192.0.2.1")
    for _ in range(12):
        refused = thief.post(page, {"username": username, "password": "wrong"})

    welcome = owner.post(page, {"username": username, "password": PASSWORD})

    assert (refused.status_code, welcome.status_code) == (429, 302)


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/admin/login/", "/field/sign-in/"])
def test_guessing_one_name_from_new_networks_slows_down(page: str) -> None:
    """A provider assigns as many 64-bit networks as anyone likes."""
    wrong = {"username": staff().username, "password": "wrong"}

    answers = [Client(REMOTE_ADDR=f"2001:db8:0:{number:x}::1").post(page, wrong).status_code for number in range(50)]

    assert answers[:30] == [200] * 30
    assert answers[33:] == [429] * 17


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/admin/login/", "/field/sign-in/"])
def test_guesses_from_everywhere_lock_out_nobody(page: str) -> None:
    """Neither the owner's own browser, nor a new one elsewhere."""
    right = {"username": staff().username, "password": PASSWORD}
    own = Client(REMOTE_ADDR="2001:db8:0:ffff::1")
    own.post(page, right)
    own.cookies = SimpleCookie({name: each.value for name, each in own.cookies.items() if name == "known-browser"})
    for number in range(60):
        Client(REMOTE_ADDR=f"2001:db8:0:{number:x}::1").post(page, right | {"password": "wrong"})

    at_the_same_provider, elsewhere = own.post(page, right), Client(REMOTE_ADDR="198.51.100.7").post(page, right)

    assert (at_the_same_provider.status_code, elsewhere.status_code) == (302, 302)


@pytest.mark.django_db
def test_known_browser_cookie_is_for_its_name_and_ours() -> None:
    for each in ("olivia", "oscar"):
        staff(username=each)
    own = Client()
    own.post("/admin/login/", {"username": "oscar", "password": PASSWORD})
    cookie = own.cookies["known-browser"].value
    refused = []
    for kept in (cookie, cookie[:-2] + "xx", "nonsense", ""):
        cache.clear()
        for number in range(40):
            guess = Client(REMOTE_ADDR=f"2001:db8:0:{number:x}::1")
            guess.cookies["known-browser"] = kept
            answer = guess.post("/admin/login/", {"username": "olivia", "password": "wrong"})
        refused.append(answer.status_code)

    assert refused == [429] * 4


@pytest.mark.django_db
def test_all_sign_in_pages_count_together() -> None:
    username = staff().username
    client = Client()
    for page in ["/admin/login/", "/field/sign-in/"] * 5:
        client.post(page, {"username": username.upper(), "password": "wrong"})

    right = {"username": username, "password": PASSWORD}
    answers = [client.post(page, right) for page in ("/admin/login/", "/field/sign-in/")]
    api = client.post("/api/v1/token/", right, content_type="application/json")

    assert [answer.status_code for answer in [*answers, api]] == [429, 429, 429]
    assert "Retry-After" in api.headers


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/admin/login/", "/field/sign-in/"])
def test_equivalent_spellings_of_a_name_share_attempts(page: str) -> None:
    """Django's form normalizes full-width and similar letters before it looks for the person."""
    staff(username="olivia")
    client = Client()
    for name in ("olivia", "\uff4flivia", "o\uff4civia", "ol\uff49via", "\u24delivia") * 2:
        client.post(page, {"username": name, "password": "wrong"})

    answer = client.post(page, {"username": "olivi\uff41", "password": PASSWORD})

    assert answer.status_code == 429


@pytest.mark.django_db
def test_hundred_names_from_one_address_are_too_many() -> None:
    client = Client()
    for number in range(100):
        client.post("/admin/login/", {"username": f"name{number}", "password": "wrong"})

    assert client.post("/admin/login/", {"username": "fresh", "password": "wrong"}).status_code == 429


@pytest.mark.django_db
def test_successful_sign_in_restores_all_attempts() -> None:
    username = staff().username
    for _ in range(3):
        client = Client()
        for _ in range(6):
            client.post("/admin/login/", {"username": username, "password": "wrong"})
        assert client.post("/admin/login/", {"username": username, "password": PASSWORD}).status_code == 302


@pytest.mark.django_db
@pytest.mark.usefixtures("store_away")
@pytest.mark.parametrize("page", ["/admin/login/", "/field/sign-in/"])
def test_sign_in_is_closed_while_counting_is_down(page: str, client: Client) -> None:
    response = client.post(page, {"username": staff().username, "password": PASSWORD})

    assert (response.status_code, response["Retry-After"]) == (503, "60")
    assert "try again in a minute" in response.text
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db
@pytest.mark.usefixtures("store_away")
def test_no_token_is_issued_while_counting_is_down(client: Client) -> None:
    who = {"username": staff().username, "password": PASSWORD}

    response = client.post("/api/v1/token/", who, content_type="application/json")

    assert (response.status_code, response["Retry-After"]) == (503, "60")


@pytest.mark.django_db
def test_no_code_is_accepted_while_counting_is_down(settings: Settings, request: pytest.FixtureRequest) -> None:
    settings.STAFF_MFA_REQUIRED = True
    username = staff().username
    first, client = Client(), Client()
    for each in (first, client):
        each.post("/admin/login/", {"username": username, "password": PASSWORD})
    phone, codes = set_up_phone(first)
    request.getfixturevalue("store_away")

    answers = [client.post("/admin/second-step/", {"code": code}).status_code for code in (phone.code(), codes[0])]

    assert answers == [503, 503]
    assert first.get("/admin/").status_code == 200  # people already signed in stay signed in


# The customer's link


@pytest.mark.django_db
def test_guessing_links_is_slowed_but_real_links_open(client: Client) -> None:
    sent_poa(at=clock.now())
    token = token_in_last_mail()
    answers = [client.get(f"/portal/{uuid.uuid4().hex}/") for _ in range(31)]

    assert [answer.status_code for answer in answers] == [404] * 30 + [429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert "Espere unos minutos" in answers[-1].text
    assert "Please wait a few minutes" in answers[-1].text
    assert client.get(f"/portal/{token}/").status_code == 200


@pytest.mark.django_db
def test_other_peoples_forms_do_not_lock_out_the_customer() -> None:
    sent_poa(at=clock.now())
    customer = Visit.by_last_mail()
    form = customer.fields("decline/")
    thief = Visit(customer.token, Client(REMOTE_ADDR="192.0.2.66"))
    answers = [thief.client.post(thief.address("decline/"), form) for _ in range(61)]

    assert [answer.status_code for answer in answers] == [302] * 60 + [429]
    assert customer.post("decline/", form).status_code == 200
    assert PoaDocument.objects.get().status == PoaStatus.DECLINED


@pytest.mark.django_db
@pytest.mark.usefixtures("store_away")
def test_customer_continues_while_counting_is_down() -> None:
    sent_poa(at=clock.now())

    Visit.by_last_mail().send("decline/", reason="Too dear")

    assert PoaDocument.objects.get().status == PoaStatus.DECLINED


# Webhooks, uploads, API


@pytest.mark.django_db
def test_excess_bad_signatures_are_ignored_and_good_ones_accepted(client: Client) -> None:
    answers = [client.post(ADDRESS, b"{}", content_type="application/json") for _ in range(61)]

    assert [answer.status_code for answer in answers] == [401] * 60 + [429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert WebhookRefusal.objects.get().count == 60
    assert deliver(event("account.updated")).status_code == 200
    assert WebhookDelivery.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("attacked", "other", "sender"),
    [("/webhooks/mail/", "/webhooks/light/", "MAIL"), ("/webhooks/light/", "/webhooks/mail/", "LIGHT")],
)
def test_attack_on_one_webhook_address_hides_no_other(client: Client, attacked: str, other: str, sender: str) -> None:
    answers = [client.post(attacked, b"{}", content_type="application/json") for _ in range(61)]

    at_the_other = client.post(other, b"{}", content_type="application/json")

    assert answers[-1].status_code == 429
    assert at_the_other.status_code == 401
    counts = dict(WebhookRefusal.objects.values_list("sender", "count"))
    assert counts.pop(sender) == 60
    assert list(counts.values()) == [1]
    page = client.get("/metrics").content.decode()
    assert f'switchyard_refused_webhooks_today{{sender="{sender}"}} 60.0' in page


@pytest.mark.django_db
@pytest.mark.usefixtures("store_away")
def test_webhooks_are_judged_by_signature_while_counting_is_down(client: Client) -> None:
    assert client.post(ADDRESS, b"{}", content_type="application/json").status_code == 401
    assert deliver(event("account.updated")).status_code == 200


@pytest.mark.django_db
@pytest.mark.usefixtures("store_away")
def test_technicians_and_systems_continue_while_counting_is_down(client: Client) -> None:
    client.force_login(technician())

    assert client.post(f"/field/jobs/{uuid.uuid4()}/", {}).status_code == 404
    assert client.get("/api/schema/").status_code == 200


@pytest.mark.django_db
def test_technician_who_sends_too_often_waits_and_keeps_form(client: Client) -> None:
    tess = technician()
    job = installation_at(SUBMITTED, at=clock.now(), technician=tess)
    client.force_login(tess)
    for _ in range(60):
        client.post(f"/field/jobs/{job.public_id}/", {})

    page = client.post(f"/field/jobs/{job.public_id}/", {})
    script = client.post(f"/field/jobs/{job.public_id}/", {}, headers={"Accept": "application/json"})

    assert (page.status_code, script.status_code) == (429, 429)
    assert int(page["Retry-After"]) > 0
    assert "where your entries still are" in page.text


@pytest.mark.django_db
def test_token_has_its_own_limit(settings: Settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 5
    busy, other = (Client(headers={"Authorization": f"Token {personal_key()}"}) for _ in range(2))
    answers = [busy.get("/api/v1/sites/") for _ in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert other.get("/api/v1/sites/").status_code == 200


@pytest.mark.django_db
def test_guessing_tokens_is_slowed_but_real_ones_work(client: Client) -> None:
    genuine = {"Authorization": f"Token {personal_key()}"}
    answers = [client.get("/api/v1/sites/", headers={"Authorization": f"Token {uuid.uuid4()}"}) for _ in range(61)]

    assert [answer.status_code for answer in answers] == [401] * 60 + [429]
    assert client.get("/api/v1/sites/", headers=genuine).status_code == 200
