"""What clears the question whether the customer signed: the earlier mailbox, or a second person who calls back."""

from datetime import datetime

from django.db import transaction

from core.actors import Actor, is_same_person
from core.errors import Conflict, Forbidden, InvalidInput
from installations.models import ContactProof, Customer
from poa_documents import signers
from poa_documents.actions.mail_returns import announce_customer_change
from poa_documents.journal import evidence
from poa_documents.models import PoaDocument, SignerDoubt
from poa_documents.moves import lock
from poa_documents.states import OPEN_STATUSES


class NothingToProve(Conflict):
    """No signature and no change of address waits for a proof."""

    def __init__(self) -> None:
        super().__init__("Nothing waits for a call-back any more: it was proved since you looked.")


class CallBackBySamePerson(Forbidden):
    """Whoever put the address on file cannot be the one who confirms it."""

    def __init__(self) -> None:
        super().__init__(
            "You put this customer's address or number on file yourself: somebody else must call and record it."
        )


class CallBackIncomplete(InvalidInput):
    """It is not said which number was called, or what the customer confirmed. `problems` names the field."""


def note_doubts(poa: PoaDocument, *, ip_address: str | None, browser_of: int | None, by: Actor, at: datetime) -> str:
    """Keep, with a locked and just signed POA, what speaks against the signer; returns the proof for the evidence."""
    asked_from = poa.contact_codes.filter(used_at__isnull=False).values_list("asked_from_ip", flat=True)
    addresses = frozenset(address for address in (*asked_from, ip_address) if address)
    doubts = signers.doubts_about(poa, ip_addresses=addresses, browser_of=browser_of, at=at)
    for doubt in doubts:
        SignerDoubt.objects.create(poa=poa, reason=doubt.reason, because=doubt.because, noted_at=at)
    if doubts:
        evidence.record(
            poa,
            kind="signer_in_question",
            by=by,
            at=at,
            details={"reasons": [doubt.reason for doubt in doubts], "staff_browser_of": browser_of},
            is_locked=True,
        )
    return signers.proof_of(poa)


@transaction.atomic
def record_call_back(
    *, customer_id: int, number: str, number_from: str, confirmed: str, by: Actor, at: datetime
) -> None:
    """
    Record that a second person called the customer, who confirmed the address and the signature.

    `number` is the number on file from before the invitation, or another one, and then `number_from` says where it
    was found.

    :raises NothingToProve: nothing waits for it
    :raises CallBackBySamePerson: the caller put the address or the number on file
    :raises CallBackIncomplete: it is not said which number was called or what was confirmed
    """
    customer = Customer.objects.select_for_update().get(pk=customer_id)
    if not signers.is_in_question(customer_id):
        raise NothingToProve
    if any(is_same_person(each, str(by)) for each in signers.contact_editors(customer)):
        raise CallBackBySamePerson
    problems = {}
    if not number.strip():
        problems["number"] = "Say which number you called."
    elif number != signers.trusted_phone(customer) and not number_from.strip():
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
    """Take a proof for everything about this customer that waits for one, in the caller's transaction."""
    signers.unproved_changes(customer.pk).update(proof=proof, proved_at=at, proved_by=str(by))
    concerned = PoaDocument.objects.filter(customer=customer)
    waiting = concerned.filter(signer_doubts__cleared_at__isnull=True, signer_doubts__isnull=False)
    poa_ids = set(waiting.values_list("pk", flat=True)) | set(
        concerned.filter(status__in=sorted(OPEN_STATUSES)).values_list("pk", flat=True)
    )
    for poa_id in sorted(poa_ids):
        poa = lock(poa_id)
        cleared = signers.open_doubts(poa_id)
        reasons = sorted(cleared.values_list("reason", flat=True))
        cleared.update(proof=proof, cleared_at=at, cleared_by=str(by))
        evidence.record(
            poa,
            kind="signer_proved",
            by=by,
            at=at,
            details={"proof": proof, "reasons": reasons, "address": customer.email, **details},
            is_locked=True,
        )
    announce_customer_change(customer.pk, at=at)
