"""
Checks the structure of a PDF. Runs as a separate program that reads the file from standard input.

A file passes if every object in every revision only displays something. Actions, annotations, catalogs, pages, outlines
and forms are checked against allow-lists, so new kinds of active content are rejected without being known. Text is not
searched: a title, a link or a font may have any name.

This module imports none of our code, because it runs isolated and under limits on files made to break a parser.
"""

import io
import re
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from itertools import pairwise
from typing import Any

MAX_PAGES = 200
MAX_OBJECTS = 100_000
MAX_REVISIONS = 25
MAX_UNPACKED_BYTES = 32 * 1024 * 1024
MAX_CPU_SECONDS = 6
MAX_MEMORY_BYTES = 768 * 1024 * 1024
MAX_LOCK_WAIT_SECONDS = 4
"""How long to wait for another checker on the same machine."""


class PdfVerdict(StrEnum):
    PLAIN = "PLAIN"
    DAMAGED = "DAMAGED"
    ENCRYPTED = "ENCRYPTED"
    ACTIVE = "ACTIVE"
    POLYGLOT = "POLYGLOT"
    TOO_MANY_PAGES = "TOO_MANY_PAGES"
    TOO_LARGE = "TOO_LARGE"
    BUSY = "BUSY"


def _names(text: str) -> frozenset[str]:
    return frozenset(f"/{name}" for name in text.split())


# Allowed keys by kind of dictionary. A key with a vendor prefix, such as AAPL:Keywords, is private data.
_PRIVATE_KEY = re.compile(r"/[A-Za-z0-9]{2,8}[._:]")
_CATALOG_KEYS = _names(
    "Type Version Extensions Pages PageLabels Names Dests ViewerPreferences PageLayout PageMode Outlines OpenAction "
    "Metadata StructTreeRoot MarkInfo Lang OutputIntents PieceInfo OCProperties Perms Legal AcroForm DSS "
    "LastModified ID"
)
_PAGES_KEYS = _names("Type Parent Kids Count Resources MediaBox CropBox Rotate ITXT LastModified ID")
_PAGE_KEYS = _names(
    "Type Parent LastModified Resources MediaBox CropBox BleedBox TrimBox ArtBox BoxColorInfo Contents Rotate Group "
    "Thumb Annots Metadata PieceInfo StructParents ID PZ SeparationInfo Tabs UserUnit Trans Dur OutputIntents Name"
)
_OUTLINE_KEYS = _names("Type Title Parent Prev Next First Last Count Dest A SE C F")
_ANNOTATION_KEYS = _names(
    "Type Subtype Rect Contents P NM M F AP AS Border C StructParent OC ca CA BM Lang T Popup RC CreationDate IRT Subj "
    "RT IT Open Name State StateModel DA Q DS CL BE RD BS LE L IC LL LLE Cap LLO CP Vertices InkList QuadPoints Parent "
    "A Dest H PA Sy FixedPrint Rotate"
)
_ANNOTATIONS = _names(
    "Link Text FreeText Line Square Circle Polygon PolyLine Highlight Underline Squiggly StrikeOut Stamp Caret Ink "
    "Popup Watermark"
)
_FORM_KEYS = _names("Fields SigFlags DA DR Q NeedAppearances")
_SIGNATURE_FIELD_KEYS = _ANNOTATION_KEYS - _names("A PA Dest") | _names("FT TU TM Ff V Kids MK DR Lock")
_TABLE_NAMES = _names(
    "Type XRef Size Index Prev W Root Info ID Encrypt Filter FlateDecode DecodeParms Predictor Columns Colors "
    "BitsPerComponent Length XRefStm DL"
)
_SIGNATURES = _names("Sig DocTimeStamp")
_PAGE_MODES = _names("UseNone UseOutlines UseThumbs UseOC UseAttachments")
_ACTION_KEYS = _names("Type S D SD URI IsMap N")
_NAMED = _names("NextPage PrevPage FirstPage LastPage")
_FILTERS = _names(
    "FlateDecode LZWDecode ASCII85Decode ASCIIHexDecode RunLengthDecode CCITTFaxDecode DCTDecode JPXDecode JBIG2Decode "
    "Crypt"
)
# Action types, to recognize dictionaries without /Type /Action.
_ACTIONS = _names(
    "GoTo GoToR GoToE GoToDp Launch Thread URI Sound Movie Hide Named SubmitForm ResetForm ImportData JavaScript "
    "SetOCGState Rendition Trans GoTo3DView RichMediaExecute"
)
_FILES = _names("Filespec F EmbeddedFile")
_FILE_PLACES = _names("F UF DOS Mac Unix")

