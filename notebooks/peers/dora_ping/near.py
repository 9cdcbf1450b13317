"""The node that asks: sends a payload, waits for it to come back, and says what that took.

`sedge bench` listens at the port in `SEDGE_BENCH_PORT`; the node dials it and says `dora VERSION`.
Each line that comes then, `BYTES PERIOD_NANOS N`, is answered with a line of N round trips in
nanoseconds, -1 for one that got no answer; a period of 0 is back to back.
"""

from __future__ import annotations

import os
import socket
import time
from importlib.metadata import version

import numpy as np
import pyarrow
from dora import Node

PATIENCE_SECS = 2.0
# Before the first request is taken: links, caches and allocators warm up.
N_WARM = 200
LOST = -1


def round_trip(node: Node, payload: pyarrow.Array) -> int:
    """Nanoseconds there and back; the payload that comes is looked at."""
    begin = time.perf_counter_ns()
    node.send_output("out", payload)
    while True:
        event = node.next(timeout=PATIENCE_SECS)
        if event is None or event["type"] == "ERROR":
            return LOST
        if event["type"] == "STOP":
            raise SystemExit
        if event["type"] == "INPUT":
            came = event["value"]
            is_whole = len(came) == len(payload) and came[0].as_py() == 7
            return time.perf_counter_ns() - begin if is_whole else LOST


def turns(node: Node, n_bytes: int, period_nanos: int, n: int) -> list[int]:
    """So many round trips, one a period; whoever is behind does not catch up."""
    payload = pyarrow.array(np.full(n_bytes, 7, dtype=np.uint8))
    taken, due = [], time.perf_counter_ns()
    for _ in range(n):
        if period_nanos > 0:
            due = max(due + period_nanos, time.perf_counter_ns())
            time.sleep(max(due - time.perf_counter_ns(), 0) / 1e9)
        taken.append(round_trip(node, payload))
    return taken


def main() -> None:
    """Answers requests until there are no more."""
    node = Node()
    turns(node, 64, 0, N_WARM)
    with socket.create_connection(("127.0.0.1", int(os.environ["SEDGE_BENCH_PORT"]))) as bench:
        lines = bench.makefile("rw")
        lines.write(f"dora {version('dora-rs')}\n")
        lines.flush()
        for line in lines:
            n_bytes, period_nanos, n = (int(it) for it in line.split())
            lines.write(" ".join(map(str, turns(node, n_bytes, period_nanos, n))) + "\n")
            lines.flush()


if __name__ == "__main__":
    main()
