"""Races Sedge's onboard engine against the same network in PyTorch, by turns in one run.

`python -m peers.engines` in `notebooks/`. It makes a virtual environment (two to six gigabytes,
most of it PyTorch), builds our benchmark, checks that both networks say the same of the same
inputs, and writes a section of `crates/world-model-onboard/RESULTS.md`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import race
from .simulators import NOTEBOOKS, REPOSITORY, processor, run

REQUIREMENTS = Path(__file__).with_name("engine_requirements.txt")
RESULTS = REPOSITORY / "crates/world-model-onboard/RESULTS.md"
# Calls of each engine; a short case takes enough of them for its rarest thousandth.
CALLS = {"filter": 10_000, "imagine-64": 1_000, "imagine-512": 300, "plan": 200}
N_TURNS = 10
THREADS = 2
OURS = ["f32-1", "f32-2", "int8-1", "int8-2"]
# Both add the same numbers in another order.
AGREEMENT_MAX = 1e-4
# Threads of the other side may spin for a while before they sleep.
REST_SECS = 0.3


def installed(venv: Path) -> Path:
    """The virtual environment's Python, with PyTorch in it."""
    python = venv / "bin/python"
    if not python.exists():
        run([sys.executable, "-m", "venv", venv], REPOSITORY)
    has_torch = subprocess.run([python, "-c", "import safetensors, torch"], check=False)
    if has_torch.returncode != 0:
        run([python, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS], REPOSITORY)
    return python


class Side:
    """A process that answers a line with a line."""

    def __init__(self, command: list[str | Path], cwd: Path) -> None:
        self.process = subprocess.Popen(
            command, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, request: str) -> str:
        """What it says to a request."""
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"expected an answer to {request!r}, got none")
        return answer.strip()

    def race(self, request: str) -> list[float]:
        """Microseconds of calls."""
        return [float(it) for it in self.ask(request).split()]

    def stop(self) -> None:
        """Lets it end."""
        self.process.stdin.close()
        self.process.wait()


def agreement(ours: Side, eager: Side) -> str:
    """How far answers of both sides are apart; refuses to race different networks."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answers.safetensors"
        ours.ask(f"answers {file}")
        said = eager.ask(f"check {file}")
    distances = dict(it.split("=") for it in said.split())
    n_ties = distances.pop("ties")
    worst = max(float(it) for it in distances.values())
    if worst > AGREEMENT_MAX:
        raise SystemExit(f"expected the same network on both sides, got {said}")
    return f"{worst:.0e} (classes of {n_ties} groups given, as rounding decided them)"


def turns(case: str, n_calls: int, ours: Side, peers: dict[str, Side]) -> dict[str, list[float]]:
    """Everybody's times, in turns of some calls each."""
    times: dict[str, list[float]] = {}
    each = max(n_calls // N_TURNS, 1)
    for _ in range(N_TURNS):
        for name, side in peers.items():
            times.setdefault(name, []).extend(side.race(f"race {case} {each}"))
            time.sleep(REST_SECS)
        for engine in OURS:
            times.setdefault(engine, []).extend(ours.race(f"race {case} {engine} {each}"))
    return times


def reached(ours: Side, before: list[race.Ceiling]) -> list[race.Ceiling]:
    """What the machine multiplies at best on one thread, two, and so on, now or before."""
    found = []
    for threads in range(1, THREADS + 1):
        f32, int8 = (float(it) for it in ours.ask(f"ceiling {threads}").split())
        known = [it for it in before if it.threads == threads]
        best = [race.Ceiling(threads, f32, int8), *known]
        found.append(race.Ceiling(threads, max(it.f32 for it in best), max(it.int8 for it in best)))
    return found


def load() -> str:
    """Load averages now."""
    return ", ".join(f"{it:.2f}" for it in os.getloadavg())


def about(agreed: str, loads: tuple[str, str], ceilings: list[race.Ceiling]) -> str:
    """What stands above the table."""
    best = "; ".join(
        f"on {it.threads} thread{'s' * (it.threads > 1)} {it.f32:.0f} GFLOP/s in `f32` and "
        f"{it.int8:.0f} GOP/s in eight bits"
        for it in ceilings
    )
    return f"""
Written by `python -m peers.engines` in `notebooks/`: the shipped network, and the same in PyTorch
(`notebooks/peers/torch_network.py`), which loads the same weights. Before the race both said the
same of the same inputs over 60 scans, a view and plans of 15 steps, to within {agreed}.
All take turns in one run, each call is timed by itself and nothing is left out. PyTorch has
{THREADS} threads; of ours, `f32-1` has one, `int8-2` two, and so on. "Filter" takes a scan, an
inertial unit and eight others into the latent, and decodes one view to a mixture for each of 360
beams, in `f32` on one thread whatever the row says. "Imagine" is the latent alone. The network
has no cost head: a plan's cost is a linear read-out of the whole latent at every step, the same
in both. Microseconds.

"PyTorch / it" takes the better of eager and compiled, at each share by itself. The ceiling is the
best that large products reached between the cases, of `rten-gemm` or of our own in the processor's
tile registers where it has these (AMX; `f32` in three parts, six products for one):
{best}. "Of ceiling" counts only the
multiplications and additions of dense products, as if all else took no time.

On {processor()}, {os.cpu_count()} processors, all sides with priority {os.nice(0)}.
Load averages before the race: {loads[0]}; after it: {loads[1]}.
"""


def main() -> None:
    """Races, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=REPOSITORY / "target/peers-venv")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--share", type=float, default=1.0, help="of the calls, for a quick look")
    asked = parser.parse_args()
    python = installed(asked.venv)
    bench = ["cargo", "bench", "--locked", "-p", "sedge-world-model-onboard", "--bench", "turns"]
    ours = Side(bench, REPOSITORY)
    torch = [python, "-m", "peers.torch_side", "--threads", str(THREADS)]
    name = f"-{THREADS}"
    peers = {
        f"PyTorch, eager{name}": Side(torch, NOTEBOOKS),
        f"PyTorch, compiled{name}": Side([*torch, "--compile"], NOTEBOOKS),
    }
    agreed = agreement(ours, next(iter(peers.values())))
    # Compiling takes a minute a case, and is not what is timed.
    for case in CALLS:
        for side in peers.values():
            side.race(f"race {case} 1")
    before, times, ceilings = load(), {}, reached(ours, [])
    work = {case: float(ours.ask(f"work {case}")) for case in CALLS}
    for case, n_calls in CALLS.items():
        print(f"{case}, load averages {load()}", file=sys.stderr)
        times[case] = turns(case, int(n_calls * asked.share), ours, peers)
        ceilings = reached(ours, ceilings)
        table = [
            row for it, taken in times.items() for row in race.rows(it, taken, work[it], ceilings)
        ]
        text = race.section(about(agreed, (before, load()), ceilings), table)
        # After every case: who stops it early has what was measured until then.
        asked.out.write_text(race.page(asked.out.read_text() if asked.out.exists() else "", text))
    for side in [ours, *peers.values()]:
        side.stop()
    print(asked.out.read_text())


if __name__ == "__main__":
    main()
