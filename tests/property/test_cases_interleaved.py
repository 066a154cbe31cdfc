"""
Several cases at once, and everything that people, clock, queue and Light can do to them, in any order.

`INTERLEAVED_EXAMPLES` says how many orders are tried; `make test-property` tries 100, the same each time, and
`make test-long` goes exploring with 2,000.
"""

import logging
import os
from collections.abc import Iterator

import pytest
from celery import current_app
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from pytest_django.fixtures import Settings

from core.clock import configured_clock
from simulator.server import start_simulator
from tests.contract.dialects import DIALECT_PAIRS
from tests.property.machine import Cases
from tests.property.surroundings import SurfaceClock

EXAMPLES = int(os.environ.get("INTERLEAVED_EXAMPLES", "10"))
STEPS = 20
LONG = 1000
"""From this number of examples on, explore new orders and shorten failing ones."""

PARTS = 4 if EXAMPLES >= 100 else 1
"""Several processes can share many examples; each part has its own seed and is the same every time."""


@pytest.fixture
def machine(db: None, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[type[Cases]]:
    """The machine with real HTTP, real tasks, the real webhook endpoint and really sealed documents."""
    monkeypatch.setattr(current_app, "send_task", send_to_the_machine)
    monkeypatch.setattr("enrollments.tasks.engine", lambda: Cases.current.flow.engine)
    monkeypatch.setattr("enrollments.tasks.tools", lambda: Cases.current.flow.engine.tools)
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "tests.property.surroundings.MemoryStorage"}}
    settings.CLOCK = f"{SurfaceClock.__module__}.{SurfaceClock.__name__}"
    configured_clock.cache_clear()
    Cases.settings = settings
    Cases.simulators = {
        pair.name: (start_simulator(dialect=pair.simulator, webhook_secret=settings.LIGHT_WEBHOOK_SECRETS[0]), pair)
        for pair in DIALECT_PAIRS
    }
    Cases.prepare()
    logging.getLogger().addHandler(Cases.log)
    yield Cases
    logging.getLogger().removeHandler(Cases.log)
    for running, _ in Cases.simulators.values():
        running.stop()
    configured_clock.cache_clear()


def send_to_the_machine(name: str, *, kwargs: dict[str, int], retry: bool) -> None:
    """In place of Celery's sending: the message goes to the queue of the current order of events."""
    Cases.current.queue.send_task(name, kwargs=kwargs, retry=retry)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
def test_promises_hold_whatever_happens_in_any_order(machine: type[Cases], part: int) -> None:
    is_long = EXAMPLES >= LONG
    run_state_machine_as_test(
        machine if is_long else seed(part)(machine),
        settings=settings(
            max_examples=EXAMPLES // PARTS,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[phase for phase in Phase if phase != Phase.shrink or is_long],
            print_blob=True,
        ),
    )
