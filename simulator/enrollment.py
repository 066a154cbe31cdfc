"""Changes of accounts: the customer's steps, the client agent's steps, and events that become due."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import uuid4

from simulator.accounts import Acceptance, Account, Card, CreditCheck, is_ready, missing_steps
from simulator.calendar_days import chicago_day, day_in_zone, plan_expiry, start_of_chicago_day
from simulator.meters import SEEDED_METERS, Meter
from simulator.pricing import PricedPlan, price_plans
from simulator.responses import Conflict, Forbidden, Invalid, NotFound
from simulator.world import World

__all__ = [
    "STEPS",
    "accept_own_plan",
    "accept_plan",
    "add_card",
    "cancel_service",
    "check_start_date",
    "complete_steps",
    "confirm_address",
    "confirm_billing_address",
    "delete_enrollment",
    "finalize",
    "freeze_credit",
    "opt_out",
    "record_client_agent",
    "request_plans",
    "run_due_events",
    "seed_service",
    "unfreeze_credit",
    "verify_identity",
]

STEPS = ("address", "identity", "card", "billing_address")

_FIRST_START_DAY, _LAST_START_DAY = 7, 30
_OPT_OUT_AFTER = timedelta(days=2)
_DEFAULT_START_DAYS = 10


def complete_steps(world: World, account: Account, steps: list[str], *, meter: Meter | None, is_forced: bool) -> None:
    """Do the customer's steps for them. On a `+no-card` account the card is skipped unless forced."""
    if "address" in steps:
        confirm_address(world, account, meter or account.meter or SEEDED_METERS[0])
    if "identity" in steps:
        verify_identity(world, account)
    if "card" in steps and (is_forced or not account.scenario.has("no-card")):
        add_card(world, account, Card("visa", "4242", 12, world.now().year + 3, "75074"))
    if "billing_address" in steps:
        confirm_billing_address(world, account, None)


def confirm_address(world: World, account: Account, meter: Meter) -> None:
    account.meter = meter
    _after_customer_step(world, account)


def verify_identity(world: World, account: Account) -> None:
    """Verify the identity and start the credit check, which runs automatically."""
    account.is_identity_verified = True
    world.emit("enrollment.identity_updated", account)
    if account.credit is CreditCheck.NOT_STARTED:
        account.credit = CreditCheck.PENDING
        account.credit_settles_at = world.now() + timedelta(seconds=world.settings.credit_check_seconds)
    run_due_events(world)


def add_card(world: World, account: Account, card: Card) -> None:
    account.card = card
    world.emit("account.payment_method_added", account)
    _after_customer_step(world, account)


def confirm_billing_address(world: World, account: Account, address: dict[str, object] | None) -> None:
    """Set the billing address; None means the service address."""
    account.is_billing_same_as_service = address is None
    if address is None:
        address = (account.meter or SEEDED_METERS[0]).address()
    account.billing_address = address
    world.emit("account.billing_address_updated", account)
    _after_customer_step(world, account)


def freeze_credit(world: World, account: Account, *, thaw_days: int | None) -> None:
    account.credit = CreditCheck.FROZEN
    account.credit_settles_at = None if thaw_days is None else world.now() + timedelta(days=thaw_days)


def unfreeze_credit(world: World, account: Account) -> None:
    """Lift the freeze; the retry that follows passes."""
    if account.credit is not CreditCheck.FROZEN:
        raise Conflict("The credit file is not frozen.")
    account.credit = CreditCheck.PASSED
    account.credit_settles_at = None
    _after_customer_step(world, account)


def record_client_agent(world: World, account: Account, accepted_at: datetime) -> None:
    if account.is_client_agent_recorded and world.dialect.record_repeat == "conflict":
        raise Conflict("The client agent is already recorded.")
    account.client_agent_accepted_at = accepted_at
    _after_customer_step(world, account)


def request_plans(world: World, account: Account, meter: Meter) -> list[PricedPlan]:
    """Price every group and term for an account and a meter today."""
    now = world.now()
    world.emit("enrollment.plan_requested", account)
    if account.scenario.has("noplans"):
        return []
    plans = price_plans(
        account_uuid=account.uuid,
        esi_id=meter.esi_id,
        utility=meter.utility,
        day=chicago_day(now),
        requested_at=now,
        expires_at=plan_expiry(now, calendar=world.dialect.business_days),
        is_pricey=account.scenario.has("pricey"),
        offers_per_plan=2 if account.scenario.has("twins") else world.settings.offers_per_plan,
        price_factor=world.price_factor(),
    )
    account.plans.update({plan.uuid: plan for plan in plans})
    return plans


