"""Arrays are viewed in place, and packed ones come back as the specification says."""

from __future__ import annotations

import io
import random
import zlib

import golden
import numpy as np
import pytest
from PIL import Image

from oni import Encoding, Header, Message, OniError, Packing, built_in, decode_frame, png16
from oni.dtypes import Dtype
from oni.tensors import lay_out

HEADER = Header(built_in()["sensor.lidar"].id, "crane3", 1, 0, 0, "log")


def sent(tensors: dict[str, np.ndarray], packings: dict[str, Packing] | None = None) -> Message:
    """What a reader gets of these tensors."""
    return Message.from_frame(Message(HEADER, tensors, packings or {}).to_frame())


def test_raw_arrays_are_the_payloads_memory() -> None:
    header, payload = decode_frame(golden.valid_frame("model.prediction"))
    message = Message.decode(header, payload)
    whole = np.frombuffer(payload, np.uint8)
    assert len(message.tensors) > 5
    for array in message.tensors.values():
        assert np.shares_memory(array, whole)
        assert not array.flags.owndata
        assert not array.flags.writeable


def test_bytes_that_can_be_written_are_seen_but_not_written_through_the_arrays() -> None:
    header, payload = decode_frame(golden.valid_frame("sensor.odometry"))
    buffer = bytearray(payload)
    pose = Message.decode(header, buffer).tensors["pose"]
    before = pose[0]
    buffer[7] ^= 0x80
    assert pose[0] == -before
    with pytest.raises(ValueError, match="read-only"):
        pose[0] = 1.0


def test_packed_arrays_own_their_memory_and_cannot_be_written() -> None:
    for name in ("sensor.depth.png16", "sensor.lidar.zstd", "model.latent_state.int8"):
        header, payload = decode_frame(golden.valid_frame(name))
        message = Message.decode(header, payload)
        assert message.packings
        for tensor in message.packings:
            array = message.tensors[tensor]
            assert not np.shares_memory(array, np.frombuffer(payload, np.uint8))
            assert not array.flags.writeable


@pytest.mark.parametrize("dtype", Dtype)
@pytest.mark.parametrize("encoding", [Encoding.RAW, Encoding.ZSTD])
def test_numbers_come_back_as_they_were(dtype: Dtype, encoding: Encoding) -> None:
    rng = random.Random(int(dtype))
    for shape in [(), (0,), (1,), (0, 3), (2, 3, 4), (1, 1, 1, 1, 1, 1, 1, 7)]:
        n_bytes = int(np.prod(shape)) * dtype.n_bytes
        array = np.frombuffer(rng.randbytes(n_bytes), dtype.numpy).reshape(shape)
        got = sent({"a": array}, {"a": Packing(encoding)}).tensors["a"]
        assert (got.dtype, got.shape) == (array.dtype, array.shape)
        assert got.tobytes() == array.tobytes()


def test_other_byte_orders_and_strides_are_written_as_little_endian_rows() -> None:
    array = np.arange(12, dtype=">f8").reshape(3, 4)
    got = sent({"a": array.T[::-1]}).tensors["a"]
    assert got.dtype == np.dtype("<f8")
    assert (got == array.T[::-1]).all()


def test_int8_is_off_by_half_a_step_at_most() -> None:
    rng = np.random.default_rng(3)
    for dtype in (np.float32, np.float64):
        array = rng.normal(scale=7.0, size=(5, 64)).astype(dtype)
        message = sent({"a": array}, {"a": Packing(Encoding.INT8)})
        scale = message.packings["a"].scale
        assert scale == pytest.approx(np.abs(array).max() / 127.0)
        error = np.abs(message.tensors["a"].astype(np.float64) - array)
        assert error.max() <= scale / 2 * (1 + 1e-6)
    assert (sent({"a": np.zeros(3)}, {"a": Packing(Encoding.INT8)}).tensors["a"] == 0).all()


def test_int8_holds_a_single_number() -> None:
    for dtype in (np.float32, np.float64):
        got = sent({"a": np.array(-2.5, dtype)}, {"a": Packing(Encoding.INT8)}).tensors["a"]
        assert (got.dtype, got.shape) == (dtype, ())
        assert got == pytest.approx(-2.5)


