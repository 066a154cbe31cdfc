"""Photos and scans: the stored picture looks like the original, in every image mode."""

import io
import random
import struct
from pathlib import Path

import pytest
from PIL import Image, ImageCms, ImageDraw

from installations.photos import MAX_SIDE
from installations.proofs import CheckedProof, check_proof
from tests.png_files import CHANNELS, GRAY, GRAY_ALPHA, PALETTE, RGB, RGBA, chunk, written_png

FILES = Path(__file__).parent / "files"
WIDTH, HEIGHT = 16, 4
DEPTHS = {GRAY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GRAY_ALPHA: (8, 16), RGBA: (8, 16)}
COLORS = 16

Shown = tuple[float, float, float, float]


def check(content: bytes) -> CheckedProof:
    return check_proof(io.BytesIO(content), name="letter.png", size_bytes=len(content))


def stored(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(check(content).content)) as picture:
        return picture.convert("RGBA")


def pixels(picture: Image.Image) -> list[tuple[int, int, int, int]]:
    data = picture.tobytes()
    return [(data[at], data[at + 1], data[at + 2], data[at + 3]) for at in range(0, len(data), 4)]


def assert_alike(got: Image.Image, expected: list[Shown]) -> None:
    """Compare what is visible: color counts only where a pixel is not fully transparent."""
    for at, (seen, meant) in enumerate(zip(pixels(got), expected, strict=True)):
        assert abs(seen[3] - meant[3]) <= 1, f"pixel {at}: {seen} instead of {meant}"
        if meant[3]:
            assert max(abs(a - b) for a, b in zip(seen, meant, strict=True)) <= 1.01, f"pixel {at}: {seen}, not {meant}"


# PNG


class Drawn:
    """A picture of random pixels in one of PNG's types, and what it shows by PNG's own rules."""

    def __init__(self, kind: int, depth: int, *, is_see_through: bool) -> None:
        chance = random.Random(f"{kind} {depth}")  # noqa: S311 - pixels, not secrets
        most = 2**depth - 1
        top = min(most, COLORS - 1) if kind == PALETTE else most
        self.rows = [
            [tuple(chance.randint(0, top) for _ in range(CHANNELS[kind])) for _ in range(WIDTH)] for _ in range(HEIGHT)
        ]
        palette = bytes(chance.randint(0, 255) for _ in range(3 * (top + 1))) if kind == PALETTE else b""
        gone = self.rows[1][5]
        faint = bytes([0, 128]) if is_see_through and kind == PALETTE else b""
        self.expected: list[Shown] = []
        for pixel in (pixel for row in self.rows for pixel in row):
            scaled = [sample * 255 / most for sample in pixel]
            is_gone = is_see_through and pixel == gone
            if kind == PALETTE:
                alpha = faint[pixel[0]] if pixel[0] < len(faint) else 255
                red, green, blue = palette[3 * pixel[0] : 3 * pixel[0] + 3]
                self.expected.append((red, green, blue, alpha))
            elif kind in (GRAY, GRAY_ALPHA):
                alpha_of_gray = scaled[1] if kind == GRAY_ALPHA else 255
                self.expected.append((scaled[0], scaled[0], scaled[0], 0 if is_gone else alpha_of_gray))
            else:
                red_, green_, blue_ = scaled[:3]
                self.expected.append((red_, green_, blue_, 0 if is_gone else (scaled[3] if kind == RGBA else 255)))
        color_key = struct.pack(f">{len(gone)}H", *gone) if is_see_through and kind in (GRAY, RGB) else b""
        self.content = written_png(self.rows, kind=kind, depth=depth, transparency=faint or color_key, palette=palette)


KINDS = [
    pytest.param(kind, depth, is_see_through, id=f"{name}-{depth}{'-transparent' if is_see_through else ''}")
    for name, kind in (("gray", GRAY), ("rgb", RGB), ("palette", PALETTE), ("gray-alpha", GRAY_ALPHA), ("rgba", RGBA))
    for depth in DEPTHS[kind]
    for is_see_through in ((False, True) if kind in (GRAY, RGB, PALETTE) else (False,))
]


@pytest.mark.parametrize(("kind", "depth", "is_see_through"), KINDS)
def test_every_kind_of_png_is_stored_as_it_looks(kind: int, depth: int, is_see_through: bool) -> None:  # noqa: FBT001
    drawn = Drawn(kind, depth, is_see_through=is_see_through)

    assert_alike(stored(drawn.content), drawn.expected)


