"""Messages: a header and named arrays, from bytes and to bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from oni import frames, tensors
from oni.encodings import Encoding, Packing
from oni.header import Header, decode_header, encode_header


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes:
        tensors: the arrays by name, little-endian and read-only. Those that came raw share the
            memory of the payload that they came in.
        packings: how a tensor is packed on the wire; one that is not here is raw.
    """

    header: Header
    tensors: Mapping[str, np.ndarray]
    packings: Mapping[str, Packing] = field(default_factory=dict)

    @classmethod
    def decode(cls, header: bytes | memoryview, payload: bytes | memoryview) -> Message:
        """The message in a header's and a payload's bytes. No schema is asked.

        Raises:
            OniError: if a rule is broken. Nothing else, whatever the bytes are.
        """
        decoded, rows = decode_header(header)
        data = memoryview(payload).toreadonly()
        table = tensors.check_table(rows, len(data))
        arrays = {row.name: tensors.view(row, data) for row in table}
        packings = {row.name: row.packing for row in table if row.packing.encoding != Encoding.RAW}
        return cls(decoded, arrays, packings)

    def encode(self) -> tuple[bytes, bytes]:
        """Header and payload, the same bytes for the same content.

        Raises:
            OniError: if a rule is broken.
            TypeError: if an array's dtype is none of ONI's.
        """
        rows, payload = tensors.lay_out(self.tensors, self.packings)
        return encode_header(self.header, rows), payload

    @classmethod
    def from_frame(cls, data: bytes) -> Message:
        """The message in just one frame.

        Raises:
            OniError: if a rule is broken.
        """
        return cls.decode(*frames.decode_frame(data))

    def to_frame(self) -> bytes:
        """The message as a frame.

        Raises:
            OniError: if a rule is broken.
        """
        return frames.encode_frame(*self.encode())
