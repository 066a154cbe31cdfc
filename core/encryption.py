"""
Fields whose text is encrypted in the database: AES-256-GCM, with the field's name as bound context.

Stored as `<key id>:<base64 of nonce and ciphertext>`. `settings.FIELD_ENCRYPTION_KEYS` maps key ids to 32-byte keys;
the first one encrypts, all of them decrypt, so a key can be rotated.
"""

import base64
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import models

NONCE_BYTES = 12


class CannotDecrypt(Exception):
    """The key that encrypted this value is not configured, or the stored value was altered."""


def encrypt(text: str, *, context: str) -> str:
    key_id, key = next(iter(settings.FIELD_ENCRYPTION_KEYS.items()))
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
    """Text that the database only ever sees encrypted. It cannot be searched."""

    def _context(self) -> str:
        return f"{self.model._meta.label}.{self.name}"

    def from_db_value(self, value: str | None, _expression: Any, _connection: Any) -> str | None:
        return decrypt(value, context=self._context()) if value else value

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return encrypt(text, context=self._context()) if text else text
