"""Installs two simulators of many robots from PyPI and runs them beside ours, by turns.

`python -m peers.simulators` in `notebooks/`. It makes a virtual environment (two to six gigabytes,
most of it PyTorch), builds our benchmark, and writes `crates/simulation/RESULTS.md`.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path

from . import figures

NOTEBOOKS = Path(__file__).resolve().parents[1]
REPOSITORY = NOTEBOOKS.parent
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
RESULTS = REPOSITORY / "crates/simulation/RESULTS.md"
OURS = "Sedge"
OUR_COUNTS = [1, 16, 64, 256, 1024]
# What a peer is asked for: a scan by 64 of its robots takes seconds a step, so 16 scan.
PEERS = {
    "IR-SIM": ("peers.irsim_side", ["1+scan", "16+scan", "64", "256"]),
    "VMAS": ("peers.vmas_side", ["1+scan", "16+scan", "64", "16x1024", "16x16384"]),
}
# One thread each: the figures are for one core.
ONE_THREAD = dict.fromkeys(["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"], "1")


def run(command: list[str | Path], cwd: Path) -> str:
    """What a command prints; its errors go to the terminal."""
    environment = {**os.environ, **ONE_THREAD, "MPLBACKEND": "Agg"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def installed(venv: Path) -> Path:
    """The virtual environment's Python, with the pinned peers in it."""
    python = venv / "bin/python"
    if not python.exists():
        run([sys.executable, "-m", "venv", venv], REPOSITORY)
    run([python, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS], REPOSITORY)
    return python


def ours() -> list[figures.Measured]:
    """One round of our benchmark."""
    bench = ["cargo", "bench", "--locked", "-p", "sedge-simulation", "--bench", "throughput", "--"]
    said = [run([*bench, "like-for-like", str(n)], REPOSITORY) for n in OUR_COUNTS]
    return figures.parse("\n".join(said))


def processor() -> str:
    """The processor's name, as the kernel has it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((it.split(":")[1].strip() for it in lines if it.startswith("model name")), "")


def main() -> None:
    """Measures by turns and writes the tables into the results' page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=REPOSITORY / "target/peers-venv")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    python = installed(asked.venv)
    rounds: dict[str, list[list[figures.Measured]]] = {OURS: [], **{name: [] for name in PEERS}}
    for idx in range(asked.rounds):
        print(f"round {idx + 1} of {asked.rounds}", file=sys.stderr)
        rounds[OURS].append(ours())
        for name, (module, cases) in PEERS.items():
            said = run([python, "-m", module, *cases], NOTEBOOKS)
            rounds[name].append(figures.parse(said))
        # After every round: who stops it early has what was measured until then.
        write(asked.out, idx + 1, rounds)
    print(asked.out.read_text())


def write(path: Path, n_rounds: int, rounds: dict[str, list[list[figures.Measured]]]) -> None:
    """Puts the tables of the rounds so far into the page."""
    load = ", ".join(f"{it:.2f}" for it in os.getloadavg())
    about = (
        f"Rounds by turns: {n_rounds}, on {processor()}, one thread each, processor time. Load "
        f"averages at the end: {load}. Median, with the least and the most."
    )
    before = path.read_text() if path.exists() else ""
    path.write_text(figures.page(before, about, rounds, OURS))


if __name__ == "__main__":
    main()