# Links that a person may follow. A file: URL with a host name would contact that host.
_ALLOWED_LINK = re.compile(r"(?:https?:|mailto:|tel:|file:///(?![/\\]))", re.IGNORECASE)
_HAS_SCHEME_OR_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|[/\\]{2}")

_OBJECT_START = re.compile(rb"(?<![0-9])(\d{1,10})[\x00\t\n\x0c\r ]{1,20}(\d{1,5})[\x00\t\n\x0c\r ]{1,20}obj\b")
_REVISION_END = re.compile(rb"startxref[\x00\t\n\x0c\r ]{1,20}(\d{1,10})[\x00\t\n\x0c\r ]{1,20}%%EOF")
_STREAM = re.compile(rb"stream\r?\n|stream\r")
_RAW_NAME = re.compile(rb"/[^\x00\t\n\x0c\r ()<>\[\]{}/%]*")
_MARKUP = re.compile(rb"<(?:!doctype\s+html|html|script|svg|iframe)[\s>]", re.IGNORECASE)
_STRING = re.compile(rb"\((?:[^()\\]|\\.)*\)", re.DOTALL)


class _Rejected(Exception):
    def __init__(self, verdict: PdfVerdict) -> None:
        super().__init__(verdict)
        self.verdict = verdict


def inspect_pdf(content: bytes) -> PdfVerdict:
    """Return whether the file is plain, or the first problem with it."""
    import pikepdf

    pikepdf.settings.set_qpdf_limits(flate_max_memory=MAX_UNPACKED_BYTES, max_stream_filters=4)
    try:
        _check(content)
    except _Rejected as rejected:
        return rejected.verdict
    except pikepdf.PasswordError:
        return PdfVerdict.ENCRYPTED
    except MemoryError:
        return PdfVerdict.TOO_LARGE
    except Exception as problem:  # noqa: BLE001 - any other failure means that the file cannot be read
        return PdfVerdict.TOO_LARGE if "memory" in str(problem) or "limit" in str(problem) else PdfVerdict.DAMAGED
    return PdfVerdict.PLAIN


def _check(content: bytes) -> None:
    if zipfile.is_zipfile(io.BytesIO(content)):
        raise _Rejected(PdfVerdict.POLYGLOT)
    header = content.index(b"%PDF-")
    body = content[header:]
    layout = _Layout(body)
    ends = [match.end() for match in _REVISION_END.finditer(body) if int(match[1])]
    if len(ends) > MAX_REVISIONS:
        raise _Rejected(PdfVerdict.TOO_LARGE)
    _check_revision(body, layout, recover=bool(header))
    for end in ends[:-1]:
        # Some programs can show earlier revisions. A revision that cannot be opened cannot be shown.
        with suppress(_pdf_error()):
            _check_revision(body[:end], layout, recover=False)
    layout.check()


def _pdf_error() -> type[Exception]:
    import pikepdf

    return pikepdf.PdfError


