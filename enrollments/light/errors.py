"""What can go wrong between us and Light, named by what to do next."""

from __future__ import annotations


class LightError(Exception):
    """Anything that went wrong in a call. Messages carry no token, no link and nothing about a person."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class NotReached(LightError):
    """Nothing happened at Light, so the call may be repeated, after `retry_after_seconds` if Light asked for it."""

    def __init__(self, message: str, *, status: int | None = None, retry_after_seconds: float | None = None) -> None:
        super().__init__(message, status=status)
        self.retry_after_seconds = retry_after_seconds


class PaceExceeded(NotReached):
    """Our own rate limit held the call back. Nothing was sent."""


class InDoubt(LightError):
    """A write may have happened. Read the account before doing anything else."""

    def __init__(self, message: str, *, status: int | None = None, retry_after_seconds: float | None = None) -> None:
        super().__init__(message, status=status)
        self.retry_after_seconds = retry_after_seconds


class Refused(LightError):
    """Light said no, and nothing happened. A person must look at the reasons."""

    def __init__(self, message: str, *, status: int | None = None, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message, status=status)
        self.reasons = reasons


class Conflict(Refused):
    """409: the account is not in the required state, or this was already done. Read the account to find out."""


class UnknownToLight(Refused):
    """404: the account, location, plan or ESI ID does not exist for this app."""


class WrongDialect(Refused):
    """404 or 405 on a guessed URL: fix the `LIGHT_DIALECT` settings, not the case."""


class Redirected(Refused):
    """307 or 308 in answer to a write: nothing happened, and a URL is wrong or has moved. Never followed."""


class Unauthorized(LightError):
    """401, for account tokens even after a fresh one: our app token is wrong. Nothing happened."""
