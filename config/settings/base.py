"""Settings that all environments share. Values that operators set come from `config.environment`."""

from pathlib import Path
from typing import Any

import environ
from celery.schedules import crontab
from kombu import Exchange, Queue

from config.admin_skin import UNFOLD as UNFOLD
from config.dialect_and_seal_checks import read_light_dialect
from config.environment import check_environment, read
from config.redis_servers import RedisServer, redis_server
from core.queue import DEFAULT_QUEUE, OWN_QUEUES, TaskName
from operations.database_file_permissions import make_private
from operations.log_redaction import LINE_FORMAT

check_environment(read_light_dialect)

BASE_DIR = Path(__file__).resolve().parent.parent.parent
DATA_DIR = BASE_DIR / read("DATA_DIR")

SECRET_KEY: str = read("SECRET_KEY")
FIELD_ENCRYPTION_KEYS: dict[str, bytes] = read("FIELD_ENCRYPTION_KEYS")
SITE_URL: str = read("SITE_URL")
ALLOWED_HOSTS: list[str] = read("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = [SITE_URL]
DEBUG = False

INSTALLED_APPS = [
    "config.apps.ConfigConfig",
    "core",
    "accounts",
    "installations",
    "poa_documents",
    "enrollments",
    "operations",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "phonenumber_field",
    "allauth.account",  # not used, but allauth.mfa does not start without it
    "allauth.mfa",
]

MIDDLEWARE = [
    "config.middleware.SecurityHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "config.middleware.BodyLimitMiddleware",
    "config.middleware.NulCharacterMiddleware",
    "config.middleware.TruncatedBodyMiddleware",
    "config.middleware.WebhookShortcutMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "config.middleware.SlashMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.middleware.SessionExpiryMiddleware",
    "config.middleware.SecondFactorMiddleware",
    "config.middleware.AdminQueryMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA foreign_keys=ON;",
}

# Waiting longer for a locked row fails; the transaction is then repeated or postponed, so nothing waits forever.
POSTGRESQL_OPTIONS = "-c lock_timeout=10s"


MAX_CONNECTION_SECONDS = 600


def _database() -> dict[str, Any]:
    url = read("DATABASE_URL") or f"sqlite:///{DATA_DIR / 'switchyard.sqlite3'}"
    database: dict[str, Any] = environ.Env.db_url_config(url)
    if database["ENGINE"] == "django.db.backends.sqlite3":
        database["OPTIONS"] = SQLITE_OPTIONS
        make_private(Path(database["NAME"]))
    else:
        # Connecting to PostgreSQL costs more than most requests. A broken connection is detected before it is used.
        database["CONN_MAX_AGE"] = MAX_CONNECTION_SECONDS
        database["CONN_HEALTH_CHECKS"] = True
        database.setdefault("OPTIONS", {}).setdefault("options", POSTGRESQL_OPTIONS)
    return database


DATABASES = {"default": _database()}
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("es", "Español")]
LOCALE_PATHS = [BASE_DIR / "templates" / "locale"]
TIME_ZONE = "America/Chicago"
FORMAT_MODULE_PATH = ["config.formats"]
USE_I18N = True
USE_TZ = True
PHONENUMBER_DEFAULT_REGION = "US"

STATIC_URL = "static/"
STATIC_ROOT: Path | None = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]


def _redis(url: str) -> RedisServer | None:
    return redis_server(url, ca_file=read("REDIS_CA_FILE")) if url.startswith("redis") else None


REDIS_BROKER = _redis(read("CELERY_BROKER_URL"))
REDIS_CACHE = _redis(read("CACHE_URL")) or REDIS_BROKER


def _cache() -> dict[str, Any]:
    if REDIS_CACHE is None:
        return {
            "BACKEND": "core.shared_cache.CountingDatabaseCache",
            "LOCATION": CACHE_TABLE,
            "OPTIONS": {"MAX_ENTRIES": 10_000},
        }
    return {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_CACHE.url,
        "KEY_PREFIX": read("CELERY_KEY_PREFIX") + "cache",
        # A page waits for the cache; if it does not answer, the page works without it or says that it cannot.
        "OPTIONS": {
            "serializer": "core.shared_cache.JsonSerializer",
            "socket_connect_timeout": 0.5,
            "socket_timeout": 0.5,
            "health_check_interval": 15,
            **REDIS_CACHE.tls,
        },
    }


CACHE_TABLE = "switchyard_cache"
CACHES = {"default": _cache()}


def _document_storage() -> dict[str, Any]:
    bucket = read("STORAGE_S3_BUCKET")
    if not bucket:
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {
                "location": DATA_DIR / "files",
                "file_permissions_mode": 0o600,
                "directory_permissions_mode": 0o700,
            },
        }
    options = document_storage_options(
        bucket=bucket,
        endpoint_url=read("STORAGE_S3_ENDPOINT_URL"),
        access_key=read("AWS_ACCESS_KEY_ID"),
        secret_key=read("AWS_SECRET_ACCESS_KEY"),
    )
    lock_days = read("STORAGE_S3_OBJECT_LOCK_DAYS")
    if not lock_days:
        return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    lock = {"lock_mode": read("STORAGE_S3_OBJECT_LOCK_MODE"), "lock_days": lock_days}
    return {"BACKEND": "operations.object_lock_storage.ObjectLockStorage", "OPTIONS": {**options, **lock}}