def test_int8_takes_a_scale_of_the_writers() -> None:
    array = np.array([-1.28, 0.0, 1.27])
    message = sent({"a": array}, {"a": Packing(Encoding.INT8, 0.01)})
    assert message.tensors["a"] == pytest.approx(array)


@pytest.mark.parametrize(
    ("array", "packing", "code"),
    [
        (np.array([np.nan]), Packing(Encoding.INT8), "not-finite"),
        (np.array([np.inf]), Packing(Encoding.INT8), "not-finite"),
        (np.array([1.28]), Packing(Encoding.INT8, 0.01), "out-of-range"),
        (np.array([1.0]), Packing(Encoding.INT8, -1.0), "bad-scale"),
        (np.array([3e38], np.float32), Packing(Encoding.INT8, 3e36), "bad-scale"),
        (np.array([1]), Packing(Encoding.INT8), "encoding-misfit"),
        (np.zeros((2, 2), np.uint8), Packing(Encoding.PNG16), "encoding-misfit"),
        (np.zeros((0, 2), np.uint16), Packing(Encoding.PNG16), "encoding-misfit"),
        (np.zeros(2, np.uint16), Packing(Encoding.PNG16), "encoding-misfit"),
    ],
)
def test_what_cannot_be_packed_is_not_written(
    array: np.ndarray, packing: Packing, code: str
) -> None:
    with pytest.raises(OniError) as refusal:
        lay_out({"a": array}, {"a": packing})
    assert refusal.value.code == code


@pytest.mark.parametrize("filter_number", range(5))
def test_every_filter_of_a_png_is_read(filter_number: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 65536, (9, 13), np.uint16)
    data = png_with_filter(pixels, filter_number)
    assert (png16.decode(data, (9, 13)) == pixels).all()


def test_png_comes_back_and_ancillary_chunks_are_ignored() -> None:
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    data = png16.encode(pixels)
    assert (png16.decode(data, (3, 4)) == pixels).all()
    extra = png16._chunk(b"tEXt", b"a\0b")
    for ancillary in (extra, extra[:-1] + b"?"):
        assert (png16.decode(data[:33] + ancillary + data[33:], (3, 4)) == pixels).all()
    with pytest.raises(ValueError, match="acTL"):
        png16.decode(data[:33] + png16._chunk(b"acTL", bytes(8)) + data[33:], (3, 4))
    with pytest.raises(ValueError, match="empty IEND"):
        png16.decode(data[:-12] + png16._chunk(b"IEND", b"a"), (3, 4))


@pytest.mark.parametrize("depth", ["L", "RGB", "1"])
def test_other_pngs_are_refused(depth: str) -> None:
    file = io.BytesIO()
    Image.new(depth, (4, 3)).save(file, format="PNG")
    with pytest.raises(ValueError, match="expected depth 16"):
        png16.decode(file.getvalue(), (3, 4))


def test_damaged_pngs_are_refused() -> None:
    data = png16.encode(np.arange(600, dtype=np.uint16).reshape(20, 30))
    for place in range(len(data)):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(ValueError, match="expected"):
            png16.decode(changed, (20, 30))
        with pytest.raises(ValueError, match="expected"):
            png16.decode(data[:place], (20, 30))


def png_with_filter(pixels: np.ndarray, number: int) -> bytes:
    """A PNG all of whose rows are filtered in one way, by the formulas of the PNG standard."""
    rows = pixels.astype(">u2").view(np.uint8).astype(int)
    filtered = bytearray()
    for y, row in enumerate(rows):
        filtered.append(number)
        for x, value in enumerate(row):
            left = rows[y][x - 2] if x >= 2 else 0
            up = rows[y - 1][x] if y else 0
            corner = rows[y - 1][x - 2] if y and x >= 2 else 0
            estimate = left + up - corner
            paeth = min((left, up, corner), key=lambda near: abs(estimate - near))
            guess = (0, left, up, (left + up) // 2, paeth)[number]
            filtered.append((value - guess) % 256)
    form = b"".join(n.to_bytes(4, "big") for n in pixels.shape[::-1]) + bytes([16, 0, 0, 0, 0])
    chunks = [(b"IHDR", form), (b"IDAT", zlib.compress(bytes(filtered))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png16._chunk(*chunk) for chunk in chunks)
