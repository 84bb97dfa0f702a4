"""The loss, the optimiser, and a way to the disk and back."""

import math
import random
import sys
import time
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import cast

import torch
from pytorch_optimizer import SOAP
from safetensors.torch import load_file, save
from torch import Tensor, nn

from distillation.rounding import rounding
from distillation.student import Heads, new_student
from distillation.teachers import CONVOLUTIONS
from nst.files import write_atomically
from nst.losses import gram_matrix
from nst.networks import VGG
from nst.networks.scaling import multiply_scale, scale_factors

# Where few channels have to stand for many, the student needs pushing; so do the layers that style
# and content are read from. The others of block 4 follow.
WEIGHTS = dict.fromkeys(CONVOLUTIONS, 4.0) | {"1_1": 3.0, "1_2": 12.0, "2_1": 9.0, "2_2": 14.0}
WEIGHTS |= {"3_1": 9.0, "3_2": 6.0, "4_1": 12.0, "4_2": 1.0, "4_3": 0.5, "4_4": 0.5, "5_1": 14.0}
GRAM_WEIGHT = 1.0
HEALTHY, HEALTH_WEIGHT = 0.25, 2.0  # a filter's mean, of its layer's, that costs nothing
WARM_UP = 80  # steps
STRIDE = 2  # in blocks 1 and 2 only every second row and column is looked at


def rate(step: int, share: float) -> float:
    """Learning-rate factor: a short rise, a plateau, and a cosine fall over the last 90 %.

    `step` counts from the stretch's beginning, `share` is how much of its time has gone.
    """
    fall = min(1.0, max(0.0, (share - 0.1) / 0.9))
    return min(1.0, (step + 1) / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * fall))


