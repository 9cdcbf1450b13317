"""How a tensor's bytes are packed: raw, zstd, int8 with a scale, 16-bit PNG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import zstandard

from oni import png16
from oni.dtypes import Dtype
from oni.errors import OniError

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_LEVEL = 3
_N_SLICE_BYTES = 64


class Encoding(IntEnum):
    """A tensor's encoding; the number is the one on the wire."""

    RAW = 1
    ZSTD = 2
    INT8 = 3
    PNG16 = 4

    @property
    def text(self) -> str:
        """The specification's name, such as ``png16``."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Packing:
    """How a tensor is, or shall be, packed.

    Attributes:
        scale: for int8, how much one step is, in the tensor's unit. None lets the writer choose
            the finest one that all numbers fit in.
    """

    encoding: Encoding
    scale: float | None = None


RAW = Packing(Encoding.RAW)


def takes(encoding: Encoding, dtype: Dtype, shape: tuple[int, ...]) -> bool:
    """Whether a tensor of this dtype and shape can be packed so."""
    if encoding == Encoding.INT8:
        return dtype.is_float
    if encoding == Encoding.PNG16:
        return dtype == Dtype.U16 and len(shape) == 2 and 0 not in shape
    return True


def is_scale(scale: float, encoding: Encoding, dtype: Dtype) -> bool:
    """Whether an encoding can have this scale; 0 is none."""
    if encoding != Encoding.INT8:
        return scale == 0.0
    if not (math.isfinite(scale) and scale > 0.0):
        return False
    with np.errstate(over="ignore"):
        return bool(np.isfinite(np.float64(128.0 * scale).astype(dtype.numpy)))


def pack(packing: Packing, array: np.ndarray) -> tuple[bytes, float]:
    """An array's packed bytes, and its scale (0 unless the encoding is int8).

    Raises:
        OniError: if int8 is asked for and a number does not fit.
    """
    if packing.encoding == Encoding.ZSTD:
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(array.tobytes()), 0.0
    if packing.encoding == Encoding.INT8:
        return _pack_int8(array, packing.scale)
    if packing.encoding == Encoding.PNG16:
        return png16.encode(array), 0.0
    return array.tobytes(), 0.0


def unpack(data: memoryview, packing: Packing, dtype: Dtype, shape: tuple[int, ...]) -> np.ndarray:
    """The array in packed bytes, of this dtype and shape, in memory of its own.

    Raises:
        ValueError: if the bytes are not such an array.
    """
    if packing.encoding == Encoding.ZSTD:
        raw = _unpack_zstd(data, math.prod(shape) * dtype.n_bytes)
        return np.frombuffer(raw, dtype.numpy).reshape(shape)
    if packing.encoding == Encoding.INT8:
        steps = np.frombuffer(data, "i1").reshape(shape)
        # Of no dimension, numpy would make a scalar of the product.
        return np.asarray(steps * np.float64(packing.scale)).astype(dtype.numpy)
    return png16.decode(data, shape)


def _pack_int8(array: np.ndarray, wanted: float | None) -> tuple[bytes, float]:
    numbers = array.astype("<f8")
    if not np.isfinite(numbers).all():
        raise OniError("not-finite", "int8", "finite numbers", "others")
    scale = wanted or float(np.abs(numbers).max(initial=0.0)) / 127.0 or 1.0
    if not is_scale(scale, Encoding.INT8, Dtype.of_numpy(array.dtype)):
        raise OniError("bad-scale", "int8", "a scale above 0 that reaches no infinity", scale)
    steps = np.rint(numbers / scale)
    if np.any((steps < -128) | (steps > 127)):
        expected = f"numbers from {-128 * scale} to {127 * scale}"
        raise OniError("out-of-range", "int8", expected, "others")
    return steps.astype("i1").tobytes(), scale


def _unpack_zstd(data: memoryview, n_bytes: int) -> bytes:
    """The content of one zstd frame, which must be just as long as the shape asks for.

    The content size in the frame is read first, since the decompressor takes that much memory.
    """
    if data[:4] != _ZSTD_MAGIC:
        raise ValueError("expected one zstd frame, got something else")
    try:
        frame = zstandard.get_frame_parameters(data)
        if frame.dict_id:
            raise ValueError(f"expected no dictionary, got {frame.dict_id}")
        if frame.content_size != n_bytes:
            got = frame.content_size
            unknown = got == zstandard.CONTENTSIZE_UNKNOWN
            raise ValueError(f"expected {n_bytes} bytes, got {'no size' if unknown else got}")
        if n_bytes == 0:
            _check_empty_zstd(data)
            return b""
        return zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(f"expected one zstd frame, got {error}") from error


def _check_empty_zstd(data: memoryview) -> None:
    """Whether this is one empty frame; the library answers such a frame without a look at it.

    It is walked in slices: each can unpack to little, and the first byte that comes out ends it.
    """
    reader = zstandard.ZstdDecompressor().decompressobj()
    for start in range(0, len(data), _N_SLICE_BYTES):
        if reader.eof or reader.decompress(data[start : start + _N_SLICE_BYTES]):
            raise ValueError("expected an empty zstd frame and nothing behind, got more")
    if not reader.eof or reader.unused_data:
        raise ValueError("expected just one empty zstd frame, got less or more")
