"""Client for the control calls, for tests and the demo."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import requests

__all__ = ["ControlError", "SimulatorControl"]

_TIMEOUT_SECONDS = 30


class ControlError(RuntimeError):
    """The control call failed. The text says why."""


class SimulatorControl:
    """Calls `/__sim__/` of a running stand-in, in this process or another."""

    def __init__(self, url: str) -> None:
        self._base = f"{url.rstrip('/')}/__sim__"
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        self._session.close()

    def now(self) -> datetime:
        return datetime.fromisoformat(self._get("/clock")["now"])

    def set_now(self, now: datetime) -> datetime:
        return datetime.fromisoformat(self._post("/clock", {"now": now.isoformat()})["now"])

    def advance(self, span: timedelta) -> datetime:
        return datetime.fromisoformat(self._post("/clock", {"advance_seconds": span.total_seconds()})["now"])

    def freeze_clock(self) -> None:
        self._post("/clock", {"frozen": True})

    def run_clock(self) -> None:
        self._post("/clock", {"frozen": False})

    def set_dialect(self, **changes: object) -> dict[str, Any]:
        return self._post("/dialect", changes)

    def change_settings(self, **changes: object) -> dict[str, Any]:
        return self._post("/settings", changes)

    def inject_fault(self, endpoint: str, kind: str, **details: object) -> dict[str, Any]:
        return self._post("/faults", {"endpoint": endpoint, "kind": kind, **details})

    def clear_faults(self) -> None:
        self._call("DELETE", "/faults")

    def complete(
        self,
        account_uuid: str,
        steps: Iterable[str] | None = None,
        *,
        esi_id: str | None = None,
        is_forced: bool = False,
    ) -> dict[str, Any]:
        """Do the customer's steps; by default, all that the account's scenario allows."""
        body: dict[str, object] = {"force": is_forced}
        if steps is not None:
            body["steps"] = list(steps)
        if esi_id is not None:
            body["esi_id"] = esi_id
        return self._post(f"/accounts/{account_uuid}/complete", body)

    def freeze_credit(self, account_uuid: str, *, thaw_days: int | None = None) -> dict[str, Any]:
        return self._post(f"/accounts/{account_uuid}/freeze", {"thaw_days": thaw_days})

    def unfreeze_credit(self, account_uuid: str) -> dict[str, Any]:
        return self._post(f"/accounts/{account_uuid}/unfreeze", {})

    def opt_out(self, account_uuid: str) -> dict[str, Any]:
        return self._post(f"/accounts/{account_uuid}/opt-out", {})

    def accept_own_plan(self, account_uuid: str) -> dict[str, Any]:
        return self._post(f"/accounts/{account_uuid}/accept-own-plan", {})

    def cancel(self, account_uuid: str) -> dict[str, Any]:
        return self._post(f"/accounts/{account_uuid}/cancel", {})

    def show_status(self, account_uuid: str, status: str | None) -> dict[str, Any]:
        """Show this status from now on; None restores the real one."""
        return self._post(f"/accounts/{account_uuid}/status", {"status": status})

    def send_event(self, event: str, account_uuid: str | None = None, **extra: object) -> str:
        body = {"event": event, "account_uuid": account_uuid, "data": extra}
        return str(self._post("/events", body)["uuid"])

    def webhooks(self) -> dict[str, Any]:
        return self._get("/webhooks")

    def switch_webhooks(self, **switches: object) -> dict[str, Any]:
        return self._post("/webhooks", switches)

    def resend_webhooks(self, **which: object) -> int:
        return int(self._post("/webhooks/resend", which)["resent"])

    def wait_for_webhooks(self, timeout_seconds: float = 10) -> bool:
        """Wait until everything due was sent and answered. Return whether that happened in time."""
        return bool(self._post("/webhooks/wait", {"timeout_seconds": timeout_seconds})["quiet"])

    def state(self) -> dict[str, Any]:
        return self._get("/state")

    def acceptances(self) -> list[dict[str, Any]]:
        return list(self._get("/acceptances")["acceptances"])

    def account(self, account_uuid: str) -> dict[str, Any]:
        """Return an account's real state, without read lag."""
        for account in self.state()["accounts"]:
            if account["uuid"] == account_uuid:
                return dict(account)
        raise ControlError(f"no account {account_uuid}")

    def requests(self, operation: str | None = None) -> list[dict[str, Any]]:
        rows = self.state()["requests"]
        return [row for row in rows if operation in (None, row["operation"])]

    def plan_groups(self) -> list[dict[str, Any]]:
        return list(self._get("/plan-groups")["plan_groups"])

    def esi_ids(self) -> list[dict[str, Any]]:
        return list(self._get("/esi-ids")["esi_ids"])

    def reset(self) -> None:
        self._post("/reset", {})

    def _get(self, path: str) -> dict[str, Any]:
        return self._call("GET", path)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        response = self._session.request(method, self._base + path, json=body, timeout=_TIMEOUT_SECONDS)
        if not response.ok:
            raise ControlError(f"{method} {path}: {response.status_code} {response.text[:500]}")
        return dict(response.json())
