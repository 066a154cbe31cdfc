"""Facts of made-up cases, for the tests of the decision."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from enrollments.decision.facts import AccountFacts, AuthorityFacts, Facts, GoLiveFacts, OfferFacts
from enrollments.decision.offers import OfferedPlan, SignedLimits
from enrollments.decision.policy import Policy
from enrollments.light.payloads import LightStage
from enrollments.states import EnrollmentStatus
from poa_documents.states import PoaStatus

NOW = datetime(2026, 3, 5, 18, tzinfo=UTC)
TODAY = date(2026, 3, 5)
POLICY = Policy()
GROUP = UUID("11111111-1111-4111-8111-111111111111")
ESI_ID = "10443720000000001"

LIMITS = SignedLimits(
    light_plan_group=GROUP,
    rate_kind="FIXED",
    esi_id=ESI_ID,
    max_average_cents_per_kwh_500=Decimal(18),
    max_average_cents_per_kwh_1000=Decimal(16),
    max_average_cents_per_kwh_2000=Decimal(15),
    max_base_fee_dollars=Decimal(10),
    max_term_months=24,
    max_termination_fee_dollars=Decimal(150),
    min_buyback_cents_per_kwh=Decimal(0),
)
PLAN = OfferedPlan(
    light_plan_uuid=UUID("33333333-3333-4333-8333-333333333333"),
    light_plan_group=GROUP,
    rate_kind="FIXED",
    esi_id=ESI_ID,
    average_cents_per_kwh_500=Decimal(17),
    average_cents_per_kwh_1000=Decimal(15),
    average_cents_per_kwh_2000=Decimal(14),
    base_fee_dollars=Decimal(9),
    term_months=12,
    termination_fee_dollars=Decimal(150),
    buyback_cents_per_kwh=None,
)
OFFER = OfferFacts(offer_id=7, plan=PLAN, requested_at=NOW, stale_at=NOW + timedelta(days=4))
EXPENSIVE_OFFER = replace(OFFER, offer_id=8, plan=replace(PLAN, average_cents_per_kwh_1000=Decimal(40)))
AUTHORITY = AuthorityFacts(
    poa_id=5,
    status=PoaStatus.SIGNED,
    signed_at=NOW - timedelta(days=30),
    is_sealed=True,
    limits=LIMITS,
    earliest_start=date(2026, 2, 1),
    latest_start=date(2026, 8, 1),
    sunset=date(2026, 8, 1),
    uses_left=1,
    is_attested=True,
)
ACCOUNT = AccountFacts(
    uuid=UUID("44444444-4444-4444-8444-444444444444"),
    read_at=NOW,
    stage=LightStage.READY,
    status="enrollment_pending_client_agent",
    status_since=NOW,
    missing=(),
    has_accepted_plan=False,
    is_finalized=False,
    is_read_in_this_turn=True,
)
LIVE = GoLiveFacts(
    counted_date=TODAY, is_awaiting_office=False, is_conflicting=False, is_job_canceled=False, by_pto=True
)
NOT_LIVE = replace(LIVE, counted_date=None)

READY_TO_ACCEPT = Facts(
    enrollment_id=1,
    status=EnrollmentStatus.OPEN,
    esi_id=ESI_ID,
    authority=AUTHORITY,
    account=ACCOUNT,
    go_live=LIVE,
    offers=(OFFER,),
    has_asked_for_offers=True,
)
ACCEPTED = replace(
    READY_TO_ACCEPT,
    status=EnrollmentStatus.ACCEPTED,
    authority=replace(AUTHORITY, status=PoaStatus.EXHAUSTED, uses_left=0),
    account=replace(ACCOUNT, has_accepted_plan=True, stage=LightStage.ACCEPTED),
    accepted_at=NOW - timedelta(minutes=1),
    accepted_start=date(2026, 3, 14),
)
