"""PNG files written sample by sample, so that tests know what a picture shows without the library under test."""

import struct
import zlib
from collections.abc import Sequence

GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}

Row = Sequence[Sequence[int]]
"""One row of a picture: the samples of each pixel."""


def written_png(
    rows: Sequence[Row], *, kind: int, depth: int, transparency: bytes = b"", palette: bytes = b"", other: bytes = b""
) -> bytes:
    """Write rows of pixels; `other` is whole chunks placed before the palette."""
    data = b""
    for row in rows:
        bits = "".join(format(sample, f"0{depth}b") for pixel in row for sample in pixel)
        bits += "0" * (-len(bits) % 8)
        data += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), depth, kind, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + other
    if palette:
        chunks += chunk(b"PLTE", palette)
    if transparency:
        chunks += chunk(b"tRNS", transparency)
    return b"\x89PNG\r\n\x1a\n" + chunks + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
