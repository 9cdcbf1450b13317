"""Classes of service: each message type has one, and there are no settings for one topic."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from zenoh import CongestionControl, Priority


@dataclass(frozen=True, slots=True)
class QosClass:
    """A row of the specification's table.

    Attributes:
        is_express: whether a message is sent at once rather than with others in a packet.
        depth: how many messages wait for a reader before the oldest gives way.
        history: how many messages a publisher keeps for who subscribes later.
    """

    name: str
    priority: Priority
    congestion: CongestionControl
    is_express: bool
    depth: int
    history: int


_ROWS = {
    "event.*": QosClass("safety", Priority.REAL_TIME, CongestionControl.BLOCK, True, 16, 1),
    "actuator.*": QosClass(
        "command", Priority.INTERACTIVE_HIGH, CongestionControl.DROP, True, 1, 0
    ),
    "sensor.camera": QosClass(
        "image", Priority.DATA_LOW, CongestionControl.BLOCK_FIRST, False, 1, 0
    ),
    "sensor.*": QosClass("state", Priority.DATA_HIGH, CongestionControl.DROP, True, 64, 0),
    "model.*": QosClass("belief", Priority.DATA, CongestionControl.DROP, True, 2, 1),
    "mission.*": QosClass(
        "parameter", Priority.INTERACTIVE_LOW, CongestionControl.BLOCK, False, 256, 1
    ),
    "*": QosClass("log", Priority.BACKGROUND, CongestionControl.DROP, False, 1024, 0),
}
_SAME_AS = {"sensor.depth": "sensor.camera", "agent.*": "mission.*"}


def qos_class(message_type: str) -> QosClass:
    """The class of a message type."""
    for pattern, other in _SAME_AS.items():
        if fnmatchcase(message_type, pattern):
            return _ROWS[other]
    return next(row for pattern, row in _ROWS.items() if fnmatchcase(message_type, pattern))
