"""Replacing an expired link. The new one goes to the address on file, so it does not matter who requests it."""

from datetime import datetime, timedelta

from core.actors import SYSTEM
from core.case_changes import announce_case_change
from core.dates import chicago_day
from core.errors import Conflict
from core.transactions import repeatable
from installations.models import Installation, Site
from installations.states import InstallationStatus
from poa_documents.actions.drafts import STATUSES_WITH_PAGE, resend, schedule_mail
from poa_documents.authority_check import why_stopped
from poa_documents.links import link_expiry
from poa_documents.models import LINK_MAILS, MailKind, PoaDocument
from poa_documents.moves import lock, take_move
from poa_documents.queries import NoWording, failure_of, template_for, unsigned_poa_of
from poa_documents.states import PoaStatus

A_DAY = timedelta(days=1)
MAX_LINKS_A_DAY = 3


class OfficeMustHelp(Conflict):
    """No new link can be sent automatically, so the customer is asked to call."""


@repeatable
def send_new_link(*, poa_id: int, at: datetime, ip_address: str | None) -> None:
    """
    Schedule a mail with a new link. An expired invitation is sent again if it may still be signed as drafted.

    Requesting it again while a link is on its way changes nothing.

    :raises OfficeMustHelp: it can no longer be signed as drafted, mail does not reach the customer, or there were too
        many requests
    """
    # One unsigned POA at a time, as when one is drafted.
    Site.objects.select_for_update(of=("self",)).get(poas__pk=poa_id)
    poa = lock(poa_id)
    if is_new_link_on_its_way(poa):
        return
    links = poa.mails.filter(kind__in=sorted(LINK_MAILS), created_at__gt=at - A_DAY)
    if failure_of(poa.customer) is not None or links.count() >= MAX_LINKS_A_DAY:
        raise OfficeMustHelp
    asked = {"asked_from": ip_address}
    if poa.status == PoaStatus.EXPIRED and _may_still_be_signed(poa, at=at):
        poa.ended_at, poa.ended_because, poa.due_at = None, "", link_expiry(at)
        take_move(poa, "renew", by=SYSTEM, at=at, reason="Requested on the page of the expired link.", details=asked)
        announce_case_change(site_id=poa.site_id, at=at)
        schedule_mail(poa, MailKind.INVITATION, at=at)
    elif poa.status in {PoaStatus.SENT, *STATUSES_WITH_PAGE} and not _goes_by_post(poa):
        resend(poa, by=SYSTEM, at=at, details=asked)
    else:
        raise OfficeMustHelp


def is_new_link_on_its_way(poa: PoaDocument) -> bool:
    return poa.mails.unsent().filter(kind__in=sorted(LINK_MAILS), due_at__isnull=False).exists()


def _goes_by_post(poa: PoaDocument) -> bool:
    return poa.status == PoaStatus.SENT and poa.paper_wanted_at is not None


def _may_still_be_signed(poa: PoaDocument, *, at: datetime) -> bool:
    """Whether the office would draft the same document today, with dates that outlast the new link."""
    jobs = Installation.objects.filter(customer=poa.customer_id, site=poa.site_id)
    try:
        is_wording_in_force = template_for(poa.template.language, chicago_day(at)) == poa.template
    except NoWording:
        return False
    return (
        is_wording_in_force
        and poa.promise.is_offered
        and poa.paper_wanted_at is None
        and poa.envelope.latest_start_date > chicago_day(link_expiry(at))
        and unsigned_poa_of(poa.site_id) is None
        and not why_stopped(poa.customer_id)
        and jobs.exclude(status=InstallationStatus.CANCELLED).exists()
    )
