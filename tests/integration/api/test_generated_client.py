"""
The description of the API is good enough to generate a client from, and the client works as it comes.

Generated with openapi-python-client, as an integrator would do it, and used over WSGI without any change by hand.
"""

import io
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType
from typing import Any

import httpx
import pytest
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

from core import clock
from core.dates import chicago_day
from installations.models import Customer, GoLiveReport, Site
from tests.factories.accounts import client_key
from tests.factories.installations import SUBMITTED, customer, installation_at
from tests.pdf_files import letter

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_connection")]
PACKAGE = "generated_switchyard_client"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("generated")


@pytest.fixture
def generated(folder: Path) -> Iterator[ModuleType]:
    """The package, generated once for all tests."""
    if not (folder / PACKAGE).exists():
        call_command("spectacular", "--format", "openapi-json", "--file", str(folder / "schema.json"))
        (folder / "config.yml").write_text("post_hooks: []\n")
        finished = subprocess.run(  # noqa: S603 - a program of our own environment
            [
                str(Path(sys.executable).with_name("openapi-python-client")),
                "generate",
                "--fail-on-warning",
                *("--meta", "none"),
                *("--path", "schema.json"),
                *("--config", "config.yml"),
                *("--output-path", PACKAGE),
            ],
            cwd=folder,
            check=False,
            capture_output=True,
            text=True,
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
    sys.path.insert(0, str(folder))
    yield import_module(PACKAGE)
    sys.path.remove(str(folder))


@pytest.fixture
def signed_in(generated: ModuleType) -> Any:
    return generated.AuthenticatedClient(
        base_url="http://testserver",
        token=client_key().secret,
        httpx_args={"transport": httpx.WSGITransport(app=get_wsgi_application())},
    )


def part(name: str) -> Any:
    return import_module(f"{PACKAGE}.{name}")


def test_every_module_of_the_client_can_be_imported(generated: ModuleType) -> None:
    modules = [found.name for found in walk_packages(generated.__path__, f"{PACKAGE}.")]

    for name in modules:
        import_module(name)

    assert len([name for name in modules if name.startswith(f"{PACKAGE}.api.")]) > 30


def test_records_are_written_and_listed(signed_in: Any) -> None:
    models = part("models")
    new_customer = models.NewCustomerRequest(first_name="Carmen", last_name="Reyes", email="carmen@example.com")
    new_site = models.NewSiteRequest(
        address_1="1814 Bluebonnet Lane", city="Plano", postal_code="75074", esi_id="10443720001234567"
    )

    person = part("api.customers.customers_create").sync(
        client=signed_in, body=new_customer, idempotency_key="customer-1"
    )
    place = part("api.sites.sites_create").sync(client=signed_in, body=new_site, idempotency_key="the-site-1")
    listed = part("api.customers.customers_list").sync(client=signed_in, last_name="reyes", ordering="-id", limit=5)

    assert (person.id, place.id) == (Customer.objects.get().public_id, Site.objects.get().public_id)
    assert [each.email for each in listed.results] == ["carmen@example.com"]


def test_pto_report_is_sent_with_and_without_proof(signed_in: Any) -> None:
    models, types = part("models"), part("types")
    create = part("api.pto_reports.pto_reports_create").sync_detailed
    said = {
        "granted_date": chicago_day(clock.now()) - timedelta(days=1),
        "source": models.SourceEnum.LETTER,
        "utility_reference": "DG-2026-0042",
    }
    bare, proved = (installation_at(SUBMITTED, customer=customer()) for _ in range(2))
    proof = types.File(payload=io.BytesIO(letter()), file_name="letter.pdf", mime_type="application/pdf")

    answers = [
        create(
            client=signed_in,
            body=models.NewGoLiveReportRequest(installation=bare.public_id, **said),
            idempotency_key="without-proof",
        ),
        create(
            client=signed_in,
            body=models.NewGoLiveReportRequest(installation=proved.public_id, proof=proof, **said),
            idempotency_key="with-proof",
        ),
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert [len(answer.parsed.proofs) for answer in answers] == [0, 1]
    assert GoLiveReport.objects.filter(installation=proved).get().proofs.count() == 1


def test_client_can_read_a_refusal(signed_in: Any) -> None:
    models = part("models")

    answer = part("api.customers.customers_create").sync_detailed(
        client=signed_in,
        body=models.NewCustomerRequest(first_name="Carmen", last_name="Reyes", email="nonsense"),
        idempotency_key="customer-2",
    )

    assert answer.status_code == 400
    assert "email" in answer.parsed.additional_properties
