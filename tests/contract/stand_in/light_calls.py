"""Light's calls as bare HTTP, so that the simulator is tested without our own client code."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import requests

from simulator.calendar_days import chicago_day
from simulator.server import RunningSimulator

ESI_ID = "10443720001234567"
OTHER_ESI_ID = "10443720007654321"
CREATE = "/v1/app/accounts"
ACCEPT = "/v1/account/enroll/plans/accept"


@dataclass
class LightCalls:
    simulator: RunningSimulator

    def call(self, method: str, path: str, *, token: str | None = None, **kwargs: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.simulator.app_token if token is None else token}"}
        url = self.simulator.url + path
        return requests.request(method, url, headers=headers, timeout=10, allow_redirects=False, **kwargs)

    def create(self, email: str = "maria@example.com", **details: object) -> str:
        response = self.call("POST", CREATE, json={"email": email, **details})
        assert response.status_code == 201, response.text
        return str(response.json()["uuid"])

    def read(self, account_uuid: str) -> dict[str, Any]:
        response = self.call("GET", f"{CREATE}/{account_uuid}")
        assert response.status_code == 200, response.text
        return dict(response.json())

    def status(self, account_uuid: str) -> str:
        return str(self.read(account_uuid)["status"])

    def record(self, account_uuid: str) -> None:
        assert self.call("POST", f"{CREATE}/{account_uuid}/record-client-agent", json={}).ok

    def request_plans(self, account_uuid: str, esi_id: str = ESI_ID) -> list[dict[str, Any]]:
        response = self.call("POST", f"{CREATE}/{account_uuid}/enroll/plans/request", json={"esi_id": esi_id})
        assert response.status_code == 200, response.text
        body = response.json()
        return list(body if isinstance(body, list) else body["plans"])

    def token(self, account_uuid: str) -> str:
        return str(self.call("POST", f"{CREATE}/{account_uuid}/token").json()["token"])

    def ready(self, email: str = "maria@example.com") -> str:
        """Bring a new account to the point where it waits for its client agent."""
        account_uuid = self.create(email)
        self.record(account_uuid)
        self.simulator.control.complete(account_uuid)
        return account_uuid

    def day(self, days: int) -> date:
        return chicago_day(self.simulator.control.now()) + timedelta(days=days)

    def acceptance(self, plan_uuid: str, **changes: object) -> dict[str, object]:
        start = self.day(8).isoformat()
        wanted = {"plan_uuid": plan_uuid, "esi_id": ESI_ID, "service_start_date": start, "terms_accepted": True}
        return {**wanted, **changes}

    def accept(self, account_uuid: str, plan_uuid: str, **changes: object) -> requests.Response:
        body = self.acceptance(plan_uuid, **changes)
        return self.call("POST", ACCEPT, token=self.token(account_uuid), json=body)

    def accepted(self, email: str = "maria@example.com", **changes: object) -> str:
        """Bring a new account to an accepted plan."""
        account_uuid = self.ready(email)
        response = self.accept(account_uuid, self.request_plans(account_uuid)[0]["uuid"], **changes)
        assert response.ok, response.text
        return account_uuid

    def finalize(self, account_uuid: str) -> requests.Response:
        return self.call("POST", "/v1/account/enroll/finalize", token=self.token(account_uuid))

    def finalized(self, email: str = "maria@example.com", **changes: object) -> str:
        account_uuid = self.accepted(email, **changes)
        assert self.finalize(account_uuid).ok
        return account_uuid
