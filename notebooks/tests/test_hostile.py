"""Whatever the bytes are, there is a message or an `OniError`, and memory stays bounded."""

from __future__ import annotations

import random
import tracemalloc

import golden
import numpy as np
import pytest
from mutation import mutated

from oni import Header, Message, OniError, Schema, built_in, encode_frame, json_form, read_frames
from oni.canonical import short_hash
from oni.encodings import Encoding, Packing, pack
from oni.header import TensorRow, encode_header

N_MUTATIONS = 200


def read(header: bytes, payload: bytes) -> bool:
    """Reads and checks a message, and says whether it was taken. Nothing but `OniError` comes."""
    try:
        message = Message.decode(header, payload)
        schema = built_in().get(message.header.schema.name)
        if schema is not None:
            schema.check(message)
        json_form.to_json(message)
    except OniError as error:
        assert len(str(error)) < 1200
        return False
    return True


@pytest.mark.parametrize("name", golden.VALID)
def test_mutated_messages_are_read_or_refused(name: str) -> None:
    rng = random.Random(name)
    header, payload = read_frames(golden.valid_frame(name))[0]
    n_taken = 0
    for idx in range(N_MUTATIONS):
        both = bytes(header), bytes(payload)
        if idx % 2 == 0:
            n_taken += read(mutated(both[0], rng), both[1])
        else:
            n_taken += read(both[0], mutated(both[1], rng))
    assert n_taken < N_MUTATIONS


@pytest.mark.parametrize("name", golden.VALID)
def test_mutated_frames_are_read_or_refused(name: str) -> None:
    rng = random.Random(name)
    frame = golden.valid_frame(name)
    for _ in range(N_MUTATIONS):
        body = mutated(frame[:-16], rng)
        # Half of them with a right checksum, so that what is behind it is reached.
        tail = short_hash(body) if rng.random() < 0.5 else frame[-16:]
        for header, payload in read_frames(body + tail):
            read(bytes(header), bytes(payload))
        try:
            Message.from_frame(body + tail)
        except OniError:
            continue


def test_mutated_schemas_are_read_or_refused() -> None:
    rng = random.Random(1)
    texts = [schema.text for schema in built_in().values()]
    for _ in range(2000):
        try:
            schema = Schema.parse(mutated(rng.choice(texts), rng))
            schema.check(Message.from_frame(golden.valid_frame("sensor.lidar")))
        except OniError:
            continue


@pytest.mark.parametrize(
    ("text", "got"),
    [
        (b"[" * 100_000, "JSON with whole numbers|more"),
        (b"[" * 65 + b"]" * 65, "more"),
        (b'{"a":1.5}', "1.5"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":1,"a":2}', "twice"),
        (b'{"a":-0}', "-0"),
        (b'{"a":18446744073709551616}', "18446744073709551616"),
        (b'"\\ud800"', "surrogates"),
        (b" " * 262_145, "262145"),
        (b"\xff", "0xff"),
        (b"{}", "KeyError"),
        (b"[]", "TypeError"),
        (b"1" * 5000, "JSON"),
    ],
)
def test_text_that_is_no_schema_is_refused(text: bytes, got: str) -> None:
    with pytest.raises(OniError, match=got) as refusal:
        Schema.parse(text)
    assert refusal.value.code == "bad-schema-document"


def bombs() -> dict[str, tuple[TensorRow, bytes]]:
    """Small payloads that claim, or unpack to, far more than they may."""
    # A zstd frame with a content size, and blocks that repeat one byte for 128 KiB each.
    repeated = b"\x02\x00\x10" + b"\x00"
    head = b"\x28\xb5\x2f\xfd\xa0"
    many = head + (64).to_bytes(4, "little") + repeated * 100_000
    huge = head + (0xFFFF_FFFF).to_bytes(4, "little") + repeated * 10
    none = head + bytes(4) + repeated * 100_000
    return {
        "zstd that goes on": (TensorRow("a", 5, (64,), 0, len(many), 2), many),
        "zstd that claims 4 GiB": (TensorRow("a", 5, (64,), 0, len(huge), 2), huge),
        "zstd of nothing that goes on": (TensorRow("a", 5, (0,), 0, len(none), 2), none),
        "a shape of 2^56 bytes": (TensorRow("a", 5, (1 << 26, 1 << 26, 16), 0, 1, 2), b"a"),
        "int8 of many": (TensorRow("a", 2, (1 << 26, 1 << 26), 0, 1, 3, 1.0), b"a"),
        "an empty shape of 2^84": (TensorRow("a", 2, (0, 1 << 26, 1 << 26, 1 << 26), 0, 0, 1), b""),
    }


@pytest.mark.parametrize("name", bombs())
def test_bombs_take_no_memory(name: str) -> None:
    row, payload = bombs()[name]
    schema_id = built_in()["sensor.lidar"].id
    header = encode_header(Header(schema_id, "a", 1, 0, 0, "log"), (row,))
    tracemalloc.start()
    with pytest.raises(OniError):
        Message.decode(header, payload)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_many_tensors_unpack_to_no_more_than_a_payload() -> None:
    zeros = np.zeros(4 << 20, np.uint8)
    data, _ = pack(Packing(Encoding.ZSTD), zeros)
    step = -(-len(data) // 64) * 64
    rows = tuple(
        TensorRow(f"t{idx}", 5, (zeros.size,), idx * step, len(data), 2) for idx in range(17)
    )
    payload = (data + bytes(step - len(data))) * 17
    header = encode_header(Header(built_in()["sensor.lidar"].id, "a", 1, 0, 0, "log"), rows)
    with pytest.raises(OniError) as refusal:
        Message.decode(header, payload)
    assert refusal.value.code == "payload-too-long"
    assert (
        Message.decode(
            encode_header(Header(built_in()["sensor.lidar"].id, "a", 1, 0, 0, "log"), rows[:16]),
            payload,
        )
        .tensors["t15"]
        .any()
        == np.False_
    )


def test_frames_between_noise_are_found() -> None:
    rng = random.Random(7)
    frames = [golden.valid_frame(name) for name in golden.VALID]
    noise = [b"", b"ONI1", b"ONI", rng.randbytes(100), b"ONI1" + bytes(12), frames[0][:-1]]
    stream = b"".join(rng.choice(noise) + frame for frame in frames)
    found = read_frames(stream)
    assert [encode_frame(bytes(h), bytes(p)) for h, p in found] == frames
