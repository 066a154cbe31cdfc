"""Register customers, sites and installations, and correct contact details."""

import re
import unicodedata
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from phonenumber_field.phonenumber import to_python
from phonenumbers import ValidationResult, is_possible_number_with_reason

from accounts.models import User
from core.actors import Actor
from core.case_changes import announce_case_change
from core.company_rules import rules_at
from core.dates import chicago_day
from core.errors import check_input
from core.invisible_characters import drop_invisible
from core.queue import TaskName, enqueue_on_commit
from core.transactions import repeatable
from installations import esi_ids
from installations.go_live import (
    contract_date_problems,
    embargo_end_date,
    scheduled_date_problems,
)
from installations.guards import technicians_filter
from installations.models import ContactChange, Customer, HardwareKind, Installation, Language, Site
from installations.moves import record_event, take_move

MIN_AGE_YEARS = 18
TEXAS_ZIP_CODE = re.compile(r"(?:7[5-9][0-9]{3}|73301|73344|885[0-9]{2})(?:-[0-9]{4})?")
"""75001 to 79999, two Austin tax offices, and 885 for El Paso boxes. Source: USPS, three-digit ZIP prefixes."""
MAX_AGE_YEARS = 120
MAX_EMAIL_LENGTH = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
MAX_SIZE_KW = Decimal(10_000)
FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""
Unicode categories not allowed in a name or address: controls, surrogates, line and paragraph separators.

