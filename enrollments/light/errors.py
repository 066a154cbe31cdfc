"""What can go wrong between us and Light, named by what to do next."""

from __future__ import annotations


class LightError(Exception):
    """Anything that went wrong in a call. Messages carry no token, no link and nothing about a person."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class NotReached(LightError):
    """Nothing happened at Light, so the call may be made again, after `retry_after_seconds` where Light said so."""

    def __init__(self, message: str, *, status: int | None = None, retry_after_seconds: float | None = None) -> None:
        super().__init__(message, status=status)
        self.retry_after_seconds = retry_after_seconds


class PaceExceeded(NotReached):
    """Our own pace did not let the call out: nothing was sent, and Light did nothing wrong."""


class InDoubt(LightError):
    """A write may have happened. Read the account before doing anything else."""

    def __init__(self, message: str, *, status: int | None = None, retry_after_seconds: float | None = None) -> None:
        super().__init__(message, status=status)
        self.retry_after_seconds = retry_after_seconds


class Refused(LightError):
    """Light said no, and nothing happened. A person has to look at the reasons."""

    def __init__(self, message: str, *, status: int | None = None, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message, status=status)
        self.reasons = reasons


class Conflict(Refused):
    """409: the account is not in the state that the call needs, or the work was done before. Read, then judge."""


class UnknownToLight(Refused):
    """404: the account, location, plan or ESI ID does not exist for this app."""


class WrongDialect(Refused):
    """404 or 405 on an address that is our guess: the `LIGHT_DIALECT_...` settings need correcting, not the case."""


class Redirected(Refused):
    """307 or 308 on what may change something: nothing happened, and an address is wrong or moved. Never followed."""


class Unauthorized(LightError):
    """401, for an account token also after one fresh token: our app token is wrong. Nothing happened."""
