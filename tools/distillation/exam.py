"""What the student knows of pictures that it never saw."""

from pathlib import Path

import torch
from torch import Tensor

from distillation.pictures import read_square
from distillation.student import SILENT, silent_channels
from distillation.teachers import CONVOLUTIONS, Teachers
from nst.networks import VGG
from nst.networks.scaling import mean_activations

POSITIONS = 1500
MARGIN = 2


class Exam:
    """R² of the best linear maps to the teachers' activations, and how the filters fare.

    The maps are ridge regressions fitted on two thirds of the pictures and measured on the others.
    """

    def __init__(self, paths: list[Path], teachers: Teachers, device: torch.device):
        self.images = [read_square(path).to(device) for path in paths]
        self.cut = len(paths) * 2 // 3
        generator = torch.Generator().manual_seed(0)
        self.at: list[dict[str, Tensor]] = []
        answers: dict[str, list[Tensor]] = {n: [] for n in CONVOLUTIONS}
        for image in self.images:
            at = {}
            for n, feature in teachers(image)[1].items():
                found = positions(feature)
                order = torch.randperm(len(found), generator=generator)
                at[n] = order[:POSITIONS].to(device)
                answers[n].append(found[at[n]].float())
            self.at.append(at)
        self.answers = {
            n: [torch.cat(a[: self.cut]), torch.cat(a[self.cut :])] for n, a in answers.items()
        }
        self.unit = {n: torch.cat(a).var(0).mean().sqrt() for n, a in self.answers.items()}

    @torch.no_grad()
    def explained(self, student: VGG) -> dict[str, float]:
        """R² by layer."""
        features: dict[str, list[Tensor]] = {n: [] for n in CONVOLUTIONS}
        for image, at in zip(self.images, self.at, strict=True):
            for name, feature in student.walk(image, [f"relu{n}" for n in CONVOLUTIONS]):
                n = name.removeprefix("relu")
                features[n].append(positions(feature)[at[n]].double())
        return {
            n: explained_share(torch.cat(f[: self.cut]), torch.cat(f[self.cut :]), *self.answers[n])
            for n, f in features.items()
        }

    def health(self, student: VGG) -> dict[str, float]:
        """Silent filters, and of all layers the least filter, as a share of its layer's mean."""
        silent = silent_channels(student, self.images, SILENT)
        means = mean_activations(student, self.images)
        return {
            "silent": sum(int(s.sum()) for s in silent.values()),
            "weakest": min((m.min() / m.mean()).item() for m in means.values()),
        }


def positions(feature: Tensor) -> Tensor:
    """(1, C, H, W) → (positions, C), borders left out."""
    return feature[0, :, MARGIN:-MARGIN, MARGIN:-MARGIN].flatten(1).T


def explained_share(x: Tensor, x_test: Tensor, y: Tensor, y_test: Tensor) -> float:
    """R² on the test rows of the ridge regression of y on x, with an intercept."""
    mean, std = x.mean(0), x.std(0).clamp(min=1e-8)
    a, t = ((v - mean) / std for v in (x, x_test))
    a, t = (torch.cat([v, v.new_ones(len(v), 1)], 1) for v in (a, t))
    gram = a.T @ a + 1e-3 * len(a) * torch.eye(a.shape[1]).to(a)
    weight = torch.linalg.solve(gram, a.T @ y.double())
    lost = (t @ weight - y_test).square().sum() / (y_test - y.mean(0)).square().sum()
    return 1 - lost.item()
