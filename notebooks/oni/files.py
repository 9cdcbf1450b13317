"""Where the specification's files are: in the installed package, or in the repository beside it."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def v1_folder() -> Path:
    """The folder with `header.proto` and the schema files of version 1.

    Raises:
        FileNotFoundError: if neither the package nor a repository around it holds them.
    """
    package = Path(__file__).resolve().parent
    places = [package / "v1", package.parent.parent / "schemas" / "oni" / "v1"]
    for place in places:
        if (place / "header.proto").is_file():
            return place
    raise FileNotFoundError(f"expected header.proto in one of {[str(place) for place in places]}")


def header_proto() -> str:
    """The text of `header.proto`."""
    return (v1_folder() / "header.proto").read_text(encoding="utf-8")


def schema_files() -> list[Path]:
    """The schema file of each message type that comes with this package, by name."""
    return sorted(v1_folder().glob("*.json"))
