from typing import Any

from django.core.management.base import BaseCommand

from poa_documents.actions import ensure_templates


class Command(BaseCommand):
    help = "Load the POA wording that ships with Switchyard, in English and Spanish. Running it twice changes nothing."

    def handle(self, *_args: Any, **_options: Any) -> None:
        for template in ensure_templates():
            self.stdout.write(str(template))
