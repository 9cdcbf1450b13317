"""Who may read whom, and that a refusal says what differs."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import golden
import numpy as np
import pytest

from oni import Message, OniError, Schema, SchemaId, built_in, contact, differences
from oni.canonical import canonical, parse, short_hash
from oni.names import is_key, is_pattern

LIDAR = built_in()["sensor.lidar"]


def changed(change: Callable[[Any], None], minor: int = 1) -> Schema:
    """The scan's schema with something else in it, as version 1.`minor`."""
    document = copy.deepcopy(LIDAR.document)
    document["x-version"]["minor"] = minor
    change(document)
    return Schema.parse(canonical(document))


def ranges(document: Any) -> Any:
    """What a schema document says of the tensor `ranges_m`."""
    return document["properties"]["tensors"]["properties"]["ranges_m"]


def test_canonical_json_is_that_of_the_text() -> None:
    value = parse('{"b": [1, 2],  "a": {"d": "x\\u00e9", "c": null}}')
    text = '{"a":{"c":null,"d":"xé"},"b":[1,2]}'
    assert canonical(value).decode() == text
    specification = (golden.FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert short_hash(text.encode()).hex() in specification
    assert canonical('\x00\x08\t\n\x0c\r"\\/\x7fé').decode() == (
        '"\\u0000\\b\\t\\n\\f\\r\\"\\\\/\x7fé"'
    )


def test_layout_of_a_schema_file_does_not_count() -> None:
    spread = json.dumps(LIDAR.document, indent=7).encode()
    assert Schema.parse(spread).id == LIDAR.id
    with pytest.raises(OniError, match="canonical"):
        Schema.parse_canonical(spread)
    assert Schema.parse_canonical(LIDAR.text).id == LIDAR.id


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (
            lambda d: ranges(d)["properties"]["dtype"].update({"const": "f64"}),
            'tensor "ranges_m": expected dtype f32, got f64',
        ),
        (
            lambda d: ranges(d).update({"x-dims": [3]}),
            'tensor "ranges_m": expected dims ["beam"], got [3]',
        ),
        (
            lambda d: ranges(d).update({"x-unit": "mm"}),
            'tensor "ranges_m": expected unit m, got mm',
        ),
        (
            lambda d: ranges(d).pop("x-unit"),
            'tensor "ranges_m": expected unit m, got none',
        ),
        (
            lambda d: ranges(d).update({"x-frame": "base"}),
            'tensor "ranges_m": expected frame scanner, got base',
        ),
        (
            lambda d: ranges(d)["properties"]["data"]["items"].update({"maximum": 9}),
            'tensor "ranges_m": expected maximum none, got 9',
        ),
        (
            lambda d: d["properties"]["tensors"]["required"].remove("ranges_m"),
            'tensor "ranges_m": expected one that is required, got one that is optional',
        ),
        (
            lambda d: d.update({"x-model-hash": "optional"}),
            "expected x-model-hash absent, got optional",
        ),
    ],
)
def test_difference_is_named(change: Callable[[Any], None], difference: str) -> None:
    theirs = changed(change)
    assert differences(LIDAR, theirs) == [difference]
    with pytest.raises(OniError) as refusal:
        contact.accept(LIDAR, theirs.id, [theirs])
    text = str(refusal.value)
    assert refusal.value.code == "other-tensor"
    assert difference in text
    assert str(LIDAR.id) in text
    assert str(theirs.id) in text


def test_newer_minor_version_with_one_more_tensor_is_read() -> None:
    def add(document: Any) -> None:
        tensors = document["properties"]["tensors"]["properties"]
        tensors["intensity"] = copy.deepcopy(tensors["ranges_m"])
        document["description"] = "Another text."

    theirs = changed(add)
    assert differences(LIDAR, theirs) == []
    contact.accept(LIDAR, theirs.id, [theirs])
    scan = Message.from_frame(golden.valid_frame("sensor.lidar"))
    LIDAR.check(Message(replace(scan.header, schema=theirs.id), scan.tensors))


def test_answer_with_another_hash_is_no_answer() -> None:
    theirs = changed(lambda d: None)
    liar = changed(lambda d: d.update({"description": "Another."}))
    with pytest.raises(OniError, match="answered with") as refusal:
        contact.accept(LIDAR, theirs.id, [liar])
    assert refusal.value.code == "unknown-schema"
    contact.accept(LIDAR, theirs.id, [liar, theirs])
    with pytest.raises(OniError, match="no answer"):
        contact.accept(LIDAR, theirs.id, [])


def test_one_version_with_two_contents_is_refused() -> None:
    theirs = changed(lambda d: ranges(d).update({"x-unit": "mm"}), minor=0)
    with pytest.raises(OniError, match="expected unit m, got mm") as refusal:
        contact.accept(LIDAR, theirs.id, [theirs])
    assert refusal.value.code == "other-hash"
    described = changed(lambda d: d.update({"description": "Another."}), minor=0)
    with pytest.raises(OniError, match="no tensor differs"):
        contact.accept(LIDAR, described.id, [described])


def test_other_major_version_is_refused() -> None:
    with pytest.raises(OniError) as refusal:
        contact.accept(LIDAR, SchemaId("sensor.lidar", 2, 0, LIDAR.id.hash), [])
    assert refusal.value.code == "other-major"


def test_missing_tensor_is_named_with_both_schemas() -> None:
    scan = Message.from_frame(golden.valid_frame("sensor.lidar"))
    tensors = {name: array for name, array in scan.tensors.items() if name != "ranges_m"}
    with pytest.raises(OniError) as refusal:
        LIDAR.check(Message(scan.header, tensors))
    assert refusal.value.code == "other-tensor"
    assert str(refusal.value).count(str(LIDAR.id)) == 2
    assert 'tensor "ranges_m": expected one that is required, got none' in str(refusal.value)
    wide = {**scan.tensors, "ranges_m": scan.tensors["ranges_m"].astype(np.float64)}
    with pytest.raises(OniError, match='tensor "ranges_m": expected dtype f32, got f64'):
        LIDAR.check(Message(scan.header, wide))


@pytest.mark.parametrize(
    ("text", "key", "pattern"),
    [
        ("oni/flock/crane3/sensor.lidar/front", True, True),
        ("oni/*/crane3/actuator.cmd/**", False, True),
        ("oni/**", False, True),
        ("oni/a/b/c/**", False, True),
        ("oni/a/b/c/*", False, True),
        ("oni", False, False),
        ("oni/a/b/c", False, False),
        ("oni/a/b/c/d/**", False, False),
        ("oni/**/c/d", False, False),
        ("oni/a/b/c/d/e", False, False),
        ("oni/a//c/d", False, False),
        ("ONI/a/b/c/d", False, False),
        ("oni/a/b/c/" + "d" * 65, False, False),
        ("oni/a/b/c/d*", False, False),
        ("@sedge/a/b/c/d", False, False),
    ],
)
def test_keys_and_patterns(text: str, key: bool, pattern: bool) -> None:
    assert (is_key(text), is_pattern(text)) == (key, pattern)
