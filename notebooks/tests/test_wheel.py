"""The installed package stands alone: the specification's files are in it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[1]
SAY = "import oni; print(oni.files.v1_folder(), len(oni.built_in()))"


def test_wheel_holds_the_schemas_and_needs_no_repository(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=NOTEBOOKS, check=True, capture_output=True, timeout=120)
    [wheel] = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    names = {path.name for path in (installed / "oni" / "v1").iterdir()}
    source = NOTEBOOKS.parent / "schemas" / "oni" / "v1"
    assert names == {path.name for path in source.iterdir()}
    said = subprocess.run(
        [sys.executable, "-c", SAY],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    assert said.split() == [str(installed / "oni" / "v1"), str(len(names) - 1)]
