import os

from django.core.wsgi import get_wsgi_application

from poa_documents.seal.warming import warm_up_aside

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

application = get_wsgi_application()

from operations.field_keys import stop_without_keys  # noqa: E402 - it reads models, which are there from here on
from operations.storage_permissions import report_missing_right_aside  # noqa: E402

stop_without_keys()
warm_up_aside()
report_missing_right_aside()
