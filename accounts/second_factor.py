"""
The second step of signing in: a code of the phone's authenticator app, or one of the recovery codes kept on paper.

django-allauth keeps and checks the codes; its pages, sign-up and mails are not used (docs/adr). Which step a session
has behind it is in the session: the key of the authenticator that was asked. So a second factor that was reset, or
replaced, ends the trust of every session that was opened with it.
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
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.db import IntegrityError, transaction

from core import encryption, rate_limits

ENCRYPTION_CONTEXT = "mfa.Authenticator.data"
STEP_KEY = "second_step"
NEW_SECRET_KEY = "second_step_new_secret"  # noqa: S105 - the name of a place in the session
SECONDS_A_CODE_LIVES = 90
SECRET_PARTS = frozenset({"secret", "seed"})


class Door(StrEnum):
    """Where people sign in: the office at /admin/, technicians at /field/."""

    OFFICE = "OFFICE"
    FIELD = "FIELD"


class CodeWrong(Exception):
    """No code of this person's: mistyped, too old, or used before."""


class AlreadySetUp(Exception):
    """This person has a second factor; the old one has to go first."""


class NotSetUp(Exception):
    """This person has no second factor."""


class Adapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    """Secrets are encrypted like every other secret of ours."""

    def encrypt(self, text: str) -> str:
        return encryption.encrypt(text, context=ENCRYPTION_CONTEXT)

    def decrypt(self, encrypted_text: str) -> str:
        return encryption.decrypt(encrypted_text, context=ENCRYPTION_CONTEXT)

    def get_totp_label(self, user: User) -> str:
        return user.get_username()


@dataclass(frozen=True)
class NewSecret:
    """What an authenticator app needs to know, as a picture to scan and as text to type."""

    text: str
    picture_url: str


def factor_id(user: User) -> int | None:
    """Give the key of this person's second factor; one query."""
    found = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).values_list("pk", flat=True)
    return cast("int | None", found.first())


def is_required(user: User, door: Door) -> bool:
    """Whether the rules of the house ask this person for a second step, set up or not."""
    if door is Door.OFFICE:
        return bool(settings.STAFF_MFA_REQUIRED) and user.is_staff
    return bool(settings.TECHNICIAN_MFA_REQUIRED)


def is_owed(user: User, session: SessionBase, door: Door) -> bool:
    """Whether this session lacks the second step: because it is required there, or because the person has one."""
    factor = factor_id(user)
    if factor is None:
        return is_required(user, door)
    return bool(session.get(STEP_KEY) != factor)


def is_owed_since(user: User, trusted_at: datetime) -> bool:
    """Whether what was given at that instant, such as an API key, lacks the second step of today."""
    set_up_at = since(user)
    return is_required(user, Door.OFFICE) if set_up_at is None else trusted_at < set_up_at


def is_done(user: User, session: SessionBase) -> bool:
    factor = factor_id(user)
    return factor is not None and session.get(STEP_KEY) == factor


def check_code(user: User, code: str, *, ip_address: str) -> None:
    """
    Take a code of the app, or a recovery code, each of which works once.

    :raises NotSetUp: there is nothing to compare with
    :raises CodeWrong: it is none of this person's
    :raises core.rate_limits.TooOften: too many wrong ones
    :raises core.rate_limits.StoreAway: nobody can count wrong ones, so none is taken
    """
    person = str(user.pk)
    rate_limits.count(rate_limits.SECOND_STEP, person, ip_address)
    rate_limits.check(rate_limits.SECOND_STEP_PERSON, person)
    factors = {factor.type: factor for factor in Authenticator.objects.filter(user_id=user.pk)}
    if Authenticator.Type.TOTP not in factors:
        raise NotSetUp
    code = _plain(code)
    for factor in factors.values():
        with rate_limits.store():
            is_right = _is_unused(user, code) and factor.wrap().validate_code(code) and _use_up(user, code)
        if is_right:
            factor.record_usage()
            rate_limits.forget(rate_limits.SECOND_STEP, person, ip_address)
            return
    rate_limits.count(rate_limits.SECOND_STEP_PERSON, person)
    raise CodeWrong


def mark_done(user: User, session: SessionBase) -> None:
    """Let this session pass, under a new key: what was known of it before the second step opens nothing."""
    session.cycle_key()
    session[STEP_KEY] = factor_id(user)