def accept_plan(
    world: World,
    account: Account,
    *,
    plan_uuid: str,
    meter: Meter,
    start: date,
    terms: object,
    misunderstood: frozenset[str] = frozenset(),
) -> None:
    """
    Accept a plan on the customer's behalf. The dialect decides whether a repeat is refused or answered as before.

    `misunderstood` lists what to do differently from the request: plan, start or meter.

    :raises ApiError: one of the cases of the error matrix
    """
    accepted = account.acceptance
    if accepted is not None:
        is_same = accepted.plan.uuid == plan_uuid and accepted.meter.esi_id == meter.esi_id
        if world.dialect.accept_repeat == "idempotent" and is_same and account.canceled_at is None:
            return
        raise Conflict("A plan is already accepted.")
    plan = account.plans.get(plan_uuid)
    if plan is None or plan.esi_id != meter.esi_id:
        raise NotFound("No such plan was priced for this account and ESI ID.")
    if terms is not True:
        raise Invalid("terms_accepted must be true", field="terms_accepted")
    check_start_date(world, start)
    if world.now() > plan.expires_at:
        raise Conflict("plan expired")
    if not account.is_client_agent_recorded:
        raise Conflict("No client agent is recorded for this account.")
    missing = missing_steps(account)
    if missing and not world.dialect.accept_outside_pending:
        raise Conflict(f"Not everything needed is there yet: {', '.join(missing)}.")
    done = _misunderstood(account, plan, meter, start, misunderstood)
    _record_acceptance(world, account, *done, by_customer=False, as_asked=done == (plan, meter, start))


def _misunderstood(
    account: Account, plan: PricedPlan, meter: Meter, start: date, misunderstood: frozenset[str]
) -> tuple[PricedPlan, Meter, date]:
    if "another_plan" in misunderstood:
        plan = next(other for other in account.plans.values() if other.uuid != plan.uuid)
    if "another_meter" in misunderstood:
        meter = next(other for other in SEEDED_METERS if other.esi_id != meter.esi_id)
    return plan, meter, start + timedelta(days="another_start" in misunderstood)


def accept_own_plan(world: World, account: Account, *, plan_uuid: str | None = None) -> None:
    """Let the customer accept a plan in their own session; by default, the first one offered today."""
    if account.acceptance is not None:
        raise Conflict("A plan is already accepted.")
    meter = account.meter or SEEDED_METERS[0]
    plan = account.plans.get(plan_uuid) if plan_uuid else None
    if plan is None:
        offered = request_plans(world, account, meter)
        if not offered:
            raise Conflict("No plan is offered here today.")
        plan = offered[0]
    start = chicago_day(world.now()) + timedelta(days=_DEFAULT_START_DAYS)
    _record_acceptance(world, account, plan, meter, start, by_customer=True)


def check_start_date(world: World, start: date) -> None:
    """
    Refuse a start outside 7 to 30 days from today, in the dialect's time zone, with both ends included or not.

    :raises Invalid: too early or too late
    """
    days = (start - day_in_zone(world.now(), world.dialect.window_zone)).days
    margin = 0 if world.dialect.window_ends_inclusive else 1
    if not _FIRST_START_DAY + margin <= days <= _LAST_START_DAY - margin:
        raise Invalid(
            f"service_start_date must be {_FIRST_START_DAY} to {_LAST_START_DAY} days from today",
            field="service_start_date",
        )


def finalize(world: World, account: Account) -> None:
    """Finalize the enrollment. The dialect decides whether a repeat does nothing or is refused."""
    if account.finalized_at is not None:
        if world.dialect.finalize_repeat == "conflict":
            raise Conflict("The enrollment is already finalized.")
        return
    if account.acceptance is None:
        raise Conflict("No plan is accepted yet.")
    if account.canceled_at is not None:
        raise Conflict("The service is canceled.")
    missing = missing_steps(account)
    if missing:
        raise Conflict(f"Not everything needed is there yet: {', '.join(missing)}.")
    account.finalized_at = world.now()
    if world.dialect.plan_accepted_event_at == "finalize":
        world.emit("enrollment.plan_accepted", account)
    world.emit("enrollment.finalized", account)


def opt_out(world: World, account: Account) -> None:
    """Let the customer opt out before service starts."""
    if account.acceptance is None or account.canceled_at is not None or account.is_service_active:
        raise Conflict("Only an accepted plan whose service has not started can be opted out of.")
    _end_service(world, account, sends_event=world.dialect.opt_out_webhook)


