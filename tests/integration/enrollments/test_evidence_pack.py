"""The evidence pack is complete, identical each time and free of secrets, and any change to it is reported."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import hypothesis
import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from hypothesis import strategies as st

from core import stored_files
from core.actors import Actor
from core.dates import chicago_day
from enrollments.actions import plan_documents, wakeups, webhooks
from enrollments.actions.evidence_download import hand_out_evidence
from enrollments.evidence_pack import verify_pack
from enrollments.evidence_pack.building import PackNotMade, PackSummary, build, file_info
from enrollments.light.documents import DocumentFetcher
from enrollments.models import Enrollment, EvidencePackRead, PlanDocument, WebhookDelivery
from enrollments.states import EnrollmentStatus
from installations.proofs import CheckedProof, check_proof
from poa_documents import actions as poa_actions
from poa_documents.actions.anchors import anchor_journal
from poa_documents.models import EvidenceEntry, PoaDocument
from tests import pdf_files
from tests.contract.dialects import DIALECT_PAIRS, DialectPair
from tests.factories.installations import go_live_report
from tests.factories.poa_documents import drafted_poa, sent_poa
from tests.integration.enrollments.flow import Flow
from tests.integration.installations.test_proofs_without_storage import SENT
from tests.journal_guard import guard_lifted

pytestmark = pytest.mark.django_db
STAFF = Actor.staff(UUID(int=7))


@pytest.fixture
def pair() -> DialectPair:
    """One dialect is enough: a pack is made of our own records."""
    return DIALECT_PAIRS[0]


def letter() -> CheckedProof:
    content = pdf_files.letter(words=b"Permission to operate is granted.")
    return check_proof(io.BytesIO(content), name="letter.pdf", size_bytes=len(content))


def from_pto_to_active(flow: Flow) -> Enrollment:
    """A whole case: signed, reported with proof, accepted, documents stored, finalized, active, with a webhook."""
    enrollment = flow.case()
    flow.run(enrollment)
    flow.finish_at_light(enrollment)
    flow.pass_time(timedelta(days=20))
    go_live_report(enrollment.installations.get(), at=flow.clock.at, proofs=[letter()])
    wakeups.make_due(enrollment_id=enrollment.pk, at=flow.clock.at)
    flow.run(enrollment)
    fetcher = DocumentFetcher(allowed_origins=[flow.simulator.url])
    for document_id in plan_documents.due_documents(at=flow.clock.at, limit=10):
        plan_documents.fetch_document(document_id=document_id, fetcher=fetcher, at=flow.clock.at)
    body = {"event": "account.payment_method_added", "account": {"email": "somebody@example.com"}, "token": "tok-abc"}
    webhooks.store_delivery(body=json.dumps(body).encode(), headers={}, at=flow.clock.at)
    WebhookDelivery.objects.update(enrollment=enrollment)
    flow.live(enrollment, timedelta(days=40), until=lambda: enrollment.status == EnrollmentStatus.ACTIVE)
    assert enrollment.status == EnrollmentStatus.ACTIVE
    return enrollment


def made(enrollment: Enrollment) -> tuple[bytes, PackSummary]:
    target = io.BytesIO()
    summary = build(enrollment.pk, target)
    return target.getvalue(), summary


def checked(content: bytes) -> tuple[list[str], int]:
    """What the verifier reports, and its exit status."""
    try:
        problems, _notes, status = verify_pack.verify(io.BytesIO(content))
    except verify_pack.NotAPack as refusal:
        return [str(refusal)], verify_pack.UNREADABLE
    return problems, status


def files_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repacked(files: dict[str, bytes]) -> bytes:
    """What a careful forger makes: the same archive with a matching manifest."""
    manifest = json.loads(files[verify_pack.MANIFEST])
    names = sorted(name for name in files if name != verify_pack.MANIFEST)
    manifest["files"] = [
        {"path": name, "sha256": hashlib.sha256(files[name]).hexdigest(), "size_bytes": len(files[name])}
        for name in names
    ]
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            with archive.open(file_info(name), "w") as entry:
                entry.write(files[name])
        with archive.open(file_info(verify_pack.MANIFEST), "w") as entry:
            entry.write(verify_pack.canonical(manifest))
    return target.getvalue()


def test_pack_has_the_whole_case_and_verifies(flow: Flow, tmp_path: Path) -> None:
    enrollment = from_pto_to_active(flow)
    poa = PoaDocument.objects.get(site=enrollment.site)

    content, summary = made(enrollment)

    files = files_of(content)
    folder = f"authority/poa-{poa.public_id}"
    assert summary.missing == ()
    assert checked(content) == ([], verify_pack.INTACT)
    assert {f"{folder}/document.pdf", f"{folder}/journal.jsonl", f"{folder}/consents.json"} <= files.keys()
    assert len([name for name in files if name.startswith("plan/") and name.endswith(".html")]) == 3
    assert len([name for name in files if name.startswith("go-live/proof-")]) == 1
    assert len(files["light/offers.jsonl"].splitlines()) == enrollment.offers.count()
    assert json.loads(files["case/date-plan.json"])[0]["bounds"]["earliest"]["rule"]
    assert files["story.pdf"].startswith(b"%PDF-")
    verifier = tmp_path / "verify_pack.py"
    verifier.write_bytes(files["verify_pack.py"])
    pack = tmp_path / "pack.zip"
    pack.write_bytes(content)
    run = subprocess.run(  # noqa: S603 - our own program, in our own Python
        [sys.executable, "-I", "-S", str(verifier), str(pack), "--expect", summary.sha256],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout.splitlines()[-1][:7], run.stderr) == (0, "INTACT.", "")


def test_same_facts_give_identical_bytes_after_reading(flow: Flow) -> None:
    enrollment = from_pto_to_active(flow)

    first = hand_out_evidence(enrollment_id=enrollment.pk, by=STAFF, at=flow.clock.at)
    flow.clock.at += timedelta(days=3)
    second = hand_out_evidence(enrollment_id=enrollment.pk, by=STAFF, at=flow.clock.at)

    with first.file as one, second.file as other:
        assert one.read() == other.read()
    reads = EvidencePackRead.objects.filter(enrollment=enrollment, actor=str(STAFF))
    assert {read.sha256 for read in reads} == {first.summary.sha256}
    assert reads.count() == 2


def test_pack_has_no_secrets_and_minimal_personal_data(flow: Flow) -> None:
    enrollment = from_pto_to_active(flow)
    content, _ = made(enrollment)
    poa = PoaDocument.objects.get(site=enrollment.site)

    for name, text in files_of(content).items():
        if name.endswith("document.pdf"):
            continue
        assert str(enrollment.customer.date_of_birth).encode() not in text, name
        for secret in (flow.simulator.app_token, flow.simulator.webhook_secret, "tok-abc", poa.token_hash):
            assert not secret or secret.encode() not in text, name
        assert b"/portal/" not in text, name
        assert b"signature_text" not in text, name


def test_any_altered_byte_is_reported_or_refused(flow: Flow) -> None:
    content, _ = made(from_pto_to_active(flow))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        places = [(info.header_offset, info.filename) for info in archive.infolist()]
        directory = archive.start_dir

    @hypothesis.settings(max_examples=300, deadline=None)
    @hypothesis.given(data=st.data())
    def alter(data: st.DataObject) -> None:
        start, name = data.draw(st.sampled_from([*places, (directory, "the directory")]))
        end = min([other for other, _ in places if other > start] + [directory if start < directory else len(content)])
        at = data.draw(st.integers(start, end - 1))
        flip = data.draw(st.integers(1, 255))
        altered = content[:at] + bytes([content[at] ^ flip]) + content[at + 1 :]

        problems, status = checked(altered)

        assert status in {verify_pack.ALTERED, verify_pack.UNREADABLE}
        assert problems
        if status == verify_pack.ALTERED and start < directory:
            assert any(name in problem for problem in problems), (name, problems)

    alter()


def _appended(content: bytes) -> bytes:
    return content + b"\0"


def _prefixed(content: bytes) -> bytes:
    return b"\0" + content


def _cut(content: bytes) -> bytes:
    return content[:-30]


def _commented(content: bytes) -> bytes:
    return content[:-2] + b"\5\0hello"


def _doubled(content: bytes) -> bytes:
    target = io.BytesIO(content)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(target, "a") as archive:
        archive.writestr("case/case.json", b"{}")
    return target.getvalue()


def _added(content: bytes) -> bytes:
    target = io.BytesIO(content)
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("case/more.json", b"{}")
    return target.getvalue()


def _squeezed(content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files_of(content).items():
            archive.writestr(name, text)
    return target.getvalue()


Forgery = Callable[[dict[str, bytes]], str]


def named(files: dict[str, bytes], part: str) -> str:
    return next(name for name in sorted(files) if part in name)


def altered(part: str, old: bytes, new: bytes) -> Forgery:
    def forge(files: dict[str, bytes]) -> str:
        name = named(files, part)
        assert old in files[name]
        files[name] = files[name].replace(old, new, 1)
        return name

    return forge


def dropped(part: str) -> Forgery:
    def forge(files: dict[str, bytes]) -> str:
        name = named(files, part)
        del files[name]
        return name

    return forge


def without_fourth_line(part: str) -> Forgery:
    def forge(files: dict[str, bytes]) -> str:
        name = named(files, part)
        lines = files[name].splitlines(keepends=True)
        files[name] = b"".join(lines[:3] + lines[4:])
        return name

    return forge


FORGERIES = {
    "another document": altered("document.pdf", b"%PDF-", b"%PDF+"),
    "no document": dropped("document.pdf"),
    "another entry": altered("journal.jsonl", b'"kind":"sign"', b'"kind":"sing"'),
    "an entry less": without_fourth_line("journal.jsonl"),
    "other words": altered("consents.json", b'"words": "', b'"words": "Not '),
    "another offer": altered("offers.jsonl", b'"avg_cents_per_kwh_1000":"', b'"avg_cents_per_kwh_1000":"9'),
    "another acceptance": altered("acceptances.json", b'"offer_sha256": "', b'"offer_sha256": "0'),
    "another label": altered("plan/efl", b"<html", b"<HTML"),
    "no label": dropped("plan/efl"),
    "no list of documents": dropped("plan/documents.json"),
    "another event": altered("case/events.jsonl", b'"name":"confirm"', b'"name":"confess"'),
    "another letter": altered("go-live/proof-", b"granted", b"refused"),
}
"""What a forger does to the files; each returns what the verifier must report."""


def test_rebuilt_manifest_is_still_detected(flow: Flow) -> None:
    content, summary = made(from_pto_to_active(flow))

    assert checked(repacked(files_of(content))) == ([], verify_pack.INTACT)
    for what, forge in FORGERIES.items():
        files = files_of(content)
        part = forge(files)

        problems, status = checked(repacked(files))

        assert status == verify_pack.ALTERED, what
        assert any(part in problem for problem in problems), (what, problems)
    files = files_of(content)
    files["story.pdf"] += b"%"
    _, _, status = verify_pack.verify(io.BytesIO(repacked(files)), expected=summary.sha256)
    assert status == verify_pack.ALTERED


def test_rewritten_journal_no_longer_matches_its_anchor(flow: Flow) -> None:
    enrollment = from_pto_to_active(flow)
    flow.clock.at += timedelta(days=1)
    anchor_journal(at=flow.clock.at)
    content, _ = made(enrollment)
    files = files_of(content)
    journal = named(files, "journal.jsonl")
    anchor = named(files, "authority/anchors/")
    _, notes, status = verify_pack.verify(io.BytesIO(content))
    assert status == verify_pack.INTACT
    assert any(f"of which anchor {anchor[18:-5]} saw" in note for note in notes)

    rewritten, previous = [], ""
    for line in files[journal].splitlines():
        entry = json.loads(line)
        entry.pop("sha256")
        entry["previous_sha256"] = previous
        entry["actor"] = entry["actor"].replace("system", "light")
        previous = verify_pack.sha256_of(entry)
        rewritten.append(verify_pack.canonical({**entry, "sha256": previous}) + b"\n")
    files[journal] = b"".join(rewritten)
    problems, status = checked(repacked(files))

    assert status == verify_pack.ALTERED
    assert any("it is not the journal that the anchor" in problem for problem in problems)


def test_paper_signature_includes_its_scan(flow: Flow) -> None:
    enrollment = flow.case(signed=False)
    job = enrollment.installations.get()
    poa = drafted_poa(customer=job.customer, site=job.site, at=flow.clock.at)
    poa_actions.print_for_paper(poa_id=poa.pk, by=STAFF, at=flow.clock.at)
    poa_actions.record_paper(
        poa_id=poa.pk, scan=letter(), signed_date=chicago_day(flow.clock.at), by=STAFF, at=flow.clock.at
    )
    poa_actions.confirm_paper(poa_id=poa.pk, by=Actor.staff(UUID(int=8)), at=flow.clock.at)
    poa_actions.seal_poa(poa_id=poa.pk, at=flow.clock.at)

    content, _ = made(enrollment)

    assert checked(content) == ([], verify_pack.INTACT)
    files = files_of(content)
    scan = named(files, "/scan-")
    files[scan] += b" "
    problems, _ = checked(repacked(files))
    assert any(scan in problem for problem in problems)


def test_photos_are_included_as_stored_and_as_sent(flow: Flow) -> None:
    enrollment = from_pto_to_active(flow)
    photo = check_proof(io.BytesIO(SENT), name="letter.jpg", size_bytes=len(SENT))
    go_live_report(enrollment.installations.get(), at=flow.clock.at, proofs=[photo])

    content, _ = made(enrollment)

    assert checked(content) == ([], verify_pack.INTACT)
    files = files_of(content)
    received = named(files, "-as-received.jpg")
    assert files[received] == SENT
    files[received] += b" "
    problems, _ = checked(repacked(files))
    assert any(received in problem for problem in problems)


def test_scan_is_included_as_it_was_sent(flow: Flow) -> None:
    enrollment = flow.case(signed=False)
    job = enrollment.installations.get()
    poa = drafted_poa(customer=job.customer, site=job.site, at=flow.clock.at)
    poa_actions.print_for_paper(poa_id=poa.pk, by=STAFF, at=flow.clock.at)
    scan = check_proof(io.BytesIO(SENT), name="scan.jpg", size_bytes=len(SENT))
    poa_actions.record_paper(
        poa_id=poa.pk, scan=scan, signed_date=chicago_day(flow.clock.at), by=STAFF, at=flow.clock.at
    )

    content, _ = made(enrollment)

    assert checked(content) == ([], verify_pack.INTACT)
    files = files_of(content)
    received = named(files, "-as-received.jpg")
    assert files[received] == SENT
    files[received] += b" "
    problems, _ = checked(repacked(files))
    assert any(received in problem for problem in problems)


def test_archive_that_is_not_exactly_ours_is_refused(flow: Flow) -> None:
    content, _ = made(from_pto_to_active(flow))

    for alter in (_appended, _prefixed, _cut, _commented, _doubled, _added, _squeezed):
        problems, status = checked(alter(content))

        assert status in {verify_pack.ALTERED, verify_pack.UNREADABLE}, alter
        assert problems


def test_lost_file_is_named_and_the_rest_delivered(flow: Flow) -> None:
    enrollment = from_pto_to_active(flow)
    lost = PlanDocument.objects.filter(kind="TOS").get()
    storages["default"].delete(lost.storage_key)

    content, summary = made(enrollment)

    assert [each.sha256 for each in summary.missing] == [lost.sha256]
    problems, status = checked(content)
    assert (problems, status) == ([], verify_pack.INCOMPLETE)


def test_unreachable_storage_gives_no_pack(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    enrollment = from_pto_to_active(flow)

    def hang(*_arguments: object) -> bytes:
        raise TimeoutError

    monkeypatch.setattr(stored_files, "read", hang)

    with pytest.raises(PackNotMade, match="try again"):
        hand_out_evidence(enrollment_id=enrollment.pk, by=STAFF, at=flow.clock.at)
    assert not EvidencePackRead.objects.exists()


def test_case_without_a_signature_has_a_pack_too(flow: Flow, tmp_path: Path) -> None:
    enrollment = flow.case(signed=False)
    job = enrollment.installations.get()
    sent_poa(customer=job.customer, site=job.site, at=flow.clock.at)
    target = tmp_path / "pack.zip"

    call_command("evidence", enrollment.public_id, to=target)

    assert checked(target.read_bytes()) == ([], verify_pack.INTACT)
    assert target.stat().st_mode & 0o077 == 0
    with pytest.raises(Exception, match="cannot be written"):
        call_command("evidence", enrollment.public_id, to=target)
    with pytest.raises(Exception, match="There is no enrollment"):
        call_command("evidence", uuid4(), to=tmp_path / str(uuid4()))


def test_pack_of_a_tampered_journal_says_so(flow: Flow, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    enrollment = flow.case()
    target = tmp_path / "pack.zip"
    entry = EvidenceEntry.objects.get(poa__site=enrollment.site, number=2)
    with guard_lifted():
        EvidenceEntry.objects.filter(pk=entry.pk).update(kind="another")

    with pytest.raises(CommandError, match=r"written, but .* tampered with.*journal verify"):
        call_command("evidence", enrollment.public_id, to=target)

    assert "ALTERED: authority/poa-" in capsys.readouterr().err
    assert target.stat().st_mode & 0o777 == 0o600
    pack = hand_out_evidence(enrollment_id=enrollment.pk, by=STAFF, at=flow.clock.at)
    with pack.file:
        assert pack.name.startswith("ALTERED-evidence-")
    with guard_lifted():  # every test of this kind ends with all promises kept
        EvidenceEntry.objects.filter(pk=entry.pk).update(kind=entry.kind)
