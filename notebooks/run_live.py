"""Runs the notebook end to end against a live agent, and stops everything again.

    python run_live.py path/to/sedge

It makes a synthetic log, plays it as a robot to `sedge agent` (recent scans moved by odometry: no
training), and executes `live_fleet.ipynb` beside them, all on free ports of this machine. Nothing
is written into the notebook that is in the repository.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self

NOTEBOOK = Path(__file__).resolve().parent / "live_fleet.ipynb"
_STOP_SECS = 10
_NOTEBOOK_SECS = 120
_LOG_SECS = 120


class LiveFleet:
    """`sedge agent` and `sedge play` as processes, which end with the `with` statement.

    Attributes:
        endpoint: where the processes dial, and a Python process listens.
        folder: their log and their outputs, such as `agent.txt`, and `agent.err` for errors.
    """

    def __init__(self, sedge: Path, folder: Path) -> None:
        self.sedge = sedge
        self.folder = folder
        self.endpoint = f"tcp/127.0.0.1:{free_port()}"
        self._agent_endpoint = f"tcp/127.0.0.1:{free_port()}"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._files = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def agent(self, robot: str) -> None:
        """Starts an agent that believes for a robot."""
        # It ends with its standard input, so it dies with this process whatever happens to that.
        self.start(
            "agent",
            *("agent", "--model", "geometric", "--robot", robot, "--until-stdin-ends"),
            *("--connect", self.endpoint, "--listen", self._agent_endpoint),
        )

    def play(self, robot: str) -> None:
        """Starts a player of a synthetic log, in real time."""
        log = self.folder / "corridor.log"
        make = [self.sedge, "dataset", "make", "--seed", "1", "--secs", str(_LOG_SECS)]
        subprocess.run([*make, "--out", log], check=True, capture_output=True, timeout=60)
        self.start(
            "play",
            *("play", str(log), "--robot", robot),
            *("--connect", self.endpoint, "--connect", self._agent_endpoint),
        )

    def start(self, name: str, *arguments: str) -> None:
        """Starts the program with these arguments, as `name`."""
        files: list[IO[Any]] = [
            self._files.enter_context((self.folder / f"{name}.{ending}").open("wb"))
            for ending in ("txt", "err")
        ]
        process = subprocess.Popen(
            [self.sedge, *arguments], stdin=subprocess.PIPE, stdout=files[0], stderr=files[1]
        )
        self._processes.append(process)

    def output(self, name: str) -> str:
        """What a process has printed so far, its errors behind it."""
        paths = [self.folder / f"{name}.{ending}" for ending in ("txt", "err")]
        return "".join(path.read_text(encoding="utf-8", errors="replace") for path in paths)

    def stop(self) -> None:
        """Ends all processes: politely, and after ten seconds not."""
        for process in self._processes:
            if process.stdin is not None:
                process.stdin.close()
            process.terminate()
        for process in self._processes:
            try:
                process.wait(_STOP_SECS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
        self._files.close()


@contextlib.contextmanager
def live_fleet(sedge: Path) -> Iterator[LiveFleet]:
    """Processes in a folder of their own; their outputs are printed if something fails."""
    with tempfile.TemporaryDirectory() as folder, LiveFleet(sedge, Path(folder)) as fleet:
        try:
            yield fleet
        except BaseException:
            for path in sorted([*Path(folder).glob("*.txt"), *Path(folder).glob("*.err")]):
                print(f"--- {path.name}\n{path.read_text(errors='replace')[-4000:]}")
            raise


def free_port() -> int:
    """A port of this machine's loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def execute(fleet: LiveFleet, connect: str = "") -> None:
    """Executes the notebook, which dials `connect` too; a cell that fails raises."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    os.environ["ONI_CONNECT"], os.environ["ONI_LISTEN"] = connect, fleet.endpoint
    NotebookClient(notebook, timeout=_NOTEBOOK_SECS, kernel_name="python3").execute()
    nbformat.write(notebook, fleet.folder / "executed.ipynb")


def main() -> None:
    """Runs all of it once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sedge", type=Path, help="the program, such as target/release/sedge")
    with live_fleet(parser.parse_args().sedge) as fleet:
        fleet.agent("crane")
        fleet.play("crane")
        execute(fleet)
    print(f"{NOTEBOOK.name}: every cell ran")


if __name__ == "__main__":
    sys.exit(main())
