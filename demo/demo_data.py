"""
The demo's customers, products and staff accounts.

The limits are slightly above the stand-in's prices at its most expensive meter; see `simulator.pricing`.
"""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from django.contrib.auth.models import Group

from accounts.models import User
from accounts.staff_groups import TECHNICIANS_GROUP
from poa_documents.models import PlanPromise
from simulator.pricing import EV_GROUP_UUID, FIXED_BUYBACK_GROUP_UUID, FIXED_GROUP_UUID

STAFF_NAME = "olivia"
STAFF_PASSWORD = "open-the-work-queue"  # noqa: S105 - for a demo on loopback that is recreated each time
TECHNICIAN_NAME = "tess"
TECHNICIAN_PASSWORD = "mark-the-pto-today"  # noqa: S105 - as above


class Product(StrEnum):
    """The installer's products."""

    BUYBACK = "Lone Star Solar Buyback"
    FIXED = "Lone Star Fixed"
    EV_NIGHTS = "Lone Star EV Nights"


class ExpectedOutcome(StrEnum):
    """How a customer's case must end."""

    ACTIVE = "ACTIVE"
    HELD_OUTSIDE_LIMITS = "HELD_OUTSIDE_LIMITS"
    HELD_REVOKED = "HELD_REVOKED"
    OPTED_OUT = "OPTED_OUT"


@dataclass(frozen=True)
class CustomerProfile:
    """One customer. `tag` is part of their e-mail address and chooses the stand-in's scenario."""

    key: str
    first_name: str
    last_name: str
    tag: str
    born: date
    esi_id: str
    address_1: str
    city: str
    postal_code: str
    summary: str
    expected: ExpectedOutcome
    hardware: str = "SOLAR"
    size_kw: Decimal = Decimal("7.6")
    promise: Product = Product.BUYBACK
    language: str = "en"
    address_2: str = field(default="")

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"

    @property
    def email(self) -> str:
        tag = f"+{self.tag}" if self.tag else ""
        return f"{self.key}{tag}@example.com"

    @property
    def phone(self) -> str:
        """Unique, because a number shared by several customers needs a call-back."""
        return f"+1512474{self.esi_id[-4:]}"


CARMEN = CustomerProfile(
    key="carmen.reyes",
    first_name="Carmen",
    last_name="Reyes",
    tag="",
    born=date(1984, 5, 17),
    esi_id="10443720001234567",
    address_1="1814 Bluebonnet Lane",
    city="Plano",
    postal_code="75074",
    summary="straight through",
    expected=ExpectedOutcome.ACTIVE,
)
WALTER = CustomerProfile(
    key="walter.boone",
    first_name="Walter",
    last_name="Boone",
    tag="frozen14",
    born=date(1957, 11, 2),
    esi_id="1008901000123456789012",
    address_1="5230 Bayou Bend",
    city="Houston",
    postal_code="77004",
    summary="credit frozen for two weeks",
    expected=ExpectedOutcome.ACTIVE,
)
PRIYA = CustomerProfile(
    key="priya.raman",
    first_name="Priya",
    last_name="Raman",
    tag="",
    born=date(1990, 2, 28),
    esi_id="10443720004471882",
    address_1="77 Live Oak Court",
    city="Fort Worth",
    postal_code="76107",
    summary="PTO before identity and card",
    expected=ExpectedOutcome.ACTIVE,
)
DALE = CustomerProfile(
    key="dale.hutchins",
    first_name="Dale",
    last_name="Hutchins",
    tag="pricey",
    born=date(1971, 8, 9),
    esi_id="10032780001122334",
    address_1="2600 Ocean Drive",
    city="Corpus Christi",
    postal_code="78404",
    summary="offered plans exceed the signed limits",
    expected=ExpectedOutcome.HELD_OUTSIDE_LIMITS,
)
ANA = CustomerProfile(
    key="ana.trevino",
    first_name="Ana Lucía",
    last_name="Treviño",
    tag="",
    born=date(1979, 12, 12),
    esi_id="10204040003344556",
    address_1="740 Buffalo Gap Road",
    city="Abilene",
    postal_code="79605",
    summary="revoked after PTO, before the acceptance",
    expected=ExpectedOutcome.HELD_REVOKED,
    hardware="BATTERY",
    size_kw=Decimal("5.0"),
    promise=Product.FIXED,
    language="es",
)
MARCUS = CustomerProfile(
    key="marcus.webb",
    first_name="Marcus",
    last_name="Webb",
    tag="acceptlost",
    born=date(1988, 7, 4),
    esi_id="10400510001357924",
    address_1="903 Pecan Street",
    city="Lewisville",
    postal_code="75057",
    summary="answer to the acceptance lost",
    expected=ExpectedOutcome.ACTIVE,
)
NGOC = CustomerProfile(
    key="ngoc.tran",
    first_name="Ngoc",
    last_name="Tran",
    tag="",
    born=date(1995, 3, 21),
    esi_id="10443720007654321",
    address_1="402 Mesquite Street",
    address_2="Apt 3",
    city="Dallas",
    postal_code="75208",
    summary="EV charger, commissioned on site",
    expected=ExpectedOutcome.ACTIVE,
    hardware="EV_CHARGER",
    size_kw=Decimal("11.5"),
    promise=Product.EV_NIGHTS,
)
RUTH = CustomerProfile(
    key="ruth.keller",
    first_name="Ruth",
    last_name="Keller",
    tag="optout",
    born=date(1963, 10, 30),
    esi_id="1008901000998877665544",
    address_1="118 Magnolia Way",
    address_2="Unit B",
    city="Katy",
    postal_code="77449",
    summary="opted out at Light before service started",
    expected=ExpectedOutcome.OPTED_OUT,
)

