"""Turns phone numbers and e-mail addresses in our own texts into links."""

import re
from collections.abc import Iterator

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

_E_MAIL = r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}"
_PHONE = r"(?:\+?1[ .-]?)?\(?[0-9]{3}\)?[ .-]?[0-9]{3}[ .-][0-9]{4}"
_EITHER = re.compile(rf"(?P<email>{_E_MAIL})|(?<![0-9-])(?P<phone>{_PHONE})(?![0-9-])")


@register.filter
def linked(text: str) -> SafeString:
    """Add `mailto:` and `tel:` links; everything else is escaped."""
    return format_html_join("", "{}", ((part,) for part in _parts(text)))


def _parts(text: str) -> Iterator[str]:
    """Split into plain text, still to be escaped, and links."""
    end = 0
    for found in _EITHER.finditer(text):
        yield text[end : found.start()]
        end = found.end()
        digits = re.sub(r"[^0-9]", "", found[0])
        address = f"mailto:{found[0]}" if found["email"] else f"tel:+1{digits[-10:]}"
        yield format_html('<a href="{}">{}</a>', address, found[0])
    yield text[end:]
