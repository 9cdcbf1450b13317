"""From microseconds of calls to the tables of the race between engines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

HEADING = "## Beside PyTorch"
SHARES = (0.5, 0.99, 0.999, 1.0)
TITLES = {
    "filter": "filter a scan and decode a view",
    "imagine-64": "imagine 64 x 15",
    "imagine-512": "imagine 512 x 15",
    "plan": "plan, MPPI 256 x 15 x 3",
}


@dataclass(frozen=True)
class Ceiling:
    """What the machine multiplies at best: billions of operations a second."""

    threads: int
    f32: float
    int8: float

    def of(self, engine: str) -> float:
        """That of the numbers in which an engine multiplies."""
        return self.int8 if engine.startswith("int8") else self.f32


def at(times: Sequence[float], share: float) -> float:
    """The time that this share of the calls does not exceed."""
    ordered = sorted(times)
    return ordered[int((len(ordered) - 1) * share)]


def threads_of(engine: str) -> int:
    """`int8-2` has two."""
    return int(engine.rsplit("-", 1)[1])


def rows(
    case: str, times: dict[str, list[float]], mega_operations: float, ceilings: Sequence[Ceiling]
) -> list[str]:
    """A case's rows: every engine's times, and how many times those of the better PyTorch they are.

    Names of PyTorch's begin with `PyTorch`; its better one is taken at each share by itself.
    """
    peers = [it for name, it in times.items() if name.startswith("PyTorch")]
    best = {share: min(at(it, share) for it in peers) for share in SHARES}
    found = []
    for engine, taken in times.items():
        p50, p99, p999, worst = (at(taken, share) for share in SHARES)
        ceiling = next(it for it in ceilings if it.threads == threads_of(engine)).of(engine)
        # Millions of operations in a microsecond are thousands of billions a second.
        reached = mega_operations / p50 * 1e3 / ceiling
        found.append(
            f"| {TITLES[case]} | {engine} | {len(taken)} | {p50:,.0f} | {p99:,.0f} | {p999:,.0f} "
            f"| {worst:,.0f} | {best[0.5] / p50:.1f} | {best[0.99] / p99:.1f} | {reached:.0%} |"
        )
    return found


def section(about: str, table: Sequence[str]) -> str:
    """The whole section."""
    head = [
        "| case | engine | calls | p50 | p99 | p99.9 | max | PyTorch / it, p50 | p99 "
        "| of ceiling |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    return "\n".join([HEADING, about.strip(), "", *head, *table, ""])


def page(before: str, new: str) -> str:
    """A page with its section of the race replaced, or added at its end."""
    pattern = rf"^{HEADING}\n.*?(?=^## |\Z)"
    if re.search(pattern, before, re.MULTILINE | re.DOTALL):
        return re.sub(pattern, lambda _: new, before, flags=re.MULTILINE | re.DOTALL)
    return f"{before.rstrip()}\n\n{new}"
