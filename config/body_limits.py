"""How large a body each address takes, from strangers and from people who are signed in. Nothing larger is read."""

from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class BodyLimit:
    """The largest body in bytes, for everyone and for people without a session."""

    prefix: str
    largest: int
    largest_of_strangers: int


_TYPED = 16_000
"""Room for a name, a password and a code."""
_FORM = 256_000
"""Room for the longest form of the office, as it arrives when a session ended while it was typed."""
_FILES = 64 * MEGABYTE
"""Much more than the largest proof: a file that is only somewhat too large is refused by name, in words."""

# The first prefix that fits counts.
_LIMITS = (
    BodyLimit("/admin/login/", _TYPED, _TYPED),
    BodyLimit("/admin/second-step/", _TYPED, _TYPED),
    BodyLimit("/field/sign-in/", _TYPED, _TYPED),
    BodyLimit("/field/second-step/", _TYPED, _TYPED),
    BodyLimit("/api/v1/token/", _TYPED, _TYPED),
    # The key of a call is checked before its body is read, so every caller there is limited as one who is known.
    BodyLimit("/api/v1/pto-reports/", _FILES, _FILES),
    BodyLimit("/api/", MEGABYTE, MEGABYTE),
    BodyLimit("/webhooks/", MEGABYTE, MEGABYTE),
    # A drawn signature, and everything that was typed while the door was shut.
    BodyLimit("/portal/", 3 * MEGABYTE // 2, 3 * MEGABYTE // 2),
    BodyLimit("/admin/", _FILES, _FORM),
    BodyLimit("/field/", _FILES, _FORM),
)
_ANYWHERE_ELSE = BodyLimit("/", _TYPED, _TYPED)


def limit_of(path: str) -> BodyLimit:
    """Return what the address at `path` takes."""
    return next((limit for limit in _LIMITS if path.startswith(limit.prefix)), _ANYWHERE_ELSE)
