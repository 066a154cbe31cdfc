"""Find Light's reasons in the body of a refusal, whose format is undocumented."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from enrollments.light.redaction import redact_text

_MAX_REASONS = 20
_WORD = re.compile(r"\w+")


def reasons_from(body: object, *, also: Iterable[str] = ()) -> tuple[str, ...]:
    """
    List what Light says is wrong, for staff to read, without secrets, personal data or the texts in `also`.

    Source: light-api notes, section 1.4.
    """
    hidden = tuple(also)
    texts = (redact_text(text, also=hidden) for text in _texts(body)[:_MAX_REASONS])
    return tuple(text for text in texts if text)


def fields_named(body: object, names: tuple[str, ...]) -> tuple[str, ...]:
    """List those of `names` that the refusal mentions."""
    words = {word for text in _texts(body) for word in _WORD.findall(text)}
    return tuple(name for name in names if name in words)


def _texts(body: object) -> list[str]:
    if isinstance(body, str):
        return [body]
    if isinstance(body, Mapping):
        for key in ("detail", "error", "message", "errors"):
            if body.get(key):
                return _entries(body[key])
        return [str(body)] if body else []
    return _entries(body)


def _entries(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for entry in value for text in _entries(entry)]
    if isinstance(value, Mapping):
        said = value.get("msg") or value.get("message") or value.get("code")
        if said:
            place = value.get("loc")
            return [_with_place(str(said), place)]
        return [_with_place("; ".join(_entries(entry)), [key]) for key, entry in value.items()]
    return [] if value is None else [str(value)]


def _with_place(said: str, place: object) -> str:
    steps = place if isinstance(place, list) else [place] if isinstance(place, str) else []
    where = ".".join(str(step) for step in steps if step not in {"body", "payload"})
    return f"{where}: {said}" if where else said
