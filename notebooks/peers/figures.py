"""From what the simulators' sides say to one table: parsing, medians, Markdown."""

from __future__ import annotations

import itertools
import math
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from . import scene

LINE = re.compile(
    r"^like-for-like robots=(?P<size>\d+(x\d+)?) step_micros=(?P<step>[\d.e+-]+)"
    r"( scanning_micros=(?P<scanning>[\d.e+-]+))?$"
)
SCAN_HZ = 10.0


@dataclass(frozen=True)
class Measured:
    """One measurement: robots in one world, worlds in one batch, microseconds a step."""

    n_robots: int
    n_worlds: int
    step_micros: float
    scanning_micros: float | None = None

    @property
    def robot_steps_per_sec(self) -> float:
        """Robots that are moved on by a step in a second of processor time."""
        return self.n_robots * self.n_worlds * 1e6 / self.step_micros

    @property
    def rays_per_sec(self) -> float | None:
        """Rays in a second: what steps with scans take beyond those without."""
        if self.scanning_micros is None or self.scanning_micros <= self.step_micros:
            return None
        n_rays = self.n_robots * self.n_worlds * scene.BEAMS
        return n_rays * 1e6 / (self.scanning_micros - self.step_micros)

    @property
    def real_time_factor(self) -> float | None:
        """Simulated seconds in a second, with a scan by everybody ten times a simulated second."""
        if self.scanning_micros is None:
            return None
        scans = SCAN_HZ * (self.scanning_micros - self.step_micros)
        return 1e6 / (self.step_micros / scene.STEP_SECS + scans)


def parse(text: str) -> list[Measured]:
    """The measurements among other lines."""
    found = []
    for line in text.splitlines():
        if match := LINE.match(line.strip()):
            n_robots, _, n_worlds = match["size"].partition("x")
            scanning = match["scanning"]
            found.append(
                Measured(
                    int(n_robots),
                    int(n_worlds or 1),
                    float(match["step"]),
                    None if scanning is None else float(scanning),
                )
            )
    return found


@dataclass(frozen=True)
class Spread:
    """The median over the rounds, with the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread | None:
        """None where a round has no value."""
        known = list(values)
        if not known or any(value is None for value in known):
            return None
        return cls(statistics.median(known), min(known), max(known))

    def __str__(self) -> str:
        return f"{rounded(self.median)} ({rounded(self.least)} to {rounded(self.most)})"


def rounded(value: float) -> str:
    """A number with three digits that count, and commas for thousands."""
    if value == 0 or not math.isfinite(value):
        return str(value)
    digits = 2 - math.floor(math.log10(abs(value)))
    return f"{round(value, digits):,.{max(digits, 0)}f}"


def real_time_robots(cases: Iterable[tuple[int, float | None]]) -> str:
    """With how many robots a simulator keeps up with the clock, from robots and their factors.

    Between two measured counts it is interpolated, on logarithmic axes.
    """
    points = sorted((n, factor) for n, factor in cases if factor is not None)
    if not points:
        return "-"
    if points[0][1] < 1:
        return f"< {points[0][0]}"
    for (n, factor), (n_next, factor_next) in itertools.pairwise(points):
        if factor_next < 1:
            share = math.log(factor) / math.log(factor / factor_next)
            return rounded(n * (n_next / n) ** share)
    return f"> {points[-1][0]}"


def table(rounds: dict[str, Sequence[Sequence[Measured]]]) -> str:
    """The Markdown table; `rounds` has each simulator's measurements, round by round."""
    lines = [
        "| simulator | robots | us a step | robot-steps/s | rays/s "
        "| simulated s a second, scans at 10 Hz |",
        "|---|---|---|---|---|---|",
    ]
    for name, by_round in rounds.items():
        for case in zip(*by_round, strict=True):
            size = f"{case[0].n_robots:,}"
            if case[0].n_worlds > 1:
                size += f" in each of {case[0].n_worlds} worlds"
            spreads = [
                Spread.of(it.step_micros for it in case),
                Spread.of(it.robot_steps_per_sec for it in case),
                Spread.of(it.rays_per_sec for it in case),
                Spread.of(it.real_time_factor for it in case),
            ]
            cells = " | ".join("-" if it is None else str(it) for it in spreads)
            lines.append(f"| {name} | {size} | {cells} |")
    return "\n".join(lines)


def factors(rounds: dict[str, Sequence[Sequence[Measured]]], ours: str) -> str:
    """How many times a peer's robot-steps and rays ours has, and who keeps up with the clock.

    The ratio is taken in each round, where both had the machine in about the same state; a peer's
    batch of worlds is set beside our one world of as many robots as one of its worlds has.
    """
    lines = [
        "| beside | robots | our robot-steps, times theirs | our rays, times theirs |",
        "|---|---|---|---|",
    ]
    for name, by_round in rounds.items():
        if name == ours:
            continue
        for case in zip(*by_round, strict=True):
            n_robots = case[0].n_robots
            own = [next(it for it in mine if it.n_robots == n_robots) for mine in rounds[ours]]
            pairs = list(zip(own, case, strict=True))
            steps = Spread.of(a.robot_steps_per_sec / b.robot_steps_per_sec for a, b in pairs)
            rays = Spread.of(
                None
                if not a.rays_per_sec or not b.rays_per_sec
                else a.rays_per_sec / b.rays_per_sec
                for a, b in pairs
            )
            size = f"{n_robots}" if case[0].n_worlds == 1 else f"{n_robots} x {case[0].n_worlds}"
            lines.append(f"| {name} | {size} | {steps} | {'-' if rays is None else rays} |")
    lines.append("")
    lines.append("| robots that keep up with the clock, each scanning at 10 Hz | |\n|---|---|")
    for name, by_round in rounds.items():
        single = [case for case in zip(*by_round, strict=True) if case[0].n_worlds == 1]
        spreads = [
            (case[0].n_robots, Spread.of(it.real_time_factor for it in case)) for case in single
        ]
        medians = ((n, None if it is None else it.median) for n, it in spreads)
        lines.append(f"| {name} | {real_time_robots(medians)} |")
    return "\n".join(lines)


BEGIN, END = "<!-- tables: python -m peers.simulators -->", "<!-- end of tables -->"


def page(
    before: str, about: str, rounds: dict[str, Sequence[Sequence[Measured]]], ours: str
) -> str:
    """The page with new tables between its two marks; what people wrote around them stays."""
    tables = f"{BEGIN}\n{about}\n\n{table(rounds)}\n\n{factors(rounds, ours)}\n{END}"
    head, begin, rest = before.partition(BEGIN)
    if not begin:
        return f"{before}{tables}\n"
    return f"{head}{tables}{rest.partition(END)[2]}"
