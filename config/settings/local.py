"""Settings of the embedded mode: everything on this machine, secrets generated at the first start."""

from config.local_secrets import provide_local_secrets

provide_local_secrets()

from config.settings.base import *  # noqa: E402, F403

# Static files are served from their folders, so that nothing has to be collected before the first start.
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True
STORAGES = {
    **STORAGES,  # noqa: F405
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
