"""
Format of ESI IDs. Pure functions; whether a meter exists is for Light to say.

Source: domain notes, section 4.
"""

import re
from dataclasses import dataclass

from core.invisible_characters import drop_invisible

MAX_DIGITS = 22
MIN_DIGITS = 17
METER_SUFFIX_DIGITS = 3
SPREADSHEET_DIGITS = 15


@dataclass(frozen=True)
class Prefix:
    """The first digits of a wires company's ESI IDs, and their length; `None` if unknown."""

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
_SEPARATORS = re.compile(r"[\s\u00a0\u2010-\u2015-]+")
_TRAILING_PUNCTUATION = re.compile(r"(?<=[0-9])[.,;:]+$")
_SCIENTIFIC = re.compile(r"^[+-]?\d+(?:[.,]\d*)?e[+-]?\d+$", re.IGNORECASE)


def normalize(text: str) -> str:
    """
    Drop what people type around the digits: spaces, dashes, a leading `#:` or `ESI ID:`, trailing punctuation and
    invisible characters.

    Anything else is left in place, so that it is rejected and not silently fixed.
    """
    seen = drop_invisible(text.replace("\t", " ").replace("\n", " ").replace("\r", " ")).strip()
    return _TRAILING_PUNCTUATION.sub("", _SEPARATORS.sub("", _LABEL.sub("", seen, count=1)))


def esi_id_problems(text: str, *, strict: bool) -> tuple[str, ...]:
    """
    Return the problems with an ESI ID.

    `strict` rejects numbers that do not begin with 10, which are test numbers.
    """
    digits = normalize(text)
    if not digits:
        return ("Enter the ESI ID: the 17 or 22 digits on the customer's electricity bill.",)
    if _was_altered_by_spreadsheet(digits):
        problem = (
            "A spreadsheet rounded this ESI ID, and its last digits are lost. "
            "Copy it again from the bill into a cell formatted as text."
        )
        return (problem,)
    if not (digits.isascii() and digits.isdigit()):
        return ("An ESI ID has digits only. Remove the other characters.",)
    prefix = find_prefix(digits)
    if prefix is not None and prefix.length is not None and len(digits) != prefix.length:
        return (_wrong_length(digits, prefix, prefix.length),)
    if not MIN_DIGITS <= len(digits) <= MAX_DIGITS:
        return (
            f"An ESI ID has {MIN_DIGITS} or {MAX_DIGITS} digits, and this one has {len(digits)}. Check it on the bill.",
        )
    if strict and not digits.startswith("10"):
        return ("An ESI ID in Texas begins with 10. Check the first digits on the bill.",)
    return ()


def esi_id_warnings(text: str) -> tuple[str, ...]:
    """Return what a person should double-check about an accepted ESI ID."""
    digits = normalize(text)
    if esi_id_problems(text, strict=False) or find_prefix(digits) is not None:
        return ()
    if digits.startswith("10"):
        return (f"No known wires company's ESI IDs begin with {digits[:7]}. Compare it with the bill.",)
    return ("This ESI ID does not begin with 10, as all ESI IDs in Texas do. It must be a test number.",)


def esi_id_question(text: str) -> str:
    """
    Return a question about an ESI ID that may have been rounded, or an empty string.

    A spreadsheet keeps 15 digits, so the last two of 17 become zeros. One real ESI ID in a hundred ends that way too.
    """
    digits = normalize(text)
    if esi_id_problems(text, strict=False) or len(digits) != MIN_DIGITS or digits[SPREADSHEET_DIGITS:].strip("0"):
        return ""
    return (
        "This ESI ID ends in 00, which happens when a spreadsheet rounds it. Compare all 17 digits with the bill. If "
        "they are right, check the box and save again."
    )


def esi_id_without_meter_suffix(text: str) -> str | None:
    """Return the ESI ID without a 3-digit meter suffix, as a suggestion that a person must confirm."""
    digits = normalize(text)
    prefix = find_prefix(digits)
    if not digits.isdigit() or prefix is None or prefix.length is None:
        return None
    return digits[: prefix.length] if len(digits) == prefix.length + METER_SUFFIX_DIGITS else None


def tdu_code(esi_id: str) -> str:
    """Return the wires company's code, or an empty string if the prefix is unknown."""
    prefix = find_prefix(normalize(esi_id))
    return prefix.tdu_code if prefix else ""


def find_prefix(digits: str) -> Prefix | None:
    return next((prefix for prefix in PREFIXES if digits.startswith(prefix.digits)), None)


def _was_altered_by_spreadsheet(digits: str) -> bool:
    """A spreadsheet keeps 15 digits and writes the rest as zeros, or shows `1.00890e+21`, or appends `.0`."""
    if _SCIENTIFIC.match(digits) or re.fullmatch(r"\d+[.,]0+", digits):
        return True
    return len(digits) == MAX_DIGITS and digits.isdigit() and not digits[SPREADSHEET_DIGITS:].strip("0")


def _wrong_length(digits: str, prefix: Prefix, length: int) -> str:
    name = TDU_NAMES[prefix.tdu_code]
    problem = f"{name}'s ESI IDs have {length} digits, and this one has {len(digits)}."
    suggestion = esi_id_without_meter_suffix(digits)
    if suggestion:
        return f"{problem} Its last three look like a meter suffix. If it is {suggestion}, enter that."
    return f"{problem} Check it on the bill."
