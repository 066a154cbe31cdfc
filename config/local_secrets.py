"""Secrets of the embedded mode: generated at the first start, kept in the data folder, readable only by its owner."""

import base64
import json
import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from poa_documents.seal.keys import provide_development_key

SECRETS = "secrets.json"
SEAL_KEY = "seal.p12"


def provide_local_secrets() -> None:
    """Add the embedded mode's secrets to the environment, unless it already has them."""
    data_dir = Path(__file__).resolve().parent.parent / os.environ.get("DATA_DIR", "var")
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = _kept_secrets(data_dir / SECRETS)
        if not os.environ.get("POA_SEAL_KEY_FILE"):
            provide_development_key(data_dir / SEAL_KEY)
    except OSError as problem:
        raise ImproperlyConfigured(
            f"DATA_DIR cannot be used ({problem.strerror}). It should be a folder that this process may write to."
        ) from problem
    except ValueError as problem:
        raise ImproperlyConfigured(
            f"{data_dir / SECRETS} is no longer JSON. Restore it: only its keys can decrypt what they encrypted."
        ) from problem
    for name, value in kept.items():
        os.environ[name] = os.environ.get(name) or value


def _kept_secrets(file: Path) -> dict[str, str]:
    if not file.exists():
        made = {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "FIELD_ENCRYPTION_KEYS": "local:" + base64.b64encode(secrets.token_bytes(32)).decode(),
            "LIGHT_WEBHOOK_SECRET": secrets.token_urlsafe(32),
        }
        draft = file.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(made, indent=1))
        try:
            os.link(draft, file)  # of two processes that start together, the first one wins
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    kept: dict[str, str] = json.loads(file.read_text())
    return kept
