"""Whole runs of what others have published: from a start to the picture that they hand back.

`bench_references` has what one evaluation computes; here are each project's optimiser with its own
options, how it clamps, and what a run of ours is given to minimise the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from bench_references import Evaluation, d2l, gatys_notebook, neural_style_pt, pytorch_tutorial
from torch import Tensor

import nst
from nst.networks import VGG

Optimise = Callable[[Evaluation, Tensor, int], Tensor]  # from a start, so many evaluations


@dataclass(frozen=True)
class Loop:
    """A published run; `same` are settings with which ours has its objective."""

    evaluation: Callable[..., Evaluation]
    optimise: Optimise
    same: dict[str, Any]
    normalised: bool = False  # whether its pixels are those that the network sees

    @property
    def ours(self) -> dict[str, Any]:
        """Settings of the default optimiser, as it runs by default, with this objective."""
        standard = nst.Settings()
        names = ("optimizer", "bounds", "history", "init")
        return self.same | {name: getattr(standard, name) for name in names}

    def network(self) -> VGG:
        """The built-in network as our run has it: with the preset's pooling and scale."""
        network = nst.load_network(*nst.make_settings(**self.ours).made())
        assert isinstance(network, VGG)
        return network

    def run(self, network: VGG, evaluate: Evaluation, start: Tensor, evaluations: int) -> Tensor:
        """The picture handed back, in [0, 1]."""
        if not self.normalised:
            return self.optimise(evaluate, start, evaluations).clamp(0, 1)
        image = self.optimise(evaluate, network.normalise(start), evaluations)
        return (image * network.std + network.mean).clamp(0, 1)

    def loss(self, network: VGG, evaluate: Evaluation, picture: Tensor) -> float:
        """Its own loss of a picture as one gets it, with 256 levels."""
        levels = (picture * 255).round() / 255
        seen = network.normalise(levels) if self.normalised else levels
        return evaluate(seen.detach().clone())[0].item()


def torch_lbfgs(
    evaluate: Evaluation, start: Tensor, evaluations: int, **options: Any
) -> tuple[Tensor, list[float]]:
    """`torch.optim.LBFGS`, by default as the tutorial calls it; the picture, and every loss."""
    image, losses = start.detach().clone().requires_grad_(), list[float]()
    optimizer = torch.optim.LBFGS([image], **options)

    def closure() -> Tensor:
        loss, _ = evaluate(image)
        losses.append(loss.item())
        return loss

    while len(losses) < evaluations:
        optimizer.step(closure)  # type: ignore[no-untyped-call, unused-ignore]
    return image.detach(), losses[:evaluations]


def called_again(evaluate: Evaluation, start: Tensor, evaluations: int) -> Tensor:
    """The tutorial and the notebook: with torch's options, 20 evaluations a call."""
    return torch_lbfgs(evaluate, start, evaluations)[0]


def called_once(evaluate: Evaluation, start: Tensor, evaluations: int) -> Tensor:
    """neural-style-pt: a single call, with the tolerances off and the last 100 steps remembered."""
    options = {"max_iter": evaluations, "max_eval": evaluations, "history_size": 100}
    off = {"tolerance_grad": -1, "tolerance_change": -1}
    return torch_lbfgs(evaluate, start, evaluations, **options, **off)[0]


def falling_adam(evaluate: Evaluation, start: Tensor, evaluations: int) -> Tensor:
    """d2l.ai: Adam at 0.3, of which 0.8 is left after every 50 steps."""
    image = start.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([image], 0.3)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 50, 0.8)
    for _ in range(evaluations):
        _, image.grad = evaluate(image)
        optimizer.step()
        schedule.step()
    return image.detach()


# d2l's ReLUs overwrite what it keeps of the convolutions before them, but for the last.
OVERWRITTEN = [*(f"relu{block}_1" for block in range(1, 5)), "conv5_1"]
LOOPS = {
    "PyTorch tutorial": Loop(pytorch_tutorial, called_again, {"preset": "pytorch-tutorial"}),
    "Gatys' notebook": Loop(gatys_notebook, called_again, {"preset": "gatys-notebook"}),
    "neural-style-pt": Loop(neural_style_pt, called_once, {"preset": "neural-style-pt"}),
    "d2l.ai": Loop(
        d2l,
        falling_adam,
        {"preset": "d2l", "content_layers": "relu4_4", "style_layers": OVERWRITTEN},
        normalised=True,
    ),
}
