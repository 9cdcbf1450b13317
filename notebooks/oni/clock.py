"""This machine's clock, as the specification names it."""

from __future__ import annotations

import uuid
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def machine_clock_id() -> str:
    """The `clock_id` of stamps that are `time.time_ns()`: this machine's boot identifier.

    Where the system has none, it is a random one, and only this process shares it.
    """
    if _BOOT_ID.is_file():
        return _BOOT_ID.read_text(encoding="ascii").strip().replace("-", "")
    return _FALLBACK


_FALLBACK = uuid.uuid4().hex
