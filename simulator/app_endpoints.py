"""The `/v1/app` calls, which use the App token."""

import re
import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from flask import Flask, Response, request

from simulator import enrollment
from simulator.accounts import Account
from simulator.calendar_days import chicago_day, plan_expiry
from simulator.clock import iso_instant
from simulator.meters import UTILITIES, Utility
from simulator.payloads import account_payload, plan_payload
from simulator.pricing import PricedPlan, price_plans
from simulator.request_parsing import (
    account_of_app,
    authenticated_app,
    check_known_keys,
    instant_field,
    json_object,
    meter_field,
    optional_text,
    text_field,
)
from simulator.responses import Conflict, Invalid, NotFound, json_response
from simulator.scenarios import scenario_of
from simulator.world import AccountToken, HostedSession, World

__all__ = ["AppEndpoints"]

TOKEN_LIFETIME = timedelta(minutes=60)
LOGIN_LINK_LIFETIME = timedelta(minutes=30)
SCOPES = ("enrollment", "update-payment-method", "documents", "billing", "renewal")

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DEFAULT_PAGE_SIZE, _MAX_PAGE_SIZE = 50, 100


class AppEndpoints:
    def __init__(self, world: World) -> None:
        self.world = world

    def add_to(self, app: Flask) -> None:
        base = "/v1/app/accounts"
        one = f"{base}/<account_uuid>"
        routes = (
            ("POST", base, self.create),
            ("GET", base, self.list_accounts),
            ("GET", one, self.read),
            ("PATCH", one, self.update),
            ("PATCH", f"{one}/<path:rest>", self.update_elsewhere),
            ("POST", f"{one}/token", self.mint_token),
            ("POST", f"{one}/flow-login", self.flow_login),
            ("POST", f"{one}/record-client-agent", self.record_client_agent),
            ("POST", f"{one}/enroll/plans/request", self.request_plans),
            ("POST", f"{base}/enroll/plans/request", self.request_plans_without_account),
            ("POST", f"{base}/enroll/eligibility", self.eligibility),
        )
        for method, path, view in routes:
            app.add_url_rule(path, endpoint=f"app_{view.__name__}", view_func=view, methods=[method])

    def create(self) -> Response:
        app_uuid = authenticated_app(self.world)
        body = json_object()
        self._check_account_keys(body)
        email = text_field(body, "email").strip()
        if not _EMAIL.fullmatch(email):
            raise Invalid("email is not an e-mail address", field="email")
        scenario = scenario_of(email)
        known = [account for account in self.world.accounts.values() if account.email.lower() == email.lower()]
        if scenario.has("dup") and not known:
            known = [self._add_account(app_uuid, email)]
        mode = self.world.dialect.create_with_known_email
        if known and mode == "return_old":
            return json_response(account_payload(self.world, known[0]))
        if known and (mode == "conflict" or scenario.has("dup")):
            raise Conflict("An account with this email already exists.")
        account = self._add_account(app_uuid, email)
        try:
            self._write_details(account, body)
            self._write_client_agent(account, body)
        except Invalid:
            del self.world.accounts[account.uuid]
            raise
        return json_response(account_payload(self.world, account, is_read=False), 201)

    def list_accounts(self) -> Response:
        app_uuid = authenticated_app(self.world)
        email = request.args.get("email") if self.world.dialect.accounts_email_filter else None
        found = [
            account_payload(self.world, account)
            for account in reversed(self.world.accounts.values())
            if account.app_uuid == app_uuid and email in (None, account.email)
        ]
        if self.world.dialect.accounts_page == "array":
            return json_response(found)
        return json_response(record_url(found, path=request.path))

    def read(self, account_uuid: str) -> Response:
        return json_response(account_payload(self.world, account_of_app(self.world, account_uuid)))

    def update(self, account_uuid: str) -> Response:
        return self._update(account_uuid, f"/v1/app/accounts/{account_uuid}")

    def update_elsewhere(self, account_uuid: str, rest: str) -> Response:
        return self._update(account_uuid, f"/v1/app/accounts/{account_uuid}/{rest}")

    def _update(self, account_uuid: str, path: str) -> Response:
        """Serve the update at the dialect's path. Every other path is 404."""
        if path != self.world.dialect.update_account_path.replace("{account_uuid}", account_uuid):
            raise NotFound("Not Found")
        account = account_of_app(self.world, account_uuid)
        body = json_object()
        self._check_account_keys(body)
        if "email" in body:
            email = text_field(body, "email").strip()
            if not _EMAIL.fullmatch(email):
                raise Invalid("email is not an e-mail address", field="email")
            account.email = email
        self._write_details(account, body)
        return json_response(account_payload(self.world, account, is_read=False))

    def mint_token(self, account_uuid: str) -> Response:
        account = account_of_app(self.world, account_uuid)
        if self.world.dialect.new_token_revokes_old:
            for token, held in list(self.world.account_tokens.items()):
                if held.account_uuid == account.uuid:
                    del self.world.account_tokens[token]
        token = secrets.token_urlsafe(32)
        expires_at = self.world.now() + TOKEN_LIFETIME
        self.world.account_tokens[token] = AccountToken(account.uuid, expires_at)
        return json_response({"token": token, "expires_at": iso_instant(expires_at)})

    def flow_login(self, account_uuid: str) -> Response:
        account = account_of_app(self.world, account_uuid)
        body = json_object()
        scope = text_field(body, "scope")
        if scope not in SCOPES:
            raise Invalid(f"scope must be one of {', '.join(SCOPES)}", field="scope")
        token = secrets.token_hex(16)
        expires_at = self.world.now() + LOGIN_LINK_LIFETIME
        self.world.hosted_sessions[token] = HostedSession(
            account.uuid, scope, optional_text(body, "plan_group"), expires_at
        )
        link = f"{self._base_url()}/hosted/{token}"
        return json_response({"login_link": link, "scope": scope, "expires_at": iso_instant(expires_at)})

    def record_client_agent(self, account_uuid: str) -> Response:
        account = account_of_app(self.world, account_uuid)
        now = self.world.now()
        at = instant_field(json_object(), "client_agent_accepted_at", default=now, latest=now)
        enrollment.record_client_agent(self.world, account, at)
        return json_response(account_payload(self.world, account, is_read=False))

    def request_plans(self, account_uuid: str) -> Response:
        account = account_of_app(self.world, account_uuid)
        plans = enrollment.request_plans(self.world, account, meter_field(json_object()))
        return self.plans_answer(plans)

    def request_plans_without_account(self) -> Response:
        authenticated_app(self.world)
        body = json_object()
        text_field(body, "postal_code")
        utility = _utility_by_name(text_field(body, "utility"))
        now = self.world.now()
        plans = price_plans(
            account_uuid=None,
            esi_id=None,
            utility=utility,
            day=chicago_day(now),
            requested_at=now,
            expires_at=plan_expiry(now, calendar=self.world.dialect.business_days),
            price_factor=self.world.price_factor(),
        )
        return json_response([plan_payload(self.world, plan, base_url=self._base_url()) for plan in plans])

    def eligibility(self) -> Response:
        authenticated_app(self.world)
        postal_code = text_field(json_object(), "postal_code")
        serving = [utility for utility in UTILITIES if postal_code.startswith(utility.postal_prefixes)]
        return json_response(
            {
                "eligibility_likelihood": 1 if serving else 0,
                "utilities": [{"name": utility.name, "display_name": utility.display_name} for utility in serving],
            }
        )

    def plans_answer(self, plans: list[PricedPlan]) -> Response:
        rows = [plan_payload(self.world, plan, base_url=self._base_url()) for plan in plans]
        return json_response(rows) if self.world.dialect.plans_envelope == "array" else json_response({"plans": rows})

    def _base_url(self) -> str:
        return self.world.public_url or request.host_url.rstrip("/")

    def _add_account(self, app_uuid: str, email: str) -> Account:
        account = Account(
            uuid=str(uuid4()),
            app_uuid=app_uuid,
            email=email,
            created_at=self.world.now(),
            scenario=scenario_of(email),
            account_number=f"{100000 + len(self.world.accounts)}",
        )
        self.world.accounts[account.uuid] = account
        return account

    def _check_account_keys(self, body: dict[str, Any]) -> None:
        dialect = self.world.dialect
        known = {"email", "first_name", "last_name", dialect.phone_field, dialect.birth_date_field}
        known |= {"preliminary_address", "client_agent_accepted", "client_agent_accepted_at"}
        if dialect.unknown_keys_refused:
            check_known_keys(body, known)

    def _write_details(self, account: Account, body: dict[str, Any]) -> None:
        dialect = self.world.dialect
        given = replace(account)
        for attribute, key in (
            ("first_name", "first_name"),
            ("last_name", "last_name"),
            ("phone_number", dialect.phone_field),
            ("birth_date", dialect.birth_date_field),
        ):
            if key in body:
                setattr(given, attribute, optional_text(body, key))
        account.first_name, account.last_name = given.first_name, given.last_name
        account.phone_number, account.birth_date = given.phone_number, given.birth_date
        account.preliminary_address = body.get("preliminary_address", account.preliminary_address)

    def _write_client_agent(self, account: Account, body: dict[str, Any]) -> None:
        if body.get("client_agent_accepted") is True:
            now = self.world.now()
            at = instant_field(body, "client_agent_accepted_at", default=now, latest=now)
            enrollment.record_client_agent(self.world, account, at)


