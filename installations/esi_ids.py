"""
The form of ESI IDs: pure functions over text. Whether a meter exists is for Light to say.

Source: domain notes, section 4.
"""

import re
from dataclasses import dataclass

from core.typed_text import drop_invisible

LONGEST = 22
SHORTEST = 17
METER_SUFFIX_DIGITS = 3
SPREADSHEET_DIGITS = 15


@dataclass(frozen=True)
class Prefix:
    """The digits that a wires company's ESI IDs begin with, and how long they are; `None` where nobody could say."""

    digits: str
    tdu_code: str
    length: int | None


PREFIXES = (
    Prefix("1044372", "ONCOR", 17),
    Prefix("1017699", "ONCOR", 17),
    Prefix("1008901", "CENTERPOINT", 22),
    Prefix("1003278", "AEP_CENTRAL", 17),
    Prefix("1020404", "AEP_NORTH", 17),
    Prefix("1040051", "TNMP", 17),
    Prefix("1013830", "NUECES", None),
)

TDU_NAMES = {
    "ONCOR": "Oncor",
    "CENTERPOINT": "CenterPoint Houston",
    "AEP_CENTRAL": "AEP Texas Central",
    "AEP_NORTH": "AEP Texas North",
    "TNMP": "TNMP",
    "NUECES": "Nueces Electric Coop",
}

_LABEL = re.compile(r"^(?:esi\s*id|esid)?\s*(?:no\.?|number)?\s*[:#]*\s*", re.IGNORECASE)
_FILLERS = re.compile(r"[\s\u00a0\u2010-\u2015-]+")
_END_OF_SENTENCE = re.compile(r"(?<=[0-9])[.,;:]+$")
_SCIENTIFIC = re.compile(r"^[+-]?\d+(?:[.,]\d*)?e[+-]?\d+$", re.IGNORECASE)


def normalize(text: str) -> str:
    """
    Drop what people type around the digits: spaces, dashes, a leading `#:` or `ESI ID:`, the period of a sentence, and
    what cannot be seen.

    Anything else stays as it is, so that it is refused and not silently repaired.
    """
    seen = drop_invisible(text.replace("\t", " ").replace("\n", " ").replace("\r", " ")).strip()
    return _END_OF_SENTENCE.sub("", _FILLERS.sub("", _LABEL.sub("", seen, count=1)))


def esi_id_problems(text: str, *, strict: bool) -> tuple[str, ...]:
    """
    List what is wrong with a typed ESI ID; empty when nothing is.

    `strict` refuses numbers that do not begin with 10, which only test numbers do.
    """
    digits = normalize(text)
    if not digits:
        return ("Type the ESI ID: the 17 or 22 digits on the customer's electricity bill.",)
    if _went_through_a_spreadsheet(digits):
        problem = (
            "A spreadsheet turned this ESI ID into a rounded number, and its last digits are lost. "
            "Copy it again from the bill, into a cell formatted as text."
        )
        return (problem,)
    if not (digits.isascii() and digits.isdigit()):
        return ("An ESI ID has only digits; take out the other characters.",)
    prefix = find_prefix(digits)
    if prefix is not None and prefix.length is not None and len(digits) != prefix.length:
        return (_wrong_length(digits, prefix, prefix.length),)
    if not SHORTEST <= len(digits) <= LONGEST:
        return (f"An ESI ID has {SHORTEST} or {LONGEST} digits, and this one has {len(digits)}. Check it on the bill.",)
    if strict and not digits.startswith("10"):
        return ("An ESI ID in Texas begins with 10. Check the first digits on the bill.",)
    return ()


def esi_id_warnings(text: str) -> tuple[str, ...]:
    """List what a person should look at again although the ESI ID is taken; empty when nothing is."""
    digits = normalize(text)
    if esi_id_problems(text, strict=False) or find_prefix(digits) is not None:
        return ()
    if digits.startswith("10"):
        return (f"We do not know which wires company's ESI IDs begin with {digits[:7]}. Compare it with the bill.",)
    return ("This ESI ID does not begin with 10, as all ESI IDs in Texas do. It can only be a test number.",)


def esi_id_question(text: str) -> str:
    """
    Ask about an ESI ID that may have been rounded; empty when there is nothing to ask.

    A spreadsheet keeps 15 digits, so that the last two of 17 become zeros. One honest number in a hundred ends so too.
    """
    digits = normalize(text)
    if esi_id_problems(text, strict=False) or len(digits) != SHORTEST or digits[SPREADSHEET_DIGITS:].strip("0"):
        return ""
    return (
        "This ESI ID ends in 00, as it does when a spreadsheet rounds it. Compare all 17 digits with the bill; if they "
        "are right, say so and save again."
    )


def suggested_esi_id(text: str) -> str | None:
    """
    Offer the ESI ID that is left when a 3-digit meter suffix is dropped, for a person to confirm; never used by itself.
    """
    digits = normalize(text)
    prefix = find_prefix(digits)
    if not digits.isdigit() or prefix is None or prefix.length is None:
        return None
    return digits[: prefix.length] if len(digits) == prefix.length + METER_SUFFIX_DIGITS else None


def tdu_code(esi_id: str) -> str:
    """Give the code of the wires company whose prefix this is; empty when the prefix is unknown."""
    prefix = find_prefix(normalize(esi_id))
    return prefix.tdu_code if prefix else ""


def find_prefix(digits: str) -> Prefix | None:
    return next((prefix for prefix in PREFIXES if digits.startswith(prefix.digits)), None)


def _went_through_a_spreadsheet(digits: str) -> bool:
    """A spreadsheet keeps 15 digits and writes the rest as zeros, or shows `1.00890e+21`, or appends `.0`."""
    if _SCIENTIFIC.match(digits) or re.fullmatch(r"\d+[.,]0+", digits):
        return True
    return len(digits) == LONGEST and digits.isdigit() and not digits[SPREADSHEET_DIGITS:].strip("0")


def _wrong_length(digits: str, prefix: Prefix, length: int) -> str:
    name = TDU_NAMES[prefix.tdu_code]
    problem = f"{name}'s ESI IDs have {length} digits, and this one has {len(digits)}."
    suggestion = suggested_esi_id(digits)
    if suggestion:
        return f"{problem} Its last three look like a meter suffix: is it {suggestion}? Then type that."
    return f"{problem} Check it on the bill."
