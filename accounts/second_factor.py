"""
Two-step sign-in: a code from the phone's authenticator app, or a recovery code.

django-allauth stores and checks the codes; its pages, sign-up and mails are not used (docs/adr). A session that passed
the second step has the authenticator's primary key, so resetting or replacing the second factor invalidates it.
"""

import base64
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import cast

from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa.adapter import DefaultMFAAdapter, get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret, validate_totp_code
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import IntegrityError, transaction

from accounts.models import User
from core import encryption, rate_limits

ENCRYPTION_CONTEXT = "mfa.Authenticator.data"
PASSED_FACTOR_KEY = "second_step"
NEW_SECRET_KEY = "second_step_new_secret"  # noqa: S105 - a session key
CODE_LIFETIME_SECONDS = 90
SECRET_PARTS = frozenset({"secret", "seed"})


class Surface(StrEnum):
    """Where people sign in: the office at /admin/, technicians at /field/."""

    OFFICE = "OFFICE"
    FIELD = "FIELD"


class WrongCode(Exception):
    """The code is mistyped, too old, or was used before."""


class SecondFactorAlreadySetUp(Exception):
    """The person already has a second factor, which must be removed first."""


class NoSecondFactor(Exception):
    """The person has no second factor."""


class EncryptingMfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    """Encrypts secrets with our field encryption keys."""

    def encrypt(self, text: str) -> str:
        return encryption.encrypt(text, context=ENCRYPTION_CONTEXT)

    def decrypt(self, encrypted_text: str) -> str:
        return encryption.decrypt(encrypted_text, context=ENCRYPTION_CONTEXT)

    def get_totp_label(self, user: User) -> str:
        return user.get_username()


@dataclass(frozen=True)
class NewSecret:
    """The secret for an authenticator app, as a QR code and as text."""

    text: str
    picture_url: str


def factor_id(user: User) -> int | None:
    """Return the primary key of the person's authenticator."""
    found = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).values_list("pk", flat=True)
    return cast("int | None", found.first())


def is_required(user: User, surface: Surface) -> bool:
    """Whether the settings require a second step from this person, set up or not."""
    if surface is Surface.OFFICE:
        return bool(settings.STAFF_MFA_REQUIRED) and user.is_staff
    return bool(settings.TECHNICIAN_MFA_REQUIRED)


def is_pending(user: User, session: SessionBase, surface: Surface) -> bool:
    """Whether this session still needs the second step, because it is required or because the person set one up."""
    factor = factor_id(user)
    if factor is None:
        return is_required(user, surface)
    return bool(session.get(PASSED_FACTOR_KEY) != factor)


def was_missing_at(user: User, trusted_at: datetime) -> bool:
    """Whether something issued at that time, such as an API key, predates the second step that is now needed."""
    since = set_up_at(user)
    return is_required(user, Surface.OFFICE) if since is None else trusted_at < since


def is_passed(user: User, session: SessionBase) -> bool:
    factor = factor_id(user)
    return factor is not None and session.get(PASSED_FACTOR_KEY) == factor


def check_code(user: User, code: str, *, ip_address: str) -> None:
    """
    Check a code from the app or a recovery code. Each works once.

    :raises NoSecondFactor: the person has no second factor
    :raises WrongCode: the code is wrong
    :raises core.rate_limits.RateLimitReached: too many wrong codes
    :raises core.rate_limits.RateLimitStoreDown: wrong codes cannot be counted, so none is accepted
    """
    person = str(user.pk)
    rate_limits.count(rate_limits.SECOND_STEP, person, ip_address)
    rate_limits.check(rate_limits.SECOND_STEP_PERSON, person)
    factors = {factor.type: factor for factor in Authenticator.objects.filter(user_id=user.pk)}
    if Authenticator.Type.TOTP not in factors:
        raise NoSecondFactor
    code = _normalize(code)
    for factor in factors.values():
        with rate_limits.store():
            is_right = _is_unused(user, code) and factor.wrap().validate_code(code) and _mark_used(user, code)
        if is_right:
            factor.record_usage()
            rate_limits.forget(rate_limits.SECOND_STEP, person, ip_address)
            return
    rate_limits.count(rate_limits.SECOND_STEP_PERSON, person)
    raise WrongCode


def mark_passed(user: User, session: SessionBase) -> None:
    """Mark the second step as passed, under a new session key, so that a key stolen before it is useless."""
    session.cycle_key()
    session[PASSED_FACTOR_KEY] = factor_id(user)


def new_secret(user: User, session: SessionBase) -> NewSecret:
    """Return the secret that this session is setting up; the same one until it is used."""
    kept = session.get(NEW_SECRET_KEY)
    text = encryption.decrypt(kept, context=NEW_SECRET_KEY) if kept else generate_totp_secret()
    if not kept:
        session[NEW_SECRET_KEY] = encryption.encrypt(text, context=NEW_SECRET_KEY)
    adapter = get_adapter()
    picture = adapter.build_totp_svg(adapter.build_totp_url(user, text))
    return NewSecret(
        text=" ".join(text[at : at + 4] for at in range(0, len(text), 4)),
        picture_url="data:image/svg+xml;base64," + base64.b64encode(picture.encode()).decode(),
    )