class Training:
    """The student, its heads and their optimiser.

    The state keeps no optimiser: its moments are as good as new after a hundred steps.
    """

    def __init__(
        self,
        out: Path,
        outputs: dict[str, int],
        unit: dict[str, Tensor],
        device: torch.device,
        precision: str,
    ):
        self.out, self.unit, self.precision = out, unit, precision
        self.state = out.with_suffix(".training.safetensors")
        self.steps, self.seconds = 0, 0.0
        self.student = new_student().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.heads = Heads(self.student, outputs).to(device)

    def load(self, path: Path) -> None:
        """Take up the state that `save` wrote."""
        state = load_file(path)
        if "steps" not in state:
            sys.exit(f"{path} is no state of a training")
        self.steps, self.seconds = int(state.pop("steps")), float(state.pop("seconds"))
        for name, module in (("student", self.student), ("heads", self.heads)):
            module.load_state_dict(part(state, name))

    def save(self, images: list[Tensor]) -> None:
        """Write the state, and the weights as the package ships them, each layer's mean 1."""
        state = {"steps": torch.tensor(self.steps), "seconds": torch.tensor(self.seconds)}
        for name, module in (("student", self.student), ("heads", self.heads)):
            state |= {f"{name}.{k}": v.contiguous() for k, v in module.state_dict().items()}
        write_atomically(self.state, lambda file: file.write(save(state)))
        ship(self.student, images, self.out)

    def begin(self, learning_rate: float, layers: Sequence[str] = CONVOLUTIONS) -> None:
        """Start a stretch of training with a new optimiser; other layers stay as they are."""
        self.layers = list(layers)
        for name, parameter in [*self.student.named_parameters(), *self.heads.named_parameters()]:
            of = next(part.removeprefix("conv") for part in name.split(".") if "_" in part)
            parameter.requires_grad_(of in self.layers)
        everything = [*self.student.parameters(), *self.heads.parameters()]
        self.parameters = [p for p in everything if p.requires_grad]
        # Adam in the eigenbasis of the gradients' covariance (Vyas et al. 2024). In the first 250
        # steps R² at relu3_1 rose by 0.046, with Adam by 0.023.
        self.optimizer = SOAP(
            self.parameters,
            lr=learning_rate,
            weight_decay=0.0,
            max_precondition_dim=128,
            precondition_frequency=25,  # the eigenbases turn slowly, and cost as much as the steps
        )
        self.learning_rate, self.stretch = learning_rate, 0

    def learn(self, image: Tensor, targets: dict[str, Tensor], share: float) -> Tensor:
        """One step; returns the loss, still on the device."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * rate(self.stretch, share)
        with rounding(image, self.precision):
            loss = self.loss(image, targets)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.steps += 1
        self.stretch += 1
        return loss.detach()

    def loss(self, image: Tensor, targets: dict[str, Tensor]) -> Tensor:
        """Unexplained activations and Gram matrices, and what weak filters cost; a scalar."""
        features = self.student(image, [f"relu{n}" for n in self.layers])
        terms = []
        for n in self.layers:
            step = STRIDE if n[0] in "12" else 1
            top, left = (random.randrange(step) for _ in range(2))
            x, y = (
                f[..., 1 + top : -1 : step, 1 + left : -1 : step]
                for f in (features[f"relu{n}"], targets[n])
            )
            y = y.float() / self.unit[n]
            predicted = self.heads.features[n](x.permute(0, 2, 3, 1))
            terms.append(WEIGHTS[n] * (predicted - y.permute(0, 2, 3, 1)).square().mean())
            if n in self.heads.grams:
                terms.append(GRAM_WEIGHT * self.gram_loss(n, x.float(), y))
            terms.append(HEALTH_WEIGHT * weakness(features[f"relu{n}"]))
        return torch.stack(terms).sum()

    def gram_loss(self, name: str, x: Tensor, y: Tensor) -> Tensor:
        """How much of the teacher's Gram matrices the student's do not tell, by picture."""
        scale = x.shape[1] / y.shape[1]  # gram_matrix divides by the channels
        weight = cast(nn.Linear, self.heads.grams[name]).weight
        with rounding(x, "float32"):
            found = scale * weight @ gram_matrix(x) @ weight.T
            wanted = gram_matrix(y)
        size = wanted.square().sum((1, 2))
        # A picture that shows a layer next to nothing is not worth its own measure.
        size = size + 0.2 * size.mean()
        return ((found - wanted).square().sum((1, 2)) / size).mean()


def ship(student: VGG, images: list[Tensor], path: Path) -> None:
    """Write the weights as the package has them: float16, each layer's mean over `images` 1."""
    shipped = deepcopy(student).requires_grad_(False)
    multiply_scale(shipped, scale_factors(shipped, images, "layer"))
    weights = {
        k.removeprefix("layers."): v.half().contiguous() for k, v in shipped.state_dict().items()
    }
    write_atomically(path, lambda file: file.write(save(weights)))


def part(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The "student" or the "heads" of a state."""
    return {k.removeprefix(f"{name}."): v for k, v in state.items() if k.startswith(f"{name}.")}


def join(earlier: Path, later: Path, first: str) -> dict[str, Tensor]:
    """The state `later`, but with all that `earlier` has before the convolution `first` ("4_1")."""
    old, new = load_file(earlier), load_file(later)
    before = set(CONVOLUTIONS[: CONVOLUTIONS.index(first)])
    return {
        k: old[k] if set(k.replace("conv", "").split(".")) & before else v for k, v in new.items()
    }


def weakness(feature: Tensor) -> Tensor:
    """What filters lack of HEALTHY times their layer's mean activation, squared; a scalar."""
    means = feature.float().mean((0, 2, 3))
    return (HEALTHY - means / means.mean()).clamp(min=0).square().sum()


class Clock:
    """How much of the time has gone, from when the process began to work."""

    def __init__(self, seconds: float, started: float):
        self.seconds, self.started = seconds, started

    def gone(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.started

    def share(self) -> float:
        """Of the time that there is."""
        return self.gone() / self.seconds
