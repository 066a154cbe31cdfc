"""The journal: what the database refuses, what the chain shows, and what only the anchors show."""

import json
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from core.actors import OPERATOR
from core.models import LastSweep
from core.queue import TaskName
from core.stored_files import FileNotStored
from enrollments.monitoring.alarms import AlarmCode, alarms
from enrollments.monitoring.measures import measure
from poa_documents.actions import AnchorOutcome, anchor_journal, anchors, sweep_poas
from poa_documents.journal import chain
from poa_documents.journal.verification import GUARDED_TABLES, anchor_content, verify_journal
from poa_documents.models import DestructionProof, EvidenceEntry, JournalAnchor, PoaDocument
from tests.factories.installations import installation
from tests.factories.poa_documents import SIGNED_AT, STAFF, plan_promise, sent_poa, signed_poa
from tests.journal_guard import guard_lifted

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_storage"), pytest.mark.sqlite]

AT = SIGNED_AT + timedelta(hours=2)
TABLE = EvidenceEntry._meta.db_table


def rewritten(poa: PoaDocument, **changed: Any) -> None:
    """Forge the whole chain of a POA from its first entry, so that every link matches."""
    previous = ""
    with guard_lifted():
        for entry in EvidenceEntry.objects.filter(poa=poa).order_by("number"):
            fields = {"previous_sha256": previous, **(changed if entry.number == 2 else {})}
            for name, value in fields.items():
                setattr(entry, name, value)
            previous = chain._sha256(entry)
            EvidenceEntry.objects.filter(pk=entry.pk).update(**fields, sha256=previous)


def cut_off(poa: PoaDocument, entries: int) -> None:
    with guard_lifted():
        last = EvidenceEntry.objects.filter(poa=poa).count()
        EvidenceEntry.objects.filter(poa=poa, number__gt=last - entries).delete()


def first_finding() -> tuple[str | None, int | None]:
    finding = verify_journal().findings[0]
    return finding.poa, finding.entry


