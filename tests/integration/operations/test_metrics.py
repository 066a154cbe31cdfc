"""Metrics in Prometheus format, and who may read them."""

import re

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from enrollments.actions.system_holds import hold_writes
from operations.metrics import Gauge, Sample, exposition
from tests.factories.installations import AT, OFFICE

pytestmark = pytest.mark.django_db

TOKEN = "a-token-for-the-collector-of-metrics-0123456789"
SAMPLE = re.compile(r'[a-z_:]+(?:\{[a-z_]+="(?:[^"\\\n]|\\.)*"\})? [0-9.e+-]+')


def test_every_line_is_in_the_format(client: Client) -> None:
    response = client.get("/metrics")

    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=0.0.4")
    text = response.content.decode()
    assert text.endswith("\n")
    lines = text.splitlines()
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    for line in lines:
        if not line.startswith("# HELP "):
            assert line.startswith("# TYPE ") or SAMPLE.fullmatch(line), line
    documented = {line.split()[2] for line in lines if line.startswith("# HELP")}
    assert {line.partition(" ")[0].partition("{")[0] for line in lines if line[0] != "#"} <= documented == set(names)


def test_raised_alarm_has_the_value_one(client: Client) -> None:
    assert 'switchyard_alarm{code="WRITES_STOPPED"} 0.0\n' in client.get("/metrics").content.decode()

    hold_writes(reason="A move.", by=OFFICE, at=AT)

    text = client.get("/metrics").content.decode()
    assert 'switchyard_alarm{code="WRITES_STOPPED"} 1.0\n' in text
    assert "switchyard_writes_stopped 1.0\n" in text


def test_hostile_text_cannot_break_out_of_its_line() -> None:
    gauge = Gauge("g", "a\nb\\", (Sample(1, {"label": 'x"} 1\ny\\'}),))

    assert exposition(iter([gauge])) == '# HELP g a\\nb\\\\\n# TYPE g gauge\ng{label="x\\"} 1\\ny\\\\"} 1.0\n'


def test_large_number_keeps_its_digits() -> None:
    assert "g 12345678.0\n" in exposition(iter([Gauge("g", "h", (Sample(12345678),))]))


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("203.0.113.9", {}),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.9"}),
        ("", {}),
    ],
)
def test_without_a_token_only_localhost_may_read(client: Client, address: str, headers: dict[str, str]) -> None:
    assert client.get("/metrics", headers=headers, REMOTE_ADDR=address).status_code == 403


def test_metrics_are_readable_only_with_the_token(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN

    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}x"}).status_code == 403
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert client.get("/metrics", headers={"Authorization": "Bearer ünïcode"}).status_code == 403


def test_reading_changes_nothing(client: Client) -> None:
    assert client.post("/metrics").status_code == 405
