"""Settings of the test suite: embedded parts, fast password hashing, worthless secrets."""

import atexit
import base64
import os
import shutil
import tempfile

os.environ.setdefault("SECRET_KEY", "only-for-tests-and-worth-nothing-at-all-0123456789")
os.environ.setdefault("FIELD_ENCRYPTION_KEYS", "test:" + base64.b64encode(b"t" * 32).decode())
os.environ.setdefault("LIGHT_WEBHOOK_SECRET", "webhook-secret-of-the-tests")
os.environ.setdefault("MAIL_WEBHOOK_SECRET", "mail-webhook-secret-of-the-tests")
if "DATA_DIR" not in os.environ:
    os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="switchyard-test-")
    atexit.register(shutil.rmtree, os.environ["DATA_DIR"], ignore_errors=True)

from config.settings.base import *  # noqa: F403
from poa_documents.seal.keys import provide_development_key

DATA_DIR.mkdir(parents=True, exist_ok=True)  # noqa: F405
provide_development_key(DATA_DIR / "seal.p12")  # noqa: F405

SAMPLE_COMPANY_RULES = {"advance_notice_days": 0}
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True  # looks for a file when it is asked for, not for all of them at each test client
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":  # noqa: F405
    # A file, as in the embedded mode: threads that share an in-memory database lock each other out.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}  # noqa: F405
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
if "CACHE_URL" not in os.environ:  # tests/services names the cache of production
    CACHES = {"default": {"BACKEND": "tests.json_cache.JsonCache"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    **STORAGES,  # noqa: F405
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
