"""The header of a message: who, when, which schema, and where each tensor lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from google.protobuf import message as protobuf

from oni import files, names, proto, wire
from oni.errors import OniError

N_HEADER_BYTES_MAX = 65_536
N_LEDGER_STAGES_MAX = 64
N_TENSORS_MAX = 64

END_OF_STREAM = "end-of-stream"
_AT_MOST = f"at most {N_HEADER_BYTES_MAX} bytes"
_U32_MAX = 2**32 - 1
_U64_MAX = 2**64 - 1


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What one stage took, in nanoseconds."""

    stage: str
    nanos: int


@dataclass(frozen=True, slots=True)
class SchemaId:
    """Which schema a message follows: its name, version and hash (16 bytes)."""

    name: str
    major: int
    minor: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.name} {self.major}.{self.minor} ({self.hash.hex()})"


@dataclass(frozen=True, slots=True)
class Header:
    """Everything about a message but its tensors.

    Times are integer nanoseconds. Texts and bytes that may be absent are empty.
    """

    schema: SchemaId
    agent: str
    epoch: int
    sequence: int
    capture_nanos: int
    clock_id: str
    capture_error_nanos: int = 0
    frame_id: str = ""
    trace_id: bytes = b""
    span_id: bytes = b""
    deadline_nanos: int = 0
    lifespan_nanos: int = 0
    model_hash: bytes = b""
    ledger: tuple[LedgerEntry, ...] = field(default=())

    @property
    def is_end_of_stream(self) -> bool:
        """Whether a stream ends with this message, whose content must not be used."""
        return any(entry.stage == END_OF_STREAM for entry in self.ledger)

    def check(self) -> None:
        """Raises `OniError` for the first field that breaks a rule."""
        _matches("schema_name", self.schema.name, names.is_name)
        _is_number("schema_major", self.schema.major, 0, _U32_MAX)
        _is_number("schema_minor", self.schema.minor, 0, _U32_MAX)
        _has_length("schema_hash", self.schema.hash, (16,))
        _matches("agent", self.agent, names.is_part)
        _matches("clock_id", self.clock_id, names.is_name)
        _is_number("capture_nanos", self.capture_nanos, -(2**63), 2**63 - 1)
        for name in (
            "epoch",
            "sequence",
            "capture_error_nanos",
            "deadline_nanos",
            "lifespan_nanos",
        ):
            _is_number(name, getattr(self, name), 0, _U64_MAX)
        if self.frame_id:
            _matches("frame_id", self.frame_id, names.is_part)
        self._check_trace()
        _has_length("model_hash", self.model_hash, (0, 32))
        if len(self.ledger) > N_LEDGER_STAGES_MAX:
            expected = f"at most {N_LEDGER_STAGES_MAX} stages"
            raise OniError("too-many-entries", "ledger", expected, len(self.ledger))
        for entry in self.ledger:
            _matches("ledger.stage", entry.stage, names.is_name)
            _is_number("ledger.nanos", entry.nanos, 0, _U64_MAX)

    def _check_trace(self) -> None:
        lengths = (len(self.trace_id), len(self.span_id))
        if lengths not in ((0, 0), (16, 8)):
            expected = "both empty, or 16 and 8 bytes"
            raise OniError("bad-field-length", "trace_id, span_id", expected, lengths)
        for name, value in (("trace_id", self.trace_id), ("span_id", self.span_id)):
            if value and not any(value):
                raise OniError("zero-id", name, "bytes that are not all zero", "zeros")


@dataclass(frozen=True, slots=True)
class TensorRow:
    """One row of the tensor table, as it stands in a header; numbers not checked."""

    name: str
    dtype: int
    shape: tuple[int, ...]
    offset: int
    length: int
    encoding: int
    scale: float = 0.0


@cache
def _header_class() -> type[protobuf.Message]:
    return proto.message_classes(files.header_proto())["Header"]


