"""A customer opens an expired link and asks for a new one, through HTTP."""

from datetime import date, timedelta

import pytest
from django.core import mail
from django.test import Client

from poa_documents import actions
from poa_documents.actions.link_replacement import MAX_LINKS_A_DAY
from poa_documents.journal import chain
from poa_documents.models import PoaDocument, ReturnSource
from poa_documents.moves import lock
from poa_documents.states import PoaStatus
from tests.factories.installations import staff
from tests.factories.poa_documents import SIGNED_AT, STAFF, drafted_poa, sent_poa, signed_poa
from tests.integration.poa_documents.portal_visits import ManualClock, Visit, fresh, token_in_last_mail

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

A_MONTH = timedelta(days=31)


def expired_poa(clock: ManualClock, *, was_swept: bool = True) -> tuple[PoaDocument, Visit]:
    poa = sent_poa()
    visit = Visit(token_in_last_mail())
    clock.at = SIGNED_AT + A_MONTH
    if was_swept:
        actions.sweep_poas(at=clock.at)
    mail.outbox.clear()
    return fresh(poa), visit


def press(visit: Visit) -> str:
    return visit.post("new-link/", visit.fields("")).content.decode()


@pytest.mark.parametrize("was_swept", [True, False])
def test_expired_invitation_is_sent_again_and_signed(clock: ManualClock, *, was_swept: bool) -> None:
    poa, visit = expired_poa(clock, was_swept=was_swept)

    form = visit.fields("")
    page = visit.post("new-link/", form).content.decode()
    visit.post("new-link/", form)

    assert "A new link is on its way" in page
    assert fresh(poa).status == PoaStatus.SENT
    actions.sweep_poas(at=clock.at)
    assert [message.to for message in mail.outbox] == [[poa.customer.email]]
    assert "There is a newer link" in visit.open().content.decode()
    Visit.by_last_mail().sign()
    assert fresh(poa).status == PoaStatus.SIGNED
    assert chain.verify(fresh(poa)).is_intact


def test_page_of_a_long_ended_authority_is_reachable(clock: ManualClock) -> None:
    poa = signed_poa()
    visit = Visit(token_in_last_mail())
    clock.at = SIGNED_AT + timedelta(days=3 * 366)
    actions.sweep_poas(at=clock.at)
    assert fresh(poa).status == PoaStatus.LAPSED

    page = press(visit)

    assert "A new link is on its way" in page
    actions.sweep_poas(at=clock.at)
    assert Visit.by_last_mail().open().status_code == 200


def other_unsigned_poa(poa: PoaDocument, clock: ManualClock) -> None:
    drafted_poa(customer=poa.customer, site=poa.site, at=clock.at)


def product_no_longer_sold(poa: PoaDocument, clock: ManualClock) -> None:
    type(poa.promise).objects.filter(pk=poa.promise.pk).update(is_offered=False)


def start_dates_over(poa: PoaDocument, clock: ManualClock) -> None:
    poa.envelope.latest_start_date = date(2026, 4, 1)
    type(poa.envelope).objects.filter(pk=poa.envelope.pk).update(latest_start_date=date(2026, 4, 1))


def mail_comes_back(poa: PoaDocument, clock: ManualClock) -> None:
    sent = poa.mails.latest("pk")
    actions.record_return(
        mail_id=sent.pk, because="No such mailbox.", source=ReturnSource.OFFICE, by=STAFF, at=clock.at
    )


@pytest.mark.parametrize("hindrance", [other_unsigned_poa, product_no_longer_sold, start_dates_over, mail_comes_back])
def test_customer_is_asked_to_call_if_links_cannot_help(clock: ManualClock, hindrance: object) -> None:
    poa, visit = expired_poa(clock)
    assert callable(hindrance)
    hindrance(poa, clock)

    page = press(visit)

    assert "Please contact us for a new link" in page
    assert fresh(poa).status == PoaStatus.EXPIRED
    assert mail.outbox == []


def test_links_per_day_are_limited(clock: ManualClock) -> None:
    poa, _ = expired_poa(clock)
    for _ in range(MAX_LINKS_A_DAY):
        actions.send_new_link(poa_id=poa.pk, at=clock.at, ip_address=None)
        actions.sweep_poas(at=clock.at)
    with pytest.raises(actions.OfficeMustHelp):
        actions.send_new_link(poa_id=poa.pk, at=clock.at, ip_address=None)


def test_button_works_from_our_page_only(clock: ManualClock) -> None:
    poa, visit = expired_poa(clock)

    answer = visit.post("new-link/", {"form_key": "guessed"})

    assert answer.status_code == 403
    assert fresh(poa).status == PoaStatus.EXPIRED


@pytest.mark.parametrize("method", ["get", "post"])
def test_live_and_unknown_links_are_not_changed(method: str) -> None:
    poa = sent_poa()
    visit = Visit(token_in_last_mail())
    mail.outbox.clear()

    getattr(visit.client, method)(visit.address("new-link/"), follow=True)
    answer = getattr(visit.client, method)("/portal/unknown/new-link/", follow=True)

    assert answer.status_code == 404
    assert poa.mails.count() == 1
    assert mail.outbox == []


def test_office_can_resend_while_the_customer_has_a_page(clock: ManualClock, client: Client) -> None:
    poa = signed_poa()
    actions.use_authority(lock(poa.pk), by=STAFF, at=SIGNED_AT)
    assert fresh(poa).status == PoaStatus.EXHAUSTED
    client.force_login(staff(is_superuser=True))

    page = client.get(f"/admin/poa_documents/poadocument/{poa.public_id}/change/").content.decode()

    assert "Resend" in page
