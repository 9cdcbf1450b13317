"""Two Python processes' worth of sessions on this machine's loopback talk ONI."""

from __future__ import annotations

import copy
import dataclasses
import re
import struct
from collections.abc import Callable, Iterator

import golden
import numpy as np
import pytest
from zenoh import CongestionControl, Priority

from oni import Bus, Encoding, Key, Manifest, Message, OniError, Packing, Schema, built_in
from oni.canonical import canonical
from oni.qos import qos_class
from run_live import free_port

PATIENCE_SECS = 20.0
GOAL = Key("flock", "notebook", "mission.goal", "main")
SCAN = Key("flock", "crane3", "sensor.lidar", "front")


@pytest.fixture
def buses() -> Iterator[tuple[Bus, Bus]]:
    """A speaker and a listener that are connected."""
    endpoint = f"tcp/127.0.0.1:{free_port()}"
    with Bus.open(listen=[endpoint]) as speaker, Bus.open(connect=[endpoint]) as listener:
        yield speaker, listener


def golden_tensors(name: str) -> dict[str, np.ndarray]:
    """The arrays of a golden vector."""
    return dict(Message.from_frame(golden.valid_frame(name)).tensors)


def until(outcome: Callable[[], object | None]) -> object:
    """The first thing that comes of trying again, a limited number of times."""
    for _ in range(int(PATIENCE_SECS / 0.1)):
        if (found := outcome()) is not None:
            return found
    raise AssertionError(f"expected something within {PATIENCE_SECS} s, got nothing")


def test_last_goal_comes_to_who_subscribes_later(buses: tuple[Bus, Bus]) -> None:
    speaker, listener = buses
    publisher = speaker.publisher(GOAL, clock_id="log")
    for capture_nanos in (1, 2, 3):
        publisher.put(golden_tensors("mission.goal"), capture_nanos=capture_nanos)
    subscription = listener.subscribe("oni/flock/*/mission.goal/**")
    # While sessions get to know each other, Zenoh may hold samples, which then come before.
    captures: list[int] = []
    while 3 not in captures:
        received = subscription.receive(PATIENCE_SECS)
        assert received is not None
        assert received.key == GOAL
        captures.append(received.message.header.capture_nanos)
    assert captures == sorted(set(captures))
    assert subscription.receive(0.2) is None


def test_message_that_comes_twice_is_given_once(buses: tuple[Bus, Bus]) -> None:
    speaker, listener = buses
    subscription = listener.subscribe("oni/flock/**")
    publisher = speaker.publisher(SCAN, clock_id="log")

    def exchange() -> object | None:
        publisher.put(golden_tensors("sensor.lidar"), capture_nanos=0)
        return subscription.receive(0.1)

    until(exchange)
    n_late = subscription.n_late
    publisher._sequence -= 1
    publisher.put(golden_tensors("sensor.lidar"), capture_nanos=0)
    last = publisher.put(golden_tensors("sensor.lidar"), capture_nanos=9)
    while True:
        received = subscription.receive(PATIENCE_SECS)
        assert received is not None
        if received.message.header == last:
            break
    assert subscription.n_late == n_late + 1


def test_manifests_are_listed(buses: tuple[Bus, Bus]) -> None:
    speaker, listener = buses
    key = Key("flock", "crane3", "agent.manifest", "main")
    publisher = speaker.publisher(key, clock_id="log")
    publisher.put(golden_tensors("agent.manifest"), capture_nanos=0)
    manifests = listener.manifests("flock", PATIENCE_SECS)
    expected = Manifest.of(Message.from_frame(golden.valid_frame("agent.manifest")))
    assert len(expected.streams) > 1
    assert manifests == [expected]


def test_packed_scans_come_as_they_were_and_losses_are_counted(buses: tuple[Bus, Bus]) -> None:
    speaker, listener = buses
    subscription = listener.subscribe("oni/flock/crane3/sensor.lidar/**")
    publisher = speaker.publisher(SCAN, clock_id="log")
    tensors = golden_tensors("sensor.lidar")

    def exchange() -> object | None:
        packings = {"ranges_m": Packing(Encoding.ZSTD)}
        publisher.put(tensors, capture_nanos=0, packings=packings)
        return subscription.receive(0.1)

    received = until(exchange)
    assert (received.message.tensors["ranges_m"] == tensors["ranges_m"]).all()
    assert received.message.packings == {"ranges_m": Packing(Encoding.ZSTD)}
    publisher._sequence += 5
    publisher.put(tensors, capture_nanos=0)
    before = subscription.n_lost
    while subscription.n_lost == before:
        assert subscription.receive(PATIENCE_SECS) is not None
    assert subscription.n_lost == before + 5


