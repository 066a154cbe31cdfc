"""Whether a POA lets us act: every reason for a refusal, over its whole input space."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dates import chicago_day
from installations.models import Customer, Site
from poa_documents import authority_check
from poa_documents.models import Envelope, PoaDocument
from poa_documents.states import PoaStatus
from tests.factories.poa_documents import has_authority

ESI_ID = "10443720000000001"
AT = datetime(2026, 3, 10, 18, 0, tzinfo=UTC)
SUNSET = date(2026, 6, 1)


@pytest.fixture(autouse=True)
def no_embargo(monkeypatch: pytest.MonkeyPatch) -> None:
    obstruct(monkeypatch, embargo_end=None)


def obstruct(monkeypatch: pytest.MonkeyPatch, *, embargo_end: date | None) -> None:
    found = authority_check.Obstructions(is_stopped=False, has_signer_doubt=False, embargo_end=embargo_end)
    monkeypatch.setattr(authority_check, "find_obstructions", lambda _poa: found)


def poa(status: str = PoaStatus.SIGNED, *, uses: int = 1, **changes: Any) -> PoaDocument:
    fields: dict[str, Any] = {
        "status": status,
        "signed_at": AT - timedelta(days=1),
        "sealed_at": AT - timedelta(days=1),
        "pdf_storage_key": "poa/aa/aa.pdf",
        "pdf_sha256": "a" * 64,
        "pdf_size_bytes": 9,
        **changes,
    }
    return PoaDocument(
        pk=1,
        customer=Customer(pk=1),
        site=Site(pk=1, esi_id=ESI_ID),
        envelope=Envelope(esi_id=ESI_ID, sunset_date=SUNSET, uses=uses),
        **fields,
    )


def test_signed_sealed_unused_poa_lets_us_act() -> None:
    authority_check.check_authority(poa(), esi_id=ESI_ID, at=AT)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (PoaStatus.DRAFT, authority_check.AuthorityNotSigned),
        (PoaStatus.SENT, authority_check.AuthorityNotSigned),
        (PoaStatus.SEALING, authority_check.AuthorityNotSigned),
        (PoaStatus.DECLINED, authority_check.AuthorityNotSigned),
        (PoaStatus.EXPIRED, authority_check.AuthorityNotSigned),
        (PoaStatus.VOIDED, authority_check.AuthorityNotSigned),
        (PoaStatus.REVOKED, authority_check.AuthorityRevoked),
        (PoaStatus.SUSPENDED, authority_check.AuthoritySuspended),
        (PoaStatus.SUPERSEDED, authority_check.AuthorityEnded),
        (PoaStatus.LAPSED, authority_check.AuthorityEnded),
        (PoaStatus.EXHAUSTED, authority_check.AuthorityUsedUp),
    ],
)
def test_every_other_status_is_a_consent_failure_for_staff(
    status: str, reason: type[authority_check.AuthorityMissing]
) -> None:
    with pytest.raises(reason) as refusal:
        authority_check.check_authority(poa(status), esi_id=ESI_ID, at=AT)

    assert refusal.value.is_consent_failure
    assert len(refusal.value.for_staff) > 20


@given(
    status=st.sampled_from(PoaStatus.values),
    missing=st.sets(st.sampled_from(["signed_at", "sealed_at", "pdf_sha256", "pdf_storage_key", "pdf_size_bytes"])),
    esi_id=st.sampled_from([ESI_ID, "", "10443720000000002", ESI_ID[:-1]]),
    day_offset=st.integers(-400, 400),
    uses=st.integers(1, 3),
    uses_made=st.integers(0, 4),
    concluding=st.booleans(),
)
def test_I1_only_a_complete_authority_passes(
    status: str, missing: set[str], esi_id: str, day_offset: int, uses: int, uses_made: int, *, concluding: bool
) -> None:
    at = datetime(2026, 6, 1, 23, 0, tzinfo=UTC) + timedelta(days=day_offset)
    blanks: dict[str, Any] = {name: "" if name in {"pdf_sha256", "pdf_storage_key"} else None for name in missing}
    checked = poa(status, uses=uses, uses_made=uses_made, **blanks)

    try:
        authority_check.check_authority(checked, esi_id=esi_id, at=at, concluding=concluding)
    except authority_check.AuthorityMissing:
        return

    assert status == PoaStatus.SIGNED or (concluding and status == PoaStatus.EXHAUSTED)
    assert not missing
    assert esi_id == ESI_ID
    assert chicago_day(at) <= SUNSET
    assert concluding or uses_made < uses


def test_own_use_does_not_prevent_finalizing() -> None:
    used = poa(PoaStatus.EXHAUSTED, uses_made=1)

    authority_check.check_authority(used, esi_id=ESI_ID, at=AT, concluding=True)
    with pytest.raises(authority_check.AuthorityUsedUp):
        authority_check.check_authority(used, esi_id=ESI_ID, at=AT)


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        (datetime(2026, 6, 2, 4, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 6, 2, 5, 0, tzinfo=UTC), False),
    ],
)
def test_sunset_is_the_end_of_a_chicago_day(at: datetime, *, holds: bool) -> None:
    assert has_authority(poa(), esi_id=ESI_ID, at=at) is holds


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        (datetime(2026, 12, 1, 5, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 12, 1, 6, 0, tzinfo=UTC), True),
    ],
)
def test_embargo_lasts_through_its_last_chicago_day(
    at: datetime, monkeypatch: pytest.MonkeyPatch, *, holds: bool
) -> None:
    """The worked example: signed 2026-11-19, so the first action is on Tuesday 2026-12-01."""
    obstruct(monkeypatch, embargo_end=date(2026, 11, 30))
    signed = poa()
    signed.envelope.sunset_date = date(2027, 6, 1)

    assert has_authority(signed, esi_id=ESI_ID, at=at) is holds


def test_embargo_is_a_wait_and_no_consent_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    obstruct(monkeypatch, embargo_end=date(2026, 3, 10))

    with pytest.raises(authority_check.EmbargoRunning) as refusal:
        authority_check.check_authority(poa(), esi_id=ESI_ID, at=AT)

    assert (refusal.value.is_consent_failure, refusal.value.until) == (False, date(2026, 3, 10))


def test_site_with_a_meter_corrected_after_signing_is_refused() -> None:
    signed = poa()
    signed.site.esi_id = "10443720000000009"

    with pytest.raises(authority_check.AuthorityForOtherMeter, match="10443720000000009"):
        authority_check.check_authority(signed, esi_id=ESI_ID, at=AT)
