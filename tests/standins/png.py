"""Screenshots made small: a PNG of a browser becomes one of 256 colours, a quarter of its size.

Reads what Chromium writes (8 bits of RGB or RGBA, not interlaced). Called when pictures are asked for.
"""

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = 256
Colour = tuple[int, int, int]


def smaller(picture: bytes) -> bytes:
    parts = list(_chunks(picture))
    width, height, depth, kind = struct.unpack(">IIBB", parts[0][1][:10])
    assert (depth, kind) in ((8, 2), (8, 6)), "8 bits of RGB or RGBA"
    step = 3 if kind == 2 else 4
    packed = zlib.decompress(b"".join(data for name, data in parts if name == b"IDAT"))
    rows = _rows(packed, width * step, step)
    pixels = [[tuple(row[at : at + 3]) for at in range(0, len(row), step)] for row in rows]
    palette = [colour for colour, _ in Counter(each for row in pixels for each in row).most_common(COLOURS)]
    places = {colour: place for place, colour in enumerate(palette)}
    lines = b"".join(b"\0" + bytes(_place(each, palette, places) for each in row) for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    colours = bytes(value for colour in palette for value in colour)
    written = ((b"IHDR", head), (b"PLTE", colours), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(name, data) for name, data in written)


def _place(colour: Colour, palette: list[Colour], places: dict[Colour, int]) -> int:
    """Of the colour, or of the one nearest to it, which is remembered."""
    if colour not in places:
        apart = [sum((a - b) ** 2 for a, b in zip(colour, each, strict=True)) for each in palette]
        places[colour] = apart.index(min(apart))
    return places[colour]


def _chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(picture):
        (size,) = struct.unpack(">I", picture[at : at + 4])
        yield picture[at + 4 : at + 8], picture[at + 8 : at + 8 + size]
        at += size + 12


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _rows(packed: bytes, width: int, step: int) -> Iterator[bytearray]:
    """Each line with its filter taken back."""
    above = bytearray(width)
    for at in range(0, len(packed), width + 1):
        kind, row = packed[at], bytearray(packed[at + 1 : at + 1 + width])
        for n in range(width):
            left, corner = (row[n - step], above[n - step]) if n >= step else (0, 0)
            added = (0, left, above[n], (left + above[n]) // 2, _paeth(left, above[n], corner))[kind]
            row[n] = (row[n] + added) & 255
        yield row
        above = row


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda each: abs(guess - each))
