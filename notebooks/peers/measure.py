"""How each simulator's side is timed, and the line in which it says so."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

CPU_SECS = 0.5
STEPS_MAX = 5_000


def step_micros(step: Callable[[int], None]) -> float:
    """Microseconds of processor time that a step takes, over half a second of them.

    Processor time, because others on the machine take time from the clock but hardly from that.
    """
    # The first one builds what later ones keep.
    step(0)
    n_steps, begin = 0, time.process_time()
    while time.process_time() - begin < CPU_SECS and n_steps < STEPS_MAX:
        step(n_steps)
        n_steps += 1
    return (time.process_time() - begin) * 1e6 / n_steps


def main(micros: Callable[[int, int, bool], float]) -> None:
    """Measures what is asked for; `micros` takes robots, worlds, and whether they scan.

    A case is `ROBOTS`, or `ROBOTSxWORLDS` in one batch; those followed by `+scan` also scan.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="+", metavar="ROBOTS[xWORLDS][+scan]")
    for case in parser.parse_args().cases:
        size, _, scan = case.partition("+")
        n_robots, _, n_worlds = size.partition("x")
        counts = int(n_robots), int(n_worlds or 1)
        line = f"like-for-like robots={size} step_micros={micros(*counts, False)}"
        if scan:
            line += f" scanning_micros={micros(*counts, True)}"
        print(line, flush=True)
