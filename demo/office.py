"""What the installer's office does in the story, by the REST API that its other systems would use."""

import uuid
from datetime import date, timedelta
from typing import Any

import requests

from core.clock import now
from core.dates import chicago_day
from demo.browser import SECONDS_FOR_AN_ANSWER, ConnectionLost
from demo.people import patiently
from demo.profiles import STAFF_NAME, STAFF_PASSWORD, Character, Promise

CONTRACT_AGE = timedelta(days=14)
FIRST_SERVER_ERROR = 500


class RequestRefused(Exception):
    """The API did not do what the office asked; the text says why."""


class Office:
    """
    Opens cases, sends powers of attorney, books the work, pauses and resumes acceptances.

    Every write carries a key of its own and is repeated with that key until an answer comes: it counts once.
    """

    def __init__(self, *, site_url: str, technician_id: int) -> None:
        self._base = f"{site_url}/api/v1"
        self._technician_id = technician_id
        self._session = requests.Session()
        self._session.trust_env = False
        self._promise_ids: dict[str, int] = {}
        self._light_groups: dict[str, str] = {}

    def sign_in(self) -> None:
        """Fetch the token, and look up what is sold."""
        answer = self._write("token", {"username": STAFF_NAME, "password": STAFF_PASSWORD})
        self._session.headers["Authorization"] = f"Token {answer['token']}"
        for promise in self._ask("GET", "plan-promises")["results"]:
            self._promise_ids[promise["name"]] = promise["id"]
            self._light_groups[promise["name"]] = promise["light_plan_group"]

    def open_case(self, character: Character) -> int:
        """Put customer, site and job on file and send the power of attorney; gives the installation's id."""
        customer = self._write(
            "customers",
            {
                "first_name": character.first_name,
                "last_name": character.last_name,
                "email": character.email,
                "phone": character.phone,
                "date_of_birth": character.born.isoformat(),
                "language": character.language,
            },
        )
        site = self._write(
            "sites",
            {
                "address_1": character.address_1,
                "address_2": character.address_2,
                "city": character.city,
                "postal_code": character.postal_code,
                "esi_id": character.esi_id,
            },
        )
        installation = self._write(
            "installations",
            {
                "customer": customer["id"],
                "site": site["id"],
                "kind": character.hardware,
                "size_kw": str(character.size_kw),
                "contract_signed_date": (chicago_day(now()) - CONTRACT_AGE).isoformat(),
                "technician": self._technician_id,
            },
        )
        request = {"customer": customer["id"], "site": site["id"], "promise": self._promise_ids[character.promise]}
        self._write("poa-requests", request)
        return int(installation["id"])

    def note_installed(self, installation_id: int, day: date) -> None:
        address = f"installations/{installation_id}/move"
        self._write(address, {"move": "schedule", "scheduled_date": day.isoformat()})
        self._write(address, {"move": "install"})

    def pause(self, promise: Promise, reason: str) -> int:
        """Stop acceptances of one product; gives the pause's id."""
        return int(self._write("pauses", {"reason": reason, "light_plan_group": self._light_groups[promise]})["id"])

    def resume(self, pause_id: int) -> None:
        self._write(f"pauses/{pause_id}/resume", {})

    def close(self) -> None:
        self._session.close()

    def _write(self, address: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._ask("POST", address, body=body, key=str(uuid.uuid4()))

    def _ask(self, method: str, address: str, *, body: dict[str, Any] | None = None, key: str = "") -> dict[str, Any]:
        headers = {"Idempotency-Key": key} if key else {}
        return patiently(f"The office wants to {method} {address}", lambda: self._try(method, address, body, headers))

    def _try(
        self, method: str, address: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> dict[str, Any] | None:
        try:
            answer = self._session.request(
                method, f"{self._base}/{address}/", json=body, headers=headers, timeout=SECONDS_FOR_AN_ANSWER
            )
        except requests.RequestException as problem:
            raise ConnectionLost(type(problem).__name__) from problem
        if answer.status_code >= FIRST_SERVER_ERROR:
            return None
        if not answer.ok:
            raise RequestRefused(f"{method} {address} was answered with {answer.status_code}: {answer.text[:300]}")
        return dict(answer.json())
