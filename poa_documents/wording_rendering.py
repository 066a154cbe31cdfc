"""
Renders the exact words a customer sees from a template and a case. Pure.

The same words are hashed when the customer agrees to them, and printed in the signed file.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from string import Template

from poa_documents.models import PoaTemplate, Statement


class WordingBroken(Exception):
    """A text contains an unknown $placeholder or a stray $ sign."""


@dataclass(frozen=True)
class Case:
    """The values of the $placeholders, formatted for people."""

    customer_name: str
    service_address: str
    esi_id: str
    organization_name: str
    organization_contact: str
    broker_number: str
    plan_name: str
    plan_summary: str
    limits: tuple[tuple[str, str], ...]
    earliest_start: str
    latest_start: str
    sunset: str
    uses: str


@dataclass(frozen=True)
class DocumentText:
    """Every text of one POA exactly as it is shown."""

    version: int
    language: str
    title: str
    words: Mapping[Statement, str]

    @property
    def document(self) -> str:
        return self.words[Statement.DOCUMENT]

    @property
    def sha256(self) -> str:
        """The hash of the document's own text, title included."""
        return self.sha256_of(Statement.DOCUMENT)

    def sha256_of(self, statement: Statement) -> str:
        return sha256_of_words(self.words[statement])


class BlockKind(StrEnum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST = "list"


@dataclass(frozen=True)
class Block:
    kind: BlockKind
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return self.lines[0]


_FIELDS: Mapping[Statement, str] = {
    Statement.BROKER_FACTS: "broker_facts",
    Statement.ERECORD: "erecord_disclosure",
    Statement.SUMMARY: "summary",
    Statement.ACTS_FOR_ME: "confirm_acts_for_me",
    Statement.LIMITS: "confirm_limits",
    Statement.TIMING: "confirm_timing",
    Statement.ADULT: "confirm_adult",
    Statement.DOCUMENT: "body",
}


def render(template: PoaTemplate, case: Case) -> DocumentText:
    """
    Fill the wording from the case.

    The summary includes the limits and the document its title, because they are shown together.

    :raises WordingBroken: a placeholder cannot be filled
    """
    values = {name: _one_line(value) for name, value in asdict(case).items() if name != "limits"}
    values["limits"] = "\n".join(f"- {_one_line(label)}: {_one_line(value)}" for label, value in case.limits)
    title = _fill(template.title, values)
    words = {statement: _fill(getattr(template, field), values) for statement, field in _FIELDS.items()}
    words[Statement.SUMMARY] = f"{words[Statement.SUMMARY]}\n\n{values['limits']}"
    words[Statement.DOCUMENT] = f"# {title}\n\n{words[Statement.DOCUMENT]}"
    return DocumentText(version=template.version, language=template.language, title=title, words=words)


def sha256_of_words(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()


def blocks(text: str) -> tuple[Block, ...]:
    """Split a text into headings, paragraphs and lists, for both the page and the file."""
    return tuple(_blocks(text))


def _blocks(text: str) -> Iterator[Block]:
    for part in text.split("\n\n"):
        lines = tuple(line.strip() for line in part.strip().splitlines() if line.strip())
        if not lines:
            continue
        if lines[0].startswith("# "):
            continue  # the title, which page and file render themselves
        if lines[0].startswith("## "):
            yield Block(BlockKind.HEADING, (lines[0].removeprefix("## "),))
        elif all(line.startswith("- ") for line in lines):
            yield Block(BlockKind.LIST, tuple(line.removeprefix("- ") for line in lines))
        else:
            yield Block(BlockKind.PARAGRAPH, (" ".join(lines),))


def _fill(text: str, values: Mapping[str, str]) -> str:
    try:
        return Template(text.strip()).substitute(values)
    except (KeyError, ValueError) as problem:
        raise WordingBroken(f"The wording cannot be filled: {problem}.") from problem


def _one_line(text: str) -> str:
    return " ".join(str(text).split())
