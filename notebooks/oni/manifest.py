"""What an agent says of itself: `agent.manifest` as a plain list of streams."""

from __future__ import annotations

from dataclasses import dataclass

from oni import rules
from oni.header import SchemaId
from oni.message import Message


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """A stream that an agent publishes or reads.

    Attributes:
        key: the stream's key; for one that is read it may be a pattern.
        rate_hz: messages a second as intended, 0 where they come as they come.
    """

    key: str
    is_published: bool
    schema: SchemaId
    qos_class: str
    rate_hz: float


@dataclass(frozen=True, slots=True)
class Manifest:
    """An agent, its software and its streams."""

    agent: str
    software: str
    streams: tuple[StreamEntry, ...]

    @classmethod
    def of(cls, message: Message) -> Manifest:
        """The manifest in a message that its schema's check has passed."""
        tensors = message.tensors
        ids = zip(
            rules.lines(tensors["schema_names"]),
            tensors["schema_versions"].tolist(),
            tensors["schema_hashes"],
            strict=True,
        )
        rows = zip(
            rules.lines(tensors["stream_keys"]),
            tensors["directions"] == 1,
            [SchemaId(name, *version, digest.tobytes()) for name, version, digest in ids],
            rules.lines(tensors["qos_classes"]),
            tensors["rates_hz"].tolist(),
            strict=True,
        )
        streams = tuple(
            StreamEntry(key, bool(is_published), schema, qos_class, rate_hz)
            for key, is_published, schema, qos_class, rate_hz in rows
        )
        return cls(message.header.agent, rules.text(tensors["software"]), streams)
