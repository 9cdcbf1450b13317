"""Listens to streams: bounded, checked against the reader's schema, with losses counted."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import zenoh
import zenoh.ext

from oni import bundles, contact
from oni.errors import OniError
from oni.header import Header, SchemaId
from oni.message import Message
from oni.names import Key
from oni.qos import QosClass, qos_class
from oni.schema import Schema, built_in

_POLL_SECS = 0.001
_N_REMEMBERED_MAX = 4096

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Received:
    """A message, and the key that it came on."""

    key: Key
    message: Message


class Subscription:
    """Messages of the keys that match a pattern; made by `Bus.subscribe`.

    They wait in a ring of a fixed depth whose oldest gives way; Zenoh's threads run no other code.

    Attributes:
        n_received: messages received whole, refused ones included.
        n_lost: messages whose sequence number was skipped.
        n_late: messages that came after a later one, or again.
    """

    def __init__(
        self,
        session: zenoh.Session,
        pattern: str,
        ask: Callable[[str], list[Schema]],
        schema: Schema | None = None,
        depth: int | None = None,
    ) -> None:
        """`ask` queries the schemas that answer under a key."""
        chosen = _qos_class(pattern)
        n_history, depth = chosen.history, depth or chosen.depth
        self._schema = schema
        self._ask = ask
        self._next_sequences: dict[tuple[Key, str, int], int] = {}
        self._verdicts: dict[tuple[Key, SchemaId], OniError | None] = {}
        self.n_received = 0
        self.n_lost = 0
        self.n_late = 0
        # Of the last bundle; no more than one has.
        self._unbundled: deque[tuple[Key, bytes, bytes]] = deque()
        ring = zenoh.handlers.RingChannel(depth)
        # Advanced subscribers sort by time stamp over all keys of a sender that does not number
        # its samples, and drop what a more urgent key overtook: only for where it must be.
        if n_history:
            history = zenoh.ext.HistoryConfig(detect_late_publishers=True, max_samples=n_history)
            self._subscriber = zenoh.ext.declare_advanced_subscriber(
                session, pattern, ring, history=history
            )
        else:
            self._subscriber = session.declare_subscriber(pattern, ring)

    def receive(self, timeout_secs: float) -> Received | None:
        """The next message, or None when there is none in time.

        Meeting a schema that is not the reader's own asks the sender for it first, which may take
        two seconds, once for each key and schema. A message that comes twice in a row is given
        once: a history may bring again what has just come.

        Raises:
            OniError: if the next message is broken or not for this reader's schema. The one
                after it can be received all the same.
        """
        end = time.monotonic() + timeout_secs
        while True:
            if not self._unbundled and (sample := self._subscriber.try_recv()) is not None:
                self._unbundle(sample)
            if self._unbundled and (received := self._read(*self._unbundled.popleft())) is not None:
                return received
            if time.monotonic() >= end:
                return None
            if not self._unbundled:
                time.sleep(_POLL_SECS)

    def close(self) -> None:
        """Stops listening."""
        self._subscriber.undeclare()

    def _unbundle(self, sample: zenoh.Sample) -> None:
        """Queues the messages of a sample."""
        key = Key.parse(str(sample.key_expr))
        if sample.attachment is None:
            raise OniError("bad-protobuf", str(key), "an attachment with the header", "none")
        # Zenoh's buffers have no Python view: this is the one copy, and numpy reads it in place.
        parts = bundles.messages_of(sample.attachment.to_bytes(), sample.payload.to_bytes())
        self._unbundled.extend((key, *part) for part in parts)

    def _read(self, key: Key, header: bytes, payload: bytes) -> Received | None:
        """A message, or None if it is the one before once more."""
        message = Message.decode(header, payload)
        if not self._is_new(key, message.header):
            return None
        schema = self._schema or built_in().get(key.message_type)
        if schema is None:
            expected = "a message type of this package"
            raise OniError("unknown-schema", str(key), expected, message.header.schema)
        if message.header.schema.name != key.message_type:
            raise OniError("other-schema", str(key), key.message_type, message.header.schema)
        self._meet(key, schema, message)
        schema.check(message)
        return Received(key, message)

    def _is_new(self, key: Key, header: Header) -> bool:
        """Counts a message, and says whether it is another one than the newest before it."""
        sender = (key, header.agent, header.epoch)
        expected = self._next_sequences.get(sender, header.sequence)
        self.n_received += 1
        self.n_lost += max(header.sequence - expected, 0)
        self.n_late += header.sequence < expected
        _remember(self._next_sequences, sender, max(header.sequence + 1, expected))
        return header.sequence != expected - 1

    def _meet(self, key: Key, schema: Schema, message: Message) -> None:
        """First contact with a schema on a key; what was decided then holds on."""
        got = message.header.schema
        if got == schema.id:
            return
        if (key, got) not in self._verdicts:
            _remember(self._verdicts, (key, got), self._verdict(key, schema, message))
        refusal = self._verdicts[key, got]
        if refusal is not None:
            raise refusal

    def _verdict(self, key: Key, schema: Schema, message: Message) -> OniError | None:
        place = f"oni/{key.fleet}/{key.agent}/agent.schema/{key.message_type}"
        try:
            contact.accept(schema, message.header.schema, self._ask(place), message.tensors)
        except OniError as error:
            return OniError(error.code, str(key), error.expected, error.got)
        return None


def _qos_class(pattern: str) -> QosClass:
    """The class of the keys that match a pattern; the last one, where that is open."""
    parts = [*pattern.split("/"), "**", "**", "**"]
    return qos_class(parts[3])


def _remember(known: dict[_K, _V], key: _K, value: _V) -> None:
    """Keeps a value, and forgets the oldest one when there are too many."""
    if key not in known and len(known) >= _N_REMEMBERED_MAX:
        del known[next(iter(known))]
    known[key] = value
