"""Sedge's network in PyTorch: the layers of `world-model-trained`, from the same checkpoint.

Nothing here is shared with the Rust. Where PyTorch can say a layer in two ways, the faster one on
processors is written: the parts of a block-diagonal layer that all blocks read are one product, and
the stochastic state, which is zero but for one class a group, is looked up as an embedding.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional

RMS_EPSILON = 1e-4
STEP_REFERENCE_SECS = 0.25
CONVS = [(3, 16, 2), (16, 32, 2), (32, 48, 2), (48, 64, 3)]
DILATIONS = [1, 2, 4, 8, 16, 16]
MOTION, IMU, OTHER, KEY, ENCODED, DECODER_CHANNELS = 4, 5, 16, 16, 960, 42
N_COMPONENTS = 13
SHIFT_MAX, FREE_CENTRE_M, FREE_LOG_REACH = 0.3, 2.2, 2.2
SCALE_MIN_M, SCALE_MAX_M, SCALE_START_M = 0.006, 8.0, 0.06
LOG_PRECISION_MAX = 4.0


@dataclass(frozen=True)
class Sizes:
    """The sizes that a checkpoint may choose."""

    deter: int
    hidden: int
    groups: int
    classes: int
    blocks: int
    trunk_channels: int

    @property
    def stoch(self) -> int:
        """Numbers of the stochastic state."""
        return self.groups * self.classes


class RmsLinear(nn.Module):
    """Linear, RMS norm, SiLU."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.dense, self.scale = nn.Linear(n_in, n_out), nn.Parameter(torch.ones(n_out))

    def finish(self, x: Tensor) -> Tensor:
        """What follows the linear part."""
        return functional.silu(functional.rms_norm(x, self.scale.shape, self.scale, RMS_EPSILON))

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, n_in]` to `[batch, n_out]`."""
        return self.finish(self.dense(x))


class BlockLinear(nn.Module):
    """Weights of a block-diagonal layer."""

    def __init__(self, blocks: int, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(blocks, n_in, n_out))
        self.bias = nn.Parameter(torch.zeros(blocks, 1, n_out))


class Core(nn.Module):
    """The recurrent latent: deterministic numbers, and one class a group."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        deter, hidden, stoch = sizes.deter, sizes.hidden, sizes.stoch
        block = deter // sizes.blocks
        self.sizes = sizes
        self.in_deter, self.in_stoch = RmsLinear(deter, hidden), RmsLinear(stoch, hidden)
        self.in_motion = RmsLinear(MOTION, hidden)
        self.hidden = BlockLinear(sizes.blocks, 3 * hidden + block, block)
        self.gates = BlockLinear(sizes.blocks, block, 3 * block)
        self.prior_first, self.prior_second = RmsLinear(deter, hidden), RmsLinear(hidden, hidden)
        self.prior_out = nn.Linear(hidden, stoch)
        self.posterior_first = RmsLinear(deter + hidden, hidden)
        self.posterior_out = nn.Linear(hidden, stoch)

    def prepare(self) -> None:
        """Lays weights out as products want them; after loading."""
        shared = 3 * self.sizes.hidden
        weight = self.hidden.weight[:, :shared]  # [block, n_in, n_out]
        self.shared = weight.permute(0, 2, 1).reshape(-1, shared).contiguous()
        self.own = self.hidden.weight[:, shared:].contiguous()
        self.table = self.in_stoch.dense.weight.T.contiguous()
        starts = torch.arange(self.sizes.groups) * self.sizes.classes
        self.starts = starts.to(self.table.device)

    def step(self, deter: Tensor, hot: Tensor, motion: Tensor, dt_secs: Tensor) -> Tensor:
        """The deterministic state after a movement. `hot` are classes, `[batch, groups]`."""
        batch, blocks = deter.shape[0], self.sizes.blocks
        chosen = functional.embedding_bag(hot + self.starts, self.table, mode="sum")
        stoch = self.in_stoch.finish(chosen + self.in_stoch.dense.bias)
        inputs = torch.cat([self.in_deter(deter), stoch, self.in_motion(motion)], 1)
        before = deter.view(batch, blocks, -1).transpose(0, 1)
        from_all = functional.linear(inputs, self.shared).view(batch, blocks, -1).transpose(0, 1)
        hidden = from_all + torch.baddbmm(self.hidden.bias, before, self.own)
        hidden = functional.silu(functional.rms_norm(hidden, hidden.shape[-1:], None, RMS_EPSILON))
        gates = torch.baddbmm(self.gates.bias, hidden, self.gates.weight)
        reset, candidate, update = gates.chunk(3, 2)
        # The share that stays over a reference step, to the power of the number of steps.
        stays = torch.exp(-functional.softplus(update - 1.0) * (dt_secs / STEP_REFERENCE_SECS))
        fresh = torch.tanh(torch.sigmoid(reset) * candidate)
        after = stays * (before - fresh) + fresh
        return after.transpose(0, 1).reshape(batch, -1)

    def classes(self, logits: Tensor) -> Tensor:
        """The most probable class of each group. `[batch, groups]`."""
        return logits.view(-1, self.sizes.groups, self.sizes.classes).argmax(2)

    def prior(self, deter: Tensor) -> Tensor:
        """Logits expected before sensing. `[batch, groups * classes]`."""
        return self.prior_out(self.prior_second(self.prior_first(deter)))

    def posterior(self, deter: Tensor, token: Tensor) -> Tensor:
        """Logits after sensing. `[batch, groups * classes]`."""
        return self.posterior_out(self.posterior_first(torch.cat([deter, token], 1)))

    def feature(self, deter: Tensor, hot: Tensor) -> Tensor:
        """What heads read. `[batch, deter + groups * classes]`."""
        return torch.cat([deter, functional.one_hot(hot, self.sizes.classes).flatten(1).float()], 1)


class Encoder(nn.Module):
    """Sensors to one token."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv1d(i, o, 5, s, 2) for i, o, s in CONVS)
        self.lidar, self.odometry = RmsLinear(ENCODED, hidden), RmsLinear(MOTION, hidden)
        self.imu, self.other = RmsLinear(IMU, hidden), RmsLinear(OTHER, hidden)
        self.other_key, self.other_value = nn.Linear(hidden, KEY), nn.Linear(hidden, hidden)
        self.query = nn.Linear(hidden, KEY)

    def forward(
        self, scan: Tensor, motion: Tensor, imu: Tensor, others: Tensor, valid: Tensor
    ) -> Tensor:
        """`[batch, 3, 360]`, `[batch, 4]`, `[batch, 5]`, `[batch, 8, 16]` and `[batch, 8]`."""
        for conv in self.convs:
            scan = functional.relu(conv(scan))
        token = self.lidar(scan.flatten(1)) + self.odometry(motion) + self.imu(imu) * imu[:, -1:]
        each = self.other(others)
        score = (self.other_key(each) @ self.query(token).unsqueeze(2)).squeeze(2)
        score = score / math.sqrt(KEY) + (1.0 - valid) * -1e4
        weight = functional.softmax(score, 1) * valid
        return token + (weight.unsqueeze(1) @ self.other_value(each)).squeeze(1)


class Residual(nn.Module):
    """`x + relu(conv(x))`."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, 1, dilation, dilation)

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, channel, beam]` to the same."""
        return x + functional.relu(self.conv(x))


class Decoder(nn.Module):
    """A future's view and its latent to mixtures of ranges."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        channels = sizes.trunk_channels
        self.input = nn.Conv1d(DECODER_CHANNELS, channels, 5, 1, 2)
        self.modulation = nn.Linear(sizes.deter + sizes.stoch, 2 * channels)
        self.trunk = nn.ModuleList(Residual(channels, dilation) for dilation in DILATIONS)
        self.head = nn.Conv1d(channels, 3 * N_COMPONENTS + 1, 1)

    def forward(
        self, view: Tensor, candidates_m: Tensor, feature: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Weights, centres, rates `[batch, component, beam]` and hit logits `[batch, beam]`."""
        gain, offset = self.modulation(feature).unsqueeze(2).chunk(2, 1)
        x = functional.relu(self.input(view) * (gain + 1.0) + offset)
        for block in self.trunk:
            x = block(x)
        shift, scale, weight, hit = self.head(x).split([N_COMPONENTS] * 3 + [1], 1)
        moved = candidates_m * (functional.softsign(shift[:, :-1]) * SHIFT_MAX + 1.0)
        free = torch.exp(
            functional.softsign(shift[:, -1:]) * FREE_LOG_REACH + math.log(FREE_CENTRE_M)
        )
        centre_m = torch.cat([moved, free], 1).clamp(0.0, 50.0)
        log_scale = (scale + math.log(SCALE_START_M)).clamp(
            math.log(SCALE_MIN_M), math.log(SCALE_MAX_M)
        )
        return functional.softmax(weight, 1), centre_m, torch.exp(-log_scale), hit.squeeze(1)


class MotionHead(nn.Module):
    """How far the movement is from what geometry says."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.first = RmsLinear(sizes.deter + sizes.stoch + MOTION, sizes.hidden)
        self.out = nn.Linear(sizes.hidden, 9)

    def forward(self, feature: Tensor, motion: Tensor) -> Tensor:
        """`[batch, 9]`."""
        out = self.out(self.first(torch.cat([feature, motion], 1)))
        middle = out[:, 3:6].clamp(-LOG_PRECISION_MAX, LOG_PRECISION_MAX)
        return torch.cat([out[:, :3], middle, out[:, 6:]], 1)


class Network(nn.Module):
    """Everything that an engine computes."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.encoder, self.core = Encoder(sizes.hidden), Core(sizes)
        self.decoder, self.motion_head = Decoder(sizes), MotionHead(sizes)

    def filter(
        self, deter: Tensor, hot: Tensor, sensed: list[Tensor], dt_secs: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The latent after a scan: deterministic part, and logits of the classes."""
        token = self.encoder(*sensed)
        deter = self.core.step(deter, hot, sensed[1], dt_secs)
        return deter, self.core.posterior(deter, token)

    def imagine(
        self, deter: Tensor, hot: Tensor, motion: Tensor, dt_secs: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The latent after a movement without a scan, as `filter` gives it."""
        deter = self.core.step(deter, hot, motion, dt_secs)
        return deter, self.core.prior(deter)

    def decode(
        self, feature: Tensor, view: list[Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor, Tensor]]:
        """What the motion head and the lidar decoder say of a view."""
        features, candidates_m, motion = view
        return self.motion_head(feature, motion), self.decoder(features, candidates_m, feature)


def load(folder: Path) -> Network:
    """The network of a run's folder."""
    chosen = json.loads((folder / "run.json").read_text())["config"]["network"]
    names = Sizes.__dataclass_fields__
    network = Network(Sizes(**{name: chosen[name] for name in names}))
    with safe_open(folder / "model.safetensors", "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    # Only training needs it.
    weights = {name: it for name, it in tensors.items() if not name.startswith("coarse_head.")}
    # Ours is [n_in, n_out] for plain layers.
    weights = {name: it.T.contiguous() if it.dim() == 2 else it for name, it in weights.items()}
    network.load_state_dict(weights)
    network.requires_grad_(False).eval()
    network.core.prepare()
    return network
