"""The installer's office, which uses the REST API as its other systems would."""

import uuid
from datetime import date, timedelta
from typing import Any

import requests

from core.clock import now
from core.dates import chicago_day
from demo.browser import TIMEOUT_SECONDS, ConnectionLost
from demo.browser_actors import retry
from demo.demo_data import STAFF_NAME, STAFF_PASSWORD, CustomerProfile, Product

CONTRACT_AGE = timedelta(days=14)
FIRST_SERVER_ERROR = 500


class ApiRequestFailed(Exception):
    """The API rejected a request. The text says why."""


class Office:
    """
    Opens cases, sends powers of attorney, records work, pauses and resumes acceptances.

    Every write has an idempotency key and is repeated until it is answered, so it counts once.
    """

    def __init__(self, *, site_url: str, technician_id: str) -> None:
        self._base = f"{site_url}/api/v1"
        self._technician_id = technician_id
        self._session = requests.Session()
        self._session.trust_env = False
        self._promise_ids: dict[str, str] = {}
        self._light_groups: dict[str, str] = {}

    def sign_in(self) -> None:
        """Get a token and look up the products."""
        answer = self._write("token", {"username": STAFF_NAME, "password": STAFF_PASSWORD})
        self._session.headers["Authorization"] = f"Token {answer['token']}"
        for promise in self._ask("GET", "plan-promises")["results"]:
            self._promise_ids[promise["name"]] = promise["id"]
            self._light_groups[promise["name"]] = promise["light_plan_group"]

    def open_case(self, profile: CustomerProfile) -> str:
        """Register customer, site and job, and send the power of attorney. Return the installation's ID."""
        customer = self._write(
            "customers",
            {
                "first_name": profile.first_name,
                "last_name": profile.last_name,
                "email": profile.email,
                "phone": profile.phone,
                "date_of_birth": profile.born.isoformat(),
                "language": profile.language,
            },
        )
        site = self._write(
            "sites",
            {
                "address_1": profile.address_1,
                "address_2": profile.address_2,
                "city": profile.city,
                "postal_code": profile.postal_code,
                "esi_id": profile.esi_id,
            },
        )
        installation = self._write(
            "installations",
            {
                "customer": customer["id"],
                "site": site["id"],
                "kind": profile.hardware,
                "size_kw": str(profile.size_kw),
                "contract_signed_date": (chicago_day(now()) - CONTRACT_AGE).isoformat(),
                "technician": self._technician_id,
            },
        )
        request = {"customer": customer["id"], "site": site["id"], "promise": self._promise_ids[profile.promise]}
        self._write("poa-requests", request)
        return str(installation["id"])

    def record_installed(self, installation_id: str, day: date) -> None:
        address = f"installations/{installation_id}/move"
        self._write(address, {"move": "schedule", "scheduled_date": day.isoformat()})
        self._write(address, {"move": "install"})

    def pause(self, promise: Product, reason: str) -> str:
        """Pause acceptances of a product. Return the pause's ID."""
        return str(self._write("pauses", {"reason": reason, "light_plan_group": self._light_groups[promise]})["id"])

    def resume(self, pause_id: str) -> None:
        self._write(f"pauses/{pause_id}/resume", {})

    def close(self) -> None:
        self._session.close()

    def _write(self, address: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._ask("POST", address, body=body, key=str(uuid.uuid4()))

    def _ask(self, method: str, address: str, *, body: dict[str, Any] | None = None, key: str = "") -> dict[str, Any]:
        headers = {"Idempotency-Key": key} if key else {}
        return retry(f"The office wants to {method} {address}", lambda: self._try(method, address, body, headers))

    def _try(
        self, method: str, address: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> dict[str, Any] | None:
        try:
            answer = self._session.request(
                method, f"{self._base}/{address}/", json=body, headers=headers, timeout=TIMEOUT_SECONDS
            )
        except requests.RequestException as problem:
            raise ConnectionLost(type(problem).__name__) from problem
        if answer.status_code >= FIRST_SERVER_ERROR:
            return None
        if not answer.ok:
            raise ApiRequestFailed(f"{method} {address} was answered with {answer.status_code}: {answer.text[:300]}")
        return dict(answer.json())
