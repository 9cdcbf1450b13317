"""Python and a Rust agent, in processes of their own, talk both ways and refuse both ways.

They need the program: `SEDGE=path/to/sedge pytest`.
"""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from oni import (
    Bus,
    Encoding,
    Key,
    OniError,
    Packing,
    Publisher,
    Received,
    Schema,
    Subscription,
    built_in,
)
from oni.canonical import canonical
from run_live import LiveFleet, live_fleet

SEDGE = os.environ.get("SEDGE")
PATIENCE_SECS = 30.0
STEP_NANOS = 100_000_000
# The agent also unpacks what Python has packed.
PACKED = {"ranges_m": Packing(Encoding.ZSTD), "twist": Packing(Encoding.INT8)}

pytestmark = pytest.mark.skipif(
    SEDGE is None, reason="NOT RUN: needs the program, SEDGE=path/to/sedge"
)


@pytest.fixture
def fleet() -> Iterator[LiveFleet]:
    """Processes that end with the test."""
    with live_fleet(Path(SEDGE or "")) as processes:
        yield processes


def first(subscription: Subscription) -> Received:
    """The next message, which must come in time."""
    received = subscription.receive(PATIENCE_SECS)
    assert received is not None, f"expected a message within {PATIENCE_SECS} s, got none"
    return received


def refused(subscription: Subscription) -> OniError:
    """The refusal of the next message."""
    with pytest.raises(OniError) as refusal:
        first(subscription)
    return refusal.value


def wider_ranges(schema: Schema) -> Schema:
    """The scan's schema with ranges of f64, still called 1.0."""
    document = copy.deepcopy(schema.document)
    ranges = document["properties"]["tensors"]["properties"]["ranges_m"]
    ranges["properties"]["dtype"]["const"] = "f64"
    return Schema.parse(canonical(document))


def drive(bus: Bus, robot: str, lidar: Schema, until: Callable[[], bool]) -> int:
    """Publishes scans and odometry of a robot in a round room until something is so."""
    scans = publisher(bus, robot, "sensor.lidar", "front", lidar)
    wheels = publisher(bus, robot, "sensor.odometry", "wheels")
    dtype = lidar.tensors["ranges_m"].dtype.numpy
    scan = {
        "first_angle_rad": np.array([-math.pi / 2]),
        "step_rad": np.array([math.pi / 180]),
        "ranges_m": np.full(180, 4.0, dtype),
    }
    end = time.monotonic() + PATIENCE_SECS
    n_scans = 0
    while not until():
        assert time.monotonic() < end, f"expected an end within {PATIENCE_SECS} s, got none"
        nanos = n_scans * STEP_NANOS
        pose = {"pose": np.array([n_scans * 0.01, 0.0, 0.0]), "twist": np.array([0.1, 0.0, 0.0])}
        wheels.put(pose, capture_nanos=nanos, packings=PACKED, frame_id="odometry")
        scans.put(scan, capture_nanos=nanos, packings=PACKED, frame_id="scanner")
        n_scans += 1
    return n_scans


def publisher(
    bus: Bus, robot: str, message_type: str, stream: str, schema: Schema | None = None
) -> Publisher:
    """A robot's publisher, on the clock of its log."""
    return bus.publisher(Key("sedge", robot, message_type, stream), clock_id="log", schema=schema)


def test_python_hears_an_agent(fleet: LiveFleet) -> None:
    with Bus.open(listen=[fleet.endpoint]) as bus:
        predictions = bus.subscribe("oni/sedge/crane/model.prediction/**")
        beliefs = bus.subscribe("oni/sedge/crane/model.belief/**")
        fleet.agent("crane")
        fleet.play("crane")
        belief, prediction = first(beliefs).message, first(predictions).message
        manifests = bus.manifests("sedge", PATIENCE_SECS)
    assert belief.header.agent == prediction.header.agent == "crane"
    assert belief.tensors["pose"].shape == (3,)
    assert prediction.tensors["mean_m"].shape[0] == len(prediction.tensors["horizons_nanos"])
    assert len(prediction.header.model_hash) == 32
    published = {
        stream.schema.name
        for manifest in manifests
        for stream in manifest.streams
        if stream.is_published
    }
    assert {"model.belief", "model.prediction"} <= published
    read = {stream.schema.name for manifest in manifests for stream in manifest.streams}
    assert "sensor.lidar" in read


def test_agent_hears_python(fleet: LiveFleet) -> None:
    with Bus.open(listen=[fleet.endpoint]) as bus:
        predictions = bus.subscribe("oni/sedge/pycrane/model.prediction/**")
        fleet.agent("pycrane")
        heard: list[Received] = []

        def is_heard() -> bool:
            received = predictions.receive(0.1)
            heard.extend([received] if received else [])
            return bool(heard)

        drive(bus, "pycrane", built_in()["sensor.lidar"], is_heard)
    prediction = heard[0].message
    assert prediction.header.clock_id == "log"
    assert prediction.header.capture_nanos % STEP_NANOS == 0
    assert prediction.tensors["mean_m"].shape[1] == 180


def test_agent_refuses_pythons_wrong_schema_and_says_what_differs(fleet: LiveFleet) -> None:
    wrong = wider_ranges(built_in()["sensor.lidar"])
    with Bus.open(listen=[fleet.endpoint]) as bus:
        answers = bus.subscribe("oni/sedge/pycrane/model.prediction/**")
        fleet.agent("pycrane")

        def is_said() -> bool:
            assert answers.receive(0.1) is None
            return "expected dtype f32, got f64" in fleet.output("agent")

        drive(bus, "pycrane", wrong, is_said)
    line = next(
        row for row in fleet.output("agent").splitlines() if "expected dtype f32, got f64" in row
    )
    assert "ranges_m" in line
    assert str(wrong.id) in line
    assert str(built_in()["sensor.lidar"].id) in line


def test_python_refuses_rusts_wrong_schema_and_says_what_differs(fleet: LiveFleet) -> None:
    ours = wider_ranges(built_in()["sensor.lidar"])
    with Bus.open(listen=[fleet.endpoint]) as bus:
        scans = bus.subscribe("oni/sedge/crane/sensor.lidar/**", schema=ours)
        fleet.agent("crane")
        fleet.play("crane")
        refusal = refused(scans)
    assert refusal.code == "other-hash"
    assert refusal.where == "oni/sedge/crane/sensor.lidar/front"
    assert str(ours.id) in str(refusal)
    assert str(built_in()["sensor.lidar"].id) in str(refusal)
    assert 'tensor "ranges_m": expected dtype f64, got f32' in str(refusal)
