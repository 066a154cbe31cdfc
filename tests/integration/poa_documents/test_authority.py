"""Authority and the records around it, and the tasks that move a POA forward."""

from datetime import date, timedelta

import pytest

from core.dates import chicago_day
from installations.actions import cancel_installation
from installations.models import Installation
from poa_documents import authority_check, tasks
from poa_documents.states import PoaStatus
from tests.factories.installations import installation
from tests.factories.poa_documents import SIGNED_AT, STAFF, sealing_poa, sent_poa, signed_poa
from tests.integration.poa_documents.portal_visits import fresh

pytestmark = pytest.mark.django_db


def with_embargo(job: Installation, until: date) -> Installation:
    Installation.objects.filter(pk=job.pk).update(embargo_end_date=until)
    return job


def test_latest_embargo_at_the_site_counts() -> None:
    poa = signed_poa()
    today = chicago_day(SIGNED_AT)
    for days in (2, 5):
        with_embargo(installation(SIGNED_AT, customer=poa.customer, site=poa.site), today + timedelta(days=days))

    with pytest.raises(authority_check.EmbargoRunning) as refusal:
        authority_check.check_authority(fresh(poa), esi_id=poa.site.esi_id, at=SIGNED_AT + timedelta(days=5))

    assert refusal.value.until == today + timedelta(days=5)
    authority_check.check_authority(fresh(poa), esi_id=poa.site.esi_id, at=SIGNED_AT + timedelta(days=6))


def test_embargo_of_a_canceled_job_no_longer_counts() -> None:
    poa = signed_poa()
    job = installation(SIGNED_AT, customer=poa.customer, site=poa.site)
    with_embargo(job, chicago_day(SIGNED_AT) + timedelta(days=5))
    cancel_installation(installation_id=job.pk, reason="Canceled in time.", by=STAFF, at=SIGNED_AT)

    authority_check.check_authority(fresh(poa), esi_id=poa.site.esi_id, at=SIGNED_AT)


def test_queued_seal_is_made_once() -> None:
    poa = sealing_poa()

    words = [tasks.seal_poa_task(poa_id=poa.pk, something_from_a_later_version=1) for _ in range(2)]

    assert words == ["SEALED", "ALREADY_SEALED"]
    assert fresh(poa).status == PoaStatus.SIGNED


def test_late_message_about_a_sent_mail_does_nothing() -> None:
    poa = sent_poa()
    mail = poa.mails.get()
    before = fresh(poa).token_hash

    word = tasks.send_mail_task(mail_id=mail.pk)

    assert word == "NOT_NEEDED"
    assert fresh(poa).token_hash == before


def test_sweep_cost_depends_on_due_rows_only(django_assert_max_num_queries: object) -> None:
    for _ in range(3):
        signed_poa()
    tasks.sweep_poas_task()

    # due POAs, changed addresses, due mails, late time stamps, the newest anchor, and the sweep's own row
    with django_assert_max_num_queries(8):  # type: ignore[operator]
        tasks.sweep_poas_task()