def _check_revision(body: bytes, layout: "_Layout", *, recover: bool) -> None:
    import pikepdf

    with pikepdf.open(io.BytesIO(body), attempt_recovery=recover, suppress_warnings=True) as pdf:
        if int(pdf.trailer.get("/Size", 0)) > 2 * MAX_OBJECTS or len(pdf.objects) > MAX_OBJECTS:
            raise _Rejected(PdfVerdict.TOO_LARGE)
        for record in pdf.objects:
            for part in _dictionaries(record):
                _check_part(part)
        pages = _Document(pdf.Root).check()
        layout.note(pdf)
        if any("duplicated key" in str(warning) for warning in pdf.get_warnings()):
            raise _Rejected(PdfVerdict.DAMAGED)  # some programs use the first value, others the last
    if pages > MAX_PAGES:
        raise _Rejected(PdfVerdict.TOO_MANY_PAGES)
    if not pages:
        raise _Rejected(PdfVerdict.DAMAGED)


# Single dictionaries, wherever they are in the file


def _dictionaries(record: Any) -> Iterator[Any]:
    """Yield a record's dictionaries and streams without following references, so that each record is checked once."""
    import pikepdf

    waiting = [record]
    while waiting:
        part = waiting.pop()
        if isinstance(part, pikepdf.Dictionary | pikepdf.Stream):
            yield part
            found = (value for _key, value in part.items())
        elif isinstance(part, pikepdf.Array):
            found = iter(part)  # type: ignore[assignment]
        else:
            continue
        waiting += [
            value
            for value in found
            if isinstance(value, pikepdf.Object)
            and not value.is_indirect
            and isinstance(value, pikepdf.Dictionary | pikepdf.Array)
        ]


def _check_part(part: Any) -> None:
    import pikepdf

    kind, sort = _name(part, "/Type"), _name(part, "/S")
    if isinstance(part, pikepdf.Stream):
        _check_stream(part)
    if kind in _FILES or (kind != "/Font" and _has_embedded_file(part)):
        raise _Rejected(PdfVerdict.ACTIVE)
    if kind == "/Action" or (not kind and sort in _ACTIONS and "/P" not in part):
        _check_action(part)
    if kind == "/Annot" or ("/Subtype" in part and "/Rect" in part):
        _check_annotation(part)
    if kind == "/Catalog":
        _check_keys(part, _CATALOG_KEYS)
    if kind == "/Page":
        _check_keys(part, _PAGE_KEYS)
    if kind == "/Pages":
        _check_keys(part, _PAGES_KEYS)
    if kind == "/Template":
        raise _Rejected(PdfVerdict.ACTIVE)


def _check_stream(stream: Any) -> None:
    """Allow only streams with embedded data and known filters. Reject PostScript."""
    import pikepdf

    if any(key in stream for key in ("/F", "/FFilter", "/FDecodeParms", "/Ref", "/OPI", "/PS")):
        raise _Rejected(PdfVerdict.ACTIVE)
    if _name(stream, "/Subtype") == "/PS" or _name(stream, "/Subtype2") == "/PS":
        raise _Rejected(PdfVerdict.ACTIVE)
    filters = stream.get("/Filter", [])
    for each in filters if isinstance(filters, pikepdf.Array | list) else [filters]:
        if str(each) not in _FILTERS:
            raise _Rejected(PdfVerdict.ACTIVE)


def _has_embedded_file(part: Any) -> bool:
    """Whether this has an embedded file. A font may be named EF too, but has no file names."""
    import pikepdf

    held = part.get("/EF")
    return (
        isinstance(held, pikepdf.Dictionary)
        and _name(held, "/Type") != "/Font"
        and not _FILE_PLACES.isdisjoint(held.keys())
    )


def _check_action(action: Any, *, is_automatic: bool = False) -> None:
    """Allow links to the document's own pages, and web links that a person has to click."""
    _check_keys(action, _ACTION_KEYS)
    kind = _name(action, "/S")
    is_allowed = kind == "/GoTo" or (
        not is_automatic
        and (
            (kind == "/Named" and _name(action, "/N") in _NAMED)
            or (kind == "/URI" and _is_allowed_link(str(action.get("/URI", ""))))
        )
    )
    if not is_allowed:
        raise _Rejected(PdfVerdict.ACTIVE)


