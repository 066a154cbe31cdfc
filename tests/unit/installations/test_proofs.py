"""Proof files: judged by content, cleaned, never trusted by name."""

import io
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from installations import photos, proofs
from installations.file_check_queue import FileCheckQueue, FileChecksBusy
from installations.photos import MAX_SIDE
from installations.proofs import MAX_PROOF_BYTES, CheckedProof, InvalidProof, check_proof, clean_name
from tests.pdf_files import letter, locked_letter, packed_letter

PDF_BYTES = letter()


def picture(kind: str = "JPEG", size: tuple[int, int] = (60, 40), exif: Image.Exif | None = None) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", size, "white").save(written, kind, exif=exif or Image.Exif())
    return written.getvalue()


def check(content: bytes, name: str = "letter.jpg") -> CheckedProof:
    return check_proof(io.BytesIO(content), name=name, size_bytes=len(content))


@pytest.mark.parametrize(
    ("content", "content_type"),
    [(picture("JPEG"), "image/jpeg"), (picture("PNG"), "image/png"), (PDF_BYTES, "application/pdf")],
)
def test_type_follows_content_regardless_of_the_name(content: bytes, content_type: str) -> None:
    assert check(content, name="invoice.exe").content_type == content_type


def test_photo_is_reencoded_without_location_and_device() -> None:
    exif = Image.Exif()
    exif[0x0110] = "Tess's phone"
    exif.get_ifd(0x8825)[1] = "N"
    received = picture(exif=exif)
    assert b"Tess's phone" in received

    proof = check(received + b"<script>hidden behind the picture</script>")

    assert b"Tess's phone" not in proof.content
    assert b"hidden" not in proof.content
    with Image.open(io.BytesIO(proof.content)) as drawn:
        assert dict(drawn.getexif()) == {}


def test_sideways_photo_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6

    proof = check(picture(size=(60, 40), exif=exif))

    with Image.open(io.BytesIO(proof.content)) as drawn:
        assert drawn.size == (40, 60)


@pytest.mark.parametrize("orientation", range(9))
def test_photo_orientation_follows_the_camera(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    corner = Image.new("L", (40, 24), "white")
    corner.paste("black", (0, 0, 16, 8))
    written = io.BytesIO()
    corner.save(written, "PNG", exif=exif)

    proof = check(written.getvalue())

    with Image.open(io.BytesIO(proof.content)) as drawn, Image.open(written) as held:
        assert drawn.convert("L").tobytes() == ImageOps.exif_transpose(held).tobytes()


@pytest.mark.parametrize("written_as", [b"\x00\x02", b"\x00\x07"])
def test_unreadable_exif_data_does_not_reject_the_photo(written_as: bytes) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x011A] = 72.0
    received = picture(size=(60, 40), exif=exif)
    start = received.index(b"\x01\x1a\x00\x05", received.index(b"MM\x00*"))

    proof = check(received[: start + 2] + written_as + received[start + 4 :])

    assert proof.content_type == "image/jpeg"


def test_photo_followed_by_a_second_picture_is_accepted() -> None:
    """As some phones write them, with a preview or with data for bright screens."""
    written = io.BytesIO()
    Image.new("RGB", (60, 40), "white").save(
        written, "MPO", save_all=True, append_images=[Image.new("RGB", (30, 20), "black")]
    )

    proof = check(written.getvalue(), name="IMG_1.jpg")

    assert (proof.content_type, proof.original_name) == ("image/jpeg", "IMG_1.jpg")
    with Image.open(io.BytesIO(proof.content)) as drawn:
        assert (drawn.format, drawn.size) == ("JPEG", (60, 40))