def new_secret(user: User, session: SessionBase) -> NewSecret:
    """Give the secret that this session is about to set up; the same one until it is used."""
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
    Keep the new secret once a code proves that the phone has it, and make recovery codes.

    :raises AlreadySetUp: there is one, perhaps set up in another window meanwhile
    :raises CodeWrong: the phone does not have this secret, or its clock is wrong
    :raises core.rate_limits.TooOften: too many wrong ones
    :raises core.rate_limits.StoreAway: nobody can count wrong ones, so none is taken
    """
    rate_limits.count(rate_limits.SECOND_STEP, str(user.pk), ip_address)
    kept, code = session.get(NEW_SECRET_KEY), _plain(code)
    secret = encryption.decrypt(kept, context=NEW_SECRET_KEY) if kept else ""
    if not secret or not validate_totp_code(secret, code):
        raise CodeWrong
    try:
        with transaction.atomic():
            Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.RECOVERY_CODES).delete()
            TOTP.activate(user, secret)
            RecoveryCodes.activate(user)
    except IntegrityError as problem:
        raise AlreadySetUp from problem
    with rate_limits.store():
        _use_up(user, code)
    del session[NEW_SECRET_KEY]
    rate_limits.forget(rate_limits.SECOND_STEP, str(user.pk), ip_address)


def recovery_codes(user: User) -> list[str]:
    """The recovery codes while nobody has confirmed having kept them; none after that, and none without a factor."""
    codes = _recovery_codes(user)
    return [] if codes is None or codes.did_view else codes.get_unused_codes()


def count_recovery_codes(user: User) -> int:
    codes = _recovery_codes(user)
    return 0 if codes is None else len(codes.get_unused_codes())


def confirm_recovery_codes(user: User) -> None:
    """Show the codes no more."""
    codes = _recovery_codes(user)
    if codes is not None:
        codes.mark_as_viewed()


@transaction.atomic
def renew_recovery_codes(user: User) -> None:
    """Make new recovery codes; the old ones open nothing any more."""
    Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.RECOVERY_CODES).delete()
    RecoveryCodes.activate(user)


def remove(user: User) -> bool:
    """Take the second factor away, with its recovery codes; tell whether there was one."""
    _rows, by_model = Authenticator.objects.filter(user_id=user.pk).delete()
    return bool(by_model)


def since(user: User) -> datetime | None:
    """When this person set up the second factor."""
    found = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).first()
    return found.created_at if found else None


def count_by_key() -> Counter[str]:
    """Count the secrets of second factors by the id of the key that each needs."""
    kept = Authenticator.objects.values_list("data", flat=True)
    return Counter(data[name].partition(":")[0] for data in kept for name in SECRET_PARTS & data.keys())


def samples_by_key() -> dict[str, tuple[str, str]]:
    """Return one stored secret, with its context, for each key that second factors need."""
    kept = Authenticator.objects.values_list("data", flat=True)
    secrets = [data[name] for data in kept for name in SECRET_PARTS & data.keys()]
    return {secret.partition(":")[0]: (ENCRYPTION_CONTEXT, secret) for secret in secrets}


def encrypt_anew() -> int:
    """
    Encrypt with the first key whatever another key encrypted, and give how many secrets that were.

    :raises core.encryption.CannotDecrypt: a secret's key is not configured; those before it stay encrypted anew
    """
    newest = next(iter(settings.FIELD_ENCRYPTION_KEYS))
    done = 0
    for key in Authenticator.objects.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():  # a recovery code used meanwhile must stay used
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


def _plain(code: str) -> str:
    """Write alike every spelling that allauth takes for the same code, so that a used one is known in each of them."""
    plain: str = normalize_user_code("".join(code.split()))
    return plain


def _used_key(user: User, code: str) -> str:
    return f"second-step-used:{user.pk}:{code.encode().hex()[:60]}"


def _is_unused(user: User, code: str) -> bool:
    """allauth remembers a code for half a minute, but takes it for one and a half: so it is remembered here as well."""
    with rate_limits.store() as kept:
        return kept.get(_used_key(user, code)) is None


def _use_up(user: User, code: str) -> bool:
    """Remember a code as used; give whether it still was not: two requests may come in one moment."""
    with rate_limits.store() as kept:
        return kept.add(_used_key(user, code), "used", timeout=SECONDS_A_CODE_LIVES)