def _is_allowed_link(address: str) -> bool:
    address = re.sub(r"[\x00-\x20]", "", address)
    return bool(_ALLOWED_LINK.match(address)) or not _HAS_SCHEME_OR_HOST.match(address)


def _check_annotation(annotation: Any) -> None:
    kind = _name(annotation, "/Subtype")
    if kind == "/Widget":
        _check_signature_field(annotation)
        return
    if kind not in _ANNOTATIONS:
        raise _Rejected(PdfVerdict.ACTIVE)
    _check_keys(annotation, _ANNOTATION_KEYS)
    for key in ("/A", "/PA"):
        if key in annotation:
            if kind != "/Link":
                raise _Rejected(PdfVerdict.ACTIVE)
            _check_action(annotation[key])


def _check_signature_field(field: Any) -> None:
    """Allow only signature fields that are signed."""
    _check_keys(field, _SIGNATURE_FIELD_KEYS)
    holder = field if "/FT" in field else field.get("/Parent", {})
    if _name(holder, "/FT") != "/Sig":
        raise _Rejected(PdfVerdict.ACTIVE)
    signature = field.get("/V", holder.get("/V"))
    if signature is None or _name(signature, "/Type") not in {*_SIGNATURES, ""} or "/ByteRange" not in signature:
        raise _Rejected(PdfVerdict.ACTIVE)


def _check_keys(part: Any, allowed: frozenset[str]) -> None:
    if any(key not in allowed and not _PRIVATE_KEY.match(key) for key in part.keys()):  # noqa: SIM118 - no mapping
        raise _Rejected(PdfVerdict.ACTIVE)


def _name(part: Any, key: str) -> str:
    import pikepdf

    value = part.get(key) if hasattr(part, "get") else None
    return str(value) if isinstance(value, pikepdf.Name) else ""


# The document as viewers traverse it, where dictionaries may lack a /Type


class _Document:
    def __init__(self, catalog: Any) -> None:
        self.catalog = catalog
        self.seen: set[tuple[int, int]] = set()

    def check(self) -> int:
        """Check everything reachable from the catalog, and return the number of pages."""
        catalog = self.catalog
        _check_keys(catalog, _CATALOG_KEYS)
        self._check_opening(catalog.get("/OpenAction"))
        if "/PageMode" in catalog and _name(catalog, "/PageMode") not in _PAGE_MODES:
            raise _Rejected(PdfVerdict.ACTIVE)
        if "/Names" in catalog:
            _check_keys(catalog["/Names"], _names("Dests"))
        if "/Perms" in catalog:
            _check_keys(catalog["/Perms"], _names("DocMDP"))
        if "/AcroForm" in catalog:
            self._check_form(catalog["/AcroForm"])
        if "/Outlines" in catalog:
            self._check_outlines(catalog["/Outlines"])
        return self._count_pages(catalog["/Pages"])

    def _check_opening(self, action: Any) -> None:
        import pikepdf

        if isinstance(action, pikepdf.Dictionary):
            _check_action(action, is_automatic=True)

    def _check_form(self, form: Any) -> None:
        _check_keys(form, _FORM_KEYS)
        fields = list(form.get("/Fields", []))
        if not fields:
            raise _Rejected(PdfVerdict.ACTIVE)
        for field in fields:
            for part in (field, *field.get("/Kids", [])):
                _check_signature_field(part)

    def _check_outlines(self, top: Any) -> None:
        import pikepdf

        waiting = [top.get("/First")]
        while waiting:
            item = waiting.pop()
            if not isinstance(item, pikepdf.Dictionary) or self._was_seen(item):
                continue
            _check_keys(item, _OUTLINE_KEYS)
            if "/A" in item:
                _check_action(item["/A"])
            waiting += [item.get("/First"), item.get("/Next")]

    def _count_pages(self, top: Any) -> int:
        pages = 0
        waiting = [top]
        while waiting:
            node = waiting.pop()
            if "/Kids" in node:
                if self._was_seen(node):
                    raise _Rejected(PdfVerdict.DAMAGED)
                _check_keys(node, _PAGES_KEYS)
                waiting += list(node["/Kids"])
                continue
            _check_keys(node, _PAGE_KEYS)
            pages += 1
            for annotation in node.get("/Annots", []):
                _check_annotation(annotation)
        return pages

    def _was_seen(self, part: Any) -> bool:
        if not part.is_indirect:
            return False
        known = part.objgen in self.seen
        self.seen.add(part.objgen)
        return known


