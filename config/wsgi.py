import os

from django.core.wsgi import get_wsgi_application

from poa_documents.seal.warming import warm_up_in_background

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

application = get_wsgi_application()

from operations.bucket_permissions import log_missing_permission_in_background  # noqa: E402
from operations.key_checks import check_keys_at_start  # noqa: E402 - it imports models, which are loaded by now

check_keys_at_start()
warm_up_in_background()
log_missing_permission_in_background()
