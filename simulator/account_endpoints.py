"""The `/v1/account` calls, which use an account's short-lived token."""

import re
from typing import Any

from flask import Flask, Response, request

from simulator import enrollment
from simulator.accounts import Account, Card, CreditCheck
from simulator.app_endpoints import AppEndpoints, record_url
from simulator.meters import search
from simulator.payloads import account_payload, documents_payload, location_payload, meter_payload
from simulator.pricing import RATE_STRUCTURE
from simulator.request_parsing import (
    account_of_app,
    authenticated_account,
    json_object,
    meter_field,
    start_date_field,
    text_field,
)
from simulator.responses import Conflict, Invalid, NotFound, json_response
from simulator.world import World

__all__ = ["CALL_NOTES", "DROP_ANSWER", "MISUNDERSTANDINGS", "AccountEndpoints"]

CALL_NOTES = "simulator.notes"
DROP_ANSWER = "drop_answer"
"""Note on a call (a set in its WSGI environment): close the connection instead of responding."""

MISUNDERSTANDINGS = frozenset({"another_plan", "another_start", "another_meter", "another_email"})
"""Notes on a call: do the work differently from the request."""

_ADDRESS_FIELDS = ("address_1", "city", "state", "postal_code")


class AccountEndpoints:
    def __init__(self, world: World, app_side: AppEndpoints) -> None:
        self.world = world
        self.app_side = app_side

    def add_to(self, app: Flask) -> None:
        one_location = "/v1/account/locations/<location_uuid>"
        routes = (
            ("GET", "/v1/account", self.read),
            ("POST", "/v1/account/sandbox/delete-enrollment", self.delete_enrollment),
            ("POST", "/v1/account/sandbox/seed-demo-data", self.seed_demo_data),
            ("POST", "/v1/account/enroll/address-search", self.address_search),
            ("POST", "/v1/account/enroll/esi-id-search", self.esi_id_search),
            ("POST", "/v1/account/enroll/plans/request", self.request_plans),
            ("POST", "/v1/account/enroll/plans/accept", self.accept_plan),
            ("POST", "/v1/account/enroll/identity", self.verify_identity),
            ("POST", "/v1/account/enroll/credit-check", self.credit_check),
            ("POST", "/v1/account/billing/payment-session", self.payment_session),
            ("POST", "/v1/account/billing/ensure-payment-method-added", self.ensure_payment_method),
            ("GET", "/v1/account/billing/payment-method", self.payment_method),
            ("GET", "/v1/account/billing/address", self.billing_address),
            ("PUT", "/v1/account/billing/address", self.write_billing_address),
            ("GET", "/v1/account/billing/invoices", self.invoices),
            ("GET", "/v1/account/locations", self.locations),
            ("GET", one_location, self.location),
            ("GET", f"{one_location}/documents", self.location_documents),
            ("GET", f"{one_location}/plan", self.location_plan),
            ("GET", f"{one_location}/support-info", self.location_support),
        )
        for method, path, view in routes:
            app.add_url_rule(path, endpoint=f"account_{view.__name__}", view_func=view, methods=[method])
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        app.add_url_rule("/v1/<path:rest>", endpoint="finalize", view_func=self.finalize, methods=methods)

    def read(self) -> Response:
        return json_response(account_payload(self.world, authenticated_account(self.world)))

    def delete_enrollment(self) -> Response:
        account = authenticated_account(self.world)
        enrollment.delete_enrollment(self.world, account)
        return json_response(account_payload(self.world, account, is_read=False))

    def seed_demo_data(self) -> Response:
        account = authenticated_account(self.world)
        enrollment.seed_service(self.world, account)
        return json_response(account_payload(self.world, account, is_read=False))

    def address_search(self) -> Response:
        authenticated_account(self.world)
        return json_response([meter_payload(meter) for meter in search(text_field(json_object(), "query"))])

    def esi_id_search(self) -> Response:
        account = authenticated_account(self.world)
        meter = meter_field(json_object())
        enrollment.confirm_address(self.world, account, meter)
        return json_response(meter_payload(meter))

    def request_plans(self) -> Response:
        account = authenticated_account(self.world)
        return self.app_side.plans_answer(enrollment.request_plans(self.world, account, meter_field(json_object())))

    def accept_plan(self) -> Response:
        account = authenticated_account(self.world)
        body = json_object()
        plan_uuid, meter, start = text_field(body, "plan_uuid"), meter_field(body), start_date_field(body)
        enrollment.accept_plan(
            self.world,
            account,
            plan_uuid=plan_uuid,
            meter=meter,
            start=start,
            terms=body.get("terms_accepted"),
            misunderstood=frozenset(request.environ[CALL_NOTES]),
        )
        if account.scenario.has("acceptlost") and not account.is_answer_to_accept_lost:
            account.is_answer_to_accept_lost = True
            request.environ[CALL_NOTES].add(DROP_ANSWER)
        shape = self.world.dialect.accept_response
        if shape == "empty":
            return Response(status=204)
        if shape == "location":
            return json_response(location_payload(account))
        return json_response(account_payload(self.world, account, is_read=False))

    def verify_identity(self) -> Response:
        account = authenticated_account(self.world)
        json_object()
        enrollment.verify_identity(self.world, account)
        return json_response(account_payload(self.world, account, is_read=False))

    def credit_check(self) -> Response:
        account = authenticated_account(self.world)
        if account.credit is CreditCheck.NOT_STARTED:
            raise Conflict("The identity is not verified yet.")
        return json_response(account_payload(self.world, account, is_read=False))

    def finalize(self, rest: str) -> Response:
        """Serve finalize at the dialect's path. Every other unknown path is 404."""
        dialect = self.world.dialect
        pattern = re.escape(dialect.finalize_path).replace(re.escape("{account_uuid}"), r"(?P<account_uuid>[^/]+)")
        match = re.fullmatch(pattern, f"/v1/{rest}")
        if match is None or request.method != "POST":
            raise NotFound("Not Found")
        if dialect.finalize_token == "app":  # noqa: S105 - the kind of token, not a token
            account = account_of_app(self.world, match.groupdict().get("account_uuid", ""))
        else:
            account = authenticated_account(self.world)
        enrollment.finalize(self.world, account)
        return json_response(account_payload(self.world, account, is_read=False))

    def payment_session(self) -> Response:
        account = authenticated_account(self.world)
        return json_response({"client_secret": f"seti_{account.uuid}_secret", "publishable_key": "pk_test_stand_in"})

    def ensure_payment_method(self) -> Response:
        account = authenticated_account(self.world)
        if account.card is None:
            raise Conflict("No payment method is attached yet.")
        return json_response(_card_payload(account.card))

    def payment_method(self) -> Response:
        account = authenticated_account(self.world)
        if account.card is None:
            raise NotFound("No payment method.")
        return json_response(_card_payload(account.card))

    def billing_address(self) -> Response:
        account = authenticated_account(self.world)
        if account.billing_address is None:
            raise NotFound("No billing address.")
        return json_response(_billing_payload(account))

    def write_billing_address(self) -> Response:
        account = authenticated_account(self.world)
        body = json_object()
        address = None
        if body.get("same_as_service_address") is not True:
            address = body.get("address")
            if not isinstance(address, dict):
                raise Invalid("address is required", field="address")
            for key in _ADDRESS_FIELDS:
                text_field(address, key)
            address = {key: address.get(key, "") for key in (*_ADDRESS_FIELDS, "address_2")}
        enrollment.confirm_billing_address(self.world, account, address)
        return json_response(_billing_payload(account))

    def invoices(self) -> Response:
        authenticated_account(self.world)
        return json_response(record_url([], path=request.path))

    def locations(self) -> Response:
        account = authenticated_account(self.world)
        return json_response([location_payload(account)] if self.world.shows_acceptance(account) else [])

    def location(self, location_uuid: str) -> Response:
        return json_response(location_payload(self._account_with(location_uuid)))

    def location_documents(self, location_uuid: str) -> Response:
        base_url = self.world.public_url or request.host_url.rstrip("/")
        return json_response(documents_payload(self._account_with(location_uuid), base_url=base_url))

    def location_plan(self, location_uuid: str) -> Response:
        acceptance = self._account_with(location_uuid).acceptance
        if acceptance is None:
            raise NotFound("Location not found.")
        plan = acceptance.plan
        return json_response(
            {
                "uuid": plan.uuid,
                "name": plan.name,
                "plan_type": "residential",
                "rate_structure": RATE_STRUCTURE,
            }
        )

    def location_support(self, location_uuid: str) -> Response:
        acceptance = self._account_with(location_uuid).acceptance
        if acceptance is None:
            raise NotFound("Location not found.")
        utility = acceptance.meter.utility
        support = {"support_phone": "+18885550199", "support_email": "help@example.com"}
        return json_response({"tdu_name": utility.display_name, "tdu_phone": utility.phone, **support})

    def _account_with(self, location_uuid: str) -> Account:
        account = authenticated_account(self.world)
        acceptance = account.acceptance
        is_its_own = acceptance is not None and acceptance.location_uuid == location_uuid
        if not is_its_own or not self.world.shows_acceptance(account):
            raise NotFound("Location not found.")
        return account


def _card_payload(card: Card) -> dict[str, Any]:
    return {
        "type": "STRIPE_CARD",
        "card_brand": card.brand,
        "card_last4": card.last4,
        "card_exp_month": card.exp_month,
        "card_exp_year": card.exp_year,
        "card_postal_code": card.postal_code,
    }


def _billing_payload(account: Account) -> dict[str, Any]:
    address = account.billing_address or {}
    return {"same_as_service_address": account.is_billing_same_as_service, **address}
