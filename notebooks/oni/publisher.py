"""Publishes one stream, and answers for its schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import zenoh
import zenoh.ext

from oni.encodings import Packing
from oni.header import Header
from oni.message import Message
from oni.names import Key
from oni.qos import qos_class
from oni.schema import Schema, built_in


class Publisher:
    """A stream of messages of one type; made by `Bus.publisher`.

    The class of service follows from the message type. Where that has a history, the last message
    is kept, and whoever subscribes later gets it.
    """

    def __init__(self, session: zenoh.Session, key: Key, schema: Schema, origin: Header) -> None:
        self.key = key
        self._schema = schema
        self._origin = origin
        self._sequence = 0
        chosen = qos_class(key.message_type)
        options: dict[str, Any] = {
            "priority": chosen.priority,
            "congestion_control": chosen.congestion,
            "express": chosen.is_express,
        }
        if chosen.history:
            self._publisher = zenoh.ext.declare_advanced_publisher(
                session,
                str(key),
                cache=zenoh.ext.CacheConfig(chosen.history),
                sample_miss_detection=zenoh.ext.MissDetectionConfig(
                    heartbeat=None, sporadic_heartbeat=None
                ),
                publisher_detection=True,
                **options,
            )
        else:
            self._publisher = session.declare_publisher(str(key), **options)
        self._server = _serve_schema(session, key, schema, origin)

    def put(
        self,
        tensors: Mapping[str, np.ndarray],
        *,
        capture_nanos: int,
        packings: Mapping[str, Packing] | None = None,
        **more: Any,
    ) -> Header:
        """Publishes a message, and gives its header.

        A class that blocks when the network is congested makes this wait.

        Args:
            capture_nanos: when the content was true, on the publisher's clock.
            more: further fields of `Header`, such as `frame_id`.

        Raises:
            OniError: if the message breaks a rule or its own schema. Nothing is sent then.
        """
        header = replace(self._origin, sequence=self._sequence, capture_nanos=capture_nanos, **more)
        message = Message(header, tensors, packings or {})
        self._schema.check(message)
        head, payload = message.encode()
        self._publisher.put(payload, attachment=head)
        self._sequence += 1
        return header

    def close(self) -> None:
        """Stops publishing, and answering for the schema."""
        self._publisher.undeclare()
        self._server.undeclare()


def _serve_schema(
    session: zenoh.Session, key: Key, schema: Schema, origin: Header
) -> zenoh.Queryable:
    """Answers queries for a stream's schema with one fixed message."""
    place = str(replace(key, message_type="agent.schema", stream=schema.id.name))
    document = {"json": np.frombuffer(schema.text, np.uint8)}
    answer = Message(replace(origin, schema=built_in()["agent.schema"].id), document)
    header, payload = answer.encode()

    def reply(query: zenoh.Query) -> None:
        with query:
            query.reply(place, payload, attachment=header)

    return session.declare_queryable(place, reply)
