"""The README's ten lines run as they stand there."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import golden
import numpy as np
import pytest

from oni import Bus, Key, Message
from run_live import free_port

README = Path(__file__).resolve().parents[1] / "README.md"
LINES_MAX = 12


@contextlib.contextmanager
def repeated(action: Callable[[], object]) -> Iterator[None]:
    """Does something again and again meanwhile, as a player would."""
    is_over = threading.Event()

    def repeat() -> None:
        while not is_over.wait(0.02):
            action()

    thread = threading.Thread(target=repeat, name="player")
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def test_ten_lines_read_and_write(capsys: pytest.CaptureFixture[str]) -> None:
    block = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[0]
    endpoint = f"tcp/127.0.0.1:{free_port()}"
    lines = block.replace("tcp/127.0.0.1:7447", endpoint)
    assert lines != block
    statements = [line for line in block.splitlines() if line.strip() and "import" not in line]
    assert len(statements) <= LINES_MAX
    scan = Message.from_frame(golden.valid_frame("sensor.lidar"))
    with Bus.open(listen=[endpoint]) as bus:
        wheels = bus.subscribe("oni/sedge/heron/sensor.odometry/**")
        publisher = bus.publisher(Key("sedge", "crane", "sensor.lidar", "front"), clock_id="log")
        with repeated(lambda: publisher.put(scan.tensors, capture_nanos=7)):
            exec(compile(lines, str(README), "exec"), {})
        received = wheels.receive(10.0)
    assert received is not None
    assert (received.message.tensors["pose"] == np.array([1.0, 0.0, 0.5])).all()
    assert "oni/sedge/crane/sensor.lidar/front 7 0.0" in capsys.readouterr().out
