"""VMAS's side: `python -m peers.vmas_side 16+scan 16x256`."""

from __future__ import annotations

import torch
from vmas import make_env
from vmas.simulator.core import Agent, Box, Landmark, Sphere, World
from vmas.simulator.dynamics.diff_drive import DiffDrive
from vmas.simulator.scenario import BaseScenario
from vmas.simulator.sensors import Lidar

from . import measure, scene


class Room(BaseScenario):
    """The scene as a scenario of VMAS: contacts push, and an agent observes where it is."""

    def make_world(self, batch_dim: int, device: torch.device, **kwargs: object) -> World:
        """Everybody, not placed yet."""
        self.n_robots, self.is_scanning = kwargs.pop("n_robots"), kwargs.pop("is_scanning")
        world = World(batch_dim, device, dt=scene.STEP_SECS, drag=0.0)
        for idx in range(self.n_robots):
            sensors = [Lidar(world, n_rays=scene.BEAMS, max_range=scene.RANGE_MAX_M)]
            agent = Agent(
                name=f"robot_{idx}",
                shape=Sphere(radius=scene.RADIUS_M),
                mass=scene.MASS_KG,
                u_range=[1.0, 3.0],
                sensors=sensors if self.is_scanning else None,
                dynamics=DiffDrive(world),
            )
            world.add_agent(agent)
        for idx, box in enumerate(scene.walls(self.n_robots)):
            shape = Box(length=box.length_m, width=box.width_m)
            world.add_landmark(Landmark(f"box_{idx}", shape=shape, collide=True))
        return world

    def reset_world_at(self, env_index: int | None = None) -> None:
        """Puts everybody at the start."""
        boxes = [(box.x_m, box.y_m, box.yaw_rad) for box in scene.walls(self.n_robots)]
        robots = [(x, y, 0.0) for x, y in scene.starts(self.n_robots)]
        everybody = [*self.world.agents, *self.world.landmarks]
        for entity, (x, y, yaw) in zip(everybody, [*robots, *boxes], strict=True):
            entity.set_pos(torch.tensor([x, y]), batch_index=env_index)
            entity.set_rot(torch.tensor([yaw]), batch_index=env_index)

    def observation(self, agent: Agent) -> torch.Tensor:
        """Where it is, and its scan."""
        if self.is_scanning:
            return agent.sensors[0].measure()
        return agent.state.pos

    def reward(self, _agent: Agent) -> torch.Tensor:
        """Nothing: there is no task."""
        return torch.zeros(self.world.batch_dim)


def micros(n_robots: int, n_worlds: int, is_scanning: bool) -> float:
    """What a step of all worlds takes; scans, where there are any, are part of every step."""
    env = make_env(Room(), num_envs=n_worlds, n_robots=n_robots, is_scanning=is_scanning)

    def step(n_steps: int) -> None:
        told = [scene.command(n_steps, idx) for idx in range(n_robots)]
        env.step([torch.tensor([it]).expand(n_worlds, 2) for it in told])

    return measure.step_micros(step)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with torch.no_grad():
        measure.main(micros)