Format characters (Cf) are allowed: names in Persian, Hindi or Arabic need them, and so do emoji.
"""


def register_customer(
    *,
    first_name: str,
    last_name: str,
    email: str,
    phone: str = "",
    date_of_birth: date | None = None,
    language: str = Language.ENGLISH,
    contact_verified_at: datetime | None = None,
    by: Actor,
    at: datetime,
) -> Customer:
    """
    Register a customer.

    :raises InvalidInput: with the problems by field
    """
    check_input(
        first_name=_name_problems(first_name, "first name"),
        last_name=_name_problems(last_name, "last name"),
        email=_email_problems(email),
        phone=_phone_problems(phone),
        date_of_birth=_birth_date_problems(date_of_birth, today=chicago_day(at)),
        language=() if language in Language.values else ("Choose en or es.",),
    )
    return Customer.objects.create(
        first_name=first_name.strip(),
        last_name=last_name.strip(),
        email=_clean_email(email),
        phone=_clean_phone(phone),
        date_of_birth_text=date_of_birth.isoformat() if date_of_birth else "",
        language=language,
        contact_verified_at=contact_verified_at,
        registered_by=str(by),
        created_at=at,
    )


def correct_contact(*, customer_id: int, email: str, phone: str, language: str, by: Actor, at: datetime) -> Customer:
    """
    Correct a customer's contact details. A new e-mail address is unverified until the customer proves it.

    Links sent to the old address stop working and the old address is notified. The new address gets new links.

    :raises InvalidInput: with the problems by field
    """
    check_input(
        email=_email_problems(email),
        phone=_phone_problems(phone),
        language=() if language in Language.values else ("Choose en or es.",),
    )
    with transaction.atomic():
        customer = Customer.objects.select_for_update().get(pk=customer_id)
        is_new_email, old_phone = customer.email != _clean_email(email), str(customer.phone)
        new_phone = _clean_phone(phone)
        if is_new_email or old_phone != new_phone:
            change = ContactChange.objects.create(
                customer=customer,
                old_email=customer.email,
                new_email=_clean_email(email),
                old_phone=old_phone,
                new_phone=new_phone,
                changed_at=at,
                changed_by=str(by),
                settled_at=None if is_new_email else at,
            )
        if is_new_email:
            customer.contact_verified_at = None
            enqueue_on_commit(TaskName.SETTLE_CONTACT_CHANGE, change_id=change.pk)
        customer.email, customer.phone, customer.language = _clean_email(email), new_phone, language
        customer.save(update_fields=["email", "phone", "language", "contact_verified_at"])
    return customer


def register_site(
    *,
    address_1: str,
    city: str,
    postal_code: str,
    esi_id: str,
    address_2: str = "",
    state: str = "TX",
    esi_id_compared: bool = False,
    by: Actor,
    at: datetime,
) -> Site:
    """
    Register a premise under its ESI ID, digits only. The wires company is derived from the ESI ID.

    `esi_id_compared` says that a person compared an ESI ID that may have been rounded by a spreadsheet with the bill.

    :raises InvalidInput: with the problems by field, including an ESI ID that is already on file
    """
    del by
    digits = esi_ids.normalize(esi_id)
    zip_code = drop_invisible(postal_code).strip()
    check_input(
        address_1=_text_problems(address_1, "street address", max_length=200),
        address_2=_line_problems(address_2, "apartment or suite", max_length=100),
        city=_text_problems(city, "city", max_length=100),
        state=() if state.strip().upper() == "TX" else ("Switchyard enrolls meters in Texas only. Enter TX.",),
        postal_code=() if TEXAS_ZIP_CODE.fullmatch(zip_code) else ("Enter a Texas ZIP code, such as 78701.",),
        esi_id=esi_ids.esi_id_problems(esi_id, strict=settings.STRICT_ESI_IDS)
        or _known_site_problems(digits)
        or _rounded_problems(esi_id, is_compared=esi_id_compared),
    )
    try:
        with transaction.atomic():
            return Site.objects.create(
                address_1=address_1.strip(),
                address_2=address_2.strip(),
                city=city.strip(),
                state="TX",
                postal_code=zip_code,
                esi_id=digits,
                tdu_code=esi_ids.tdu_code(digits),
                created_at=at,
            )
    except IntegrityError:
        check_input(esi_id=_known_site_problems(digits))
        raise


@repeatable
def register_installation(
    *,
    customer_id: int,
    site_id: int,
    kind: str,
    contract_signed_date: date,
    size_kw: Decimal | None = None,
    technician_id: int | None = None,
    scheduled_date: date | None = None,
    by: Actor,
    at: datetime,
) -> Installation:
    """
    Register a hardware job at a site and calculate the buyer's cancellation period.

    :raises InvalidInput: with the problems by field
    """
    today = chicago_day(at)
    check_input(
        customer=() if Customer.objects.filter(pk=customer_id).exists() else ("There is no such customer.",),
        site=() if Site.objects.filter(pk=site_id).exists() else ("There is no such site.",),
        kind=() if kind in HardwareKind.values else (f"Choose one of {', '.join(HardwareKind.values)}.",),
        size_kw=_size_problems(size_kw),
        contract_signed_date=contract_date_problems(contract_signed_date, today=today),
        technician=technician_problems(technician_id),
        scheduled_date=scheduled_date_problems(scheduled_date, contract_signed_date=contract_signed_date)
        if scheduled_date
        else (),
    )
    installation = Installation.objects.create(
        customer_id=customer_id,
        site_id=site_id,
        kind=kind,
        size_kw=size_kw,
        contract_signed_date=contract_signed_date,
        embargo_end_date=embargo_end_date(
            kind=kind, contract_signed_date=contract_signed_date, cancelable_kinds=_cancelable_kinds(at)
        ),
        technician_id=technician_id,
        scheduled_date=scheduled_date,
        created_at=at,
    )
    record_event(installation, "register", by=by, at=at)
    if scheduled_date:
        take_move(installation, "schedule", by=by, at=at)
    announce_case_change(site_id=site_id, at=at)
    return installation


def _cancelable_kinds(at: datetime) -> frozenset[str]:
    rules = rules_at(at)
    can_be_canceled = {
        HardwareKind.SOLAR: rules.solar_sale_can_be_canceled,
        HardwareKind.BATTERY: rules.battery_sale_can_be_canceled,
        HardwareKind.EV_CHARGER: rules.ev_charger_sale_can_be_canceled,
    }
    return frozenset(kind.value for kind, can_be in can_be_canceled.items() if can_be)


def technician_problems(technician_id: int | None) -> tuple[str, ...]:
    if technician_id is None or User.objects.filter(technicians_filter(), pk=technician_id).exists():
        return ()
    return ("There is no such technician, or the account is closed.",)


def _text_problems(text: str, name: str, *, max_length: int) -> tuple[str, ...]:
    if not text.strip():
        return (f"Enter the {name}.",)
    return _line_problems(text, name, max_length=max_length)


def _line_problems(text: str, name: str, *, max_length: int) -> tuple[str, ...]:
    if _has_control_characters(text):
        return (f"The {name} contains a line break or control character. Retype it on one line.",)
    return () if len(text.strip()) <= max_length else (f"Use at most {max_length} characters for the {name}.",)


def _has_control_characters(text: str) -> bool:
    return any(unicodedata.category(character) in FORBIDDEN_CATEGORIES for character in text.strip())


def _name_problems(text: str, name: str) -> tuple[str, ...]:
    return _text_problems(text, name, max_length=100)


def _email_problems(email: str) -> tuple[str, ...]:
    if _has_control_characters(email):  # Django accepts some of them between quotes
        return ("The e-mail address contains a control character. Retype it without quotes.",)
    if len(email.strip()) > MAX_EMAIL_LENGTH:
        return (f"The e-mail address is longer than {MAX_EMAIL_LENGTH} characters, which no mail server accepts.",)
    try:
        validate_email(_clean_email(email))
    except ValidationError:
        return ("Enter an e-mail address, such as name@example.com. The customer's link goes there.",)
    return ()


def _phone_problems(phone: str) -> tuple[str, ...]:
    """Reject numbers that nobody can dial. New area codes work before our number list knows them."""
    if not phone.strip():
        return ()
    number = to_python(drop_invisible(phone), region=settings.PHONENUMBER_DEFAULT_REGION)
    is_possible = number and is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
    return () if is_possible else ("Enter a phone number with its area code, such as 512-474-5171.",)


def _clean_phone(phone: str) -> str:
    """Return a possible number in E.164 format."""
    number = to_python(drop_invisible(phone), region=settings.PHONENUMBER_DEFAULT_REGION) if phone.strip() else None
    return str(number.as_e164) if number else ""


def phone_warnings(customer: Customer) -> tuple[str, ...]:
    """Return what a person should double-check about an accepted number."""
    if not customer.phone or customer.phone.is_valid():
        return ()
    return ("This phone number is not in use as far as we know. Check it for a typo, unless its area code is new.",)


def _clean_email(email: str) -> str:
    return drop_invisible(email).strip()


def _birth_date_problems(date_of_birth: date | None, *, today: date) -> tuple[str, ...]:
    if date_of_birth is None:
        return ()
    years = today.year - date_of_birth.year - ((today.month, today.day) < (date_of_birth.month, date_of_birth.day))
    if date_of_birth > today or years > MAX_AGE_YEARS:
        return ("This date of birth is not possible. Check the year.",)
    return () if years >= MIN_AGE_YEARS else (f"The customer must be at least {MIN_AGE_YEARS} years old to sign.",)


def _size_problems(size_kw: Decimal | None) -> tuple[str, ...]:
    if size_kw is None or (size_kw.is_finite() and 0 < size_kw <= MAX_SIZE_KW):
        return ()
    return (f"The size must be more than 0 and at most {MAX_SIZE_KW} kW.",)


def _rounded_problems(esi_id: str, *, is_compared: bool) -> tuple[str, ...]:
    question = "" if is_compared else esi_ids.esi_id_question(esi_id)
    return (question,) if question else ()


def _known_site_problems(digits: str) -> tuple[str, ...]:
    site = Site.objects.filter(esi_id=digits).first()
    return (f"This ESI ID is already on file for {site}. Use that site.",) if site else ()
