"""Settings of production: PostgreSQL, Redis, S3 and HTTPS. Settings that work on one machine only are refused."""

from config.dialect_and_seal_checks import read_light_dialect, seal_key_problems
from config.environment import check_production, read

check_production(read_light_dialect, further_rules=[seal_key_problems])

from config.settings.base import *  # noqa: E402, F403

SECURE_SSL_REDIRECT = True
# Probes from inside the private network come before any proxy, without HTTPS.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if read("TRUST_PROXY_HEADERS") else None
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
STAFF_MFA_REQUIRED = read("STAFF_MFA_REQUIRED") != "NO"
SESSION_COOKIE_NAME = "__Host-session"
CSRF_COOKIE_NAME = "__Host-csrf"
BACKUP_ALARM_DAYS = read("BACKUP_ALARM_DAYS", in_production=True)
SAMPLE_COMPANY_ALLOWED = False
STRICT_ESI_IDS = read("STRICT_ESI_IDS", in_production=True)
if read("TRUST_PROXY_HEADERS"):
    MIDDLEWARE = ["config.middleware.ClientAddressMiddleware", *MIDDLEWARE]  # noqa: F405
