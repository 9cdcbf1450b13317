"""Canonical JSON: one text for one content, so that its hash says which schema it is."""

from __future__ import annotations

import json

from blake3 import blake3

from oni.errors import OniError

N_JSON_BYTES_MAX = 256 << 10
_DEPTH_MAX = 64
_N_HASH_BYTES = 16


def parse(text: bytes | str) -> object:
    """The value of a JSON text as schemas use it: whole numbers only, no member twice.

    Raises:
        OniError: if it is no such text, or too long, or too deep.
    """
    if len(text) > N_JSON_BYTES_MAX:
        raise OniError(
            "bad-schema-document", "schema", f"at most {N_JSON_BYTES_MAX} bytes", len(text)
        )
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_whole,
            parse_float=_no_fraction,
            parse_constant=_no_fraction,
        )
    except (ValueError, RecursionError) as error:
        raise _bad("JSON with whole numbers", error) from error
    _check_depth(value, _DEPTH_MAX)
    return value


def canonical(value: object) -> bytes:
    """The canonical JSON of a parsed value: UTF-8, sorted members, no white space."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _bad("Unicode text", error) from error


def short_hash(data: bytes) -> bytes:
    """The first 16 bytes of blake3, as schemas and frames are marked with."""
    return blake3(data).digest(length=_N_HASH_BYTES)


def _bad(expected: str, got: object) -> OniError:
    return OniError("bad-schema-document", "schema", expected, got)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _whole(text: str) -> int:
    number = int(text)
    if text == "-0" or not -(2**63) <= number < 2**64:
        raise ValueError(f"{text[:40]} is no number of 64 bits")
    return number


def _no_fraction(text: str) -> object:
    raise ValueError(f"{text[:40]} is not a whole number")


def _check_depth(value: object, depth_left: int) -> None:
    if depth_left == 0:
        raise _bad(f"at most {_DEPTH_MAX} levels", "more")
    children = value.values() if isinstance(value, dict) else value
    if isinstance(value, (dict, list)):
        for child in children:
            _check_depth(child, depth_left - 1)