def document_storage_options(*, bucket: str, endpoint_url: str, access_key: str, secret_key: str) -> dict[str, Any]:
    from botocore.config import Config  # only where S3 is used: slow to import

    return {
        "bucket_name": bucket,
        "endpoint_url": endpoint_url or None,
        "region_name": read("STORAGE_S3_REGION"),
        "access_key": access_key,
        "secret_key": secret_key,
        "default_acl": "private",
        "file_overwrite": False,
        "querystring_expire": 60,
        "client_config": Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=5,
            read_timeout=20,
        ),
    }


STORAGES = {
    "default": _document_storage(),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
DATA_UPLOAD_MAX_NUMBER_FILES = 10  # no form has more than one
FILE_UPLOAD_HANDLERS = [
    "installations.uploads.SizeLimitUploadHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "accounts.revocation_on_password_change.PersonalKeyRevoker"},
]
AUTHENTICATION_BACKENDS = [
    "accounts.people_only_backend.RejectServiceAccounts",
    "django.contrib.auth.backends.ModelBackend",
]
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True  # scripts that need the token find it in the page
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE: int = read("SESSION_HOURS") * 60 * 60

STAFF_MFA_REQUIRED: bool = read("STAFF_MFA_REQUIRED") == "YES"
TECHNICIAN_MFA_REQUIRED: bool = read("TECHNICIAN_MFA_REQUIRED")
MFA_ADAPTER = "accounts.second_factor.EncryptingMfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Switchyard"
MFA_TOTP_TOLERANCE = 1  # clocks of phones may be half a minute off
API_REQUESTS_PER_MINUTE: int = read("API_REQUESTS_PER_MINUTE")

LOGIN_URL = "field:sign_in"
LOGIN_REDIRECT_URL = "field:jobs"


def _mail() -> dict[str, Any]:
    url = read("EMAIL_URL")
    if not url:
        return {"EMAIL_BACKEND": "config.file_mail.FileAndTerminalBackend", "EMAIL_FILE_PATH": DATA_DIR / "mail"}
    settings: dict[str, Any] = environ.Env.email_url_config(url)
    return settings


globals().update(_mail())
DEFAULT_FROM_EMAIL: str = read("MAIL_FROM")
EMAIL_TIMEOUT = 20

CLOCK = "core.clock.SystemClock"
SAMPLE_COMPANY_RULES: dict[str, Any] = {}
"""Rules until the company's first decision, where they differ from those in `core.company_rules`; demo and tests."""
SAMPLE_COMPANY_ALLOWED = True
"""Whether powers of attorney may be drafted in the name of the sample company."""
SWEEP_SECONDS = 5
"""How often the sweeps look for due work."""
METRICS_TOKEN: str = read("METRICS_TOKEN")
BACKUP_ALARM_DAYS: int = read("BACKUP_ALARM_DAYS")

CELERY_BROKER_URL: str = REDIS_BROKER.url if REDIS_BROKER else read("CELERY_BROKER_URL")
if CELERY_BROKER_URL == "memory://":
    CELERY_BROKER_URL = "memory://localhost/"  # the transport warns about a URL without a host
CELERY_TASK_DEFAULT_QUEUE = DEFAULT_QUEUE
CELERY_TASK_QUEUES = [
    Queue(name, Exchange(name, type="direct"), routing_key=name) for name in (DEFAULT_QUEUE, *OWN_QUEUES.values())
]
CELERY_TASK_ROUTES = {task.value: {"queue": name} for task, name in OWN_QUEUES.items()}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CHANNEL_ERROR_RETRY = True  # do not stop when the server is full or read-only
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for the queue as long as needed


def beat_entry(task: TaskName, schedule: float | crontab, *, expires: float) -> dict[str, dict[str, Any]]:
    """Return the entry of one task; a message that no worker took in time expires, as the next one does its work."""
    return {task.value: {"task": task.value, "schedule": schedule, "options": {"expires": expires}}}


def sweep_schedule(seconds: float) -> dict[str, dict[str, Any]]:
    sweeps = (TaskName.SWEEP_PROOFS, TaskName.SWEEP_POAS, TaskName.SWEEP_ENROLLMENTS)
    return {
        name: entry for task in sweeps for name, entry in beat_entry(task, seconds, expires=max(seconds, 1)).items()
    }


CELERY_BEAT_SCHEDULE = sweep_schedule(SWEEP_SECONDS)
for _task, _when in {  # UTC: the small hours in Chicago, all year round
    TaskName.TIDY_UP: crontab(hour="7", minute="20"),
    TaskName.FORGET_MAIL_REPORTS: crontab(hour="7", minute="40"),
    TaskName.CHECK_SEALED_FILES: crontab(hour="7", minute="40"),
    TaskName.ANCHOR_JOURNAL: crontab(hour="8", minute="20"),
    TaskName.RECONCILE: crontab(hour="9", minute="20"),
    TaskName.SWEEP_FILES: crontab(hour="10", minute="20"),
    TaskName.ASK_ISSUERS: crontab(minute="50"),
}.items():
    CELERY_BEAT_SCHEDULE |= beat_entry(_task, _when, expires=3600)
if REDIS_BROKER is not None:
    CELERY_BROKER_USE_SSL = REDIS_BROKER.tls or None
    CELERY_DB_REUSE_MAX = 1_000_000_000  # config.celery closes connections, not Celery
    CELERY_TASK_SOFT_TIME_LIMIT = 240
    CELERY_TASK_TIME_LIMIT = 300
    CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "global_keyprefix": read("CELERY_KEY_PREFIX"),
        "queue_order_strategy": "core.queue_order:QueueShares",
        "visibility_timeout": 900,  # three times the longest task: a message delivered again early would run twice
        # A page waits while it sends, and the sweep replaces lost messages: one retry at once, for a stale connection.
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0,
        "socket_connect_timeout": 2,
        "socket_timeout": 10,
        "socket_keepalive": True,
        "health_check_interval": 15,
    }