# The layout of the file


class _Layout:
    """
    The position of each object. No object may be inside another's stream or missing from the cross-reference tables.

    A viewer that repairs files finds such objects anyway and would show a different document than the one checked.
    """

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.named: set[int] = set()
        self.streams: dict[int, int] = {}

    def note(self, pdf: Any) -> None:
        import pikepdf

        for (number, generation), entry in pdf.get_xref_table().items():
            if entry.type != 1 or entry.offset in self.named:
                continue
            self.named.add(entry.offset)
            record = pdf.get_object(number, generation)
            if isinstance(record, pikepdf.Stream):
                self._note_stream(entry.offset, int(record.get("/Length", 0)))

    def _note_stream(self, start: int, length: int) -> None:
        for match in _STREAM.finditer(self.body, start, start + 100_000):
            end = match.end() + length
            if self.body.find(b"endstream", max(end - 2, match.end()), end + 12) >= 0:
                self.streams[match.end()] = end
                return

    def check(self) -> None:
        inside = sorted(self.streams.items())
        if any(second < end for (_start, end), (second, _end) in pairwise(inside)):
            raise _Rejected(PdfVerdict.DAMAGED)
        covered = _Spans(inside)
        if any(covered.holds(offset) for offset in self.named):
            raise _Rejected(PdfVerdict.DAMAGED)
        outside, position = [], 0
        for start, end in inside:
            outside.append(self.body[position:start])
            position = end
        outside.append(self.body[position:])
        if _MARKUP.search(_STRING.sub(b"()", b" ".join(outside))):
            raise _Rejected(PdfVerdict.POLYGLOT)
        for match in _OBJECT_START.finditer(self.body):
            start = match.start()
            if start not in self.named and not covered.holds(start) and not self._is_table(match.end()):
                raise _Rejected(PdfVerdict.DAMAGED)

    def _is_table(self, start: int) -> bool:
        """Whether a cross-reference stream begins here. Such a stream need not list itself."""
        head = self.body[start : start + 2000].partition(b"stream")[0]
        names = {name.decode("latin-1") for name in _RAW_NAME.findall(head)}
        return {"/Type", "/XRef"} <= names <= _TABLE_NAMES


class _Spans:
    def __init__(self, spans: list[tuple[int, int]]) -> None:
        self.starts = [start for start, _end in spans]
        self.ends = [end for _start, end in spans]

    def holds(self, position: int) -> bool:
        from bisect import bisect_right

        at = bisect_right(self.starts, position) - 1
        return at >= 0 and position < self.ends[at]


# As a program


def _limit_this_process() -> None:
    import os
    import resource

    os.nice(5)
    # On systems without these limits, the parent process still kills this one in time.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_SECONDS, MAX_CPU_SECONDS + 1))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))


def _wait_for_lock() -> bool:
    """Wait until no other checker runs on this machine. The lock is on this source file."""
    import fcntl
    import os
    import time

    file = os.open(__file__, os.O_RDONLY)  # stays open and locked until this process ends
    until = time.monotonic() + MAX_LOCK_WAIT_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        except OSError:
            return True  # a file system without locks; the limits of each process still apply
        else:
            return True


if __name__ == "__main__":
    _limit_this_process()
    sys.stdout.write(inspect_pdf(sys.stdin.buffer.read()) if _wait_for_lock() else PdfVerdict.BUSY)
