"""
Text fields that are encrypted in the database with AES-256-GCM; the field's name is the associated data.

Stored as `<key id>:<base64 of nonce and ciphertext>`. `settings.FIELD_ENCRYPTION_KEYS` maps key ids to 32-byte keys.
The first one encrypts and all of them decrypt, so keys can be rotated.
"""

import base64
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models.functions import Cast, StrIndex, Substr

NONCE_BYTES = 12


class CannotDecrypt(Exception):
    """The key that encrypted this value is not configured, or the stored value was altered."""


def encrypt(text: str, *, context: str) -> str:
    return encrypt_with(next(iter(settings.FIELD_ENCRYPTION_KEYS)), text, context=context)


def encrypt_with(key_id: str, text: str, *, context: str) -> str:
    key = settings.FIELD_ENCRYPTION_KEYS[key_id]
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, text.encode(), context.encode())
    return f"{key_id}:{base64.b64encode(nonce + sealed).decode()}"


def decrypt(stored: str, *, context: str) -> str:
    """:raises CannotDecrypt: unknown key id, wrong context or altered value"""
    key_id, _, encoded = stored.partition(":")
    key = settings.FIELD_ENCRYPTION_KEYS.get(key_id)
    if key is None:
        raise CannotDecrypt(f"{context} was encrypted with key {key_id!r}, which FIELD_ENCRYPTION_KEYS does not hold.")
    try:
        raw = base64.b64decode(encoded, validate=True)
        return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], context.encode()).decode()
    except (InvalidTag, ValueError) as problem:
        raise CannotDecrypt(f"The stored value of {context} was altered or belongs elsewhere.") from problem


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text stored encrypted. It cannot be searched."""

    def _context(self) -> str:
        return f"{self.model._meta.label}.{self.name}"

    def from_db_value(self, value: str | None, _expression: Any, _connection: Any) -> str | None:
        return decrypt(value, context=self._context()) if value else value

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return encrypt(text, context=self._context()) if text else text


def count_by_key() -> Counter[str]:
    """Count the encrypted values in the database by the id of the key that each needs."""
    return Counter(stored.partition(":")[0] for _, _, _, stored in _stored_values())


def samples_by_key() -> dict[str, tuple[str, str]]:
    """Return one stored value, with its context, for each key in use. One query per encrypted field."""
    samples: dict[str, tuple[str, str]] = {}
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if isinstance(field, EncryptedTextField):
                rows = model._default_manager.annotate(stored=_as_stored(field.name)).exclude(stored="").order_by()
                key_id = Substr("stored", 1, StrIndex("stored", models.Value(":")) - 1)
                per_key = rows.values(key_id=key_id).annotate(sample=models.Min("stored"))
                context = f"{model._meta.label}.{field.name}"
                samples |= {key_id: (context, sample) for key_id, sample in per_key.values_list("key_id", "sample")}
    return samples


def unreadable_keys(samples: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return what is wrong with each key whose sample cannot be decrypted with FIELD_ENCRYPTION_KEYS."""
    problems = {}
    for key_id, (context, sample) in sorted(samples.items()):
        if key_id not in settings.FIELD_ENCRYPTION_KEYS:
            problems[key_id] = f"FIELD_ENCRYPTION_KEYS lacks key {key_id!r}, which stored values need"
            continue
        try:
            decrypt(sample, context=context)
        except CannotDecrypt:
            problems[key_id] = (
                f"key {key_id!r} of FIELD_ENCRYPTION_KEYS does not decrypt values encrypted with a key of that name"
            )
    return problems


def reencrypt() -> int:
    """
    Encrypt every value with the first key and return how many had another one.

    Can be stopped and run again at any time, also while people work. A value that changed since it was read is skipped,
    because new values already use the first key.

    :raises CannotDecrypt: a value's key is not configured; values before it keep the new encryption
    """
    newest = next(iter(settings.FIELD_ENCRYPTION_KEYS))
    done = 0
    for model, name, key, stored in _stored_values():
        if stored.partition(":")[0] == newest:
            continue
        plain = decrypt(stored, context=f"{model._meta.label}.{name}")
        unchanged = model._default_manager.alias(stored=_as_stored(name)).filter(pk=key, stored=stored)
        done += unchanged.update(**{name: plain})
    return done


def _stored_values() -> Iterator[tuple[type[models.Model], str, Any, str]]:
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if isinstance(field, EncryptedTextField):
                rows = model._default_manager.annotate(stored=_as_stored(field.name)).exclude(stored="")
                for key, stored in rows.order_by("pk").values_list("pk", "stored").iterator():
                    yield model, field.name, key, stored


def _as_stored(name: str) -> Cast:
    """Return the raw column. The cast skips the field's decryption."""
    return Cast(name, models.TextField())
