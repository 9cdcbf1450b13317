"""ONI over Zenoh: the header is a sample's attachment, the tensors are its payload."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import zenoh

from oni.errors import OniError
from oni.header import Header
from oni.manifest import Manifest
from oni.message import Message
from oni.names import Key
from oni.publisher import Publisher
from oni.schema import Schema, built_in
from oni.subscription import Subscription

_N_ANSWERS_MAX = 256
_QUERY_SECS = 2.0
_QUIET_SECS = 0.5
_RETRY = {"period_init_ms": 100, "period_max_ms": 400, "period_increase_factor": 2}


class Bus:
    """A Zenoh session that speaks ONI. Close it, or use it in a `with` statement."""

    def __init__(self, session: zenoh.Session) -> None:
        """Speaks over a session that was opened elsewhere, with settings of one's own."""
        self._session = session

    @classmethod
    def open(
        cls, *, connect: Iterable[str] = (), listen: Iterable[str] = ("tcp/127.0.0.1:0",)
    ) -> Self:
        """Joins a network at explicit places, such as ``tcp/127.0.0.1:7447``.

        Peers do not pass messages on. They tell each other where the others listen, so one that
        can be reached is enough; unless told otherwise, this one listens on this machine only.

        Raises:
            zenoh.ZError: if that is not possible.
        """
        config = zenoh.Config()
        config.insert_json5("mode", '"peer"')
        config.insert_json5("scouting/multicast/enabled", "false")
        config.insert_json5("connect/endpoints", json.dumps(list(connect)))
        config.insert_json5("listen/endpoints", json.dumps(list(listen)))
        # Zenoh would wait seconds before it dials again what was not there.
        config.insert_json5("connect/retry", json.dumps(_RETRY))
        return cls(zenoh.open(config))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leaves the network."""
        self._session.close()

    def subscribe(
        self, pattern: str, *, schema: Schema | None = None, depth: int | None = None
    ) -> Subscription:
        """Listens to every key that matches `pattern`, such as ``oni/flock/*/sensor.lidar/**``.

        Messages must be compatible with `schema`; without one, with the schema of their message
        type that comes with this package. `depth` messages wait before the oldest gives way; the
        message type says how many otherwise. Where its class has a history, the last message of
        each publisher comes first; a pattern over several types gets none.
        """
        return Subscription(self._session, pattern, self.schemas, schema, depth)

    def publisher(self, key: Key, *, clock_id: str, schema: Schema | None = None) -> Publisher:
        """A publisher of one stream, which also answers for its schema.

        Args:
            clock_id: the clock that its capture stamps are of.
            schema: without one, the message type's schema that comes with this package.

        Raises:
            OniError: if there is no such schema.
        """
        chosen = schema or built_in().get(key.message_type)
        if chosen is None:
            expected = "a message type of this package"
            raise OniError("unknown-schema", str(key), expected, key.message_type)
        origin = Header(chosen.id, key.agent, time.time_ns(), 0, 0, clock_id)
        return Publisher(self._session, key, chosen, origin)

    def schemas(self, pattern: str, timeout_secs: float = _QUERY_SECS) -> list[Schema]:
        """The schemas that agents answer for under keys like ``oni/flock/*/agent.schema/**``.

        Answers that are no schema are left out.
        """
        replies = self._session.get(
            pattern,
            zenoh.handlers.FifoChannel(_N_ANSWERS_MAX),
            timeout=timeout_secs,
            # Several programs may answer for one agent: each of them is wanted.
            target=zenoh.QueryTarget.ALL,
            consolidation=zenoh.ConsolidationMode.NONE,
        )
        found: list[Schema] = []
        for n_answers, reply in enumerate(replies):
            if n_answers == _N_ANSWERS_MAX:
                break
            if reply.ok is not None:
                found += _schemas_in(reply.ok)
        return found

    def manifests(self, fleet: str = "*", wait_secs: float = _QUERY_SECS) -> list[Manifest]:
        """The newest manifest of each agent that is there, by name.

        It listens until nothing has come for half a second, at most `wait_secs`. What is no
        manifest is left out.
        """
        subscription = self.subscribe(f"oni/{fleet}/*/agent.manifest/**")
        newest: dict[str, Manifest] = {}
        end = time.monotonic() + wait_secs
        while (left := end - time.monotonic()) > 0.0:
            try:
                received = subscription.receive(min(left, _QUIET_SECS) if newest else left)
            except OniError:
                continue
            if received is None:
                break
            newest[str(received.key)] = Manifest.of(received.message)
        subscription.close()
        return [newest[key] for key in sorted(newest)]


def _schemas_in(sample: zenoh.Sample) -> list[Schema]:
    try:
        attachment = sample.attachment.to_bytes() if sample.attachment is not None else b""
        message = Message.decode(attachment, sample.payload.to_bytes())
        built_in()["agent.schema"].check(message)
        return [Schema.parse_canonical(message.tensors["json"].tobytes())]
    except OniError:
        return []
