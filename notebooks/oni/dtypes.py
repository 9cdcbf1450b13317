"""What a tensor's numbers are: the specification's dtypes and numpy's."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Dtype(IntEnum):
    """A tensor's dtype; the number is the one on the wire."""

    F32 = 1
    F64 = 2
    I32 = 3
    I64 = 4
    U8 = 5
    U16 = 6
    U32 = 7

    @property
    def text(self) -> str:
        """The name in schemas and JSON, such as ``f32``."""
        return self.name.lower()

    @property
    def numpy(self) -> np.dtype:
        """Numpy's little-endian dtype."""
        return _NUMPY[self]

    @property
    def n_bytes(self) -> int:
        """Bytes of one number."""
        return _NUMPY[self].itemsize

    @property
    def is_float(self) -> bool:
        """Whether NaN and infinities exist."""
        return self in (Dtype.F32, Dtype.F64)

    @classmethod
    def of_numpy(cls, dtype: np.dtype) -> Dtype:
        """The dtype of an array, of either byte order.

        Raises:
            TypeError: if ONI has no such dtype.
        """
        found = [row for row, kind in _NUMPY.items() if kind == dtype.newbyteorder("<")]
        if not found:
            known = ", ".join(row.text for row in cls)
            raise TypeError(f"expected one of {known}, got {dtype}")
        return found[0]


_NUMPY = {
    Dtype.F32: np.dtype("<f4"),
    Dtype.F64: np.dtype("<f8"),
    Dtype.I32: np.dtype("<i4"),
    Dtype.I64: np.dtype("<i8"),
    Dtype.U8: np.dtype("u1"),
    Dtype.U16: np.dtype("<u2"),
    Dtype.U32: np.dtype("<u4"),
}