def test_large_photo_is_downscaled() -> None:
    proof = check(picture(size=(6000, 3000)))

    with Image.open(io.BytesIO(proof.content)) as drawn:
        assert drawn.size == (MAX_SIDE, MAX_SIDE // 2)


def test_same_photo_gives_the_same_hash() -> None:
    assert check(picture()).sha256 == check(picture()).sha256


def test_picture_decompression_bomb_is_refused_unread() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + chunk + struct.pack(">I", zlib.crc32(chunk))

    with pytest.raises(InvalidProof, match="too many pixels"):
        check(bomb + b"\x00\x00\x00\x00IDAT\x35\xaf\x06\x1e")


class UnreadablePhoto(io.BytesIO):
    def read(self, _size: int | None = -1) -> bytes:
        raise AssertionError("A file that is too large was read.")


def test_slow_to_read_photo_is_refused_unread() -> None:
    """A progressive JPEG in which every extra layer costs a hundred bytes and a pass over all blocks."""
    started = time.process_time()

    with pytest.raises(InvalidProof, match="too complex to read"):
        check(layered(7700, 7700, layers=100_000))

    assert time.process_time() - started < 1
    assert check(layered(64, 64, layers=30)).content_type == "image/jpeg"


def layered(width: int, height: int, *, layers: int) -> bytes:
    """Draw a gray picture, and then nothing, over and over."""
    blocks = -(-width // 8) * -(-height // 8)
    one_symbol = bytes([1, *[0] * 15])
    frame = struct.pack(">BHHB", 8, height, width, 1) + bytes([1, 0x11, 0])
    tables = segment(0xC4, b"\x00" + one_symbol + b"\x00") + segment(0xC4, b"\x10" + one_symbol + b"\xe0")
    first = segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + bytes(blocks // 8 + 1)
    empty = segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + bytes((blocks // 16384 + 1) * 15 // 8 + 1)
    head = b"\xff\xd8" + segment(0xDB, b"\x00" + b"\x01" * 64) + segment(0xC2, frame) + tables
    return head + first + empty * layers + b"\xff\xd9"


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def test_process_decodes_one_picture_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen of the largest pictures at once, one per web server thread, would exhaust the machine's memory."""
    render, under_way, most = photos.render, 0, 0
    all_here = threading.Barrier(3)

    def counted(received: bytes) -> tuple[Image.Image, str]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        with suppress(threading.BrokenBarrierError):
            all_here.wait(timeout=0.2)  # nobody arrives while this one is decoded
        drawn = render(received)
        under_way -= 1
        return drawn

    monkeypatch.setattr(photos, "render", counted)
    with ThreadPoolExecutor(3) as pool:
        checked = list(pool.map(check, [picture()] * 3))

    assert most == 1
    assert len({each.sha256 for each in checked}) == 1


@pytest.mark.parametrize("content", [picture("JPEG"), picture("PNG"), PDF_BYTES])
def test_every_file_waits_for_its_turn(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = FileCheckQueue(max_queued=0)
    monkeypatch.setattr(proofs, "FILE_CHECK_QUEUE", queue)

    with queue.slot(), pytest.raises(FileChecksBusy):
        check(content)

    assert check(content).received == content


def test_oversized_file_is_refused_before_reading() -> None:
    with pytest.raises(InvalidProof, match="larger than 15 MB"):
        check_proof(UnreadablePhoto(), name="huge.pdf", size_bytes=100 * 1024 * 1024)


def test_file_larger_than_it_claims_is_refused() -> None:
    with pytest.raises(InvalidProof, match="larger than 15 MB"):
        check_proof(io.BytesIO(b"%PDF-" + bytes(MAX_PROOF_BYTES)), name="huge.pdf", size_bytes=10)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"GIF89a" + bytes(30), "not a photo"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a photo"),
        (b"MZ" + bytes(100), "not a photo"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(30), "Most Compatible"),
        (picture()[:200], "incomplete or damaged"),
        (b"\x89PNG\r\n\x1a\n" + bytes(60), "incomplete or damaged"),
        (b"%PDF-1.7\nhalf", "incomplete or damaged"),
        (packed_letter(catalog=b"/OpenAction <</S /J#61vaScript /JS (x)>>"), "contains a form"),
        (letter(pages=201), "more than 200 pages"),
        (locked_letter(password="secret"), "password"),
        (letter() + b"PK\x05\x06" + bytes(18), "another kind"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_non_proof_is_refused_with_a_reason(content: bytes, words: str) -> None:
    with pytest.raises(InvalidProof, match=words):
        check(content)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("letter.jpg", "letter.jpg"),
        ("../../etc/passwd", "passwd.jpg"),
        ("C:\\Users\\tess\\letter.JPG", "letter.jpg"),
        ("letter\u202egpj.exe", "lettergpj.jpg"),
        ("a\r\nSet-Cookie: x.pdf", "aSet-Cookie x.jpg"),
        ("", "proof.jpg"),
        ("...", "proof.jpg"),
        ('<img src="x">.png', "img src= x.jpg"),
        ("x" * 500, "x" * 120 + ".jpg"),
    ],
)
def test_hostile_file_names_become_harmless(name: str, shown: str) -> None:
    assert clean_name(name, suffix=".jpg") == shown


@given(st.text(max_size=300))
def test_no_file_name_has_folders_or_control_characters(name: str) -> None:
    shown = clean_name(name, suffix=".pdf")

    assert shown.endswith(".pdf")
    assert shown.isprintable()
    assert not set(shown) & set('/\\<>:"|?*')
    assert len(shown) <= 124


@given(st.binary(max_size=400))
def test_arbitrary_bytes_never_crash_the_check(content: bytes) -> None:
    for start in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"%PDF-"):
        with suppress(InvalidProof):
            check(start + content)