PROFILES = (CARMEN, WALTER, PRIYA, DALE, ANA, MARCUS, NGOC, RUTH)


def create_staff_accounts() -> str:
    """Create a superuser and a technician. Return the technician's ID for the API."""
    User.objects.create_superuser(
        STAFF_NAME, "olivia@example.com", STAFF_PASSWORD, first_name="Olivia", last_name="Park"
    )
    technician = User.objects.create_user(
        TECHNICIAN_NAME, "tess@example.com", TECHNICIAN_PASSWORD, first_name="Tess", last_name="Nguyen"
    )
    technician.groups.add(Group.objects.get_or_create(name=TECHNICIANS_GROUP)[0])
    return str(technician.public_id)


def create_plan_promises() -> None:
    """Create the three products. The database setup has loaded their wording."""
    _create_plan_promise(
        Product.BUYBACK,
        FIXED_BUYBACK_GROUP_UUID,
        "A fixed price for up to 24 months that pays you for the solar power you send to the grid.",
        "Un precio fijo de hasta 24 meses que le paga la energía solar que usted envía a la red.",
        averages=("20.5", "18.5", "17.5"),
        base_fee="9.95",
        buyback="6.0",
    )
    _create_plan_promise(
        Product.FIXED,
        FIXED_GROUP_UUID,
        "A fixed price for up to 24 months.",
        "Un precio fijo de hasta 24 meses.",
        averages=("18.5", "17.0", "16.5"),
        base_fee="4.95",
    )
    _create_plan_promise(
        Product.EV_NIGHTS,
        EV_GROUP_UUID,
        "A fixed price for up to 24 months, made for charging a car at home.",
        "Un precio fijo de hasta 24 meses, pensado para cargar un auto en casa.",
        averages=("19.5", "17.5", "17.0"),
        base_fee="6.95",
    )


def _create_plan_promise(
    name: Product,
    group_uuid: str,
    summary_en: str,
    summary_es: str,
    *,
    averages: tuple[str, str, str],
    base_fee: str,
    buyback: str = "0",
) -> None:
    PlanPromise.objects.create(
        name=name.value,
        summary_en=summary_en,
        summary_es=summary_es,
        light_plan_group=UUID(group_uuid),
        max_average_cents_per_kwh_500=Decimal(averages[0]),
        max_average_cents_per_kwh_1000=Decimal(averages[1]),
        max_average_cents_per_kwh_2000=Decimal(averages[2]),
        max_base_fee_dollars=Decimal(base_fee),
        max_term_months=24,
        max_termination_fee_dollars=Decimal(200),
        min_buyback_cents_per_kwh=Decimal(buyback),
    )
