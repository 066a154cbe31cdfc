"""The steps of the signing pages and the statements of each, in order."""

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
    """Return the first step that is not done."""
    for step in STEPS:
        if any(statement not in given for statement in step.statements):
            return step
    return BY_NAME["review"] if has_signature else BY_NAME["signature"]


def neighbor(step: Step, distance: int) -> Step | None:
    place = NUMBERS[step.name] - 1 + distance
    return STEPS[place] if 0 <= place < len(STEPS) else None
