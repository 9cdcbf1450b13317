"""Two readers that share no code, Python's and Rust's, agree on every message, whole or damaged.

Messages go over Zenoh to `sedge echo --json`, which prints the JSON form of what it could decode.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import golden
import pytest
from mutation import mutated

from oni import Bus, Message, OniError, decode_frame, json_form
from run_live import LiveFleet, live_fleet

SEDGE = os.environ.get("SEDGE")
N_DAMAGED = int(os.environ.get("ONI_DAMAGED", "3000"))
SEED = int(os.environ.get("ONI_SEED", "1"))
PATIENCE_SECS = 60.0
N_IN_FLIGHT_MAX = 50
# Larger ones say nothing new, and take the time of many.
N_FRAME_BYTES_MAX = 20_000

pytestmark = pytest.mark.skipif(
    SEDGE is None, reason="NOT RUN: needs the program, SEDGE=path/to/sedge"
)
Encoded = tuple[bytes, bytes]


@pytest.fixture
def fleet() -> Iterator[LiveFleet]:
    """Processes that end with the test."""
    with live_fleet(Path(SEDGE or "")) as processes:
        yield processes


def rust_reads(fleet: LiveFleet, messages: list[Encoded]) -> list[dict[str, Any]]:
    """What `sedge echo --json` prints of each message."""
    read: dict[int, dict[str, Any]] = {}
    with Bus.open(listen=[fleet.endpoint]) as bus, Echo(fleet) as echo:
        end = time.monotonic() + PATIENCE_SECS
        missing = list(range(len(messages)))
        # Both ends may drop, and the first ones go to nobody; what did not come is sent again.
        while missing:
            assert time.monotonic() < end, f"{len(missing)} messages never came"
            for idx in missing:
                header, payload = messages[idx]
                key = f"oni/flock/crane3/any.type/m{idx}"
                bus._session.put(key, payload, attachment=header)
                if idx % N_IN_FLIGHT_MAX == 0:
                    read |= echo.lines(0.05)
            read |= echo.lines(0.2)
            missing = [idx for idx in range(len(messages)) if idx not in read]
    return [read[idx] for idx in range(len(messages))]


class Echo:
    """`sedge echo` as a process, and what it has printed."""

    def __init__(self, fleet: LiveFleet) -> None:
        fleet.start("echo", "echo", "oni/**", "--connect", fleet.endpoint, "--json")
        self._file = (fleet.folder / "echo.txt").open(encoding="utf-8")
        self._rest = ""

    def __enter__(self) -> Echo:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def lines(self, quiet_secs: float) -> dict[int, dict[str, Any]]:
        """New lines by the number of their message, until none has come for so long."""
        found: dict[int, dict[str, Any]] = {}
        end = time.monotonic() + quiet_secs
        while time.monotonic() < end:
            if not (text := self._file.read()):
                time.sleep(0.002)
                continue
            end = time.monotonic() + quiet_secs
            *whole, self._rest = (self._rest + text).split("\n")
            for line in whole:
                row = json.loads(line)
                found[int(row["key"].rpartition("/m")[2])] = row
        return found


def python_reads(message: Encoded) -> dict[str, Any] | OniError:
    """What Python makes of a message, without a look at its schema."""
    try:
        return json_form.to_json(Message.decode(*message))
    except OniError as error:
        return error


def test_rust_reads_what_python_writes(fleet: LiveFleet) -> None:
    written = [Message.from_frame(golden.valid_frame(name)).encode() for name in golden.VALID]
    for name, row in zip(golden.VALID, rust_reads(fleet, written), strict=True):
        assert row["message"] == golden.valid_json(name), name


def test_both_agree_on_every_damaged_message(fleet: LiveFleet) -> None:
    rng = random.Random(SEED)
    frames = [golden.valid_frame(name) for name in golden.VALID]
    whole = [decode_frame(frame) for frame in frames if len(frame) <= N_FRAME_BYTES_MAX]
    damaged: list[Encoded] = []
    for _ in range(N_DAMAGED):
        header, payload = (bytes(part) for part in rng.choice(whole))
        is_header = rng.random() < 0.6
        damaged.append(
            (mutated(header, rng), payload) if is_header else (header, mutated(payload, rng))
        )
    n_read = 0
    for message, row in zip(damaged, rust_reads(fleet, damaged), strict=True):
        ours = python_reads(message)
        if isinstance(ours, OniError):
            assert "message" not in row, f"Rust took what Python refused: {ours}\n{row}"
        else:
            assert row.get("message") == ours, f"Python: {ours}\nRust: {row}"
            n_read += 1
    assert 0.1 * N_DAMAGED < n_read < 0.9 * N_DAMAGED
