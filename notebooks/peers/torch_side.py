"""PyTorch's side of the race: answers one request a line, as the benchmark `turns` of Sedge does.

`python -m peers.torch_side [--compile] [--threads 2]`; `peers.engines` asks.

- `race CASE N`: the microseconds of N calls, each timed by itself, on one line. A case is `filter`,
  `imagine-PLANSxSTEPS` (`x15` may be left out) or `plan-SAMPLESxSTEPSxITERATIONS` (`plan` alone is
  256x15x3).
- `check FILE`: how far its answers are from those that Sedge wrote, and what of them was decided by
  less than rounding.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from . import torch_network
from .torch_network import Network

WEIGHTS = Path(__file__).resolve().parents[2] / "weights/swarm-s"
N_STEPS, STEP_SECS = 15, 0.1
N_SAMPLES, N_ITERATIONS = 256, 3
# Logits that are nearer than this decide a class by the order of their sums.
TIE = 1e-3


class Side:
    """The network, and what each case calls."""

    def __init__(self, network: Network, compile_step: bool) -> None:
        self.network, self.core = network, network.core
        wrap = torch.compile if compile_step else (lambda function: function)
        self.filter_step, self.imagine_step = wrap(self._filter_step), wrap(self._imagine_step)
        self.score_step = wrap(self._score_step)

    def _filter_step(
        self, deter: Tensor, hot: Tensor, sensed: list[Tensor], secs: Tensor, view: list[Tensor]
    ) -> tuple:
        deter, logits = self.network.filter(deter, hot, sensed, secs)
        hot = self.core.classes(logits)
        return deter, hot, self.network.decode(self.core.feature(deter, hot), view)

    def _imagine_step(
        self, deter: Tensor, hot: Tensor, motion: Tensor, secs: Tensor
    ) -> tuple[Tensor, Tensor]:
        deter, logits = self.network.imagine(deter, hot, motion, secs)
        return deter, self.core.classes(logits)

    def _score_step(
        self, deter: Tensor, hot: Tensor, motion: Tensor, secs: Tensor, read: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        deter, hot = self._imagine_step(deter, hot, motion, secs)
        return deter, hot, self.score(deter, hot, read)

    def score(self, deter: Tensor, hot: Tensor, read_out: Tensor) -> Tensor:
        """The linear score of latents: the network has no cost head. `[batch]`."""
        sparse = read_out[deter.shape[1] :][hot + self.core.starts]
        return deter @ read_out[: deter.shape[1]] + sparse.sum(1)

    def nothing(self, n: int) -> tuple[Tensor, Tensor]:
        """So many latents to start from."""
        sizes = self.network.sizes
        return torch.zeros(n, sizes.deter), torch.zeros(n, sizes.groups, dtype=torch.long)

    def case(self, name: str) -> Callable[[], object]:
        """One call of a case."""
        kind, _, sizes = name.partition("-")
        numbers = [int(it) for it in sizes.split("x")] if sizes else []
        if kind == "filter":
            return self.filter_case()
        if kind == "plan":
            return self.plan_case(*numbers)
        return self.imagine_case(*numbers)

    def filter_case(self) -> Callable[[], object]:
        """A scan is taken in, and a view is decoded."""
        sensed = [torch.rand(1, 3, 360), torch.rand(1, 4), torch.ones(1, 5)]
        sensed += [torch.rand(1, 8, 16), torch.ones(1, 8)]
        view = [torch.rand(1, 42, 360), 8.0 * torch.rand(1, 12, 360), torch.rand(1, 4)]
        secs = torch.full((1, 1), STEP_SECS)
        latent = list(self.nothing(1))

        def call() -> object:
            deter, hot, said = self.filter_step(*latent, sensed, secs, view)
            latent[:] = deter.clone(), hot.clone()
            return said

        return call

    def imagine_case(self, n: int, n_steps: int = N_STEPS) -> Callable[[], object]:
        """So many plans in the latent alone."""
        motions, secs = torch.rand(n_steps, n, 4), torch.full((n, 1), STEP_SECS)

        def call() -> object:
            deter, hot = self.nothing(n)
            for motion in motions:
                deter, hot = self.imagine_step(deter, hot, motion, secs)
            return deter, hot

        return call

    def plan_case(
        self, n: int = N_SAMPLES, n_steps: int = N_STEPS, n_iterations: int = N_ITERATIONS
    ) -> Callable[[], object]:
        """MPPI over samples of so many steps, drawn so often."""
        secs = torch.full((n, 1), STEP_SECS)
        read_out = torch.rand(self.network.sizes.deter + self.network.sizes.stoch) - 0.5
        still = torch.zeros(n_steps, n, 1)
        times = torch.full((n_steps, n, 1), math.log(STEP_SECS))

        def call() -> object:
            mean, deviation = torch.zeros(n_steps, 1, 2), torch.ones(n_steps, 1, 2)
            for _ in range(n_iterations):
                actions = mean + deviation * torch.randn(n_steps, n, 2)
                motions = torch.cat([actions[..., :1], still, actions[..., 1:], times], 2)
                deter, hot = self.nothing(n)
                cost = torch.zeros(n)
                for motion in motions:
                    deter, hot, score = self.score_step(deter, hot, motion, secs, read_out)
                    cost = cost + score
                weight = torch.softmax(-cost, 0).view(1, n, 1)
                mean = (weight * actions).sum(1, keepdim=True)
                spread = (weight * (actions - mean) ** 2).sum(1, keepdim=True)
                deviation = spread.sqrt().clamp(0.05, 2.0)
            return mean[0]

        return call

    def check(self, file: Path) -> str:
        """How far answers are from those in a file, by name, and which classes were forced."""
        told = load_file(file)
        off: dict[str, float] = {}

        def compare(name: str, got: Tensor, expected: Tensor) -> None:
            # Relative where numbers are large: rates go to hundreds a metre.
            distance = ((got - expected).abs() / expected.abs().clamp(min=1.0)).max().item()
            off[name] = max(off.get(name, 0.0), distance)

        n_ties = self.check_filter(told, compare)
        n_ties += self.check_plans(told, compare)
        distances = " ".join(f"{name}={distance:.2e}" for name, distance in off.items())
        return f"{distances} ties={n_ties}"

    def forced(self, logits: Tensor, hot: Tensor, compare: Callable) -> int:
        """Compares classes: they must be among the most probable. How many were ties."""
        logits = logits.view(-1, self.network.sizes.groups, self.network.sizes.classes)
        chosen = logits.gather(2, hot.unsqueeze(2)).squeeze(2)
        compare("class_logits", chosen, logits.amax(2))
        return int((logits.argmax(2) != hot).sum())

    def check_filter(self, told: dict[str, Tensor], compare: Callable) -> int:
        """Scans one after the other, and a view from there."""
        sizes, n_ties = self.network.sizes, 0
        deter, hot = self.nothing(1)
        # Nothing was sensed yet: no class is one, and a layer of them says its bias alone.
        first = self.core.table
        for k, feature in enumerate(told["feature"]):
            if k == 0:
                self.core.table = torch.zeros_like(first)
            sensed = [told[it][k] for it in ("scan", "motion", "imu", "others", "valid")]
            deter, logits = self.network.filter(deter, hot, sensed, told["secs"][k])
            self.core.table = first
            compare("deter", deter, feature[:, : sizes.deter])
            classes = feature[:, sizes.deter :].view(-1, sizes.groups, sizes.classes)
            hot = classes.argmax(2)
            n_ties += self.forced(logits, hot, compare)
        view = [told["view"], told["candidates_m"], told["view_motion"]]
        head, mixture = self.network.decode(self.core.feature(deter, hot), view)
        compare("motion_head", head, told["motion_head"])
        names = ("weight", "centre_m", "rate_per_m", "hit_logit")
        for name, got in zip(names, mixture, strict=True):
            compare(name, got, told[name])
        self.start = deter, hot
        return n_ties

    def check_plans(self, told: dict[str, Tensor], compare: Callable) -> int:
        """Plans from there, with the classes that Sedge took after each step."""
        n_ties, n = 0, told["plan_deter"].shape[1]
        deter, hot = (it.expand(n, -1) for it in self.start)
        scores = torch.zeros(n)
        for k, motion in enumerate(told["plan_motions"]):
            deter, logits = self.network.imagine(deter, hot, motion, told["plan_secs"][k])
            compare("plan_deter", deter, told["plan_deter"][k])
            hot = told["plan_hot"][k].long() - self.core.starts
            n_ties += self.forced(logits, hot, compare)
            scores = scores + self.score(deter, hot, told["read_out"])
            compare("plan_scores", scores, told["plan_scores"][k])
        return n_ties


def micros(call: Callable[[], object], n_calls: int) -> list[float]:
    """Microseconds of so many calls, each by itself."""
    # What is taken up again after the other side's turn is not the network's time.
    for _ in range(3):
        call()
    times = []
    for _ in range(n_calls):
        begin = time.perf_counter_ns()
        call()
        times.append((time.perf_counter_ns() - begin) / 1e3)
    return times


def main() -> None:
    """Answers requests until there are no more."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    side = Side(torch_network.load(WEIGHTS), asked.compile)
    cases: dict[str, Callable[[], object]] = {}
    with torch.inference_mode():
        for line in sys.stdin:
            verb, what, *rest = line.split()
            if verb == "check":
                print(side.check(Path(what)), flush=True)
                continue
            if what not in cases:
                cases[what] = side.case(what)
            print(" ".join(f"{it:.3f}" for it in micros(cases[what], int(rest[0]))), flush=True)


if __name__ == "__main__":
    main()
