"""The tensor table and the payload: rows checked, arrays viewed in place, payloads laid out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from oni import encodings, names
from oni.dtypes import Dtype
from oni.encodings import RAW, Encoding, Packing
from oni.errors import OniError
from oni.header import N_TENSORS_MAX, TensorRow

N_PAYLOAD_BYTES_MAX = 64 << 20
N_DIMENSIONS_MAX = 8
DIMENSION_MAX = 1 << 26
ALIGNMENT = 64


@dataclass(frozen=True, slots=True)
class Place:
    """A checked row of the tensor table: what a tensor is, and where its bytes lie."""

    name: str
    dtype: Dtype
    shape: tuple[int, ...]
    start: int
    end: int
    packing: Packing

    @property
    def n_raw_bytes(self) -> int:
        """Its size once it is unpacked."""
        return math.prod(self.shape) * self.dtype.n_bytes


def check_table(rows: tuple[TensorRow, ...], n_payload_bytes: int) -> list[Place]:
    """The rows of a tensor table, each checked on its own and against the others.

    Raises:
        OniError: for the first rule that is broken.
    """
    _fits_payload("payload", n_payload_bytes)
    places: dict[str, Place] = {}
    for row in rows:
        if row.name in places:
            raise OniError("duplicate-tensor", _named(row), "a name of its own", "another's")
        places[row.name] = _check_row(row, n_payload_bytes)
    _check_overlaps(list(places.values()))
    end = 0
    for place in places.values():
        end = _aligned(end) + place.n_raw_bytes
    _fits_payload("payload once unpacked", end)
    return list(places.values())


def view(place: Place, payload: memoryview) -> np.ndarray:
    """A tensor: raw ones share the payload's memory. It cannot be written.

    Raises:
        OniError: if a packed tensor's bytes do not hold what the table says.
    """
    data = payload[place.start : place.end]
    if place.packing.encoding == Encoding.RAW:
        array = np.frombuffer(data, place.dtype.numpy).reshape(place.shape)
    else:
        try:
            array = encodings.unpack(data, place.packing, place.dtype, place.shape)
        except ValueError as error:
            expected = f"{place.packing.encoding.text} data"
            raise OniError("bad-packed-data", _named(place), expected, error) from error
    array.flags.writeable = False
    return array


def lay_out(
    tensors: Mapping[str, np.ndarray], packings: Mapping[str, Packing]
) -> tuple[tuple[TensorRow, ...], bytes]:
    """A table and a payload that hold these tensors, in their order.

    Raises:
        OniError: if there are too many, they take too many bytes, or cannot be packed as asked.
        TypeError: if ONI has no such dtype.
    """
    if len(tensors) > N_TENSORS_MAX:
        raise OniError("too-many-entries", "tensors", f"at most {N_TENSORS_MAX}", len(tensors))
    rows: list[TensorRow] = []
    parts: list[bytes] = []
    end = 0
    for name, given in tensors.items():
        dtype = Dtype.of_numpy(given.dtype)
        array = np.asarray(given, dtype.numpy, order="C")
        packing = packings.get(name, RAW)
        _check_misfit(f'tensor "{name}"', packing.encoding, dtype, array.shape)
        data, scale = encodings.pack(packing, array)
        offset = _aligned(end)
        parts += [bytes(offset - end), data]
        end = offset + len(data)
        encoding = packing.encoding
        rows.append(TensorRow(name, dtype, array.shape, offset, len(data), encoding, scale))
    check_table(tuple(rows), end)
    return tuple(rows), b"".join(parts)


def _check_row(row: TensorRow, n_payload_bytes: int) -> Place:
    if not names.is_tensor_name(row.name):
        raise OniError("bad-name", "tensor's name", "1 to 64 of a-z 0-9 _", repr(row.name))
    if row.dtype not in list(Dtype):
        raise OniError("unknown-dtype", _named(row), f"1 to {max(Dtype)}", row.dtype)
    if row.encoding not in list(Encoding):
        raise OniError("unknown-encoding", _named(row), f"1 to {max(Encoding)}", row.encoding)
    dtype, encoding = Dtype(row.dtype), Encoding(row.encoding)
    _check_shape(row, dtype)
    _check_misfit(_named(row), encoding, dtype, row.shape)
    if not encodings.is_scale(row.scale, encoding, dtype):
        wanted = "finite and above 0" if encoding == Encoding.INT8 else "0"
        raise OniError("bad-scale", _named(row), f"a scale that is {wanted}", row.scale)
    _check_place(row, encoding, dtype, n_payload_bytes)
    packing = Packing(encoding, row.scale or None)
    return Place(row.name, dtype, row.shape, row.offset, row.offset + row.length, packing)


def _check_shape(row: TensorRow, dtype: Dtype) -> None:
    if len(row.shape) > N_DIMENSIONS_MAX:
        expected = f"at most {N_DIMENSIONS_MAX} dimensions"
        raise OniError("too-many-dimensions", _named(row), expected, len(row.shape))
    if any(length > DIMENSION_MAX for length in row.shape):
        expected = f"dimensions up to {DIMENSION_MAX}"
        raise OniError("tensor-too-large", _named(row), expected, list(row.shape))
    # numpy counts 0 as 1 when it asks whether an array is too large for the address space.
    n_bytes = math.prod(length or 1 for length in row.shape) * dtype.n_bytes
    if n_bytes > N_PAYLOAD_BYTES_MAX:
        expected = f"at most {N_PAYLOAD_BYTES_MAX} bytes"
        raise OniError("tensor-too-large", _named(row), expected, n_bytes)


def _check_misfit(where: str, encoding: Encoding, dtype: Dtype, shape: tuple[int, ...]) -> None:
    if not encodings.takes(encoding, dtype, shape):
        got = f"{dtype.text} {list(shape)}"
        expected = f"a dtype and shape that {encoding.text} takes"
        raise OniError("encoding-misfit", where, expected, got)


def _check_place(row: TensorRow, encoding: Encoding, dtype: Dtype, n_payload_bytes: int) -> None:
    n_numbers = math.prod(row.shape)
    n_bytes = n_numbers if encoding == Encoding.INT8 else n_numbers * dtype.n_bytes
    if encoding in (Encoding.RAW, Encoding.INT8) and row.length != n_bytes:
        raise OniError("tensor-length", _named(row), f"{n_bytes} bytes", row.length)
    if row.offset % ALIGNMENT:
        expected = f"an offset that is a multiple of {ALIGNMENT}"
        raise OniError("tensor-unaligned", _named(row), expected, row.offset)
    if row.offset + row.length > n_payload_bytes:
        got = f"bytes {row.offset} to {row.offset + row.length}"
        expected = f"bytes within the payload's {n_payload_bytes}"
        raise OniError("tensor-outside", _named(row), expected, got)


def _check_overlaps(places: list[Place]) -> None:
    taken = sorted((place for place in places if place.start < place.end), key=lambda p: p.start)
    for before, after in itertools.pairwise(taken):
        if before.end > after.start:
            got = f"bytes of {_named(before)}"
            raise OniError("tensor-overlap", _named(after), "bytes of its own", got)


def _fits_payload(where: str, n_bytes: int) -> None:
    if n_bytes > N_PAYLOAD_BYTES_MAX:
        expected = f"at most {N_PAYLOAD_BYTES_MAX} bytes"
        raise OniError("payload-too-long", where, expected, n_bytes)


def _named(row: TensorRow | Place) -> str:
    return f'tensor "{row.name}"'


def _aligned(n_bytes: int) -> int:
    return -(-n_bytes // ALIGNMENT) * ALIGNMENT
