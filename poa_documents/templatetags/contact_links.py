"""Phone numbers and e-mail addresses in our own sentences, as links that a phone can dial and write to."""

import re

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

_E_MAIL = r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}"
_PHONE = r"(?:\+?1[ .-]?)?\(?[0-9]{3}\)?[ .-]?[0-9]{3}[ .-][0-9]{4}"
_EITHER = re.compile(rf"(?P<email>{_E_MAIL})|(?<![0-9-])(?P<phone>{_PHONE})(?![0-9-])")


@register.filter
def linked(text: str) -> SafeString:
    """Make `mailto:` and `tel:` links of what is one; everything else is escaped as usual."""
    parts: list[str] = []
    end = 0
    for found in _EITHER.finditer(text):
        parts.append(escape(text[end : found.start()]))
        end = found.end()
        shown = escape(found[0])
        if found["email"]:
            parts.append(f'<a href="mailto:{shown}">{shown}</a>')
        else:
            digits = re.sub(r"[^0-9]", "", found[0])
            parts.append(f'<a href="tel:+1{digits[-10:]}">{shown}</a>')
    parts.append(escape(text[end:]))
    return mark_safe("".join(parts))  # noqa: S308 - every part was escaped above  # nosec B308
