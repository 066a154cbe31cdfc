"""Invisible characters that people paste by accident."""

import unicodedata

_BLANKS_OF_OTHER_KINDS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that render as blank. Source: Unicode, Default_Ignorable_Code_Point, plus the empty Braille pattern."""


def is_invisible(character: str) -> bool:
    return (
        unicodedata.category(character) in {"Cf", "Cc"}
        or character in _BLANKS_OF_OTHER_KINDS
        or "\ufe00" <= character <= "\ufe0f"
        or "\u180b" <= character <= "\u180f"
        or "\U000e0000" <= character <= "\U000e0fff"
    )


def drop_invisible(text: str) -> str:
    """
    Remove invisible characters. For addresses and numbers only.

    Names may need them: they join and separate letters in Persian or Hindi.
    """
    return "".join(character for character in text if not is_invisible(character))
