"""Scenarios of accounts, chosen by tags in the e-mail address: `maria+frozen14+slow@example.com`."""

import re
from dataclasses import dataclass

__all__ = ["SCENARIO_TAGS", "Scenario", "scenario_of"]

SCENARIO_TAGS = {
    "frozen": "the credit file is frozen until a control call lifts the freeze",
    "frozen<N>": "the same, and the freeze is lifted automatically after N days",
    "credit-fail": "the credit check fails permanently",
    "no-card": "the customer never manages to add a card",
    "dup": "an account with this e-mail address already exists at create",
    "slow": "responses about this account are late",
    "optout": "the customer opts out two days after the acceptance",
    "pricey": "offers cost three times as much",
    "noplans": "no plan is offered",
    "twins": "every plan is offered twice, with different identifiers",
    "strange": "unknown statuses, except the two public ones",
    "acceptlost": "the first acceptance is done and its response lost",
    "self-enroll": "the customer accepts a plan themselves as soon as all steps are done",
}

_FROZEN_TAG = re.compile(r"frozen(\d*)")


@dataclass(frozen=True)
class Scenario:
    tags: frozenset[str] = frozenset()
    is_frozen: bool = False
    thaw_days: int | None = None

    def has(self, tag: str) -> bool:
        return tag in self.tags


def scenario_of(email: str) -> Scenario:
    """Read the tags of an address, separated by `+` or `.`. Unknown tags are ignored."""
    local_part = email.rsplit("@", 1)[0]
    _, plus, tail = local_part.partition("+")
    if not plus:
        return Scenario()
    tags = frozenset(tag.lower() for tag in re.split(r"[+.]", tail) if tag)
    for tag in tags:
        if match := _FROZEN_TAG.fullmatch(tag):
            return Scenario(tags=tags, is_frozen=True, thaw_days=int(match[1]) if match[1] else None)
    return Scenario(tags=tags)
