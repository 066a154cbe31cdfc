"""Small PDFs for tests: harmless letters, and every way in which a file can be more than a letter."""

import io
import zlib
from collections.abc import Mapping

PAGE = 3
HEADER = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"


def written(objects: Mapping[int, bytes], *, before: bytes = b"", root: int = 1) -> bytes:
    """Write numbered objects with a cross-reference table, as in the first version of PDF."""
    file = io.BytesIO()
    file.write(HEADER + before)
    starts = _put(objects, file)
    table_at = file.tell()
    file.write(b"xref\n0 %d\n0000000000 65535 f \n" % (max(objects) + 1))
    for number in range(1, max(objects) + 1):
        file.write(b"%010d 00000 %s \n" % (starts.get(number, 0), b"n" if number in starts else b"f"))
    file.write(b"trailer\n<</Size %d /Root %d 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (max(objects) + 1, root, table_at))
    return file.getvalue()


def written_packed(
    objects: Mapping[int, bytes], packed: Mapping[int, bytes], *, filters: bytes = b"/FlateDecode", layers: int = 1
) -> bytes:
    """Write some of the objects compressed into a stream, as most programs do since PDF 1.5."""
    bodies, places = bytearray(), bytearray()
    for number, body in sorted(packed.items()):
        places += b"%d %d " % (number, len(bodies))
        bodies += body + b"\n"
    content = bytes(places + bodies)
    for _ in range(layers):
        content = zlib.compress(content, 9)
    holder = max([*objects, *packed]) + 1
    stream = b"<</Type /ObjStm /N %d /First %d /Filter %s /Length %d>>" % (
        len(packed),
        len(places),
        filters,
        len(content),
    )
    whole = {**objects, holder: stream_of(stream, content)}
    file = io.BytesIO()
    file.write(HEADER)
    starts = _put(whole, file)
    table = holder + 1
    starts[table] = file.tell()
    rows = bytearray(b"\x00\x00\x00\x00\xff\xff")
    order = {number: place for place, number in enumerate(sorted(packed))}
    for number in range(1, table + 1):
        if number in packed:
            rows += b"\x02" + holder.to_bytes(3, "big") + (order[number] % 65536).to_bytes(2, "big")
        elif number in starts:
            rows += b"\x01" + starts[number].to_bytes(3, "big") + b"\x00\x00"
        else:
            rows += bytes(6)
    packed_rows = zlib.compress(rows)
    head = b"<</Type /XRef /Size %d /W [1 3 2] /Root 1 0 R /Filter /FlateDecode /Length %d>>" % (
        table + 1,
        len(packed_rows),
    )
    file.write(b"%d 0 obj\n%s\nendobj\n" % (table, stream_of(head, packed_rows)))
    file.write(b"startxref\n%d\n%%%%EOF\n" % starts[table])
    return file.getvalue()


def _put(objects: Mapping[int, bytes], file: io.BytesIO) -> dict[int, int]:
    starts = {}
    for number, body in sorted(objects.items()):
        starts[number] = file.tell()
        file.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    return starts


def stream_of(head: bytes, content: bytes) -> bytes:
    return head + b"\nstream\n" + content + b"\nendstream"


def letter_objects(
    *, pages: int = 1, catalog: bytes = b"", words: bytes = b"Permission to operate."
) -> dict[int, bytes]:
    """The parts of a harmless letter; `catalog` is added to its catalog."""
    drawn = b"BT /F1 12 Tf 72 720 Td (%s) Tj ET" % words
    numbers = range(PAGE, PAGE + pages)
    page = b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R>>" % (PAGE + pages)
    return {
        1: b"<</Type /Catalog /Pages 2 0 R %s>>" % catalog,
        2: b"<</Type /Pages /Count %d /Kids [%s]>>" % (pages, b" ".join(b"%d 0 R" % number for number in numbers)),
        **dict.fromkeys(numbers, page),
        PAGE + pages: stream_of(b"<</Length %d>>" % len(drawn), drawn),
    }


def letter(*, pages: int = 1, catalog: bytes = b"", words: bytes = b"Permission to operate.") -> bytes:
    return written(letter_objects(pages=pages, catalog=catalog, words=words))


def packed_letter(*, pages: int = 1, catalog: bytes = b"") -> bytes:
    """The same letter with everything compressed that may be."""
    objects = letter_objects(pages=pages, catalog=catalog)
    packed = {number: body for number, body in objects.items() if b"stream" not in body}
    return written_packed({number: body for number, body in objects.items() if number not in packed}, packed)


def locked_letter(password: str) -> bytes:
    """A letter that opens with this password; empty means that it opens for everyone and only forbids changes."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(PdfReader(io.BytesIO(letter())))
    writer.encrypt(user_password=password, owner_password="the utility's own", algorithm="AES-256")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def packed_scattered(count: int) -> bytes:
    """A letter with this many objects in a few kilobytes: all in the table, compressed into one stream."""
    objects = letter_objects()
    catalog = objects.pop(1)
    return written_packed(objects, {1: catalog, **dict.fromkeys(range(10, count), b"0")})
