"""PDFs that somebody hands in: what can do more than be read is refused, however it is hidden."""

import io
import zipfile
import zlib
from collections.abc import Callable

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer
from pypdf import PdfWriter

from installations import pdf_files
from installations.pdf_files import MOST_PAGES, Look, look_into
from poa_documents.pdf.samples import render_sample
from tests.pdf_files import (
    letter,
    letter_objects,
    locked_letter,
    packed_letter,
    stream_of,
    written,
    written_packed,
)

PROGRAM = b"/OpenAction <</S /JavaScript /JS (app.alert\\(1\\))>>"


# Letters


@pytest.mark.parametrize(
    "content",
    [
        letter(),
        packed_letter(),
        letter(pages=MOST_PAGES),
        locked_letter(password=""),
        letter(catalog=b"/OpenAction [3 0 R /Fit] /Names <</Dests 2 0 R>>"),
        letter(words=b"see page 3 of the JavaScript manual; JS, Launch"),
        letter() + b"\r\n\r\n",
    ],
    ids=["plain", "packed", "long", "forbids changes only", "opens on page one", "speaks of programs", "blank lines"],
)
def test_letters_are_taken(content: bytes) -> None:
    assert look_into(content) == Look.PLAIN


def test_what_this_house_writes_is_taken() -> None:
    assert look_into(render_sample("en", "apple", "Lone Star")) == Look.PLAIN


def test_a_letter_with_a_later_revision_is_taken() -> None:
    writer = PdfWriter(io.BytesIO(letter()), incremental=True)
    writer.add_metadata({"/Title": "Permission to operate"})
    file = io.BytesIO()
    writer.write(file)

    assert look_into(file.getvalue()) == Look.PLAIN


def test_chance_bytes_inside_a_picture_are_no_program() -> None:
    """A scan of megabytes holds any three letters somewhere."""
    scan = b"\x93/JS \x00/JS>\xff/EF " * 50
    objects = letter_objects()
    objects[9] = stream_of(b"<</Type /XObject /Subtype /Image /Length %d>>" % len(scan), scan)

    assert look_into(written(objects)) == Look.PLAIN


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
def test_programs_and_attachments_are_found_open_spelled_and_packed(
    catalog: bytes, write: Callable[..., bytes]
) -> None:
    assert look_into(write(catalog=catalog)) == Look.ACTIVE


def test_a_program_is_found_in_a_locked_file_that_opens_for_everybody() -> None:
    """There, what is packed is encrypted as well."""
    reader = PdfFileReader(io.BytesIO(letter(catalog=PROGRAM)))
    writer = copy_into_new_writer(reader, writer_kwargs={"stream_xrefs": True})
    writer.encrypt("the utility's own", "")
    script = writer.root.raw_get("/OpenAction")
    writer.root["/OpenAction"] = writer.add_object(script, obj_stream=writer.prepare_object_stream())
    file = io.BytesIO()
    writer.write(file)

    assert b"JavaScript" not in file.getvalue()
    assert look_into(file.getvalue()) == Look.ACTIVE


def test_a_program_in_a_former_revision_is_found() -> None:
    """Some programs offer to show a file as it was before."""
    objects = letter_objects(catalog=PROGRAM)
    packed = {1: objects.pop(1)}
    writer = PdfWriter(io.BytesIO(written_packed(objects, packed)), incremental=True)
    del writer.root_object["/OpenAction"]
    file = io.BytesIO()
    writer.write(file)

    assert look_into(file.getvalue()) == Look.ACTIVE


def test_a_program_under_a_name_given_twice_is_found() -> None:
    """Of two values under one name, some programs take the first and others the last."""
    assert look_into(packed_letter(catalog=b"/OpenAction [3 0 R /Fit] " + PROGRAM)) == Look.ACTIVE


def test_objects_inside_of_streams_are_refused() -> None:
    """A table may lead into the middle of what another program takes for a picture."""
    inside = b"\n9 0 obj\n<<%s>>\nendobj\n" % PROGRAM
    objects = letter_objects()
    objects[8] = stream_of(b"<</Length %d>>" % len(inside), inside)
    content = written({**objects, 9: b"null"})
    at, real = content.index(b"9 0 obj"), content.rindex(b"9 0 obj")

    forged = content.replace(b"%010d 00000 n" % real, b"%010d 00000 n" % at)

    assert look_into(forged) == Look.DAMAGED


def test_packed_objects_that_no_table_names_are_refused() -> None:
    """A program that mends broken files finds them all the same."""
    hidden = zlib.compress(b"9 0 <<%s>>" % PROGRAM)
    head = b"<</Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length %d>>" % len(hidden)
    content = letter().replace(b"xref\n", b"10 0 obj\n" + stream_of(head, hidden) + b"\nendobj\nxref\n", 1)
    table_at = content.rindex(b"xref\n0 ")
    content = content[: content.rindex(b"startxref")] + b"startxref\n%d\n%%%%EOF\n" % table_at

    assert look_into(content) == Look.DAMAGED


# Two kinds in one file


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
def test_a_file_of_two_kinds_is_refused(content: bytes) -> None:
    assert look_into(content) == Look.TWO_KINDS


# Locked, broken, and made to keep a reader busy


def test_a_password_is_refused() -> None:
    assert look_into(locked_letter(password="only the utility knows")) == Look.LOCKED


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.98])
def test_a_file_cut_off_is_refused(share: float) -> None:
    content = packed_letter()

    assert look_into(content[: int(len(content) * share)]) == Look.DAMAGED


def test_a_file_whose_middle_is_gone_is_refused() -> None:
    content = packed_letter()

    assert look_into(content[:200] + content[400:]) == Look.DAMAGED


@pytest.mark.parametrize("write", [letter, packed_letter])
def test_too_many_pages_are_refused_also_when_packed(write: Callable[..., bytes]) -> None:
    assert look_into(write(pages=MOST_PAGES + 1)) == Look.TOO_MANY_PAGES


def test_what_unpacks_to_gigabytes_is_refused_unread() -> None:
    spaces = b"<<" + b" " * 200_000_000 + b">>"
    objects = letter_objects()
    packed = {1: objects.pop(1), 9: spaces}

    content = written_packed(objects, packed, filters=b"[/FlateDecode /FlateDecode]", layers=2)

    assert len(content) < 100_000
    assert look_into(content) == Look.TOO_MUCH


def test_a_table_that_claims_billions_of_objects_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_files, "MOST_SECONDS", 2)
    content = packed_letter()
    start = content.rindex(b"/W [1 3 2]")
    forged = content[:start] + b"/W [0 0 0] /Index [0 4000000000]" + content[start + len(b"/W [1 3 2]") :]

    assert look_into(forged) == Look.TOO_MUCH


def test_deep_nesting_is_refused() -> None:
    assert look_into(letter(catalog=b"/Deep " + b"[" * 100_000 + b"]" * 100_000)) == Look.DAMAGED