def test_each_side_refuses_the_others_schema_and_says_what_differs(
    buses: tuple[Bus, Bus],
) -> None:
    speaker, listener = buses
    document = copy.deepcopy(built_in()["sensor.lidar"].document)
    document["x-version"]["minor"] = 1
    document["properties"]["tensors"]["properties"]["ranges_m"]["x-unit"] = "mm"
    millimetres = Schema.parse(canonical(document))
    subscription = listener.subscribe("oni/flock/crane3/sensor.lidar/**")
    publisher = speaker.publisher(SCAN, clock_id="log", schema=millimetres)

    def exchange() -> OniError | None:
        publisher.put(golden_tensors("sensor.lidar"), capture_nanos=0)
        try:
            assert subscription.receive(0.1) is None
        except OniError as refusal:
            return refusal
        return None

    refusal = until(exchange)
    assert str(refusal) == (
        f"other-tensor: {SCAN}: expected {built_in()['sensor.lidar'].id}, "
        f'got {millimetres.id}: tensor "ranges_m": expected unit m, got mm'
    )
    assert listener.schemas("oni/flock/crane3/agent.schema/**")[0].id == millimetres.id


def test_sample_that_is_no_message_is_refused_and_the_next_one_read(
    buses: tuple[Bus, Bus],
) -> None:
    speaker, listener = buses
    subscription = listener.subscribe("oni/flock/**")
    publisher = speaker.publisher(SCAN, clock_id="log")

    def refused(attachment: bytes | None) -> str | None:
        speaker._session.put(str(SCAN), b"payload", attachment=attachment)
        try:
            assert subscription.receive(0.1) is None
        except OniError as refusal:
            return refusal.code
        return None

    assert until(lambda: refused(None)) == "bad-protobuf"
    codes = {refused(b"\xff") for _ in range(20)}
    assert codes <= {"bad-protobuf", None}
    header = publisher.put(golden_tensors("sensor.lidar"), capture_nanos=7)

    def read() -> object | None:
        try:
            return subscription.receive(0.1)
        except OniError:
            return None

    assert until(read).message.header == header


def test_bundled_messages_are_given_one_by_one_and_a_broken_bundle_is_refused(
    buses: tuple[Bus, Bus],
) -> None:
    speaker, listener = buses
    subscription = listener.subscribe("oni/flock/**")
    lidar = Message.from_frame(golden.valid_frame("sensor.lidar"))
    scans = [
        dataclasses.replace(lidar, header=dataclasses.replace(lidar.header, sequence=number))
        for number in range(3)
    ]
    parts = [scan.encode() for scan in scans]
    rows = [struct.pack("<II", len(header), len(payload)) for header, payload in parts]
    attachment = b"ONIB" + b"".join(rows)
    payload = b"".join(b"".join(part) for part in parts)

    def exchange() -> object | None:
        speaker._session.put(str(SCAN), payload, attachment=attachment)
        return subscription.receive(0.1)

    def drained() -> list[int]:
        rest = iter(lambda: subscription.receive(0.1), None)
        return [received.message.header.sequence for received in rest]

    first = until(exchange).message.header.sequence
    came = [first, *drained()]
    assert came[:3] == [0, 1, 2]
    assert subscription.n_lost == 0
    speaker._session.put(str(SCAN), payload[1:], attachment=attachment)
    with pytest.raises(OniError, match="bad-bundle: bundle: expected a payload of"):
        subscription.receive(PATIENCE_SECS)


def test_message_under_another_types_key_is_refused(buses: tuple[Bus, Bus]) -> None:
    speaker, listener = buses
    subscription = listener.subscribe("oni/flock/**")
    header, payload = Message.from_frame(golden.valid_frame("sensor.odometry")).encode()

    def exchange() -> OniError | None:
        speaker._session.put(str(SCAN), payload, attachment=header)
        try:
            assert subscription.receive(0.1) is None
        except OniError as refusal:
            return refusal
        return None

    assert until(exchange).code == "other-schema"


def test_what_breaks_its_own_schema_is_not_sent(buses: tuple[Bus, Bus]) -> None:
    publisher = buses[0].publisher(SCAN, clock_id="log")
    tensors = golden_tensors("sensor.lidar")
    with pytest.raises(OniError, match="numbers above 0"):
        publisher.put({**tensors, "step_rad": np.zeros(1)}, capture_nanos=0)
    assert publisher.put(tensors, capture_nanos=0).sequence == 0


def test_classes_are_those_of_the_text() -> None:
    text = (golden.FOLDER.parent / "README.md").read_text(encoding="utf-8")
    chapter = text.split("\n## Quality of service\n")[1].split("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in chapter.splitlines()
        if line.startswith("| ")
    ]
    table = {row[0]: row for row in rows[1:]}
    for name in built_in():
        ours = qos_class(name)
        _, _, priority, congestion, batching, depth, history, _ = table[ours.name]
        assert ours.priority == getattr(Priority, priority.upper().replace(" ", "_"))
        assert ours.congestion == getattr(CongestionControl, congestion.upper().replace(" ", "_"))
        assert ours.is_express == (batching == "express")
        assert (ours.depth, ours.history) == (int(depth.replace(",", "")), int(history))
    row = r"^\| \[`([a-z._]+)`\].*\| ([a-z]+) \| `[0-9a-f]{32}` \|$"
    types = dict(re.findall(row, text, re.MULTILINE))
    assert len(types) >= 15
    assert {name: qos_class(name).name for name in types} == types
