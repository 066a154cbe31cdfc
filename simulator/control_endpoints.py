"""Control calls under `/__sim__/`, a path that does not exist at Light. See `docs/simulator.md`."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, Response, jsonify

from simulator import enrollment
from simulator.accounts import Account, missing_steps, shown_status
from simulator.clock import iso_instant
from simulator.dialect import WrongDialect, changed_dialect, dialect_as_json
from simulator.faults import FAULT_KINDS, InvalidFault
from simulator.meters import SEEDED_METERS
from simulator.payloads import account_payload, meter_payload
from simulator.pricing import PLAN_GROUPS, RATE_STRUCTURE
from simulator.request_parsing import json_object, meter_field
from simulator.responses import Invalid
from simulator.scenarios import SCENARIO_TAGS
from simulator.webhooks import EVENTS, WebhookSwitches
from simulator.world import InvalidSettings, World, has_type_of

__all__ = ["CONTROL_PREFIX", "Control"]

CONTROL_PREFIX = "/__sim__"
_WAIT_SECONDS = 10.0


class Control:
    def __init__(self, world: World) -> None:
        self.world = world

    def add_to(self, app: Flask) -> None:
        routes: tuple[tuple[str, str, Callable[..., Response]], ...] = (
            ("GET", "/clock", self.show_clock),
            ("POST", "/clock", self.set_clock),
            ("GET", "/settings", self.show_settings),
            ("POST", "/settings", self.change_settings),
            ("GET", "/dialect", self.show_dialect),
            ("POST", "/dialect", self.change_dialect),
            ("GET", "/faults", self.list_faults),
            ("POST", "/faults", self.inject_fault),
            ("DELETE", "/faults", self.clear_faults),
            ("GET", "/webhooks", self.list_webhooks),
            ("POST", "/webhooks", self.switch_webhooks),
            ("POST", "/webhooks/resend", self.resend_webhooks),
            ("POST", "/webhooks/wait", self.wait_for_webhooks),
            ("POST", "/events", self.send_event),
            ("GET", "/plan-groups", self.list_plan_groups),
            ("GET", "/esi-ids", self.list_esi_ids),
            ("GET", "/scenarios", self.list_scenarios),
            ("GET", "/acceptances", self.list_acceptances),
            ("GET", "/state", self.dump_state),
            ("POST", "/reset", self.reset),
            ("POST", "/accounts/<account_uuid>/<step>", self.do_step),
        )
        for method, path, view in routes:
            name = f"control_{view.__name__}"
            app.add_url_rule(CONTROL_PREFIX + path, endpoint=name, view_func=view, methods=[method])

    def show_clock(self) -> Response:
        return jsonify({"now": iso_instant(self.world.now()), "frozen": self.world.clock.is_frozen})

    def set_clock(self) -> Response:
        body = json_object()
        _check_keys(body, {"now", "advance_seconds", "frozen"})
        if "now" in body:
            self.world.clock.set(_instant(body["now"]))
        if "advance_seconds" in body:
            seconds = body["advance_seconds"]
            if isinstance(seconds, bool) or not isinstance(seconds, int | float):
                raise Invalid("advance_seconds must be a number", field="advance_seconds")
            self.world.clock.advance(timedelta(seconds=seconds))
        if "frozen" in body:
            if body["frozen"] is True:
                self.world.clock.freeze()
            else:
                self.world.clock.run()
        enrollment.run_due_events(self.world)
        return self.show_clock()

    def show_settings(self) -> Response:
        return jsonify(vars(self.world.settings))

    def change_settings(self) -> Response:
        try:
            self.world.settings.change(json_object())
        except InvalidSettings as problem:
            raise Invalid(str(problem)) from problem
        return self.show_settings()

    def show_dialect(self) -> Response:
        return jsonify(dialect_as_json(self.world.dialect))

    def change_dialect(self) -> Response:
        try:
            self.world.dialect = changed_dialect(self.world.dialect, json_object())
        except WrongDialect as problem:
            raise Invalid(str(problem)) from problem
        return self.show_dialect()

    def list_faults(self) -> Response:
        return jsonify({"faults": [fault.as_json() for fault in self.world.faults.faults], "kinds": FAULT_KINDS})

    def inject_fault(self) -> Response:
        try:
            fault = self.world.faults.add(json_object())
        except InvalidFault as problem:
            raise Invalid(str(problem)) from problem
        return jsonify(fault.as_json())

    def clear_faults(self) -> Response:
        self.world.faults.clear()
        return self.list_faults()

    def list_webhooks(self) -> Response:
        sender = self.world.webhooks
        return jsonify(
            {
                "url": sender.url,
                "switches": vars(sender.switches),
                "pending": sender.pending_count(),
                "deliveries": [delivery.as_json() for delivery in sender.deliveries],
            }
        )

    def switch_webhooks(self) -> Response:
        body = json_object()
        sender = self.world.webhooks
        _check_keys(body, {"url", *WebhookSwitches.__dataclass_fields__})
        for key, value in body.items():
            default = "" if key == "url" else getattr(WebhookSwitches, key)
            if not has_type_of(value, default):
                raise Invalid(f"{key} must be of type {type(default).__name__}", field=key)
            setattr(sender if key == "url" else sender.switches, key, value)
        return self.list_webhooks()

    def resend_webhooks(self) -> Response:
        body = json_object()
        _check_keys(body, {"uuid", "event", "account_uuid", "times"})
        times = body.get("times", 1)
        if not isinstance(times, int) or times < 1:
            raise Invalid("times must be a whole number above zero", field="times")
        count = self.world.webhooks.resend(
            event_uuid=body.get("uuid"), event=body.get("event"), account_uuid=body.get("account_uuid"), times=times
        )
        return jsonify({"resent": count})

    def wait_for_webhooks(self) -> Response:
        """Wait until nothing is due. Runs outside the lock that other calls hold."""
        seconds = json_object().get("timeout_seconds", _WAIT_SECONDS)
        return jsonify({"quiet": self.world.webhooks.wait_until_quiet(float(seconds))})

    def send_event(self) -> Response:
        body = json_object()
        _check_keys(body, {"event", "account_uuid", "data"})
        event = body.get("event")
        if not isinstance(event, str):
            raise Invalid(f"event is required; Light's events are {', '.join(EVENTS)}", field="event")
        account_uuid = body.get("account_uuid")
        account = self.world.account(account_uuid) if account_uuid else None
        event_uuid = self.world.emit(event, account, **body.get("data", {}))
        return jsonify({"uuid": event_uuid})

    def list_plan_groups(self) -> Response:
        rows = [
            {
                "uuid": group.uuid,
                "name": group.name,
                "rate_structure": RATE_STRUCTURE,
                "energy_cents_per_kwh": str(group.energy_cents_per_kwh),
                "export_cents_per_kwh": str(group.export_cents_per_kwh) if group.export_cents_per_kwh else None,
                "monthly_cost_dollars": str(group.monthly_cost_dollars),
            }
            for group in PLAN_GROUPS
        ]
        return jsonify({"plan_groups": rows})

    def list_esi_ids(self) -> Response:
        rows = [{**meter_payload(meter), "utility": meter.utility.name} for meter in SEEDED_METERS]
        return jsonify({"esi_ids": rows})

    def list_scenarios(self) -> Response:
        return jsonify({"scenarios": SCENARIO_TAGS})

    def list_acceptances(self) -> Response:
        return jsonify({"acceptances": self.world.acceptances})

    def dump_state(self) -> Response:
        world = self.world
        return jsonify(
            {
                "now": iso_instant(world.now()),
                "dialect": world.dialect.name,
                "settings": vars(world.settings),
                "accounts": [self._account_dump(account) for account in world.accounts.values()],
                "acceptances": world.acceptances,
                "requests": world.request_log,
            }
        )

    def reset(self) -> Response:
        self.world.reset()
        return self.show_clock()

    def do_step(self, account_uuid: str, step: str) -> Response:
        world = self.world
        account = world.account(account_uuid)
        body = json_object()
        steps: dict[str, Callable[[], None]] = {
            "complete": lambda: self._complete(account, body),
            "freeze": lambda: enrollment.freeze_credit(world, account, thaw_days=body.get("thaw_days")),
            "unfreeze": lambda: enrollment.unfreeze_credit(world, account),
            "opt-out": lambda: enrollment.opt_out(world, account),
            "accept-own-plan": lambda: enrollment.accept_own_plan(world, account, plan_uuid=body.get("plan_uuid")),
            "cancel": lambda: enrollment.cancel_service(world, account),
            "status": lambda: setattr(account, "status_override", body.get("status")),
        }
        if step not in steps:
            raise Invalid(f"step must be one of {', '.join(steps)}")
        steps[step]()
        return jsonify(self._account_dump(account))

    def _complete(self, account: Account, body: dict[str, Any]) -> None:
        _check_keys(body, {"steps", "esi_id", "force"})
        wanted = body.get("steps", list(enrollment.STEPS))
        if not isinstance(wanted, list) or not set(wanted) <= set(enrollment.STEPS):
            raise Invalid(f"steps must be a list of {', '.join(enrollment.STEPS)}", field="steps")
        meter = meter_field(body) if "esi_id" in body else None
        enrollment.complete_steps(self.world, account, wanted, meter=meter, is_forced=body.get("force") is True)

    def _account_dump(self, account: Account) -> dict[str, Any]:
        acceptance = account.acceptance
        return {
            **account_payload(self.world, account, is_read=False),
            "status": shown_status(account, self.world.dialect, shows_acceptance=True),
            "credit": account.credit.value,
            "credit_settles_at": iso_instant(account.credit_settles_at) if account.credit_settles_at else None,
            "missing_steps": missing_steps(account),
            "esi_id": account.meter.esi_id if account.meter else None,
            "client_agent_accepted_at": (
                iso_instant(account.client_agent_accepted_at) if account.client_agent_accepted_at else None
            ),
            "accepted_by_customer": acceptance.by_customer if acceptance else None,
            "scenario_tags": sorted(account.scenario.tags),
            "requested_plan_uuids": list(account.plans),
        }


def _check_keys(body: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(set(body) - known)
    if unknown:
        raise Invalid(f"unknown fields {', '.join(unknown)}; known are {', '.join(sorted(known))}")


def _instant(text: object) -> datetime:
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Invalid("now must be an ISO 8601 instant with a zone, such as 2026-03-05T15:00:00Z", field="now")
    return at
