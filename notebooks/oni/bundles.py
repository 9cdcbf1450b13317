"""Several small messages of one key in one sample."""

from __future__ import annotations

import struct

from oni.errors import OniError

MAGIC = b"ONIB"
N_BUNDLE_BYTES_MAX = 62 * 1024
N_MESSAGES_MAX = 1024
_ROW = struct.Struct("<II")


def messages_of(attachment: bytes, payload: bytes) -> list[tuple[bytes, bytes]]:
    """Header and payload of each message in a sample: one, or those of a bundle.

    Raises:
        OniError: if it begins as a bundle does and is none.
    """
    if not attachment.startswith(MAGIC):
        return [(attachment, payload)]
    n_bytes = len(attachment) + len(payload)
    if n_bytes > N_BUNDLE_BYTES_MAX:
        raise OniError("bad-bundle", "bundle", f"at most {N_BUNDLE_BYTES_MAX} bytes", n_bytes)
    table = attachment[len(MAGIC) :]
    if len(table) % _ROW.size or not 1 <= len(table) // _ROW.size <= N_MESSAGES_MAX:
        expected = f"1 to {N_MESSAGES_MAX} rows of {_ROW.size} bytes"
        raise OniError("bad-bundle", "bundle", expected, f"{len(table)} bytes")
    rows = list(_ROW.iter_unpack(table))
    expected = sum(map(sum, rows))
    if expected != len(payload):
        raise OniError("bad-bundle", "bundle", f"a payload of {expected} bytes", len(payload))
    messages, start = [], 0
    for n_header, n_payload in rows:
        middle, end = start + n_header, start + n_header + n_payload
        messages.append((payload[start:middle], payload[middle:end]))
        start = end
    return messages
