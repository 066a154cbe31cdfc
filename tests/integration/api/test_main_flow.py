"""The main flow driven from outside without a browser, each step as another system does it."""

import io
from datetime import timedelta
from typing import Any

from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from core import clock
from core.dates import chicago_day
from installations.models import GoLiveReport
from poa_documents.actions import ensure_templates
from tests.factories.installations import staff
from tests.factories.poa_documents import plan_promise
from tests.integration.api.conftest import Api


def created(response: Any) -> Any:
    assert response.status_code == 201, response.content
    return response.json()


def letter() -> SimpleUploadedFile:
    written = io.BytesIO()
    Image.new("RGB", (60, 40), "white").save(written, "JPEG")
    return SimpleUploadedFile("letter.jpg", written.getvalue(), "image/jpeg")


def test_case_goes_from_customer_to_pto_report(db: None, client: Client) -> None:
    today = chicago_day(clock.now())
    ensure_templates()
    promise = plan_promise()
    staff(username="crm")
    token = client.post("/api/v1/token/", {"username": "crm", "password": "a long enough password"}, "application/json")
    api = Api(token.json()["token"])

    customer = created(
        api.post(
            "customers/",
            {
                "first_name": "Carmen",
                "last_name": "Reyes",
                "email": "carmen@example.com",
                "phone": "512-474-5171",
                "date_of_birth": "1984-05-17",
                "language": "es",
            },
        )
    )
    site = created(
        api.post(
            "sites/",
            {
                "address_1": "12 Juniper Lane",
                "city": "Round Rock",
                "postal_code": "78664",
                "esi_id": "1044372 0001 234567",
            },
        )
    )
    installation = created(
        api.post(
            "installations/",
            {
                "customer": customer["id"],
                "site": site["id"],
                "kind": "SOLAR",
                "size_kw": "7.6",
                "contract_signed_date": (today - timedelta(days=60)).isoformat(),
            },
        )
    )
    poa = created(
        api.post("poa-requests/", {"customer": customer["id"], "site": site["id"], "promise": str(promise.public_id)})
    )
    report = created(
        api.post_form(
            "pto-reports/",
            {
                "installation": installation["id"],
                "granted_date": (today - timedelta(days=1)).isoformat(),
                "source": "LETTER",
                "utility_reference": "DG-2026-0042",
                "proof": letter(),
            },
        )
    )

    assert "date_of_birth" not in customer
    assert (site["esi_id"], site["tdu_code"]) == ("10443720001234567", "ONCOR")
    assert installation["embargo_end_date"] is not None
    assert poa["status"] == "SENT"
    assert not {"token", "token_hash", "link"} & set(poa)
    assert (report["status"], report["proofs"][0]["original_name"]) == ("COUNTED", "letter.jpg")
    assert api.get(f"installations/{installation['id']}/").json()["status"] == "PTO_CONFIRMED"
    assert mail.outbox == []  # the link is made when the mail is sent, by a worker
    assert GoLiveReport.objects.get().reported_by.startswith("client_system:")