# What the database refuses


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE {TABLE} SET actor = 'staff:9'",
        f"UPDATE {TABLE} SET sha256 = sha256",
        f"DELETE FROM {TABLE}",
        f"DELETE FROM {TABLE} WHERE number = 2",
    ],
)
def test_database_refuses_to_change_the_journal(statement: str) -> None:
    poa = sent_poa()
    before = list(EvidenceEntry.objects.values())

    with pytest.raises(IntegrityError, match="only ever added"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert list(EvidenceEntry.objects.values()) == before
    assert chain.verify(poa).is_intact


def test_database_refuses_to_replace_a_row() -> None:
    poa = sent_poa()
    entry = EvidenceEntry.objects.get(poa=poa, number=1)
    replace = (
        f"INSERT OR REPLACE INTO {TABLE} "
        "(id, public_id, number, kind, actor, at, details, previous_sha256, sha256, poa_id) "
        "SELECT id, public_id, number, kind, 'staff:9', at, details, previous_sha256, sha256, poa_id "
        f"FROM {TABLE} WHERE id = %s"
        if connection.vendor == "sqlite"
        else f"INSERT INTO {TABLE} SELECT * FROM {TABLE} WHERE id = %s ON CONFLICT (id) DO UPDATE SET actor = 'staff:9'"
    )

    with pytest.raises(IntegrityError, match="only ever added"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(replace, [entry.pk])

    assert EvidenceEntry.objects.get(pk=entry.pk).actor == entry.actor


@pytest.mark.parametrize("table", GUARDED_TABLES)
def test_anchors_and_proofs_are_protected_like_entries(table: str) -> None:
    poa = signed_poa()
    anchor_journal(at=AT)
    with transaction.atomic():
        chain.destroy(poa, reason="its time was over", by=OPERATOR, at=AT)
    sent_poa()

    for statement in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}"):
        with pytest.raises(IntegrityError, match="only ever added"), transaction.atomic():
            connection.cursor().execute(statement)


def test_postgresql_refuses_to_truncate_the_tables() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite empties a table by deleting its rows, which another test refuses.")
    sent_poa()
    connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")  # otherwise it is refused for another reason

    with pytest.raises(IntegrityError, match="only ever added"), transaction.atomic():
        connection.cursor().execute(f"TRUNCATE {TABLE}")


def test_missing_triggers_are_reported() -> None:
    sent_poa()
    names = {"sqlite": f"{TABLE}_is_kept", "postgresql": f"{TABLE}_is_final ON {TABLE}"}

    connection.cursor().execute(f"DROP TRIGGER {names[connection.vendor]}")

    assert [finding.text for finding in verify_journal().findings] == [
        f"The database no longer protects {TABLE}: its triggers are missing or disabled."
    ]


# What the chain shows


def test_untouched_journal_verifies() -> None:
    signed_poa()
    anchor_journal(at=AT)
    sent_poa()
    anchor_journal(at=AT + timedelta(days=1))

    report = verify_journal()

    assert report.findings == []
    assert (report.chains, report.anchors) == (2, 2)
    assert report.entries == EvidenceEntry.objects.count()


@pytest.mark.parametrize("change", [{"actor": "staff:9"}, {"kind": "other"}, {"at": AT}, {"details": {"reason": "no"}}])
def test_altered_entry_is_named_with_its_poa(change: dict[str, Any]) -> None:
    sent_poa()
    poa = sent_poa()
    with guard_lifted():
        EvidenceEntry.objects.filter(poa=poa, number=2).update(**change)

    assert first_finding() == (str(poa.public_id), 2)


# What only the anchors show


def test_truncated_tail_is_detected() -> None:
    poa = signed_poa()
    entries = poa.evidence.count()
    anchor_journal(at=AT)

    cut_off(poa, entries=2)

    assert chain.verify(poa).is_intact  # the chain alone shows nothing
    assert first_finding() == (str(poa.public_id), entries - 1)


def test_truncated_tail_is_detected_after_new_entries() -> None:
    poa = signed_poa()
    entries = poa.evidence.count()
    anchor_journal(at=AT)
    cut_off(poa, entries=1)
    with transaction.atomic():
        chain.record(poa, kind="note", by=STAFF, at=AT)
        chain.record(poa, kind="note", by=STAFF, at=AT)

    assert chain.verify(poa).is_intact
    assert first_finding() == (str(poa.public_id), entries)


def test_rewritten_chain_is_detected() -> None:
    poa = signed_poa()
    anchor_journal(at=AT)

    rewritten(poa, actor="staff:9")

    assert chain.verify(poa).is_intact
    assert first_finding() == (str(poa.public_id), poa.evidence.count())


def test_missing_chain_is_detected() -> None:
    poa = signed_poa()
    anchor_journal(at=AT)

    with guard_lifted():
        EvidenceEntry.objects.filter(poa=poa).delete()

    assert first_finding() == (str(poa.public_id), 1)


def test_altered_anchor_file_is_named() -> None:
    sent_poa()
    anchor_journal(at=AT)
    anchor = JournalAnchor.objects.get()
    storage = storages["default"]
    with storage.open(anchor.storage_key, "r+b") as file:
        file.seek(-3, 2)
        file.write(b"9")

    assert "no longer has the bytes" in str(verify_journal().findings[0])


def test_forged_rows_do_not_match_stored_anchors() -> None:
    poa = signed_poa()
    anchor_journal(at=AT)
    with guard_lifted():
        connection.cursor().execute(f"DELETE FROM {JournalAnchor._meta.db_table}")
    rewritten(poa, actor="staff:9")
    anchor_journal(at=AT + timedelta(days=1))

    texts = [str(finding) for finding in verify_journal().findings]

    assert any(f"POA {poa.public_id}:" in text for text in texts)


def test_anchor_newer_than_a_restore_can_be_excluded() -> None:
    poa = sent_poa()
    anchor_journal(at=AT)
    with transaction.atomic():
        chain.record(poa, kind="note", by=STAFF, at=AT)
    anchor_journal(at=AT + timedelta(days=1))
    overtaken = JournalAnchor.objects.get(number=2)
    with guard_lifted():  # what a restored backup of the first day looks like
        connection.cursor().execute(f"DELETE FROM {JournalAnchor._meta.db_table} WHERE number = 2")
    cut_off(poa, entries=1)

    findings = verify_journal().findings

    assert overtaken.sha256 in str(findings[0])
    assert verify_journal(left_out=[overtaken.sha256]).is_intact


# Anchors


def test_anchor_has_all_chain_heads_in_canonical_form() -> None:
    first, second = signed_poa(), sent_poa()

    assert anchor_journal(at=AT) == AnchorOutcome.ANCHORED

    anchor = JournalAnchor.objects.get()
    with storages["default"].open(anchor.storage_key) as file:
        content = file.read()
    said = json.loads(content)
    heads = {str(poa.public_id): EvidenceEntry.objects.filter(poa=poa).latest("number") for poa in (first, second)}
    assert said["chains"] == [[poa, head.number, head.sha256] for poa, head in heads.items()]
    assert content == chain.canonical_json(said).encode()
    assert anchor.sha256 in anchor.storage_key


def test_each_anchor_names_the_previous_one() -> None:
    sent_poa()
    for day in range(3):
        anchor_journal(at=AT + timedelta(days=day))

    first, second, third = JournalAnchor.objects.order_by("number")

    assert (second.previous_sha256, third.previous_sha256) == (first.sha256, second.sha256)


def test_empty_journal_is_not_anchored() -> None:
    assert anchor_journal(at=AT) == AnchorOutcome.NOTHING_TO_ANCHOR


def test_sweep_makes_a_missed_anchor_once() -> None:
    sent_poa()
    sweep_poas(at=AT)
    assert not JournalAnchor.objects.exists()

    for minutes in range(3):
        sweep_poas(at=AT + timedelta(days=2, minutes=minutes))

    assert JournalAnchor.objects.count() == 1


def test_sweep_does_not_retry_anchors_while_storage_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    sent_poa()
    tries = []

    def refuse(*_args: object, **_options: object) -> None:
        tries.append(1)
        raise FileNotStored("away")

    monkeypatch.setattr(anchors, "store", refuse)
    for seconds in range(0, 600, 5):
        sweep_poas(at=AT + timedelta(days=2, seconds=seconds))
    monkeypatch.undo()
    sweep_poas(at=AT + timedelta(days=2, minutes=20))

    assert len(tries) == 2
    assert JournalAnchor.objects.count() == 1
    assert LastSweep.objects.filter(task=TaskName.ANCHOR_JOURNAL).exists()


def test_unlistable_storage_stops_no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    sent_poa()

    def refuse(*_args: object) -> None:
        raise OSError("The storage is down.")

    monkeypatch.setattr(storages["default"], "listdir", refuse)
    sweep_poas(at=AT + timedelta(days=2))
    monkeypatch.undo()
    sweep_poas(at=AT + timedelta(days=2, minutes=20))

    assert JournalAnchor.objects.count() == 1


def test_second_writer_of_the_same_anchor_yields(monkeypatch: pytest.MonkeyPatch) -> None:
    sent_poa()

    def another_anchor_first(**arguments: Any) -> tuple[bytes, int, int]:
        monkeypatch.undo()
        assert anchor_journal(at=AT + timedelta(seconds=1)) == AnchorOutcome.ANCHORED
        return anchor_content(**arguments)

    monkeypatch.setattr(anchors, "anchor_content", another_anchor_first)

    assert anchor_journal(at=AT) == AnchorOutcome.ANCHORED_ELSEWHERE
    assert JournalAnchor.objects.count() == 1
    assert verify_journal().is_intact


def test_broken_journal_raises_an_alarm_until_repaired() -> None:
    poa = sent_poa()
    anchor_journal(at=AT)
    cut_off(poa, entries=1)
    anchor_journal(at=AT + timedelta(days=1))

    assert _codes(AT + timedelta(days=1)) & {AlarmCode.JOURNAL_BROKEN}


def test_missing_anchors_raise_an_alarm_after_two_days() -> None:
    sent_poa()

    assert AlarmCode.JOURNAL_NOT_ANCHORED not in _codes(AT + timedelta(days=1))
    assert AlarmCode.JOURNAL_NOT_ANCHORED in _codes(AT + timedelta(days=3))


# Destruction


def test_journal_is_destroyed_only_with_a_lasting_proof() -> None:
    poa, other = signed_poa(), sent_poa()
    anchor_journal(at=AT)
    entries, head = poa.evidence.count(), poa.evidence.latest("number").sha256

    with transaction.atomic():
        proof = chain.destroy(poa, reason="its time was over", by=OPERATOR, at=AT + timedelta(days=1))

    assert not poa.evidence.exists()
    assert other.evidence.exists()
    assert (proof.entries, proof.head_sha256, proof.poa_public_id) == (entries, head, poa.public_id)
    assert verify_journal().findings == []
    assert verify_journal().destroyed == entries


def test_chain_continues_after_a_destruction() -> None:
    poa = signed_poa()
    with transaction.atomic():
        proof = chain.destroy(poa, reason="its time was over", by=OPERATOR, at=AT)
        entry = chain.record(poa, kind="note", by=STAFF, at=AT)

    assert (entry.number, entry.previous_sha256) == (proof.entries + 1, proof.head_sha256)
    assert chain.verify(poa).is_intact
    assert verify_journal().is_intact
    with pytest.raises(IntegrityError), transaction.atomic():
        EvidenceEntry.objects.filter(poa=poa).delete()


def test_broken_journal_is_not_destroyed() -> None:
    poa = signed_poa()
    with guard_lifted():
        EvidenceEntry.objects.filter(poa=poa, number=2).update(actor="staff:9")

    with pytest.raises(chain.JournalBroken, match="altered"), transaction.atomic():
        chain.destroy(poa, reason="its time was over", by=OPERATOR, at=AT)

    assert not DestructionProof.objects.exists()


def test_forged_proof_is_detected() -> None:
    poa = signed_poa()
    anchor_journal(at=AT)
    with transaction.atomic():
        chain.destroy(poa, reason="its time was over", by=OPERATOR, at=AT)
    anchor_journal(at=AT + timedelta(days=1))
    with guard_lifted():
        DestructionProof.objects.update(reason="another")

    assert "Proof of destruction 1" in str(verify_journal().findings[0])


# The command


def test_command_says_every_link_holds() -> None:
    signed_poa()
    call_command("journal", "anchor", stdout=StringIO())
    said = StringIO()

    call_command("journal", "verify", stdout=said)

    assert "Every link holds." in said.getvalue()
    assert JournalAnchor.objects.get().sha256 in said.getvalue()


def test_command_fails_and_names_the_first_broken_link() -> None:
    poa = signed_poa()
    with guard_lifted():
        EvidenceEntry.objects.filter(poa=poa, number=3).update(kind="other")

    with pytest.raises(CommandError, match=rf"POA {poa.public_id}: Entry 3 .* was altered"):
        call_command("journal", "verify", stdout=StringIO())


def test_broken_journal_is_not_anchored_by_hand() -> None:
    poa = signed_poa()
    with guard_lifted():
        EvidenceEntry.objects.filter(poa=poa, number=3).update(kind="other")

    with pytest.raises(CommandError, match=rf"Nothing was anchored.*POA {poa.public_id}: Entry 3 .* was altered"):
        call_command("journal", "anchor", stdout=StringIO())

    assert not JournalAnchor.objects.exists()


def test_verifying_takes_a_fixed_number_of_queries(django_assert_num_queries: Any) -> None:
    job = installation(SIGNED_AT)
    promise = plan_promise()
    sent_poa(customer=job.customer, site=job.site, promise=promise)
    anchor_journal(at=AT)
    for _ in range(3):
        sent_poa(promise=promise)

    with django_assert_num_queries(4):
        verify_journal()


def _codes(at: datetime) -> set[AlarmCode]:
    return {alarm.code for alarm in alarms(measure(now=at), now=at)}
