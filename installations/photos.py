"""
Photos and scans, drawn again: what is seen stays, and everything else that the file carried goes.

A picture is first brought into plain colors, because Pillow cuts off 16-bit gray, leaves out the space between two dots
when it makes a bilevel or palette picture smaller, and misreads the transparent color of some kinds of PNG.
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
"""Layers of one JPEG. Cameras write ten or so; each costs its reader milliseconds, and 15 MB hold 100,000 of them."""
MAX_SIDE = 4000

JPEG_START = b"\xff\xd8\xff"
PNG_START = b"\x89PNG\r\n\x1a\n"
# Begins a layer. What lies behind the picture, such as a film, has these two bytes by chance some two hundred times.
_SCAN = b"\xff\xda"
_SCREEN_GAMMA = 1 / 2.2
_GRAY_16 = ("I;16", "I;16L", "I;16B", "I")

# How the EXIF data says that the camera was held.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class TooManyPixels(Exception):
    """It would take more memory than a photo of a letter may."""


class TooManyLayers(Exception):
    """It would keep its reader busy for far longer than a photo may."""


class Unreadable(Exception):
    """It is cut off or damaged."""


def redraw(received: bytes) -> tuple[bytes, str]:
    """
    Draw a JPEG or PNG again and return it with its content type: upright, at most `MAX_SIDE` wide and high, in sRGB.

    :raises TooManyPixels: seen in its header, before anything is unpacked
    :raises TooManyLayers: counted before anything is unpacked
    :raises Unreadable: it is cut off or damaged
    """
    try:
        drawn, content_type = draw(received)
    except (TooManyPixels, TooManyLayers):
        raise
    except Image.DecompressionBombError as problem:
        raise TooManyPixels from problem
    except Exception as problem:
        # Not only OSError: on damaged data Pillow stumbles with TypeError, struct.error and others.
        raise Unreadable from problem
    clean = Image.new(drawn.mode, drawn.size)
    clean.paste(drawn)
    written = io.BytesIO()
    if content_type == JPEG:
        clean.save(written, "JPEG", quality=88)
    else:
        clean.save(written, "PNG")
    return written.getvalue(), content_type


def draw(received: bytes) -> tuple[Image.Image, str]:
    if received.startswith(JPEG_START) and received.count(_SCAN) > MAX_SCANS:
        raise TooManyLayers
    with warnings.catch_warnings(), Image.open(io.BytesIO(received), formats=("JPEG", "PNG")) as picture:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is stricter
        if picture.width * picture.height > MAX_PIXELS:
            raise TooManyPixels
        # Phones put a second picture behind the first, which Pillow calls MPO: it is a photo all the same.
        content_type = PNG if picture.format == "PNG" else JPEG
        turn = _turn_of(picture)
        info = dict(picture.info)
        plain = _in_plain_colors(picture, received) if content_type == PNG else picture
        plain.thumbnail((MAX_SIDE, MAX_SIDE))  # early: each further step makes a copy
        upright = plain.transpose(turn) if turn is not None else plain
        return _as_on_screen(upright, info, "RGBA" if content_type == PNG else "RGB"), content_type


def _in_plain_colors(picture: Image.Image, received: bytes) -> Image.Image:
    """Bring a PNG of any kind into 8 bits, without palette, and with its transparent color made transparent."""
    key = picture.info.get("transparency")
    if picture.mode in _GRAY_16:
        return _from_16_bit_gray(picture, key)
    depth = received[24]  # in the first chunk, which Pillow has checked
    if picture.mode in ("1", "L") and isinstance(key, int):
        # Pillow scales the pixels to 8 bits, but neither the transparent gray of 2 and 4 bits nor colors of 16.
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


def _as_on_screen(picture: Image.Image, info: dict[str | tuple[int, int], object], mode: str) -> Image.Image:
    """Apply what the file says about its colors, as a browser does, because the stored copy does not say it."""
    has_alpha = mode == "RGBA" and picture.mode in ("LA", "RGBA")
    alpha = picture.getchannel("A") if has_alpha else None
    if picture.mode in ("LA", "RGBA"):
        picture = picture.convert("L" if picture.mode == "LA" else "RGB")
    colors = _in_srgb(picture, info)
    if alpha is not None:
        colors.putalpha(alpha)
    return colors if colors.mode == mode else colors.convert(mode)


def _in_srgb(picture: Image.Image, info: dict[str | tuple[int, int], object]) -> Image.Image:
    profile, gamma = info.get("icc_profile"), info.get("gamma")
    if isinstance(profile, bytes) and profile:
        try:
            given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            changed = ImageCms.profileToProfile(picture, given, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            # It does not fit the picture or cannot be read; every viewer then shows the plain numbers.
            logger.info("A picture's color profile is of no use and was left out.")
        else:
            return changed if changed is not None else picture.convert("RGB")
    colors = picture.convert("RGB")
    if "srgb" in info or not isinstance(gamma, float) or not 0.1 < gamma <= 2 or abs(gamma - _SCREEN_GAMMA) < 0.01:
        return colors
    exponent = _SCREEN_GAMMA / gamma
    table = [round(255 * (value / 255) ** exponent) for value in range(256)]
    return colors.point(table * 3)


def _turn_of(picture: Image.Image) -> Image.Transpose | None:
    """
    Say how a photo must be turned to stand upright.

    Read here, and not by Pillow's `exif_transpose`: that writes the rest of the EXIF data again, and fails on odd ones.
    """
    try:
        return _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - Pillow stumbles over EXIF data in many ways, and the photo is good without
        return None
