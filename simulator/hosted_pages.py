"""A simple version of Light's hosted pages for the customer's steps. Works without scripts and on a phone."""

from typing import Any

from flask import Flask, Response, redirect, render_template_string, request
from werkzeug.wrappers import Response as AnyResponse

from simulator import enrollment
from simulator.accounts import Account, Card, CreditCheck, missing_steps
from simulator.calendar_days import chicago_day
from simulator.meters import SEEDED_METERS, InvalidEsiId, UnknownMeter, find_meter
from simulator.pricing import PricedPlan
from simulator.world import HostedSession, World

__all__ = ["HostedPages"]

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{{ title }} - stand-in for Light</title>
<style>
  body { font: 17px/1.5 system-ui, sans-serif; margin: 0; color: #1d2733; background: #f4f6f8; }
  .banner { background: #7a4b00; color: #fff; padding: .6rem 1rem; font-size: .95rem; }
  main { max-width: 34rem; margin: 0 auto; padding: 1rem; }
  h1 { font-size: 1.5rem; margin: .5rem 0; }
  section { background: #fff; border: 1px solid #cfd7df; border-radius: .5rem; padding: 1rem; margin: 1rem 0; }
  h2 { font-size: 1.1rem; margin: 0 0 .5rem; display: flex; gap: .5rem; justify-content: space-between; }
  .done { color: #14663a; } .open { color: #7a4b00; } .state { font-size: .9rem; font-weight: 600; }
  label { display: block; margin: .6rem 0 .2rem; } label.tick { display: flex; gap: .6rem; align-items: start; }
  input[type=text], select { width: 100%; box-sizing: border-box; font: inherit; padding: .6rem;
    border: 1px solid #74818f; border-radius: .35rem; background: #fff; }
  input[type=checkbox] { width: 1.3rem; height: 1.3rem; flex: none; margin-top: .15rem; }
  button { font: inherit; font-weight: 600; min-height: 3rem; width: 100%; margin-top: .9rem; border: 0;
    border-radius: .35rem; background: #14507a; color: #fff; cursor: pointer; }
  button:focus-visible, input:focus-visible, select:focus-visible { outline: 3px solid #e0a100; outline-offset: 2px; }
  .problem { border-left: .3rem solid #a3201d; background: #fdecea; padding: .7rem 1rem; }
</style>
</head>
<body>
<div class="banner"><strong>Stand-in for Light.</strong> Not the real service. Do not enter personal data.</div>
<main>
<h1>{{ title }}</h1>
{% if problem %}<p class="problem" role="alert">{{ problem }}</p>{% endif %}
{% block content %}{% endblock %}
</main>
</body>
</html>"""

_STEPS = """
<p>{{ greeting }} Complete these steps in any order, then press <strong>I am done</strong>.</p>
{% for step in steps %}
<section aria-labelledby="{{ step.key }}">
  <h2 id="{{ step.key }}">{{ step.title }}
    <span class="state {{ 'done' if step.is_done else 'open' }}">{{ 'Done' if step.is_done else 'To do' }}</span></h2>
  {% if step.note %}<p>{{ step.note }}</p>{% endif %}
  {% if not step.is_done or step.may_repeat %}
  <form method="post" action="{{ base }}/{{ step.key }}">
  {% if step.key == "address" %}
    <label for="esi_id">Service address</label>
    <select id="esi_id" name="esi_id">
      {% for meter in meters %}
      <option value="{{ meter.esi_id }}"{% if meter.esi_id == chosen_esi_id %} selected{% endif %}>
        {{ [meter.address_1, meter.address_2] | select | join(" ") }}, {{ meter.city }} {{ meter.postal_code }}</option>
      {% endfor %}
    </select>
    <label for="typed_esi_id">Not listed? Enter your meter's ESI ID</label>
    <input type="text" id="typed_esi_id" name="typed_esi_id" inputmode="numeric" autocomplete="off"
      value="{{ typed_esi_id }}">
    <button>Confirm this address</button>
  {% elif step.key == "identity" %}
    <label class="tick"><input type="checkbox" name="credit_consent" value="yes">
      <span>I authorize a check of my credit file for this electricity account.</span></label>
    <button>Verify my identity</button>
  {% elif step.key == "card" %}
    <p>A test card (Visa ending in 4242) will be used.</p>
    <button>Add the card</button>
  {% elif step.key == "billing" %}
    <p>Bills go to the service address.</p>
    <button>Confirm billing address</button>
  {% elif step.key == "plan" %}
    {% if plans %}
    <label for="plan_uuid">Plan</label>
    <select id="plan_uuid" name="plan_uuid">
      {% for plan in plans %}<option value="{{ plan.uuid }}">{{ plan.name }}:
        {{ plan.average_cents_per_kwh(1000) }} cents per kWh</option>{% endfor %}
    </select>
    <p>Prices are averages at 1,000 kWh a month.</p>
    <button>Choose this plan myself</button>
    {% else %}
    <button>Show me the plans</button>
    {% endif %}
  {% endif %}
  </form>
  {% endif %}
</section>
{% endfor %}
<form method="post" action="{{ base }}/done"><button>I am done</button></form>
"""

_FINISH = """
<p>Thank you. You may close this page now.</p>
<script>
  for (const target of [window.opener, window.parent]) {
    if (target && target !== window) target.postMessage({type: "light-flow-close"}, "*");
  }
</script>
"""


class HostedPages:
    def __init__(self, world: World) -> None:
        self.world = world

    def add_to(self, app: Flask) -> None:
        app.add_url_rule("/hosted/<token>", endpoint="hosted", view_func=self.show, methods=["GET"])
        app.add_url_rule("/hosted/<token>/<step>", endpoint="hosted_step", view_func=self.do_step, methods=["POST"])
        app.add_url_rule("/documents/<stem>/<name>", endpoint="document", view_func=self.document, methods=["GET"])

    def show(self, token: str) -> Response:
        session = self._session(token)
        if session is None:
            return _page("This link no longer works", "<p>Ask for a new one where you found it.</p>", status=410)
        return self._steps_page(token, session)

    def do_step(self, token: str, step: str) -> AnyResponse:
        session = self._session(token)
        if session is None:
            return _page("This link no longer works", "<p>Ask for a new one where you found it.</p>", status=410)
        account = self.world.account(session.account_uuid)
        if step == "done":
            session.is_closed = True
            return _page("All set", _FINISH)
        problem = self._do(account, step)
        if problem is not None:
            return self._steps_page(token, session, problem=problem, status=422)
        return redirect(f"/hosted/{token}", code=303)

    def document(self, stem: str, name: str) -> Response:
        """Show a plan's document. The text is the same for the same plan group, term and day."""
        kinds = {"efl.html": "Electricity Facts Label", "tos.html": "Terms of Service", "yrac.html": "Your Rights"}
        return _page(kinds.get(name, "Document"), "<p>Stand-in document {{ stem }}.</p>", stem=stem)

    def _session(self, token: str) -> HostedSession | None:
        session = self.world.hosted_sessions.get(token)
        is_open = session is not None and not session.is_closed and self.world.now() < session.expires_at
        return session if is_open else None

    def _do(self, account: Account, step: str) -> str | None:
        """Do one step. Return the problem as text for the customer, if any."""
        if step == "address":
            return self._confirm_address(account)
        if step == "identity":
            if request.form.get("credit_consent") != "yes":
                return "Check the box to authorize the credit check. Without it, your identity cannot be verified."
            enrollment.verify_identity(self.world, account)
        elif step == "card":
            if account.scenario.has("no-card"):
                return "The card was declined. Try another one."
            enrollment.add_card(self.world, account, Card("visa", "4242", 12, self.world.now().year + 3, "75074"))
        elif step == "billing":
            enrollment.confirm_billing_address(self.world, account, None)
        elif step == "plan" and self._offers_plans(account):
            return self._choose_plan(account)
        else:
            return "This step does not exist."
        return None

    def _confirm_address(self, account: Account) -> str | None:
        typed = request.form.get("typed_esi_id", "").strip()
        try:
            meter = find_meter(typed or request.form.get("esi_id"))
        except (InvalidEsiId, UnknownMeter) as problem:
            return f"We could not find that meter: {problem}."
        enrollment.confirm_address(self.world, account, meter)
        return None

    def _choose_plan(self, account: Account) -> str | None:
        plan_uuid = request.form.get("plan_uuid")
        if plan_uuid is None:
            offered = enrollment.request_plans(self.world, account, account.meter or SEEDED_METERS[0])
            return None if offered else "No plan is offered at this address today."
        if plan_uuid not in account.plans:
            return "Choose one of the plans shown."
        enrollment.accept_own_plan(self.world, account, plan_uuid=plan_uuid)
        return None

    def _offers_plans(self, account: Account) -> bool:
        skips = self.world.dialect.hosted_flow_skips_plan_choice and account.is_client_agent_recorded
        return not skips and account.acceptance is None and not missing_steps(account)

    def _steps_page(
        self, token: str, session: HostedSession, *, problem: str | None = None, status: int = 200
    ) -> Response:
        account = self.world.account(session.account_uuid)
        offers_plans = self._offers_plans(account)
        return _page(
            "Set up your electricity account" if session.scope == "enrollment" else "Your electricity account",
            _STEPS,
            status=status,
            problem=problem,
            base=f"/hosted/{token}",
            greeting=f"Hello {account.first_name}." if account.first_name else "Hello.",
            steps=_steps(account, session, offers_plans=offers_plans),
            meters=SEEDED_METERS,
            chosen_esi_id=account.meter.esi_id if account.meter else "",
            plans=self._plans_today(account) if offers_plans else [],
            typed_esi_id=request.form.get("typed_esi_id", ""),
        )

    def _plans_today(self, account: Account) -> list[PricedPlan]:
        today = chicago_day(self.world.now())
        return [plan for plan in account.plans.values() if chicago_day(plan.requested_at) == today]


def _steps(account: Account, session: HostedSession, *, offers_plans: bool) -> list[dict[str, Any]]:
    card = {
        "key": "card",
        "title": "Payment card",
        "is_done": account.card is not None,
        "may_repeat": session.scope == "update-payment-method",
    }
    billing = {"key": "billing", "title": "Billing address", "is_done": account.billing_address is not None}
    if session.scope == "update-payment-method":
        return [card]
    if session.scope != "enrollment":
        return []
    address = {"key": "address", "title": "Service address", "is_done": account.meter is not None}
    identity = {
        "key": "identity",
        "title": "Identity and credit",
        "is_done": account.is_identity_verified,
        "note": _CREDIT_NOTES.get(account.credit, ""),
    }
    plan = [{"key": "plan", "title": "Your plan", "is_done": False}] if offers_plans else []
    return [address, identity, card, billing, *plan]


_CREDIT_NOTES = {
    CreditCheck.FROZEN: (
        "Your credit file is frozen. We sent you a link to lift the freeze and will try again automatically."
    ),
    CreditCheck.FAILED: "The credit check did not pass.",
    CreditCheck.PENDING: "The credit check is running.",
}


def _page(title: str, content: str, *, status: int = 200, **values: Any) -> Response:
    template = _PAGE.replace("{% block content %}{% endblock %}", content)
    response = Response(render_template_string(template, title=title, **values), status=status, mimetype="text/html")
    response.headers["Cache-Control"] = "no-store"
    return response
