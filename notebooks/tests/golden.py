"""The specification's golden vectors, as tests name them."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "schemas" / "oni" / "golden"
VALID = sorted(path.stem for path in (FOLDER / "valid").glob("*.oni"))
STREAMS: dict[str, dict] = json.loads((FOLDER / "streams" / "streams.json").read_text())
BUNDLES: dict[str, dict] = json.loads((FOLDER / "bundles" / "bundles.json").read_text())
INVALID: dict[str, dict[str, str]] = json.loads((FOLDER / "invalid" / "errors.json").read_text())


def valid_frame(name: str) -> bytes:
    """The bytes of a vector that every reader must read."""
    return (FOLDER / "valid" / f"{name}.oni").read_bytes()


def valid_json(name: str) -> dict:
    """What is in it."""
    return json.loads((FOLDER / "valid" / f"{name}.json").read_text())


def invalid_frame(name: str) -> bytes:
    """The bytes of a vector that every reader must refuse."""
    return (FOLDER / "invalid" / f"{name}.oni").read_bytes()


def stream(name: str) -> bytes:
    """The bytes of a stream that may be damaged."""
    return (FOLDER / "streams" / f"{name}.oni").read_bytes()


def bundle(name: str) -> tuple[bytes, bytes]:
    """Attachment and payload of a bundle that may be broken."""
    folder = FOLDER / "bundles"
    attachment, payload = (folder / f"{name}.{part}" for part in ("attachment", "payload"))
    return attachment.read_bytes(), payload.read_bytes()
