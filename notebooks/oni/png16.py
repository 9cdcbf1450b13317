"""16-bit greyscale PNG, the encoding `png16`: strict about the form, bounded in memory.

Pillow turns filtered rows into pixels. Before it sees a byte, the chunks are walked, each CRC is
checked, and the pixel data is inflated to exactly as many bytes as the shape asks for: what comes
from outside never decides how much memory is taken.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Bit 5 of the first letter, which makes it a small one: readers may skip such a chunk.
_ANCILLARY = 0x20


def encode(pixels: np.ndarray) -> bytes:
    """A PNG of `pixels`, u16 of shape `[row, column]`, neither of them 0."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels, dtype="<u2")).save(file, format="PNG")
    return file.getvalue()


def decode(data: bytes | memoryview, shape: tuple[int, int]) -> np.ndarray:
    """The pixels of a PNG, little-endian u16 of `shape` (`[row, column]`).

    Raises:
        ValueError: if the bytes are not such a PNG of just this shape.
    """
    head, stream = _essence(bytes(data), shape)
    _check_rows(stream, shape)
    plain = b"".join(
        (_SIGNATURE, _chunk(b"IHDR", head), _chunk(b"IDAT", stream), _chunk(b"IEND", b""))
    )
    with Image.open(io.BytesIO(plain), formats=("PNG",)) as picture:
        pixels = np.asarray(picture)
    if pixels.shape != shape or pixels.dtype.itemsize not in (2, 4):
        raise ValueError(f"expected 16-bit pixels of {shape}, got {pixels.dtype} {pixels.shape}")
    return pixels.astype("<u2")


def _essence(data: bytes, shape: tuple[int, int]) -> tuple[bytes, bytes]:
    """The contents of IHDR and of all IDAT chunks; ancillary chunks are left out."""
    if data[:8] != _SIGNATURE:
        raise ValueError("expected the signature of a PNG, got other bytes")
    kind, head, position = _read_chunk(data, 8)
    if kind != b"IHDR":
        raise ValueError(f"expected IHDR first, got {kind!r}")
    _check_form(head, shape)
    parts: list[bytes] = []
    kind_before = kind
    while kind != b"IEND":
        kind_before, (kind, content, position) = kind, _read_chunk(data, position)
        if kind == b"IDAT":
            if parts and kind_before != b"IDAT":
                raise ValueError(f"expected IDAT chunks in a row, got {kind_before!r} between")
            parts.append(content)
        elif kind == b"acTL" or (kind != b"IEND" and not kind[0] & _ANCILLARY):
            raise ValueError(f"expected IDAT, IEND or an ancillary chunk but acTL, got {kind!r}")
    if position != len(data):
        raise ValueError(f"expected nothing after IEND, got {len(data) - position} bytes")
    return head, b"".join(parts)


def _read_chunk(data: bytes, position: int) -> tuple[bytes, bytes, int]:
    """A chunk's kind and content, and where the next one begins."""
    head = data[position : position + 8]
    if len(head) < 8:
        raise ValueError(f"expected a chunk at byte {position}, got the end")
    length, kind = struct.unpack(">I4s", head)
    end = position + 8 + length
    checksum = data[end : end + 4]
    if len(checksum) < 4:
        raise ValueError(f"expected {length} bytes of {kind!r}, got the end")
    is_ancillary = kind[0] & _ANCILLARY
    found = zlib.crc32(memoryview(data)[position + 4 : end])
    if found != int.from_bytes(checksum, "big") and not is_ancillary:
        raise ValueError(f"expected the CRC of {kind!r}, got another")
    if kind == b"IEND" and length:
        raise ValueError(f"expected an empty IEND, got {length} bytes")
    return kind, data[position + 8 : end], end + 4


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content).to_bytes(4, "big")
    return b"".join((len(content).to_bytes(4, "big"), kind, content, checksum))


def _check_form(content: bytes, shape: tuple[int, int]) -> None:
    if len(content) != 13:
        raise ValueError(f"expected 13 bytes of IHDR, got {len(content)}")
    width, height, *form = struct.unpack(">IIBBBBB", content)
    if (height, width) != shape:
        raise ValueError(f"expected {shape} rows and columns, got {(height, width)}")
    if form != [16, 0, 0, 0, 0]:
        raise ValueError(f"expected depth 16, greyscale, not interlaced, got {form}")


def _check_rows(stream: bytes, shape: tuple[int, int]) -> None:
    """Inflates the rows, each with its filter's number before it, and checks both."""
    n_rows, n_columns = shape
    n_bytes = n_rows * (1 + 2 * n_columns)
    inflater = zlib.decompressobj()
    try:
        rows = inflater.decompress(stream, n_bytes + 1)
    except zlib.error as error:
        raise ValueError(f"expected a zlib stream, got {error}") from error
    if len(rows) != n_bytes or not inflater.eof or inflater.unused_data:
        raise ValueError(f"expected just {n_bytes} bytes of rows, got another number")
    filters = np.frombuffer(rows, np.uint8)[:: 1 + 2 * n_columns]
    if filters.max(initial=0) > 4:
        raise ValueError(f"expected filters from 0 to 4, got {filters.max()}")