def set_up(user: User, session: SessionBase, code: str, *, ip_address: str) -> None:
    """
    Store the new secret once a code proves that the phone has it, and create recovery codes.

    :raises SecondFactorAlreadySetUp: there is one, perhaps just set up in another window
    :raises WrongCode: the phone does not have this secret, or its clock is wrong
    :raises core.rate_limits.RateLimitReached: too many wrong codes
    :raises core.rate_limits.RateLimitStoreDown: wrong codes cannot be counted, so none is accepted
    """
    rate_limits.count(rate_limits.SECOND_STEP, str(user.pk), ip_address)
    kept, code = session.get(NEW_SECRET_KEY), _normalize(code)
    secret = encryption.decrypt(kept, context=NEW_SECRET_KEY) if kept else ""
    if not secret or not validate_totp_code(secret, code):
        raise WrongCode
    try:
        with transaction.atomic():
            Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.RECOVERY_CODES).delete()
            TOTP.activate(user, secret)
            RecoveryCodes.activate(user)
    except IntegrityError as problem:
        raise SecondFactorAlreadySetUp from problem
    with rate_limits.store():
        _mark_used(user, code)
    del session[NEW_SECRET_KEY]
    rate_limits.forget(rate_limits.SECOND_STEP, str(user.pk), ip_address)


def recovery_codes(user: User) -> list[str]:
    """Return the recovery codes until the person confirms that they saved them; none after that."""
    codes = _recovery_codes(user)
    return [] if codes is None or codes.did_view else codes.get_unused_codes()


def count_recovery_codes(user: User) -> int:
    codes = _recovery_codes(user)
    return 0 if codes is None else len(codes.get_unused_codes())


def confirm_recovery_codes(user: User) -> None:
    """Stop showing the recovery codes."""
    codes = _recovery_codes(user)
    if codes is not None:
        codes.mark_as_viewed()


@transaction.atomic
def renew_recovery_codes(user: User) -> None:
    """Replace the recovery codes. The old ones stop working."""
    Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.RECOVERY_CODES).delete()
    RecoveryCodes.activate(user)


def remove(user: User) -> bool:
    """Remove the second factor and its recovery codes. Return whether there was one."""
    _rows, by_model = Authenticator.objects.filter(user_id=user.pk).delete()
    return bool(by_model)


def set_up_at(user: User) -> datetime | None:
    found = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).first()
    return found.created_at if found else None


def count_by_key() -> Counter[str]:
    """Count the stored secrets by the ID of the encryption key that each needs."""
    kept = Authenticator.objects.values_list("data", flat=True)
    return Counter(data[name].partition(":")[0] for data in kept for name in SECRET_PARTS & data.keys())


def samples_by_key() -> dict[str, tuple[str, str]]:
    """Return one stored secret and its context for each encryption key in use."""
    kept = Authenticator.objects.values_list("data", flat=True)
    secrets = [data[name] for data in kept for name in SECRET_PARTS & data.keys()]
    return {secret.partition(":")[0]: (ENCRYPTION_CONTEXT, secret) for secret in secrets}


def reencrypt() -> int:
    """
    Re-encrypt secrets that do not use the first key. Return how many there were.

    :raises core.encryption.CannotDecrypt: a secret's key is not configured; earlier secrets stay re-encrypted
    """
    newest = next(iter(settings.FIELD_ENCRYPTION_KEYS))
    done = 0
    for key in Authenticator.objects.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():  # a recovery code used at the same time must stay used
            factor = Authenticator.objects.select_for_update().filter(pk=key).first()
            if factor is None:
                continue
            for name in SECRET_PARTS & factor.data.keys():
                if factor.data[name].partition(":")[0] != newest:
                    plain = encryption.decrypt(factor.data[name], context=ENCRYPTION_CONTEXT)
                    factor.data[name] = encryption.encrypt(plain, context=ENCRYPTION_CONTEXT)
                    done += 1
            factor.save(update_fields=["data"])
    return done


def _recovery_codes(user: User) -> RecoveryCodes | None:
    found = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.RECOVERY_CODES).first()
    return RecoveryCodes(found) if found else None


def _normalize(code: str) -> str:
    """Normalize all spellings that allauth accepts for a code, so that a used code is recognized in each of them."""
    plain: str = normalize_user_code("".join(code.split()))
    return plain


def _used_key(user: User, code: str) -> str:
    return f"second-step-used:{user.pk}:{code.encode().hex()[:60]}"


def _is_unused(user: User, code: str) -> bool:
    """allauth remembers a used code for 30 seconds but accepts it for 90, so we remember it as well."""
    with rate_limits.store() as kept:
        return kept.get(_used_key(user, code)) is None


def _mark_used(user: User, code: str) -> bool:
    """Mark a code as used. Return whether it was unused, because two requests may send it at the same time."""
    with rate_limits.store() as kept:
        return kept.add(_used_key(user, code), "used", timeout=CODE_LIFETIME_SECONDS)
