"""Creating and ending links: each POA has at most one live link, valid only for the address it was sent to."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from core.actors import SYSTEM
from installations.models import ContactChange
from poa_documents.actions.drafts import STATUSES_WITH_PAGE, schedule_mail
from poa_documents.actions.mail_returns import announce_customer_change, settle_address_failures
from poa_documents.journal import chain
from poa_documents.links import address_of, hash_of, new_token
from poa_documents.models import AddressFailure, CustomerMail, LinkEnd, MailKind, PoaDocument, RetiredLink
from poa_documents.moves import lock
from poa_documents.states import PoaStatus


def make_link(poa: PoaDocument, mail: CustomerMail, *, expires_at: datetime, at: datetime) -> str:
    """Create a new link for a locked POA, ending the previous one, and return its URL, which is never stored."""
    retire_link(poa, LinkEnd.NEWER, at=at)
    token = new_token()
    poa.token_hash, poa.token_expires_at = hash_of(token), expires_at
    poa.link_made_at, poa.link_sent_to = at, poa.customer.email
    poa.save(update_fields=["token_hash", "token_expires_at", "link_made_at", "link_sent_to"])
    chain.record(poa, kind="link_made", by=SYSTEM, at=at, details={"mail": mail.public_id, "expires_at": expires_at})
    return address_of(token)


def retire_link(poa: PoaDocument, because: LinkEnd, *, at: datetime) -> bool:
    """End a locked POA's link. False if it has none. The page of the ended link says why."""
    if not poa.token_hash:
        return False
    RetiredLink.objects.create(poa=poa, token_hash=poa.token_hash, because=because, retired_at=at)
    poa.token_hash = ""
    poa.save(update_fields=["token_hash"])
    return True


@transaction.atomic
def settle_contact_change(*, change_id: int, at: datetime) -> int:
    """
    End the links that went to a customer's old address, notify that address, and send new links to the new one.

    A link is dead from the moment of the change (`links.find_poa`). This makes it permanent and records it as evidence.
    Everything that could be opened or signed before gets a new link, whatever happened to earlier mails. Returns the
    number of links ended. A repeat changes nothing.
    """
    change = ContactChange.objects.select_for_update().get(pk=change_id)
    if change.settled_at is not None:
        return 0
    change.settled_at = at
    change.save(update_fields=["settled_at"])
    is_dead = AddressFailure.objects.filter(customer_id=change.customer_id, address=change.old_email).exists()
    settle_address_failures(change.customer_id, because="The address was changed.", by=SYSTEM, at=at)
    sent_there = PoaDocument.objects.filter(
        customer_id=change.customer_id, link_sent_to=change.old_email, link_made_at__lte=change.changed_at
    ).exclude(token_hash="")
    notice: CustomerMail | None = None
    poa_ids = list(sent_there.order_by("-created_at", "-pk").values_list("pk", flat=True))
    for poa_id in poa_ids:
        poa = lock(poa_id)
        retire_link(poa, LinkEnd.ADDRESS_CHANGED, at=at)
        if notice is None and not is_dead:  # mail to a failing address is not read
            notice = schedule_mail(poa, MailKind.ADDRESS_CHANGED, at=at, to_address=change.old_email)
        chain.record(
            poa,
            kind="contact_changed",
            by=SYSTEM,
            at=at,
            details={
                "changed_by": change.changed_by,
                "changed_at": change.changed_at,
                "old_email": change.old_email,
                "new_email": change.new_email,
                "notice": notice.public_id if notice else None,
            },
        )
    _send_new_links(change.customer_id, poa_ids, at=at)
    return len(poa_ids)


def _send_new_links(customer_id: int, ended: list[int], *, at: datetime) -> None:
    """Owe a new link for each request that waits for a signature and each page whose link was ended."""
    to_sign = Q(status=PoaStatus.SENT, paper_wanted_at__isnull=True)
    with_a_page = Q(pk__in=ended, status__in=sorted(STATUSES_WITH_PAGE))
    concerned = PoaDocument.objects.filter(to_sign | with_a_page, customer_id=customer_id)
    for poa_id in list(concerned.order_by("pk").values_list("pk", flat=True)):
        poa = lock(poa_id)
        kind = MailKind.INVITATION if poa.status == PoaStatus.SENT else MailKind.HOME_LINK
        if not poa.mails.unsent().filter(kind=kind, due_at__isnull=False).exists():
            chain.record(poa, kind="resend", by=SYSTEM, at=at, details={"mail": kind})
            schedule_mail(poa, kind, at=at)
    announce_customer_change(customer_id, at=at)