def decode_header(data: bytes | memoryview) -> tuple[Header, tuple[TensorRow, ...]]:
    """The header in these bytes, checked, and its tensor table, not yet checked.

    Raises:
        OniError: if the bytes are no header, or a field breaks a rule.
    """
    if len(data) > N_HEADER_BYTES_MAX:
        raise OniError("header-too-long", "header", _AT_MOST, len(data))
    try:
        wire.check_wire_types(memoryview(data), _header_class().DESCRIPTOR)
        raw = _header_class().FromString(bytes(data))
    except (ValueError, protobuf.DecodeError) as error:
        raise OniError("bad-protobuf", "header", "a protobuf message", error) from error
    if len(raw.tensors) > N_TENSORS_MAX:
        raise OniError("too-many-entries", "tensors", f"at most {N_TENSORS_MAX}", len(raw.tensors))
    header = Header(
        schema=SchemaId(raw.schema_name, raw.schema_major, raw.schema_minor, raw.schema_hash),
        agent=raw.agent,
        epoch=raw.epoch,
        sequence=raw.sequence,
        capture_nanos=raw.capture_nanos,
        clock_id=raw.clock_id,
        capture_error_nanos=raw.capture_error_nanos,
        frame_id=raw.frame_id,
        trace_id=raw.trace_id,
        span_id=raw.span_id,
        deadline_nanos=raw.deadline_nanos,
        lifespan_nanos=raw.lifespan_nanos,
        model_hash=raw.model_hash,
        ledger=tuple(LedgerEntry(row.stage, row.nanos) for row in raw.ledger),
    )
    header.check()
    return header, tuple(_row(row) for row in raw.tensors)


def encode_header(header: Header, rows: tuple[TensorRow, ...]) -> bytes:
    """A header's bytes; the same for the same content.

    Raises:
        OniError: if a field breaks a rule, or there are too many bytes.
    """
    header.check()
    raw = _header_class()()
    raw.schema_name = header.schema.name
    raw.schema_major = header.schema.major
    raw.schema_minor = header.schema.minor
    raw.schema_hash = header.schema.hash
    for name in (
        "agent",
        "epoch",
        "sequence",
        "capture_nanos",
        "clock_id",
        "capture_error_nanos",
        "frame_id",
        "trace_id",
        "span_id",
        "deadline_nanos",
        "lifespan_nanos",
        "model_hash",
    ):
        setattr(raw, name, getattr(header, name))
    for entry in header.ledger:
        raw.ledger.add(stage=entry.stage, nanos=entry.nanos)
    for row in rows:
        to = raw.tensors.add(name=row.name, dtype=row.dtype, shape=row.shape)
        to.offset, to.length, to.encoding = row.offset, row.length, row.encoding
        if row.scale:
            to.scale = row.scale
    data = raw.SerializeToString(deterministic=True)
    if len(data) > N_HEADER_BYTES_MAX:
        raise OniError("header-too-long", "header", _AT_MOST, len(data))
    return data


def _row(raw: protobuf.Message) -> TensorRow:
    return TensorRow(
        raw.name,
        raw.dtype,
        tuple(raw.shape[:9]),
        raw.offset,
        raw.length,
        raw.encoding,
        getattr(raw, "scale", 0.0),
    )


def _matches(name: str, value: str, rule: Callable[[str], bool]) -> None:
    if not rule(value):
        kind = rule.__name__.removeprefix("is_")
        raise OniError("bad-name", name, f"a {kind} of 1 to 64 characters", repr(value))


def _is_number(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise OniError("bad-duration", name, f"a number from {low} to {high}", value)


def _has_length(name: str, value: bytes, lengths: tuple[int, ...]) -> None:
    if len(value) not in lengths:
        wanted = " or ".join(str(length) for length in lengths)
        raise OniError("bad-field-length", name, f"{wanted} bytes", f"{len(value)} bytes")
