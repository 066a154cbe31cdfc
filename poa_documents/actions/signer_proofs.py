"""Proving that the customer signed: a code to their earlier address, or a call-back by a second person."""

from datetime import datetime

from django.db import transaction

from accounts.models import User
from core.actors import Actor, is_same_person
from core.errors import Conflict, Forbidden, InvalidInput
from installations.models import ContactProof, Customer
from poa_documents import signer_doubts
from poa_documents.actions.mail_returns import announce_customer_change
from poa_documents.journal import chain
from poa_documents.models import PoaDocument, SignerDoubt
from poa_documents.moves import lock
from poa_documents.states import OPEN_STATUSES


class NothingToProve(Conflict):
    """No signature or address change is waiting for proof."""

    def __init__(self) -> None:
        super().__init__("No call-back is needed any more. The customer has been verified since you opened this page.")


class CallBackBySamePerson(Forbidden):
    """The person who entered the address cannot confirm it."""

    def __init__(self) -> None:
        super().__init__("You entered this customer's address or number yourself. Someone else must make the call.")


class CallBackIncomplete(InvalidInput):
    """The number called or the customer's confirmation is missing. `problems` names the field."""


def note_doubts(poa: PoaDocument, *, ip_address: str | None, browser_of: int | None, by: Actor, at: datetime) -> str:
    """Record doubts about the signer of a locked, just signed POA. Return the proof for the evidence."""
    asked_from = poa.contact_codes.filter(used_at__isnull=False).values_list("asked_from_ip", flat=True)
    addresses = frozenset(address for address in (*asked_from, ip_address) if address)
    doubts = signer_doubts.doubts_about(poa, ip_addresses=addresses, browser_of=browser_of, at=at)
    for doubt in doubts:
        SignerDoubt.objects.create(poa=poa, reason=doubt.reason, because=doubt.because, noted_at=at)
    if doubts:
        seen_as = User.objects.get(pk=browser_of).public_id if browser_of is not None else None
        chain.record(
            poa,
            kind="signer_in_question",
            by=by,
            at=at,
            details={"reasons": [doubt.reason for doubt in doubts], "staff_browser_of": seen_as},
            is_locked=True,
        )
    return signer_doubts.proof_of(poa)


@transaction.atomic
def record_call_back(
    *, customer_id: int, number: str, number_from: str, confirmed: str, by: Actor, at: datetime
) -> None:
    """
    Record that a second person called the customer, who confirmed the address and the signature.

    `number` is the number on file from before the invitation. If it is another one, `number_from` says where it was
    found.

    :raises NothingToProve: nothing is waiting for proof
    :raises CallBackBySamePerson: the caller entered the address or the number
    :raises CallBackIncomplete: the number called or the confirmation is missing
    """
    customer = Customer.objects.select_for_update().get(pk=customer_id)
    if not signer_doubts.is_in_question(customer_id):
        raise NothingToProve
    if any(is_same_person(each, str(by)) for each in signer_doubts.contact_editors(customer)):
        raise CallBackBySamePerson
    problems = {}
    if not number.strip():
        problems["number"] = "Say which number you called."
    elif number != signer_doubts.trusted_phone(customer) and not number_from.strip():
        problems["number_from"] = "Say where you found this number, such as the signed hardware contract."
    if not confirmed.strip():
        problems["confirmed"] = "Say who answered and what they confirmed."
    if problems:
        raise CallBackIncomplete(problems)
    details: dict[str, object] = {
        "number": number,
        "number_from": number_from.strip() or "on file",
        "confirmed": confirmed.strip(),
    }
    clear_doubts(customer, ContactProof.CALL_BACK, details=details, by=by, at=at)


def clear_doubts(
    customer: Customer, proof: ContactProof, *, details: dict[str, object], by: Actor, at: datetime
) -> None:
    """Apply a proof to everything of this customer that waits for one, in the caller's transaction."""
    signer_doubts.unproved_changes(customer.pk).update(proof=proof, proved_at=at, proved_by=str(by))
    concerned = PoaDocument.objects.filter(customer=customer)
    waiting = concerned.filter(signer_doubts__cleared_at__isnull=True, signer_doubts__isnull=False)
    poa_ids = set(waiting.values_list("pk", flat=True)) | set(
        concerned.filter(status__in=sorted(OPEN_STATUSES)).values_list("pk", flat=True)
    )
    for poa_id in sorted(poa_ids):
        poa = lock(poa_id)
        cleared = signer_doubts.open_doubts(poa_id)
        reasons = sorted(cleared.values_list("reason", flat=True))
        cleared.update(proof=proof, cleared_at=at, cleared_by=str(by))
        chain.record(
            poa,
            kind="signer_proved",
            by=by,
            at=at,
            details={"proof": proof, "reasons": reasons, "address": customer.email, **details},
            is_locked=True,
        )
    announce_customer_change(customer.pk, at=at)
