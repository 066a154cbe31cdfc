"""Settings of the embedded mode: everything on this machine, secrets made at the first start."""

from config.local_secrets import provide_local_secrets

provide_local_secrets()

from config.settings.base import *  # noqa: E402, F403
