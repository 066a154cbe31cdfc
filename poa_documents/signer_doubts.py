"""
Whether a signature needs more proof than the mailed code, and which proofs count.

For a first address the code is enough, because Light checks the identity afterwards. If the office changed the address
after the invitation, or something suggests that a staff member signed, the customer must confirm it: with a code
mailed to the earlier address, or in a call-back by a second staff member.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr

from django.conf import settings
from django.db.models import F, Min, Q, QuerySet

from accounts import staff_browsers
from accounts.models import User
from core.company_rules import current_rules, rules_at
from installations.models import ContactChange, Customer
from poa_documents.models import DoubtReason, PoaDocument, SignerDoubt

SOON_AFTER_CHANGE = timedelta(minutes=30)
PROOF_PENDING = "PENDING"
_CHANGED = "The office changed the customer's e-mail address after the invitation."
LIGHT_IDENTITY_CHECK = "FIRST_ADDRESS_AND_LIGHT_IDENTITY_CHECK"


@dataclass(frozen=True)
class Doubt:
    reason: DoubtReason
    because: str


def open_doubts(poa_id: int) -> QuerySet[SignerDoubt]:
    return SignerDoubt.objects.filter(poa_id=poa_id, cleared_at__isnull=True)


def unproved_changes(customer_id: int) -> QuerySet[ContactChange]:
    """Return the address changes since the first invitation that the customer has not proved, oldest first."""
    invited_at = PoaDocument.objects.filter(customer_id=customer_id).aggregate(first=Min("sent_at"))["first"]
    changes = ContactChange.objects.filter(customer_id=customer_id, proved_at__isnull=True)
    if invited_at is None:
        return changes.none()
    return changes.exclude(old_email=F("new_email")).filter(changed_at__gte=invited_at).order_by("changed_at", "pk")


def changed_address(customer: Customer) -> ContactChange | None:
    """Return the first unproved change, unless the address on file is the earlier one again."""
    first = unproved_changes(customer.pk).first()
    return first if first is not None and not is_same_mailbox(first.old_email, customer.email) else None


def earlier_address(customer: Customer) -> str:
    """Return the address from before the unproved changes; empty if nothing needs proof."""
    first = unproved_changes(customer.pk).first()
    return first.old_email if first is not None and is_in_question(customer.pk) else ""


def is_in_question(customer_id: int) -> bool:
    customer = Customer.objects.get(pk=customer_id)
    open_ = SignerDoubt.objects.filter(poa__customer_id=customer_id, cleared_at__isnull=True)
    return open_.exists() or changed_address(customer) is not None


def why_not_proved(poa: PoaDocument) -> str:
    """Return why a signature gives no authority yet and what to do; empty if it is proved."""
    found = list(open_doubts(poa.pk).values_list("because", flat=True))
    return _advice(found) if found else ""


def why_address_not_proved(customer: Customer) -> str:
    """Return why no account may be opened at Light with the address on file; empty if it is proved."""
    change = changed_address(customer)
    return _advice([_CHANGED]) if change is not None else ""


def doubts_about(
    poa: PoaDocument, *, ip_addresses: frozenset[str], browser_of: int | None, at: datetime
) -> list[Doubt]:
    """Return why the customer may not have signed. `browser_of` is the staff member who used the same browser."""
    customer = poa.customer
    found = [
        _address_doubt(customer),
        _recent_change_doubt(customer, at=at),
        _staff_address_doubt(customer.email),
        _shared_contact_doubt(customer),
        _device_doubt(ip_addresses, browser_of, at=at),
    ]
    doubts = [doubt for doubt in found if doubt is not None]
    if not doubts and rules_at(at).call_back_for_first_address and not _was_proved(customer):
        doubts.append(Doubt(DoubtReason.FIRST_ADDRESS, "Company rule: a second person confirms every first address."))
    return doubts


def proof_of(poa: PoaDocument) -> str:
    """Return, for the evidence, what showed that the customer signed. Call it right after the signature."""
    if open_doubts(poa.pk).exists():
        return PROOF_PENDING
    proved = ContactChange.objects.filter(
        customer_id=poa.customer_id, new_email=poa.customer.email, proved_at__isnull=False
    )
    last = proved.order_by("-proved_at").first()
    return last.proof if last is not None else LIGHT_IDENTITY_CHECK


def trusted_phone(customer: Customer) -> str:
    """Return the number from before the invitation. Anyone who changed the address may have changed it since."""
    invited_at = PoaDocument.objects.filter(customer=customer).aggregate(first=Min("sent_at"))["first"]
    changes = ContactChange.objects.filter(customer=customer).exclude(old_phone=F("new_phone"))
    since = changes.filter(changed_at__gte=invited_at) if invited_at else changes.none()
    first = since.order_by("changed_at", "pk").first()
    return first.old_phone if first is not None else str(customer.phone)


def contact_editors(customer: Customer) -> frozenset[str]:
    """Return who entered the customer's address or phone number. None of them can be the second person."""
    changed_by = ContactChange.objects.filter(customer=customer).values_list("changed_by", flat=True)
    return frozenset({customer.registered_by, *changed_by} - {""})


