"""The scene that every simulator gets: that of `crates/simulation/benches/throughput.rs`.

A square room with 4 m² of floor for each robot, but at least 12 m wide; four walls, 56 boxes of
0.6 m by 0.3 m, and robots with two wheels: discs of 0.2 m radius, up to 1 m/s. They hold random
commands for half a second and bump into each other. A step is 10 ms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

STEP_SECS = 0.01
HOLD_STEPS = 50
RADIUS_M = 0.2
MASS_KG = 15.0
N_BOXES = 56
BOX_M = (0.6, 0.3)
WALL_M = 0.2
BEAMS = 360
RANGE_MAX_M = 20.0
RANGE_SIGMA_M = 0.01
ANGLE_SIGMA_RAD = 0.001


@dataclass(frozen=True)
class Box:
    """A wall or a box: its middle, its size and how it is turned."""

    x_m: float
    y_m: float
    length_m: float
    width_m: float
    yaw_rad: float

    def distance_m(self, x_m: float, y_m: float) -> float:
        """How far a point is from the box, 0 inside."""
        dx, dy = x_m - self.x_m, y_m - self.y_m
        cos, sin = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        along, across = cos * dx + sin * dy, cos * dy - sin * dx
        outside = (abs(along) - self.length_m / 2, abs(across) - self.width_m / 2)
        return math.hypot(max(outside[0], 0.0), max(outside[1], 0.0))


def scattered(seed: int) -> float:
    """A number from 0 to 1 that depends on another without a pattern to see (splitmix64)."""
    mask = (1 << 64) - 1
    bits = (seed + 0x9E37_79B9_7F4A_7C15) & mask
    bits = ((bits ^ (bits >> 30)) * 0xBF58_476D_1CE4_E5B9) & mask
    bits = ((bits ^ (bits >> 27)) * 0x94D0_49BB_1331_11EB) & mask
    return (bits >> 11) / (1 << 53)


def half_width_m(n_robots: int) -> float:
    """Half the room's width, between its walls."""
    return max(math.sqrt(4 * n_robots), 12.0) / 2


def walls(n_robots: int) -> list[Box]:
    """The four walls and the boxes, around an origin in the middle of the room."""
    half_m = half_width_m(n_robots)
    long_m, out_m = 2 * half_m + 2 * WALL_M, half_m + WALL_M / 2
    found = []
    for side_m in (-out_m, out_m):
        found.append(Box(side_m, 0.0, WALL_M, long_m, 0.0))
        found.append(Box(0.0, side_m, long_m, WALL_M, 0.0))
    for idx in range(N_BOXES):
        x, y = ((2 * scattered(3 * idx + axis) - 1) * (half_m - 0.5) for axis in (0, 1))
        found.append(Box(x, y, *BOX_M, 3 * scattered(3 * idx + 2)))
    return found


def starts(n_robots: int) -> list[tuple[float, float]]:
    """Places in which robots touch neither each other nor a wall, by chance but always the same."""
    half_m, boxes = half_width_m(n_robots) - RADIUS_M, walls(n_robots)
    found: list[tuple[float, float]] = []
    for draw in range(10_000 * n_robots):
        if len(found) == n_robots:
            return found
        x, y = ((2 * scattered(7_000_003 + 2 * draw + axis) - 1) * half_m for axis in (0, 1))
        is_apart = all(math.hypot(x - a, y - b) > 2 * RADIUS_M + 0.02 for a, b in found)
        if is_apart and all(box.distance_m(x, y) > RADIUS_M + 0.02 for box in boxes):
            found.append((x, y))
    raise ValueError(f"expected room for {n_robots} robots, got {len(found)}")


def command(n_steps: int, robot_idx: int) -> tuple[float, float]:
    """What a robot is told: speed in m/s and rate of turn in rad/s."""
    draw = scattered((n_steps // HOLD_STEPS) * 7_919 + robot_idx)
    return 0.3 + 0.7 * draw, 3.0 * (scattered(int(draw * 1e9)) - 0.5)
