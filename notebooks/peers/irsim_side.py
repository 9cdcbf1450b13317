"""IR-SIM's side: `python -m peers.irsim_side 1 16+scan`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import irsim
import yaml

from . import measure, scene


def world(n_robots: int, *, is_scanning: bool) -> dict[str, object]:
    """The scene as IR-SIM's YAML has it; its world begins at 0, and its contacts push."""
    half_m = scene.half_width_m(n_robots) + 2 * scene.WALL_M
    robots = {
        "number": n_robots,
        "kinematics": {"name": "diff"},
        "shape": {"name": "circle", "radius": scene.RADIUS_M},
        "mass": scene.MASS_KG,
        "distribution": {"name": "manual"},
        "state": [[x + half_m, y + half_m, 0.0] for x, y in scene.starts(n_robots)],
        "goal": [[1e6, 0.0, 0.0]] * n_robots,
        "vel_min": [-1.0, -3.0],
        "vel_max": [1.0, 3.0],
    }
    if is_scanning:
        lidar = {
            "name": "lidar2d",
            "number": scene.BEAMS,
            "angle_range": 6.2831,
            "range_max": scene.RANGE_MAX_M,
            "noise": True,
            "std": scene.RANGE_SIGMA_M,
            "angle_std": scene.ANGLE_SIGMA_RAD,
        }
        robots["sensors"] = [lidar]
    boxes = [
        {
            "shape": {"name": "rectangle", "length": box.length_m, "width": box.width_m},
            "state": [box.x_m + half_m, box.y_m + half_m, box.yaw_rad],
        }
        for box in scene.walls(n_robots)
    ]
    room = {
        "width": 2 * half_m,
        "height": 2 * half_m,
        "step_time": scene.STEP_SECS,
        "collision_mode": "contact",
    }
    return {"world": room, "robot": [robots], "obstacle": boxes}


def micros(n_robots: int, n_worlds: int, is_scanning: bool) -> float:
    """What a step of everybody takes; scans, where there are any, are part of every step."""
    if n_worlds != 1:
        raise ValueError(f"expected one world, which is what IR-SIM has, got {n_worlds}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "room.yaml"
        path.write_text(yaml.safe_dump(world(n_robots, is_scanning=is_scanning)))
        env = irsim.make(str(path), disable_all_plot=True, log_level="ERROR")
    everybody = list(range(n_robots))

    def step(n_steps: int) -> None:
        env.step([list(scene.command(n_steps, idx)) for idx in everybody], everybody)

    return measure.step_micros(step)


if __name__ == "__main__":
    measure.main(micros)
