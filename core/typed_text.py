"""What people paste together with what they mean: characters that nobody sees and that change what a text is."""

import unicodedata

_BLANKS_OF_OTHER_KINDS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that are shown as nothing. Source: Unicode, Default_Ignorable_Code_Point, and the empty Braille."""


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
    Leave out what cannot be seen: for addresses and numbers, which never need it.

    Names do: letters of Persian or Hindi are joined and separated by such characters.
    """
    return "".join(character for character in text if not is_invisible(character))