def is_same_mailbox(one: str, other: str) -> bool:
    return _mailbox(one) == _mailbox(other)


def _advice(found: list[str]) -> str:
    seen = " ".join(found)
    return (
        f"{seen} Before an account is opened at Light, the customer must confirm the signature. They can enter the "
        "code from the earlier address on their page, or a second staff member calls them back and records it."
    )


def _address_doubt(customer: Customer) -> Doubt | None:
    change = changed_address(customer)
    return Doubt(DoubtReason.ADDRESS_CHANGED, _CHANGED) if change is not None else None


def _recent_change_doubt(customer: Customer, *, at: datetime) -> Doubt | None:
    lately = ContactChange.objects.filter(
        customer=customer, proved_at__isnull=True, changed_at__gt=at - SOON_AFTER_CHANGE, changed_at__lte=at
    ).exclude(old_email=F("new_email"))
    if not lately.exists():
        return None
    return Doubt(DoubtReason.SIGNED_AFTER_CHANGE, "It was signed within minutes of a change to the e-mail address.")


def _staff_address_doubt(email: str) -> Doubt | None:
    host = _mailbox(email).rpartition("@")[2]
    company = {domain.casefold() for domain in current_rules().mail_domains} or {_sender_domain()}
    if any(host == domain or host.endswith(f".{domain}") for domain in company if domain):
        return Doubt(DoubtReason.STAFF_ADDRESS, "The customer's e-mail address belongs to the company.")
    name = _mailbox(email).partition("@")[0]
    alike = User.objects.filter(email__istartswith=name, email__iendswith=f"@{host}")
    if any(is_same_mailbox(address, email) for address in alike.values_list("email", flat=True)):
        return Doubt(DoubtReason.STAFF_ADDRESS, "The customer's e-mail address belongs to a staff member.")
    return None


def _shared_contact_doubt(customer: Customer) -> Doubt | None:
    name, _, host = _mailbox(customer.email).partition("@")
    others = Customer.objects.exclude(pk=customer.pk)
    same = Q(email__iexact=customer.email) | Q(email__istartswith=f"{name}+", email__iendswith=f"@{host}")
    if name != customer.email.partition("@")[0].casefold():
        same |= Q(email__iexact=f"{name}@{host}")
    if customer.phone:
        same |= Q(phone=customer.phone)
    other = others.filter(same).order_by("pk").first()
    if other is None:
        return None
    what = "phone number" if other.phone and other.phone == customer.phone else "e-mail address"
    return Doubt(DoubtReason.SHARED_CONTACT, f"Another customer has the same {what}.")


def _device_doubt(ip_addresses: frozenset[str], browser_of: int | None, *, at: datetime) -> Doubt | None:
    if browser_of is not None:
        return Doubt(DoubtReason.STAFF_DEVICE, "It was signed in a browser that a staff member used recently.")
    if staff_browsers.were_used_recently(ip_addresses):
        return Doubt(
            DoubtReason.STAFF_DEVICE, "It was signed over an internet connection that a staff member used recently."
        )
    return None


def _was_proved(customer: Customer) -> bool:
    """Whether a call-back or an earlier address has already confirmed this address."""
    proved = ContactChange.objects.filter(customer=customer, new_email=customer.email, proved_at__isnull=False)
    cleared = SignerDoubt.objects.filter(poa__customer=customer, cleared_at__isnull=False)
    return proved.exists() or cleared.filter(cleared_at__gt=_address_since(customer)).exists()


def _address_since(customer: Customer) -> datetime:
    last = ContactChange.objects.filter(customer=customer, new_email=customer.email).order_by("-changed_at").first()
    return last.changed_at if last is not None else customer.created_at


def _sender_domain() -> str:
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2].casefold()
    return "" if domain == "localhost" else domain


def _mailbox(address: str) -> str:
    """Normalize an address: ignore case and anything after a plus sign."""
    name, _, host = address.strip().casefold().rpartition("@")
    return f"{name.partition('+')[0]}@{host}"
