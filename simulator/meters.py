"""Known meters and utilities."""

import re
from dataclasses import dataclass
from decimal import Decimal

__all__ = [
    "SEEDED_METERS",
    "UTILITIES",
    "InvalidEsiId",
    "Meter",
    "UnknownMeter",
    "Utility",
    "find_meter",
    "search",
]


class InvalidEsiId(ValueError):
    """The ESI ID is missing, not digits, or of the wrong length."""


class UnknownMeter(LookupError):
    """The ESI ID is well-formed but belongs to no known utility."""


@dataclass(frozen=True)
class Utility:
    name: str
    display_name: str
    prefixes: tuple[str, ...]
    esi_id_length: int
    delivery_cents_per_kwh: Decimal
    delivery_monthly_dollars: Decimal
    phone: str
    postal_prefixes: tuple[str, ...]


@dataclass(frozen=True)
class Meter:
    esi_id: str
    utility: Utility
    address_1: str
    address_2: str
    city: str
    state: str
    postal_code: str

    def address(self) -> dict[str, object]:
        return {
            "address_1": self.address_1,
            "address_2": self.address_2,
            "city": self.city,
            "state": self.state,
            "postal_code": self.postal_code,
        }


_ONCOR = Utility(
    name="oncor",
    display_name="Oncor",
    prefixes=("1044372", "1017699"),
    esi_id_length=17,
    delivery_cents_per_kwh=Decimal("5.08"),
    delivery_monthly_dollars=Decimal("4.23"),
    phone="+18885550101",
    postal_prefixes=("750", "751", "752", "760", "761", "765", "786", "787"),
)
_CENTERPOINT = Utility(
    name="centerpoint",
    display_name="CenterPoint",
    prefixes=("1008901",),
    esi_id_length=22,
    delivery_cents_per_kwh=Decimal("5.45"),
    delivery_monthly_dollars=Decimal("4.39"),
    phone="+18885550102",
    postal_prefixes=("770", "772", "773", "774", "775"),
)
_AEP_CENTRAL = Utility(
    name="aep_central",
    display_name="AEP Central",
    prefixes=("1003278",),
    esi_id_length=17,
    delivery_cents_per_kwh=Decimal("5.31"),
    delivery_monthly_dollars=Decimal("3.24"),
    phone="+18885550103",
    postal_prefixes=("779", "780", "783", "784", "785"),
)
_AEP_NORTH = Utility(
    name="aep_north",
    display_name="AEP North",
    prefixes=("1020404",),
    esi_id_length=17,
    delivery_cents_per_kwh=Decimal("5.12"),
    delivery_monthly_dollars=Decimal("3.24"),
    phone="+18885550104",
    postal_prefixes=("768", "769", "795", "796"),
)
_TNMP = Utility(
    name="tnmp",
    display_name="TNMP",
    prefixes=("1040051",),
    esi_id_length=17,
    delivery_cents_per_kwh=Decimal("6.02"),
    delivery_monthly_dollars=Decimal("7.85"),
    phone="+18885550105",
    postal_prefixes=("745", "766", "797"),
)
# No public source has Lubbock's prefix; this one is invented.
_LUBBOCK = Utility(
    name="lubbock",
    display_name="Lubbock",
    prefixes=("1099001",),
    esi_id_length=17,
    delivery_cents_per_kwh=Decimal("5.90"),
    delivery_monthly_dollars=Decimal("3.79"),
    phone="+18885550106",
    postal_prefixes=("793", "794"),
)

UTILITIES = (_ONCOR, _CENTERPOINT, _AEP_CENTRAL, _AEP_NORTH, _TNMP, _LUBBOCK)

SEEDED_METERS = (
    Meter("10443720001234567", _ONCOR, "1814 Bluebonnet Lane", "", "Plano", "TX", "75074"),
    Meter("10443720007654321", _ONCOR, "402 Mesquite Street", "Apt 3", "Dallas", "TX", "75208"),
    Meter("10443720004471882", _ONCOR, "77 Live Oak Court", "", "Fort Worth", "TX", "76107"),
    Meter("10176990002233445", _ONCOR, "9 Citrus Row", "", "Mission", "TX", "78572"),
    Meter("1008901000123456789012", _CENTERPOINT, "5230 Bayou Bend", "", "Houston", "TX", "77004"),
    Meter("1008901000998877665544", _CENTERPOINT, "118 Magnolia Way", "Unit B", "Katy", "TX", "77449"),
    Meter("10032780001122334", _AEP_CENTRAL, "2600 Ocean Drive", "", "Corpus Christi", "TX", "78404"),
    Meter("10032780005566778", _AEP_CENTRAL, "31 Palm Avenue", "", "Victoria", "TX", "77901"),
    Meter("10204040003344556", _AEP_NORTH, "740 Buffalo Gap Road", "", "Abilene", "TX", "79605"),
    Meter("10400510006677889", _TNMP, "15 Cotton Gin Road", "", "Texas City", "TX", "77590"),
    Meter("10400510001357924", _TNMP, "903 Pecan Street", "", "Lewisville", "TX", "75057"),
    Meter("10990010008642097", _LUBBOCK, "3302 Caprock Avenue", "", "Lubbock", "TX", "79410"),
)

_BY_ESI_ID = {meter.esi_id: meter for meter in SEEDED_METERS}
_MIN_DIGITS, _MAX_DIGITS = 17, 22


def find_meter(esi_id: object) -> Meter:
    """
    Return a seeded meter, or make one up for any well-formed ESI ID with a utility's prefix.

    :raises InvalidEsiId: not a string of 17 to 22 digits, or the wrong length for its utility
    :raises UnknownMeter: no utility has that prefix
    """
    if not isinstance(esi_id, str) or not re.fullmatch(r"[0-9]+", esi_id):
        raise InvalidEsiId("esi_id must be a text of digits only")
    if not _MIN_DIGITS <= len(esi_id) <= _MAX_DIGITS:
        raise InvalidEsiId(f"esi_id must have {_MIN_DIGITS} to {_MAX_DIGITS} digits")
    if esi_id in _BY_ESI_ID:
        return _BY_ESI_ID[esi_id]
    for utility in UTILITIES:
        if esi_id.startswith(utility.prefixes):
            if len(esi_id) != utility.esi_id_length:
                raise InvalidEsiId(f"an ESI ID of {utility.display_name} has {utility.esi_id_length} digits")
            street_number = int(esi_id[-4:]) + 1
            zip_code = utility.postal_prefixes[0] + "01"
            return Meter(esi_id, utility, f"{street_number} Sample Street", "", "Anytown", "TX", zip_code)
    raise UnknownMeter(f"no service point has the ESI ID {esi_id}")


def search(query: str) -> list[Meter]:
    """Return the seeded meters whose address contains every word of the query."""
    words = [word.lower() for word in re.findall(r"\w+", query)]
    if not words:
        return []
    return [meter for meter in SEEDED_METERS if all(word in _search_text(meter) for word in words)]


def _search_text(meter: Meter) -> str:
    return " ".join([meter.address_1, meter.address_2, meter.city, meter.state, meter.postal_code]).lower()
