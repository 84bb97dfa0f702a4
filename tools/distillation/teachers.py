"""The networks that are asked for answers: VGG-19's blocks, and an encoder for those it lacks."""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.files.checkpoints import fit_weights
from nst.files.weights import read_weights
from nst.networks import VGG, Architecture

CONVOLUTIONS = [f"{b}_{i}" for b, n in enumerate((2, 2, 4, 4, 1), 1) for i in range(1, n + 1)]


class VGGTeacher(nn.Module):
    """The first blocks of VGG-19: pre-activations of its convolutions, and what to predict."""

    def __init__(self, state: dict[str, Tensor], padding: str):
        super().__init__()
        convolutions = sum(v.dim() == 4 for v in state.values())
        blocks = 3 if convolutions < 13 else 5
        self.network = VGG(
            Architecture((2, 2, 4, 4, 1)[:blocks], (64, 128, 256, 512, 512)[:blocks]),
            padding=padding,
        )
        fit_weights(self.network.layers, state, "the teacher")
        self.taught = [n for n in CONVOLUTIONS if int(n[0]) <= blocks]

    def forward(self, image: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Pre-activations and targets of the layers taught, by name ("3_1")."""
        conv = self.network(image, [f"conv{n}" for n in self.taught])
        pre = {n: conv[f"conv{n}"] for n in self.taught}
        return pre, {n: F.relu(v) for n, v in pre.items()}


class EncoderTeacher(nn.Module):
    """The published quarter-width encoder, for blocks 4 and 5."""

    def __init__(self, state: dict[str, Tensor]):
        super().__init__()
        self.weights = nn.ParameterDict({k.replace(".", "_"): v for k, v in state.items()})
        self.requires_grad_(False)
        self.taught = [n for n in CONVOLUTIONS if int(n[0]) >= 4]

    def convolve(self, x: Tensor, key: str) -> Tensor:
        """The convolution of that name; unpadded."""
        return F.conv2d(x, self.weights[f"{key}_weight"], self.weights[f"{key}_bias"])

    def forward(self, image: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Pre-activations and targets of the layers taught; see VGGTeacher."""
        x, pre, targets = self.convolve(image, "conv0"), {}, {}
        for name in CONVOLUTIONS:
            key = "conv" + name.replace("_", "")
            if name.endswith("_1") and name != "1_1":
                x = F.max_pool2d(x, 2)
            y = self.convolve(F.pad(x, (1, 1, 1, 1), mode="reflect"), key)
            x = F.relu(y)
            if name in self.taught:
                head = f"{key}_aux"
                pre[name] = y
                estimated = f"{head}_weight" in self.weights
                targets[name] = F.relu(self.convolve(x, head)) if estimated else x
        return pre, targets


class Teachers(nn.Module):
    """All of them; a layer's first teacher wins."""

    def __init__(self, paths: list[Path], padding: str = "zeros"):
        """One teacher a file, told apart by the names of their weights.

        `padding` is VGG-19's: "zeros" as it was trained; "replicate" where a student is to be
        spared the dark frame that it cannot see.
        """
        super().__init__()
        states = [read_weights(path) for path in paths]
        self.members = nn.ModuleList(
            EncoderTeacher(s) if "conv11.weight" in s else VGGTeacher(s, padding) for s in states
        )
        taught = {n for teacher in self.members for n in teacher.taught}  # type: ignore[union-attr]
        if taught != set(CONVOLUTIONS):
            sys.exit(f"nobody teaches {', '.join(sorted(set(CONVOLUTIONS) - taught))}")

    @torch.no_grad()
    def forward(self, image: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Pre-activations and targets of all layers, by name ("3_1")."""
        pre: dict[str, Tensor] = {}
        targets: dict[str, Tensor] = {}
        for teacher in reversed(self.members):
            a, b = teacher(image)
            pre |= a
            targets |= b
        return pre, targets

    def activations(self, image: Tensor) -> dict[str, Tensor]:
        """What the teachers' own layers show, after the ReLU."""
        return {n: F.relu(v) for n, v in self(image)[0].items()}
