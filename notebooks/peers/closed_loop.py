"""Pools the reports of `sedge swarm --out` into the table of `sims/RESULTS.md`.

`python -m peers.closed_loop REPORT.json... [--beside REPORT.json...]` in `notebooks/`. Reports of
one scenario by one driver make one row, however many commands their seeds were run by; with
`--beside`, drivers are also compared seed by seed.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

Z_95 = 1.959963984540054
RESAMPLES = 10_000
HEADER = (
    "| scenario | who drives | runs | success | arrived | contacts | time |\n"
    "|---|---|---|---|---|---|---|"
)


class MixedReportsError(ValueError):
    """Reports that say different things of one seed, or are of different worlds."""


@dataclass(frozen=True)
class Run:
    """How one seed went."""

    seed: int
    hash: str
    is_success: bool
    n_going: int
    n_arrived: int
    n_contacts: int
    arrival_secs: tuple[float, ...]

    @classmethod
    def of(cls, run: dict) -> Run:
        """From a report's entry."""
        kinds = ("collisions_robot", "collisions_walker", "collisions_wall")
        return cls(
            seed=run["seed"],
            hash=run["hash"],
            is_success=run["is_success"],
            n_going=run["n_going"],
            n_arrived=run["n_arrived"],
            n_contacts=sum(run[kind] for kind in kinds),
            arrival_secs=tuple(run["arrival_secs"]),
        )

    @property
    def mean_secs(self) -> float | None:
        """Mean time to the goal of those who arrived."""
        if not self.arrival_secs:
            return None
        return sum(self.arrival_secs) / len(self.arrival_secs)


@dataclass(frozen=True)
class Pool:
    """All runs of one scenario by one driver."""

    scenario: str
    scenario_hash: str
    who: str
    runs: dict[int, Run]

    @classmethod
    def of(cls, reports: Iterable[dict]) -> Pool:
        """From reports as JSON gives them.

        Raises:
            MixedReportsError: where they are of several scenarios or drivers, of none, or a seed
                went differently in two of them.
        """
        known = list(reports)
        keys = {tuple(it[key] for key in ("scenario", "scenario_hash", "who")) for it in known}
        if len(keys) != 1:
            raise MixedReportsError(f"expected one scenario and driver, got {sorted(keys)}")
        runs: dict[int, Run] = {}
        for run in (Run.of(run) for report in known for run in report["runs"]):
            if runs.setdefault(run.seed, run) != run:
                raise MixedReportsError(f"expected seed {run.seed} once, got two outcomes of it")
        if not runs:
            raise MixedReportsError("expected at least one run, got none")
        return cls(*keys.pop(), runs=runs)

    def row(self) -> str:
        """The table's row."""
        runs = list(self.runs.values())
        cells = [
            share(sum(it.is_success for it in runs), len(runs)).text(1, 100),
            share(sum(it.n_arrived for it in runs), sum(it.n_going for it in runs)).text(1, 100),
            mean([it.n_contacts for it in runs]).text(2),
        ]
        secs = [it.mean_secs for it in runs if it.mean_secs is not None]
        cells.append(mean(secs).text(2) if secs else "-")
        return f"| {self.scenario} | {self.who} | {len(runs)} | {' | '.join(cells)} |"


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    def text(self, digits: int, factor: float = 1.0) -> str:
        """`value [low, high]`, each times a factor."""
        value, low, high = (it * factor for it in (self.value, self.low, self.high))
        return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def share(n_hits: int, n: int) -> Estimate:
    """A share with Wilson's score interval (Wilson 1927)."""
    value, spread = n_hits / n, Z_95 * Z_95 / n
    middle = (value + spread / 2) / (1 + spread)
    half = Z_95 / (1 + spread) * math.sqrt(value * (1 - value) / n + spread / (4 * n))
    return Estimate(value, max(0.0, middle - half), min(1.0, middle + half))


def mean(values: Sequence[float]) -> Estimate:
    """A mean with the percentile bootstrap's interval (Efron 1979), from a fixed seed."""
    drawn = random.Random(7)
    n = len(values)
    means = sorted(math.fsum(drawn.choices(values, k=n)) / n for _ in range(RESAMPLES))
    low, high = (means[round(at * (RESAMPLES - 1))] for at in (0.025, 0.975))
    return Estimate(math.fsum(values) / n, low, high)


def paired(ours: Pool, theirs: Pool) -> list[str]:
    """What ours has more of than theirs, over the seeds that both ran.

    Raises:
        MixedReportsError: where they are of different worlds, or no seed is in both.
    """
    if ours.scenario_hash != theirs.scenario_hash:
        raise MixedReportsError(f"expected two pools of {ours.scenario}, got {theirs.scenario}")
    pairs = [(it, theirs.runs[seed]) for seed, it in ours.runs.items() if seed in theirs.runs]
    if not pairs:
        raise MixedReportsError("expected seeds that both ran, got none")

    def more(what: Callable[[Run], float | None]) -> str:
        both = [(what(a), what(b)) for a, b in pairs]
        differences = [a - b for a, b in both if a is not None and b is not None]
        return f"{mean(differences).text(2)} (of {len(differences)})" if differences else "-"

    name = f"{ours.scenario}, {ours.who} less {theirs.who}, {len(pairs)} seeds"
    n_only = [
        sum(a.is_success and not b.is_success for a, b in order)
        for order in (pairs, [(b, a) for a, b in pairs])
    ]
    return [
        f"{name}: contacts a run {more(lambda run: run.n_contacts)}",
        f"{name}: seconds to the goal {more(lambda run: run.mean_secs)}",
        f"{name}: {n_only[0]} seeds that only the first finished, {n_only[1]} only the second",
    ]


def pools(paths: Iterable[Path]) -> list[Pool]:
    """The reports in files, by scenario and driver, in the order of their first."""
    groups: dict[tuple[str, str], list[dict]] = {}
    for path in paths:
        report = json.loads(path.read_text())
        groups.setdefault((report["scenario"], report["who"]), []).append(report)
    return [Pool.of(reports) for reports in groups.values()]


def main() -> None:
    """Prints the rows, and the comparisons where there is something to compare with."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reports", type=Path, nargs="+")
    parser.add_argument("--beside", type=Path, nargs="+", default=[])
    asked = parser.parse_args()
    ours, theirs = pools(asked.reports), pools(asked.beside)
    print(HEADER)
    for pool in [*ours, *theirs]:
        print(pool.row())
    for pool in ours:
        for other in theirs:
            if other.scenario == pool.scenario:
                print("\n" + "\n".join(paired(pool, other)))


if __name__ == "__main__":
    main()