def record_url(rows: list[dict[str, Any]], *, path: str) -> dict[str, Any]:
    """Return one page of a list, in the envelope of section 1.5."""
    try:
        limit = int(request.args.get("limit", _DEFAULT_PAGE_SIZE))
        offset = int(request.args.get("offset", 0))
    except ValueError as problem:
        raise Invalid("limit and offset must be whole numbers", field="limit") from problem
    if not 1 <= limit <= _MAX_PAGE_SIZE or offset < 0:
        raise Invalid(f"limit must be 1 to {_MAX_PAGE_SIZE} and offset not below 0", field="limit")
    has_more = offset + limit < len(rows)
    filters = "".join(f"&{key}={value}" for key, value in request.args.items() if key not in ("limit", "offset"))
    next_url = f"{request.host_url.rstrip('/')}{path}?limit={limit}&offset={offset + limit}{filters}"
    return {
        "data": rows[offset : offset + limit],
        "has_more": has_more,
        "limit": limit,
        "offset": offset,
        "next_page_url": next_url if has_more else None,
    }


def _utility_by_name(name: str) -> Utility:
    wanted = name.lower().replace(" ", "_")
    for utility in UTILITIES:
        if utility.name == wanted:
            return utility
    raise Invalid(f"utility must be one of {', '.join(utility.name for utility in UTILITIES)}", field="utility")
