"""ONI, the messages that robots, sensors, models and tools swap, read and written from Python.

It follows the specification in `schemas/oni/README.md` and shares no code with Sedge's Rust. It
never trusts what it reads: whatever the bytes are, there is a checked message or an `OniError`.
"""

from oni import json_form, rules
from oni.bus import Bus
from oni.clock import machine_clock_id
from oni.dtypes import Dtype
from oni.encodings import Encoding, Packing
from oni.errors import OniError
from oni.frames import FrameStream, decode_frame, encode_frame, read_frames
from oni.header import Header, LedgerEntry, SchemaId
from oni.manifest import Manifest, StreamEntry
from oni.message import Message
from oni.names import Key
from oni.publisher import Publisher
from oni.schema import Schema, built_in, differences
from oni.subscription import Received, Subscription

__all__ = [
    "Bus",
    "Dtype",
    "Encoding",
    "FrameStream",
    "Header",
    "Key",
    "LedgerEntry",
    "Manifest",
    "Message",
    "OniError",
    "Packing",
    "Publisher",
    "Received",
    "Schema",
    "SchemaId",
    "StreamEntry",
    "Subscription",
    "built_in",
    "decode_frame",
    "differences",
    "encode_frame",
    "json_form",
    "machine_clock_id",
    "read_frames",
    "rules",
]