@pytest.mark.parametrize("name", ["letter_in_16_bit_gray.png", "letter_in_16_bit_gray_on_nothing.png"])
def test_16_bit_scan_is_not_stored_blank(name: str) -> None:
    picture = stored((FILES / name).read_bytes())

    seen = {pixel[:3] for pixel in pixels(picture) if pixel[3]}
    assert min(seen) < (30, 30, 30)
    assert picture.size == (600, 300)


def test_gamma_metadata_is_applied() -> None:
    """Browsers apply it too: without it, a linear-light picture would be stored far too dark."""
    linear = chunk(b"gAMA", struct.pack(">I", 100_000))

    content = written_png([[(64, 64, 64)] * 4], kind=RGB, depth=8, other=linear)

    assert pixels(stored(content))[0][0] in range(134, 141)


@pytest.mark.parametrize("mode", ["1", "P", "L", "LA", "RGB", "RGBA", "I;16"])
def test_fine_lines_survive_downscaling(mode: str) -> None:
    """A line one dot wide in a wide scan becomes gray; it must not vanish between two dots."""
    page = Image.new("L", (MAX_SIDE * 2, 64), "white")
    pen = ImageDraw.Draw(page)
    for at in range(0, page.width, 20):
        pen.line((at, 0, at, 64), fill=0)
        pen.line((at + 11, 0, at + 11, 64), fill=0)
    written = io.BytesIO()
    (page.convert("I").point(lambda value: value * 257).convert("I;16") if mode == "I;16" else page.convert(mode)).save(
        written, "PNG"
    )

    picture = stored(written.getvalue()).convert("L")

    assert picture.size == (MAX_SIDE, 32)
    for at in range(0, MAX_SIDE, 10):
        for line in (at, at + 5):
            near = picture.crop((max(line - 1, 0), 16, min(line + 2, MAX_SIDE), 17)).tobytes()
            assert min(near) < 220, f"no line near {line}"


# JPEG


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_every_kind_of_jpeg_is_stored_as_it_looks(mode: str) -> None:
    page = Image.new(mode, (64, 32), "white" if mode != "CMYK" else (0, 0, 0, 0))
    page.paste("black" if mode != "CMYK" else (0, 0, 0, 255), (8, 8, 24, 24))
    page.paste((0, 200, 150, 20) if mode == "CMYK" else (200, 30, 60) if mode == "RGB" else 128, (40, 8, 56, 24))
    written = io.BytesIO()
    page.save(written, "JPEG", quality=95)

    got = stored(written.getvalue()).convert("RGB")

    expected = page.convert("RGB")
    for spot in ((2, 2), (16, 16), (48, 16)):
        seen, meant = got.getpixel(spot), expected.getpixel(spot)
        assert isinstance(seen, tuple)
        assert isinstance(meant, tuple)
        assert max(abs(a - b) for a, b in zip(seen, meant, strict=True)) < 8


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_other_color_spaces_keep_their_colors(kind: str) -> None:
    """Phones write their own; without the profile the same numbers would be other colors."""
    written = io.BytesIO()
    Image.new("RGB", (32, 32), (60, 120, 200)).save(
        written, kind, icc_profile=swapped_profile(), **({"quality": 100} if kind == "JPEG" else {})
    )

    seen = stored(written.getvalue()).convert("RGB").getpixel((16, 16))

    assert isinstance(seen, tuple)
    assert max(abs(a - b) for a, b in zip(seen, (200, 120, 60), strict=True)) < 6


def swapped_profile() -> bytes:
    """sRGB with red and blue swapped: a viewer that ignores the profile shows blue for red."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = content.index(b"rXYZ"), content.index(b"bXYZ")
    content[red : red + 4], content[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(content)


def test_unreadable_color_profile_does_not_reject_the_photo() -> None:
    written = io.BytesIO()
    Image.new("RGB", (32, 32), (60, 120, 200)).save(written, "PNG", icc_profile=b"no profile at all" * 20)

    assert pixels(stored(written.getvalue()))[0] == (60, 120, 200, 255)


# The original bytes


def test_original_bytes_are_kept_with_the_proof() -> None:
    written = io.BytesIO()
    Image.new("RGB", (32, 32), "white").save(written, "JPEG")

    proof = check(written.getvalue())

    assert proof.received == written.getvalue()
    assert proof.content != proof.received
