"""Frames in files and on lines that lose and damage bytes."""

from __future__ import annotations

import random

import golden
import pytest

from oni import FrameStream, OniError, decode_frame, encode_frame, read_frames

FRAMES = [golden.valid_frame(name) for name in golden.VALID]


def again(found: list[tuple[memoryview, memoryview]]) -> list[bytes]:
    """The frames of what was found."""
    return [encode_frame(bytes(header), bytes(payload)) for header, payload in found]


@pytest.mark.parametrize("name", golden.STREAMS)
@pytest.mark.parametrize("n_bytes", [1, 100, 100_000])
def test_golden_stream_is_read_as_it_says(name: str, n_bytes: int) -> None:
    data, wanted = golden.stream(name), golden.STREAMS[name]
    stream = FrameStream()
    found = []
    for start in range(0, len(data), n_bytes):
        found += stream.feed(data[start : start + n_bytes])
    found += stream.finish()
    assert again(found) == [golden.valid_frame(frame) for frame in wanted["frames"]]
    assert stream.n_bytes_skipped == wanted["skipped_bytes"]
    assert stream.n_frames_broken == wanted["broken"]


def test_frames_follow_each_other() -> None:
    assert again(read_frames(b"".join(FRAMES))) == FRAMES


@pytest.mark.parametrize("n_bytes", [1, 7, 64, 5000])
def test_frames_come_whole_out_of_pieces(n_bytes: int) -> None:
    data = b"".join(FRAMES[:6])
    stream = FrameStream()
    found = []
    for start in range(0, len(data), n_bytes):
        found += stream.feed(data[start : start + n_bytes])
    assert again(found) == FRAMES[:6]
    assert (stream.n_bytes_skipped, stream.n_frames_broken, stream.finish()) == (0, 0, [])


def test_damage_costs_the_frame_that_it_hits() -> None:
    rng = random.Random(2)
    for _ in range(50):
        data = bytearray(b"".join(FRAMES[:5]))
        hit = rng.randrange(5)
        start = sum(len(frame) for frame in FRAMES[:hit])
        data[rng.randrange(start, start + len(FRAMES[hit]))] ^= 0x10
        stream = FrameStream()
        found = again(stream.feed(bytes(data)) + stream.finish())
        assert found == FRAMES[:hit] + FRAMES[hit + 1 : 5]
        assert stream.n_bytes_skipped == len(FRAMES[hit])
        assert stream.n_frames_broken <= 1


def test_noise_is_skipped_and_counted_even_where_it_looks_like_a_beginning() -> None:
    stream = FrameStream()
    noise = [b"ON", b"ONI1", b"ONI1" + bytes(12), b"\xff" * 100]
    data = b"".join(each + frame for each, frame in zip(noise, FRAMES, strict=False))
    assert again(stream.feed(data) + stream.finish()) == FRAMES[:4]
    assert stream.n_bytes_skipped == sum(len(each) for each in noise)


def test_unfinished_frame_at_the_end_hides_none_behind_its_beginning() -> None:
    stream = FrameStream()
    # A damaged length asks for 60 MiB, so the frame behind it is only found when nothing comes.
    cut = b"ONI1" + (10).to_bytes(4, "little") + (60 << 20).to_bytes(8, "little")
    assert stream.feed(cut + FRAMES[0]) == []
    assert again(stream.finish()) == FRAMES[:1]


def test_smaller_limit_on_a_line_does_not_wait() -> None:
    stream = FrameStream(n_frame_bytes_max=1 << 20)
    cut = b"ONI1" + (10).to_bytes(4, "little") + (60 << 20).to_bytes(8, "little")
    assert again(stream.feed(cut + FRAMES[0])) == FRAMES[:1]
    assert (stream.n_bytes_skipped, stream.n_frames_broken) == (16, 1)


@pytest.mark.parametrize("n_bytes", range(0, len(FRAMES[0]), 13))
def test_cut_frame_is_refused(n_bytes: int) -> None:
    with pytest.raises(OniError) as refusal:
        decode_frame(FRAMES[0][:n_bytes])
    assert refusal.value.code == "truncated-frame"


def test_more_than_one_frame_is_not_one() -> None:
    with pytest.raises(OniError):
        decode_frame(FRAMES[0] + b"\0")