LIGHT_API_URL: str = read("LIGHT_API_URL")
LIGHT_APP_TOKEN: str = read("LIGHT_APP_TOKEN")
LIGHT_WEBHOOK_SECRETS: list[str] = read("LIGHT_WEBHOOK_SECRET")
MAIL_WEBHOOK_SECRETS: list[str] = read("MAIL_WEBHOOK_SECRET")
LIGHT_HOSTED_ORIGINS: list[str] = [LIGHT_API_URL, *read("LIGHT_HOSTED_ORIGINS")]
LIGHT_DOCUMENT_ORIGINS: list[str] = read("LIGHT_DOCUMENT_ORIGINS")
LIGHT_PROXY_URL: str = read("LIGHT_PROXY_URL")
LIGHT_CA_FILE: str = read("LIGHT_CA_FILE")
LIGHT_CALLS_PER_SECOND: float = read("LIGHT_CALLS_PER_SECOND")
LIGHT_WRITES_ALLOWED_FOR: str = read("LIGHT_WRITES_ALLOWED_FOR")
LIGHT_DIALECT = read_light_dialect()

STRICT_ESI_IDS: bool = read("STRICT_ESI_IDS")
POA_SEAL_KEY_FILE: str = read("POA_SEAL_KEY_FILE") or str(DATA_DIR / "seal.p12")
POA_SEAL_PASSPHRASE: str = read("POA_SEAL_PASSPHRASE")
POA_SEAL_TIMESTAMP_URL: str = read("POA_SEAL_TIMESTAMP_URL")
POA_SEAL_TIMESTAMP_CA_FILE: str = read("POA_SEAL_TIMESTAMP_CA_FILE")
POA_SEAL_LONG_TERM: bool = read("POA_SEAL_LONG_TERM")
DOUBT_SETTLING_SECONDS = 600
"""How long a lost answer is looked for by reading before it counts as not having happened."""
LEASE_SECONDS = 20
"""How long a worker that shows no sign of life keeps its case; then another one takes it over."""

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.ApiPermissions"],
    "DEFAULT_THROTTLE_CLASSES": ["core.api.throttles.CallThrottle"],
    "DEFAULT_SCHEMA_CLASS": "core.api.schema.ApiSchema",
    "DEFAULT_FILTER_BACKENDS": ["core.api.filters.StrictFilterBackend", "core.api.filters.StrictOrderingFilter"],
    "DEFAULT_PAGINATION_CLASS": "core.api.pagination.PagedList",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.api.parsers.ShallowJsonParser"],
    "EXCEPTION_HANDLER": "config.api.answer_to",
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Switchyard",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "core.api.schema.describe_refusals",
    ],
    "ENUM_NAME_OVERRIDES": {
        "EnrollmentStatusEnum": "enrollments.states.EnrollmentStatus.choices",
        "GoLiveReportStatusEnum": "installations.states.GoLiveReportStatus.choices",
        "InstallationStatusEnum": "installations.states.InstallationStatus.choices",
        "PoaStatusEnum": "poa_documents.states.PoaStatus.choices",
        "HoldOwnerEnum": "enrollments.states.HoldOwner.choices",
        "RevocationChannelEnum": "poa_documents.models.RevocationChannel",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "operations.log_redaction.RedactingFormatter",
            "format": LINE_FORMAT,
            "style": "{",
        }
    },
    "filters": {"refusals": {"()": "operations.log_redaction.SuspiciousRequestFilter"}},
    "handlers": {"terminal": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["refusals"]}},
    "root": {"handlers": ["terminal"], "level": "INFO"},
    "loggers": {
        # operations.task_log logs the outcome of each task with its case; receiving and sending are not logged.
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        # We log a damaged file once; pyHanko would add a traceback for each finding.
        "pyhanko": {"level": "CRITICAL"},
        "pyhanko_certvalidator": {"level": "CRITICAL"},
    },
}