def cancel_service(world: World, account: Account) -> None:
    if account.acceptance is None or account.canceled_at is not None:
        raise Conflict("There is no service to cancel.")
    _end_service(world, account, sends_event=True)


def delete_enrollment(world: World, account: Account) -> None:
    """Reset the account to its state after create (sandbox only)."""
    if world.settings.live:
        raise Forbidden("Only a sandbox App may do this.")
    account.acceptance = account.finalized_at = account.canceled_at = None
    account.final_service_date = account.opt_out_at = account.client_agent_accepted_at = None
    account.meter = account.card = account.billing_address = account.credit_settles_at = None
    account.is_identity_verified = account.is_service_active = False
    account.credit = CreditCheck.NOT_STARTED
    account.plans.clear()


def seed_service(world: World, account: Account) -> None:
    """Start service immediately (sandbox only)."""
    if world.settings.live:
        raise Forbidden("Only a sandbox App may do this.")
    if account.finalized_at is None or account.is_service_active or account.canceled_at is not None:
        raise Conflict("Only a finalized enrollment without active service can be seeded.")
    _start_service(world, account)


def run_due_events(world: World) -> None:
    """Apply everything that is due on the stand-in's clock, in order of due time."""
    for account in list(world.accounts.values()):
        while due := _next_due(world, account):
            due.happen(world, account)
    world.webhooks.wake()


@dataclass(frozen=True)
class _Due:
    at: datetime
    happen: Callable[[World, Account], None]


def _next_due(world: World, account: Account) -> _Due | None:
    waiting: list[_Due] = []
    if account.credit_settles_at is not None:
        waiting.append(_Due(account.credit_settles_at, _settle_credit))
    if account.acceptance is not None and account.canceled_at is None and not account.is_service_active:
        if account.opt_out_at is not None:
            waiting.append(_Due(account.opt_out_at, _opt_out_as_planned))
        if account.finalized_at is not None:
            waiting.append(_Due(start_of_chicago_day(account.acceptance.service_start_date), _start_service))
    due = [moment for moment in waiting if moment.at <= world.now()]
    return min(due, key=lambda moment: moment.at, default=None)


def _settle_credit(world: World, account: Account) -> None:
    account.credit_settles_at = None
    if account.credit is CreditCheck.PENDING and account.scenario.has("credit-fail"):
        account.credit = CreditCheck.FAILED
    elif account.credit is CreditCheck.PENDING and account.scenario.is_frozen:
        freeze_credit(world, account, thaw_days=account.scenario.thaw_days)
    else:
        account.credit = CreditCheck.PASSED
    _after_customer_step(world, account)


def _opt_out_as_planned(world: World, account: Account) -> None:
    account.opt_out_at = None
    opt_out(world, account)


def _start_service(world: World, account: Account) -> None:
    account.is_service_active = True
    world.emit("location.service_active", account)


def _end_service(world: World, account: Account, *, sends_event: bool) -> None:
    account.canceled_at = world.now()
    account.final_service_date = chicago_day(world.now())
    account.is_service_active = False
    if sends_event:
        world.emit("location.service_canceled", account)


def _after_customer_step(world: World, account: Account) -> None:
    wants_own_plan = account.scenario.has("self-enroll") and account.acceptance is None
    if wants_own_plan and is_ready(account, world.dialect):
        accept_own_plan(world, account)


def _record_acceptance(
    world: World,
    account: Account,
    plan: PricedPlan,
    meter: Meter,
    start: date,
    *,
    by_customer: bool,
    as_asked: bool = True,
) -> None:
    now = world.now()
    account.acceptance = Acceptance(
        plan=plan,
        meter=meter,
        service_start_date=start,
        accepted_at=now,
        accepted_monotonic=time.monotonic(),
        location_uuid=str(uuid4()),
        by_customer=by_customer,
    )
    if account.scenario.has("optout"):
        account.opt_out_at = now + _OPT_OUT_AFTER
    world.acceptances.append(
        {
            "account_uuid": account.uuid,
            "plan_uuid": plan.uuid,
            "plan_name": plan.name,
            "esi_id": meter.esi_id,
            "service_start_date": start.isoformat(),
            "accepted_at": now.isoformat(),
            "by_customer": by_customer,
            "as_asked": as_asked,
        }
    )
    if world.dialect.plan_accepted_event_at == "accept":
        world.emit("enrollment.plan_accepted", account)
    if world.dialect.finalize_implicit:
        finalize(world, account)
