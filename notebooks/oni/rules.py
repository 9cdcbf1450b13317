"""The rules that schemas state by name (`x-rule`), and what a type's own text adds to its file."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping

import numpy as np

from oni import names
from oni.errors import OniError

N_TEXT_BYTES_MAX = 1024
N_LINES_MAX = 65_536
_TOLERANCE = 1e-9
_CHANNELS = {"gray8": 1, "rgb8": 3}


def lines(array: np.ndarray) -> list[str]:
    """The entries of a list: a `u8` tensor of UTF-8, one a line, each ended by a line feed.

    Raises:
        OniError: if it is none.
    """
    text = _utf8(array)
    if text and not text.endswith("\n"):
        raise OniError("bad-text", "list", "a line feed after each line", repr(text[-20:]))
    n_lines = text.count("\n")
    if n_lines > N_LINES_MAX:
        raise OniError("bad-text", "list", f"at most {N_LINES_MAX} lines", n_lines)
    return text.split("\n")[:-1]


def text(array: np.ndarray) -> str:
    """The text of a `u8` tensor that holds one for a person.

    Raises:
        OniError: if it is none.
    """
    if array.size > N_TEXT_BYTES_MAX:
        raise OniError("bad-text", "text", f"at most {N_TEXT_BYTES_MAX} bytes", array.size)
    found = _utf8(array)
    if any(unicodedata.category(c) == "Cc" for c in found):
        raise OniError("bad-text", "text", "no control characters", repr(found))
    return found


def of_lines(entries: list[str]) -> np.ndarray:
    """The `u8` tensor of a list."""
    return of_text("".join(f"{entry}\n" for entry in entries))


def of_text(content: str) -> np.ndarray:
    """The `u8` tensor of a text."""
    return np.frombuffer(content.encode("utf-8"), np.uint8)


def check(rule: str, array: np.ndarray, n_lines: int | None) -> None:
    """Whether a tensor keeps a rule of `RULES`.

    Args:
        n_lines: how many lines a list must have, if that is said.

    Raises:
        OniError: if it does not.
    """
    if rule in _LISTS:
        _check_list(array, _LISTS[rule], n_lines)
    else:
        _CHECKS[rule](array)


def check_type(message_type: str, tensors: Mapping[str, np.ndarray]) -> None:
    """What the specification says of one message type beyond its schema.

    Raises:
        OniError: if a message breaks it.
    """
    if message_type == "sensor.camera":
        _check_camera(tensors)
    elif message_type == "sensor.range_bearing":
        seen = lines(tensors["neighbour_names"])
        if len(set(seen)) != len(seen):
            raise OniError("bad-text", "neighbour_names", "each neighbour once", "one twice")
    elif message_type == "telemetry.latency":
        _check_rung(tensors)
    elif message_type == "agent.manifest":
        keys = lines(tensors["stream_keys"])
        for key, direction in zip(keys, tensors["directions"], strict=True):
            if direction == 1 and not names.is_key(key):
                raise OniError("bad-text", "stream_keys", "a key of what is published", repr(key))


def _check_camera(tensors: Mapping[str, np.ndarray]) -> None:
    pixel_format = text(tensors["pixel_format"])
    if pixel_format not in _CHANNELS:
        expected = " or ".join(_CHANNELS)
        raise OniError("bad-text", "pixel_format", expected, repr(pixel_format))
    n_channels = tensors["pixels"].shape[2]
    if n_channels != _CHANNELS[pixel_format]:
        expected = f"{_CHANNELS[pixel_format]} of {pixel_format}"
        raise OniError("dimension-mismatch", "channel", expected, n_channels)
    n_lenses = tensors["focal_px"].shape[0]
    if n_lenses > 1:
        raise OniError("dimension-mismatch", "lens", "0 or 1", n_lenses)


def _check_rung(tensors: Mapping[str, np.ndarray]) -> None:
    if "rung_names" not in tensors:
        return
    n_rungs = len(lines(tensors["rung_names"]))
    rung = int(tensors["rung"][0]) if "rung" in tensors else 0
    if rung >= n_rungs:
        raise OniError("out-of-range", 'tensor "rung"', f"less than {n_rungs} rungs", rung)


def _check_list(array: np.ndarray, fits: Callable[[str], bool], n_lines: int | None) -> None:
    entries = lines(array)
    for entry in entries:
        if not fits(entry):
            kind = fits.__name__.removeprefix("is_")
            raise OniError("bad-text", "list", f"a {kind} in each line", repr(entry))
    if n_lines is not None and len(entries) != n_lines:
        raise OniError("bad-text", "list", f"{n_lines} lines", len(entries))


def _check_text(array: np.ndarray) -> None:
    text(array)


def _check_ascending(array: np.ndarray) -> None:
    flat = array.ravel()
    if (falls := flat[1:] < flat[:-1]).any():
        place = int(np.argmax(falls))
        expected = f"at least {flat[place]} after it"
        raise OniError("out-of-range", "ascending numbers", expected, flat[place + 1])


def _check_covariance(array: np.ndarray) -> None:
    if array.ndim < 2 or array.shape[-2:] != (3, 3):
        raise OniError("not-a-covariance", "matrix", "3 rows of 3", list(array.shape))
    matrices = array.reshape(-1, 3, 3)
    largest = np.abs(matrices).max(axis=(1, 2), initial=0.0)
    transposed = matrices.transpose(0, 2, 1)
    # Divided by the largest entry first, so that no finite number can overflow.
    units = np.where(largest > 0.0, largest, 1.0)[:, None, None]
    skew = np.abs(matrices / units - transposed / units)
    if (skew > _TOLERANCE).any():
        raise OniError("not-a-covariance", "matrix", "a symmetric one", "another")
    halves = (matrices / units + transposed / units) / 2.0
    if (np.linalg.eigvalsh(halves) < -_TOLERANCE).any():
        raise OniError("not-a-covariance", "matrix", "no negative eigenvalue", "one")


def _check_schema(array: np.ndarray) -> None:
    # Schemas use these rules, so the import waits.
    from oni.schema import Schema

    Schema.parse_canonical(array.tobytes())


def _utf8(array: np.ndarray) -> str:
    try:
        return array.tobytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise OniError("bad-text", "text", "UTF-8", error) from error


_LISTS: dict[str, Callable[[str], bool]] = {
    "names": names.is_name,
    "agents": names.is_part,
    "keys": names.is_key,
    "patterns": names.is_pattern,
}
_CHECKS: dict[str, Callable[[np.ndarray], None]] = {
    "covariance": _check_covariance,
    "ascending": _check_ascending,
    "text": _check_text,
    "schema": _check_schema,
}
RULES = frozenset(_LISTS) | frozenset(_CHECKS)
