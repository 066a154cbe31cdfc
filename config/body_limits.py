"""How large a request body may be by path, for anonymous and for signed-in clients. Nothing larger is read."""

from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class BodyLimit:
    """The largest body in bytes, in general and without a session."""

    prefix: str
    largest: int
    largest_anonymous: int


_TYPED = 16_000
"""Room for a name, a password and a code."""
_FORM = 256_000
"""Room for the longest form of the office, which is saved when a session ended while it was filled in."""
_FILES = 64 * MEGABYTE
"""Much more than the largest proof, so that a file that is a little too large gets a message that names it."""

# The first prefix that fits counts.
_LIMITS = (
    BodyLimit("/admin/login/", _TYPED, _TYPED),
    BodyLimit("/admin/second-step/", _TYPED, _TYPED),
    BodyLimit("/field/sign-in/", _TYPED, _TYPED),
    BodyLimit("/field/second-step/", _TYPED, _TYPED),
    BodyLimit("/api/v1/token/", _TYPED, _TYPED),
    # The API checks the key before it reads the body, so every caller has the same limit.
    BodyLimit("/api/v1/pto-reports/", _FILES, _FILES),
    BodyLimit("/api/", MEGABYTE, MEGABYTE),
    BodyLimit("/webhooks/", MEGABYTE, MEGABYTE),
    # A drawn signature, and everything that was entered while the customer was signed out.
    BodyLimit("/portal/", 3 * MEGABYTE // 2, 3 * MEGABYTE // 2),
    BodyLimit("/admin/", _FILES, _FORM),
    BodyLimit("/field/", _FILES, _FORM),
)
_OTHER = BodyLimit("/", _TYPED, _TYPED)


def limit_of(path: str) -> BodyLimit:
    """Return the limit of a path."""
    return next((limit for limit in _LIMITS if path.startswith(limit.prefix)), _OTHER)
