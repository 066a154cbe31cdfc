"""
Re-encodes photos and scans: keeps what is visible and drops everything else in the file.

PNGs are converted to 8 bits first, because Pillow clips 16-bit gray, resizes bilevel and palette images without
interpolation, and misreads the transparent color of some kinds of PNG.
"""

import io
import logging
import warnings

from PIL import ExifTags, Image, ImageCms, ImageMath

logger = logging.getLogger(__name__)

JPEG = "image/jpeg"
PNG = "image/png"
MAX_PIXELS = 60_000_000
MAX_SCANS = 1000
"""Cameras write about ten scans per JPEG. Each costs milliseconds to read, and 15 MB can hold 100,000 of them."""
MAX_SIDE = 4000

JPEG_START = b"\xff\xd8\xff"
PNG_START = b"\x89PNG\r\n\x1a\n"
# Start of a scan. Data after the image, such as a video, contains these two bytes by chance a few hundred times.
_SCAN = b"\xff\xda"
_SCREEN_GAMMA = 1 / 2.2
_GRAY_16 = ("I;16", "I;16L", "I;16B", "I")

# Values of the EXIF orientation tag.
_EXIF_ROTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class TooManyPixels(Exception):
    """Decoding would take too much memory."""


class TooManyScans(Exception):
    """Decoding would take too long."""


class UnreadablePhoto(Exception):
    """The file is truncated or damaged."""


def reencode(received: bytes) -> tuple[bytes, str]:
    """
    Re-encode a JPEG or PNG: upright, in sRGB, at most `MAX_SIDE` pixels wide and high. Return it with its content type.

    :raises TooManyPixels: according to its header, before anything is decoded
    :raises TooManyScans: counted before anything is decoded
    :raises UnreadablePhoto: it is truncated or damaged
    """
    try:
        drawn, content_type = render(received)
    except (TooManyPixels, TooManyScans):
        raise
    except Image.DecompressionBombError as problem:
        raise TooManyPixels from problem
    except Exception as problem:
        # Not only OSError: damaged data makes Pillow raise TypeError, struct.error and others.
        raise UnreadablePhoto from problem
    clean = Image.new(drawn.mode, drawn.size)
    clean.paste(drawn)
    written = io.BytesIO()
    if content_type == JPEG:
        clean.save(written, "JPEG", quality=88)
    else:
        clean.save(written, "PNG")
    return written.getvalue(), content_type


def render(received: bytes) -> tuple[Image.Image, str]:
    if received.startswith(JPEG_START) and received.count(_SCAN) > MAX_SCANS:
        raise TooManyScans
    with warnings.catch_warnings(), Image.open(io.BytesIO(received), formats=("JPEG", "PNG")) as picture:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is stricter
        if picture.width * picture.height > MAX_PIXELS:
            raise TooManyPixels
        # Phones append a second image to the first, which Pillow calls MPO. It is still a photo.
        content_type = PNG if picture.format == "PNG" else JPEG
        turn = _exif_rotation(picture)
        info = dict(picture.info)
        plain = _to_8_bit(picture, received) if content_type == PNG else picture
        plain.thumbnail((MAX_SIDE, MAX_SIDE))  # early, because each later step makes a copy
        upright = plain.transpose(turn) if turn is not None else plain
        return _to_screen_colors(upright, info, "RGBA" if content_type == PNG else "RGB"), content_type


def _to_8_bit(picture: Image.Image, received: bytes) -> Image.Image:
    """Convert a PNG of any kind to 8 bits without a palette, with its transparent color made transparent."""
    key = picture.info.get("transparency")
    if picture.mode in _GRAY_16:
        return _from_16_bit_gray(picture, key)
    depth = received[24]  # in the IHDR chunk, which Pillow has checked
    if picture.mode in ("1", "L") and isinstance(key, int):
        # Pillow scales the pixels to 8 bits, but not the transparent gray of 2 and 4 bits or colors of 16 bits.
        picture.info["transparency"] = key * 255 // (2**depth - 1) if depth in (2, 4) else key
        return picture.convert("RGBA")
    if picture.mode == "RGB" and isinstance(key, tuple):
        picture.info["transparency"] = tuple(each >> 8 for each in key) if depth == 16 else key
        return picture.convert("RGBA")
    if picture.mode == "P":
        return picture.convert("RGBA")
    return picture.convert("L") if picture.mode == "1" else picture


def _from_16_bit_gray(picture: Image.Image, key: object) -> Image.Image:
    whole = picture.convert("I")
    gray = whole.point(lambda value: value * (1 / 257) + 0.5).convert("L")
    if not isinstance(key, int):
        return gray
    seen = ImageMath.lambda_eval(lambda args: args["convert"]((args["whole"] != key) * 255, "L"), whole=whole)
    return Image.merge("LA", (gray, seen))


def _to_screen_colors(picture: Image.Image, info: dict[str | tuple[int, int], object], mode: str) -> Image.Image:
    """Apply the file's color profile or gamma, as a browser does, because the stored copy has neither."""
    has_alpha = mode == "RGBA" and picture.mode in ("LA", "RGBA")
    alpha = picture.getchannel("A") if has_alpha else None
    if picture.mode in ("LA", "RGBA"):
        picture = picture.convert("L" if picture.mode == "LA" else "RGB")
    colors = _to_srgb(picture, info)
    if alpha is not None:
        colors.putalpha(alpha)
    return colors if colors.mode == mode else colors.convert(mode)


def _to_srgb(picture: Image.Image, info: dict[str | tuple[int, int], object]) -> Image.Image:
    profile, gamma = info.get("icc_profile"), info.get("gamma")
    if isinstance(profile, bytes) and profile:
        try:
            given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            changed = ImageCms.profileToProfile(picture, given, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            # Viewers ignore a profile that does not match the image or cannot be read.
            logger.info("Ignored an unusable color profile of a photo.")
        else:
            return changed if changed is not None else picture.convert("RGB")
    colors = picture.convert("RGB")
    if "srgb" in info or not isinstance(gamma, float) or not 0.1 < gamma <= 2 or abs(gamma - _SCREEN_GAMMA) < 0.01:
        return colors
    exponent = _SCREEN_GAMMA / gamma
    table = [round(255 * (value / 255) ** exponent) for value in range(256)]
    return colors.point(table * 3)


def _exif_rotation(picture: Image.Image) -> Image.Transpose | None:
    """
    Return how to rotate a photo so that it is upright.

    Pillow's `exif_transpose` is not used, because it rewrites the other EXIF data and fails on malformed data.
    """
    try:
        return _EXIF_ROTATIONS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - Pillow fails on malformed EXIF data in many ways; the photo is fine without it
        return None
