"""The steps of the signing page and what each asks for: the order in which consent is given is data."""

from collections.abc import Collection
from dataclasses import dataclass

from poa_documents.models import Statement


@dataclass(frozen=True)
class Step:
    name: str
    statements: tuple[Statement, ...]


STEPS: tuple[Step, ...] = (
    Step("broker", (Statement.BROKER_FACTS,)),
    Step("electronic", (Statement.ERECORD,)),
    Step("summary", (Statement.SUMMARY,)),
    Step("confirm", (Statement.ACTS_FOR_ME, Statement.LIMITS, Statement.TIMING, Statement.ADULT)),
    Step("document", (Statement.DOCUMENT,)),
    Step("signature", ()),
    Step("review", ()),
)
BY_NAME = {step.name: step for step in STEPS}
NUMBERS = {step.name: number for number, step in enumerate(STEPS, start=1)}


def current_step(given: Collection[Statement], *, has_signature: bool) -> Step:
    """Give the first step that is not done: where a customer who comes back goes on."""
    for step in STEPS:
        if any(statement not in given for statement in step.statements):
            return step
    return BY_NAME["review"] if has_signature else BY_NAME["signature"]


def neighbor(step: Step, distance: int) -> Step | None:
    place = NUMBERS[step.name] - 1 + distance
    return STEPS[place] if 0 <= place < len(STEPS) else None
