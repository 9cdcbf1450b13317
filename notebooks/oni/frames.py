"""The framed form, for files and serial lines."""

from __future__ import annotations

import struct

from oni import canonical
from oni.errors import OniError
from oni.header import N_HEADER_BYTES_MAX
from oni.tensors import ALIGNMENT, N_PAYLOAD_BYTES_MAX

MAGIC = b"ONI1"
N_FRAME_BYTES_MAX = N_HEADER_BYTES_MAX + N_PAYLOAD_BYTES_MAX + 2 * ALIGNMENT
_HEAD = struct.Struct("<4sIQ")
_N_CHECKSUM_BYTES = 16

# A header and a payload, viewed in the bytes that they came in.
Frame = tuple[memoryview, memoryview]


def encode_frame(header: bytes, payload: bytes) -> bytes:
    """The frame of an encoded message."""
    head = _HEAD.pack(MAGIC, len(header), len(payload))
    gap = bytes(-(len(head) + len(header)) % ALIGNMENT)
    body = b"".join((head, header, gap, payload))
    return body + canonical.short_hash(body)


def decode_frame(data: bytes | memoryview) -> tuple[memoryview, memoryview]:
    """Header and payload, viewed in the bytes of just one frame.

    Raises:
        OniError: if the bytes are not exactly one whole frame.
    """
    header, payload, end = _split(memoryview(data).toreadonly(), N_FRAME_BYTES_MAX)
    if end != len(data):
        raise OniError("bad-magic", "next frame", repr(MAGIC), bytes(data[end : end + 4]))
    return header, payload


class FrameStream:
    """Frames out of a stream of bytes, with all that is broken in between skipped and counted.

    Attributes:
        n_bytes_skipped: bytes that are in no whole frame.
        n_frames_broken: places where a frame began that is not whole.
    """

    def __init__(self, n_frame_bytes_max: int = N_FRAME_BYTES_MAX) -> None:
        """On a serial line, a smaller limit keeps a damaged length from being waited for."""
        self._n_frame_bytes_max = n_frame_bytes_max
        self._waiting: list[bytes] = []
        self._n_waiting = 0
        self._n_wanted = 0
        self.n_bytes_skipped = 0
        self.n_frames_broken = 0

    def feed(self, data: bytes) -> list[Frame]:
        """Header and payload of each frame that these bytes complete."""
        self._waiting.append(data)
        self._n_waiting += len(data)
        return self._read(is_end=False) if self._n_waiting >= self._n_wanted else []

    def finish(self) -> list[Frame]:
        """The frames that were hidden behind the last, unfinished one: nothing more will come."""
        return self._read(is_end=True)

    def _read(self, *, is_end: bool) -> list[Frame]:
        data = b"".join(self._waiting)
        whole = memoryview(data)
        found: list[Frame] = []
        position, self._n_wanted = 0, 0
        while position < len(data):
            rest = whole[position:]
            try:
                header, payload, end = _split(rest, self._n_frame_bytes_max)
            except OniError as error:
                if error.code == "truncated-frame" and not is_end:
                    self._n_wanted = _n_needed(rest, self._n_frame_bytes_max)
                    break
                position = self._give_up(data, position)
                continue
            found.append((header, payload))
            position += end
        self._waiting, self._n_waiting = [data[position:]], len(data) - position
        return found

    def _give_up(self, data: bytes, position: int) -> int:
        """Where the next frame may begin."""
        self.n_frames_broken += MAGIC.startswith(data[position : position + 4])
        found = data.find(MAGIC, position + 1)
        # The last three bytes may be the beginning of a frame that is still to come.
        after = found if found >= 0 else max(position + 1, len(data) - 3)
        self.n_bytes_skipped += after - position
        return after


def read_frames(data: bytes) -> list[Frame]:
    """Header and payload of each whole frame in a file's bytes; broken ones are skipped."""
    stream = FrameStream()
    return stream.feed(data) + stream.finish()


def _n_needed(data: memoryview, n_frame_bytes_max: int) -> int:
    """How long the frame that begins here is, as far as that is known."""
    if len(data) < _HEAD.size:
        return _HEAD.size
    return _lengths(data[: _HEAD.size], n_frame_bytes_max)[2]


def _split(data: memoryview, n_frame_bytes_max: int) -> tuple[memoryview, memoryview, int]:
    """Header, payload and the frame's end."""
    magic = bytes(data[:4])
    if magic != MAGIC[: len(magic)]:
        raise OniError("bad-magic", "frame", repr(MAGIC), repr(magic))
    if len(data) < _HEAD.size:
        expected = f"at least {_HEAD.size} bytes"
        raise OniError("truncated-frame", "frame", expected, f"{len(data)} bytes")
    n_header, payload_start, end = _lengths(data[: _HEAD.size], n_frame_bytes_max)
    if len(data) < end:
        raise OniError("truncated-frame", "frame", f"{end} bytes", f"{len(data)} bytes")
    body_end = end - _N_CHECKSUM_BYTES
    checksum = canonical.short_hash(data[:body_end])
    if checksum != data[body_end:end]:
        raise OniError("bad-checksum", "frame", checksum.hex(), data[body_end:end].hex())
    return data[_HEAD.size : _HEAD.size + n_header], data[payload_start:body_end], end


def _lengths(head: memoryview, n_frame_bytes_max: int) -> tuple[int, int, int]:
    """Length of the header, where the payload begins, and where the frame ends."""
    _, n_header, n_payload = _HEAD.unpack(head)
    if n_header > N_HEADER_BYTES_MAX:
        expected = f"at most {N_HEADER_BYTES_MAX} bytes"
        raise OniError("header-too-long", "frame", expected, n_header)
    header_end = _HEAD.size + n_header
    payload_start = header_end + -header_end % ALIGNMENT
    end = payload_start + n_payload + _N_CHECKSUM_BYTES
    if n_payload > N_PAYLOAD_BYTES_MAX or end > n_frame_bytes_max:
        expected = f"at most {N_PAYLOAD_BYTES_MAX} bytes in frames of {n_frame_bytes_max}"
        raise OniError("payload-too-long", "frame", expected, n_payload)
    return n_header, payload_start, end
