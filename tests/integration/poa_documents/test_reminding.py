"""Reminders to sign, sent only by the sweep: first, repeat, stop, and every reason for none."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.http import HttpResponse

from core.actors import SYSTEM, Actor
from installations.actions import cancel_installation, correct_contact
from installations.models import Installation
from poa_documents import actions
from poa_documents.actions import mails
from poa_documents.models import MailKind, MailState, PoaDocument, ReturnSource
from poa_documents.states import PoaStatus
from tests.factories.company import set_company_rules
from tests.factories.poa_documents import SIGNED_AT, STAFF, prove_contact, sent_poa, signed_poa
from tests.integration.poa_documents.mail_servers import answer_with, greylisted
from tests.integration.poa_documents.portal_visits import ManualClock, Visit, token_in_last_mail

pytestmark = pytest.mark.django_db

FIRST = SIGNED_AT + timedelta(days=3)


def sweep(at: datetime) -> None:
    actions.sweep_poas(at=at)


def live(until: datetime, *, since: datetime = SIGNED_AT, every: timedelta = timedelta(hours=3)) -> None:
    at = since
    while at < until:
        at += every
        sweep(at)


def reminders() -> list[Any]:
    return [message for message in mail.outbox if message.extra_headers["X-Switchyard-Mail"] == MailKind.REMINDER]


def test_reminders_are_sent_three_times_then_stop() -> None:
    poa = sent_poa()

    live(SIGNED_AT + timedelta(days=29))

    sent = poa.mails.filter(kind=MailKind.REMINDER).order_by("pk").values_list("sent_at", flat=True)
    days = [(at - SIGNED_AT).days for at in sent if at is not None]
    assert days == [3, 10, 17]
    assert len(reminders()) == 3


def test_reminder_link_replaces_the_old_one_without_new_deadline(clock: ManualClock) -> None:
    poa = sent_poa()
    first, deadline = token_in_last_mail(), poa.token_expires_at

    sweep(FIRST)

    poa.refresh_from_db()
    clock.at = FIRST
    assert token_in_last_mail() != first
    assert poa.token_expires_at == deadline
    assert "newer" in Visit(first).open().content.decode()
    assert Visit(token_in_last_mail()).open().status_code == HttpResponse.status_code


def test_none_is_sent_at_night() -> None:
    sent_poa(at=SIGNED_AT + timedelta(hours=12))  # ten in the evening in Chicago

    sweep(FIRST + timedelta(hours=12))
    at_night = len(reminders())
    live(FIRST + timedelta(days=1, hours=2), since=FIRST + timedelta(hours=12), every=timedelta(hours=1))

    assert at_night == 0
    assert len(reminders()) == 1


def test_reminder_that_failed_in_the_evening_waits_until_morning(monkeypatch: Any, settings: Any) -> None:
    poa = sent_poa(at=SIGNED_AT + timedelta(hours=8, minutes=59))  # a minute before seven in the evening
    evening = FIRST + timedelta(hours=8, minutes=59)
    answer_with(monkeypatch, settings, greylisted(poa.customer.email))
    sweep(evening)
    answer_with(monkeypatch, settings, None)

    live(evening + timedelta(hours=13), since=evening, every=timedelta(minutes=10))
    by_nine = len(reminders())
    live(evening + timedelta(hours=15), since=evening + timedelta(hours=13), every=timedelta(minutes=10))

    assert (by_nine, len(reminders())) == (0, 1)


def test_two_weeks_without_a_worker_send_one() -> None:
    sent_poa()

    back = SIGNED_AT + timedelta(days=17)
    for minute in range(5):
        sweep(back + timedelta(minutes=minute))

    assert len(reminders()) == 1


def decline(poa: PoaDocument) -> None:
    actions.decline_poa(poa_id=poa.pk, by=Actor.customer(poa.customer.public_id), at=SIGNED_AT)


def void(poa: PoaDocument) -> None:
    actions.void_poa(poa_id=poa.pk, reason="Drafted twice.", by=STAFF, at=SIGNED_AT)


def come_back(poa: PoaDocument) -> None:
    returned = poa.mails.get(kind=MailKind.INVITATION)
    actions.record_return(
        mail_id=returned.pk, because="No such user.", source=ReturnSource.OFFICE, by=STAFF, at=SIGNED_AT
    )


def cancel(poa: PoaDocument) -> None:
    job = Installation.objects.get(site=poa.site)
    cancel_installation(installation_id=job.pk, reason="Changed their mind.", by=STAFF, at=SIGNED_AT)


def visit(poa: PoaDocument) -> None:
    prove_contact(poa, at=FIRST - timedelta(hours=1))


@pytest.mark.parametrize("news", [decline, void, come_back, cancel, visit])
def test_nobody_is_reminded_once_it_no_longer_applies(news: Callable[[PoaDocument], None]) -> None:
    poa = sent_poa()
    news(poa)

    live(FIRST + timedelta(hours=6), since=FIRST - timedelta(hours=1))

    assert reminders() == []


def test_nobody_is_reminded_after_signing_or_expiry() -> None:
    signed_poa()
    forgotten = sent_poa(at=SIGNED_AT)

    live(SIGNED_AT + timedelta(days=60), every=timedelta(hours=12))

    forgotten.refresh_from_db()
    assert forgotten.status == PoaStatus.EXPIRED
    assert {message.to[0] for message in reminders()} == {forgotten.customer.email}
    assert len(reminders()) == 3


def test_owed_reminder_is_not_sent_after_a_decline(monkeypatch: Any, settings: Any) -> None:
    poa = sent_poa()
    answer_with(monkeypatch, settings, greylisted(poa.customer.email))
    sweep(FIRST)
    answer_with(monkeypatch, settings, None)
    actions.decline_poa(poa_id=poa.pk, by=Actor.customer(poa.customer.public_id), at=FIRST)

    live(FIRST + timedelta(hours=3), since=FIRST, every=timedelta(minutes=10))

    assert reminders() == []
    assert poa.mails.get(kind=MailKind.REMINDER).state == MailState.OVERTAKEN


def test_visit_postpones_the_reminder_without_losing_it() -> None:
    poa = sent_poa()
    prove_contact(poa, at=FIRST - timedelta(hours=1))

    live(FIRST + timedelta(days=2), since=FIRST)

    sent = poa.mails.get(kind=MailKind.REMINDER).sent_at
    assert sent is not None
    assert sent >= FIRST + timedelta(hours=23)


def test_two_simultaneous_checks_owe_one() -> None:
    poa = sent_poa()

    owed = [actions.consider_reminder(poa_id=poa.pk, at=FIRST) for _ in range(2)]

    assert [each is not None for each in owed] == [True, False]
    assert poa.mails.filter(kind=MailKind.REMINDER).count() == 1


class WorkerDied(BaseException):
    """An error that no code catches."""


def test_worker_dying_after_sending_sends_no_second_one(monkeypatch: Any) -> None:
    poa = sent_poa()

    def die(*_: object, **__: object) -> None:
        raise WorkerDied

    with monkeypatch.context() as dying:
        dying.setattr(mails, "_mark_sent", die)
        with pytest.raises(WorkerDied):
            sweep(FIRST)
    live(FIRST + timedelta(days=6), since=FIRST)
    lost = poa.mails.get(kind=MailKind.REMINDER)
    after_a_week = len(reminders())
    live(FIRST + timedelta(days=8), since=FIRST + timedelta(days=6))

    assert (lost.state, after_a_week) == (MailState.UNCERTAIN, 1)
    assert len(reminders()) == 2


def test_connection_lost_during_sending_is_not_retried(monkeypatch: Any, settings: Any) -> None:
    sent_poa()
    answer_with(monkeypatch, settings, ConnectionResetError("cut"), after_taking=True)
    sweep(FIRST)
    answer_with(monkeypatch, settings, None)

    live(FIRST + timedelta(days=5), since=FIRST)

    assert len(reminders()) == 1


def test_temporary_mail_refusal_sends_the_reminder_later(monkeypatch: Any, settings: Any) -> None:
    poa = sent_poa()
    answer_with(monkeypatch, settings, greylisted(poa.customer.email))
    sweep(FIRST)
    answer_with(monkeypatch, settings, None)

    live(FIRST + timedelta(hours=1), since=FIRST, every=timedelta(minutes=1))

    assert len(reminders()) == 1


def test_new_invitation_restarts_the_count() -> None:
    set_company_rules(max_reminders=1)
    poa = sent_poa()
    live(SIGNED_AT + timedelta(days=12))
    before = len(reminders())
    again = SIGNED_AT + timedelta(days=12)
    actions.send_poa(poa_id=poa.pk, by=STAFF, at=again)

    live(again + timedelta(days=20), since=again)

    assert (before, len(reminders())) == (1, 2)


def test_new_address_gets_the_reminder() -> None:
    poa = sent_poa()
    customer = poa.customer
    correct_contact(
        customer_id=customer.pk, email="new.address@example.com", phone="", language="es", by=SYSTEM, at=SIGNED_AT
    )

    live(FIRST + timedelta(hours=6), since=SIGNED_AT)

    assert [message.to for message in reminders()] == [["new.address@example.com"]]
    assert reminders()[0].subject.startswith("Recordatorio")


def test_reminders_are_in_the_journal() -> None:
    poa = sent_poa()

    sweep(FIRST)

    kinds = list(poa.evidence.order_by("number").values_list("kind", flat=True))[-3:]
    assert kinds == ["remind", "link_made", "mail_sent"]
