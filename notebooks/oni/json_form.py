"""The JSON form of messages, in which golden vectors are written and schemas apply."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from oni.dtypes import Dtype
from oni.header import Header, LedgerEntry, SchemaId
from oni.message import Message


def to_json(message: Message) -> dict[str, Any]:
    """A message as plain dictionaries, lists, numbers and texts."""
    header = message.header
    return {
        "header": {
            "schema": {
                "name": header.schema.name,
                "major": header.schema.major,
                "minor": header.schema.minor,
                "hash": header.schema.hash.hex(),
            },
            "agent": header.agent,
            "epoch": header.epoch,
            "sequence": header.sequence,
            "capture_nanos": header.capture_nanos,
            "clock_id": header.clock_id,
            "capture_error_nanos": header.capture_error_nanos,
            "frame_id": header.frame_id or None,
            "trace_id": header.trace_id.hex() or None,
            "span_id": header.span_id.hex() or None,
            "deadline_nanos": header.deadline_nanos or None,
            "lifespan_nanos": header.lifespan_nanos or None,
            "model_hash": header.model_hash.hex() or None,
            "ledger": [[entry.stage, entry.nanos] for entry in header.ledger],
        },
        "tensors": {
            name: {
                "dtype": Dtype.of_numpy(array.dtype).text,
                "shape": list(array.shape),
                "data": _numbers(array),
            }
            for name, array in message.tensors.items()
        },
    }


def _numbers(array: np.ndarray) -> list[float | int | None]:
    numbers = array.ravel().tolist()
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return [number if math.isfinite(number) else None for number in numbers]
    return numbers


def from_json(value: dict[str, Any]) -> Message:
    """The message of a JSON form that is known to be one, such as a golden vector's.

    Raises:
        KeyError, TypeError, ValueError: if it is none. It is no reader of foreign data.
    """
    head = dict(value["header"])
    schema = head.pop("schema")
    for name in ("trace_id", "span_id", "model_hash"):
        head[name] = bytes.fromhex(head[name] or "")
    for name, none in (("frame_id", ""), ("deadline_nanos", 0), ("lifespan_nanos", 0)):
        head[name] = head[name] or none
    head["ledger"] = tuple(LedgerEntry(*entry) for entry in head["ledger"])
    schema_id = SchemaId(
        schema["name"], schema["major"], schema["minor"], bytes.fromhex(schema["hash"])
    )
    arrays = {
        name: np.array(row["data"], Dtype[row["dtype"].upper()].numpy).reshape(row["shape"])
        for name, row in value["tensors"].items()
    }
    return Message(Header(schema=schema_id, **head), arrays)
