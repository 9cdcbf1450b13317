"""Every golden vector, valid and invalid, and what the specification's text says of them."""

from __future__ import annotations

import re

import golden
import pytest

from oni import Message, OniError, built_in, decode_frame, json_form
from oni.bundles import messages_of

SPECIFICATION = (golden.FOLDER.parent / "README.md").read_text(encoding="utf-8")


def read(frame: bytes) -> Message:
    """What a reader does that has all schemas and takes every type."""
    message = Message.from_frame(frame)
    schema = built_in().get(message.header.schema.name)
    if schema is None:
        raise OniError("unknown-schema", "schema", "a known one", message.header.schema)
    schema.check(message)
    return message


@pytest.mark.parametrize("name", golden.VALID)
def test_valid_vector_is_read_to_its_json(name: str) -> None:
    assert json_form.to_json(read(golden.valid_frame(name))) == golden.valid_json(name)


@pytest.mark.parametrize("name", golden.VALID)
def test_valid_vector_survives_being_written(name: str) -> None:
    frame = golden.valid_frame(name)
    written = read(frame).to_frame()
    assert json_form.to_json(read(written)) == golden.valid_json(name)
    # Writers are free in much; where nothing is unusual, ours writes what the other one does.
    assert written == frame or name not in built_in()


@pytest.mark.parametrize("name", golden.VALID)
def test_json_form_can_be_read_back(name: str) -> None:
    value = golden.valid_json(name)
    assert json_form.to_json(json_form.from_json(value)) == value


@pytest.mark.parametrize("name", golden.INVALID)
def test_invalid_vector_is_refused_with_its_code(name: str) -> None:
    with pytest.raises(OniError) as refusal:
        read(golden.invalid_frame(name))
    assert refusal.value.code == golden.INVALID[name]["error"], golden.INVALID[name]["why"]
    assert re.fullmatch(r"[a-z0-9-]+: .+: expected .+, got .+", str(refusal.value), re.DOTALL)


@pytest.mark.parametrize("name", golden.BUNDLES)
def test_bundle_gives_its_messages_or_is_refused(name: str) -> None:
    vector = golden.BUNDLES[name]
    if vector["error"] is None:
        frames = [decode_frame(golden.valid_frame(frame)) for frame in vector["frames"]]
        expected = [(bytes(header), bytes(payload)) for header, payload in frames]
        assert messages_of(*golden.bundle(name)) == expected
    else:
        with pytest.raises(OniError) as refusal:
            messages_of(*golden.bundle(name))
        assert refusal.value.code == vector["error"], vector["why"]


def test_there_is_a_vector_for_each_type_and_each_file_is_listed() -> None:
    assert set(built_in()) <= set(golden.VALID)
    files = {path.stem for path in (golden.FOLDER / "invalid").glob("*.oni")}
    assert files == set(golden.INVALID)


def test_hashes_are_those_of_the_text() -> None:
    rows = re.findall(r"^\| \[`([a-z._]+)`\].*`([0-9a-f]{32})` \|$", SPECIFICATION, re.MULTILINE)
    ours = {name: schema.id.hash.hex() for name, schema in built_in().items()}
    assert dict(rows).items() <= ours.items()
    assert len(rows) >= 15


def test_only_codes_of_the_text_are_used() -> None:
    chapter = SPECIFICATION.split("\n## Errors\n")[1].split("\n## ")[0]
    codes = set(re.findall(r"^\| `([a-z-]+)` \|", chapter, re.MULTILINE))
    package = golden.FOLDER.parents[2] / "notebooks" / "oni"
    sources = "".join(path.read_text(encoding="utf-8") for path in package.glob("*.py"))
    used = set(re.findall(r'(?:OniError|refusal)\(\s*"([a-z-]+)"', sources))
    assert len(used) > 30
    assert used <= codes, used - codes
