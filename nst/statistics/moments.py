"""Statistics that are sums over positions: Gram matrices, means, deviations, covariances."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nst.losses import Products, gram_matrix, squared_distance
from nst.statistics.common import Guide, Part, Statistic, rows

SMALLEST = 1e-6  # added to variances at least, so that a silent channel has a slope
MOST = 2 / 3  # of the positions: where more count, all are taken, which is faster than picking
RIDGE = 1e-4  # added to covariances, as a share of the target's mean variance: at least SMALLEST


class Gram(Statistic):
    """Gram matrices: Σ(G - A)² (Gatys et al. 2016, equation 4).

    Guided (Gatys et al. 2017, "Controlling perceptual factors in neural style transfer", section
    4.1), they are those of T∘F with ΣT² = 1; T² is the guide's weight.
    """

    def measure(self, features: Tensor, guide: Guide | None = None) -> Tensor:
        """(1, C, H, W) → (1, C, C): means over the positions of F·Fᵀ, divided by C."""
        if guide is None:
            return gram_matrix(features)
        return GuidedProducts.apply(rows(features), guide, features.shape[1])[None]

    def distance(self, measured: Tensor, target: Tensor, guide: Guide | None = None) -> Tensor:
        """Σ(G - A)²."""
        return squared_distance(measured, target)

    def size(self, target: Tensor) -> Tensor:
        """ΣA²."""
        return target.square().sum()


class MeanStd(Statistic):
    """Each channel's mean and standard deviation: Σ(μ - μ')² + Σ(σ - σ')².

    Li et al. 2017, "Demystifying neural style transfer", section 4.2, where it is that of batch
    normalisation.
    """

    weight = 0.5

    def measure(self, features: Tensor, guide: Guide | None = None) -> Tensor:
        """(1, C, H, W) → (2, C): means of the activations, and of their squares."""
        x = rows(features, guide)
        return torch.stack([mean(x, guide), mean(x.square(), guide)])

    def distance(self, measured: Tensor, target: Tensor, guide: Guide | None = None) -> Tensor:
        """Σ(μ - μ')² + Σ(σ - σ')²."""
        return squared_distance(self.normal(measured), self.normal(target))

    def size(self, target: Tensor) -> Tensor:
        """Σμ'² + Σσ'²."""
        return self.normal(target).square().sum()

    @staticmethod
    def normal(measured: Tensor) -> Tensor:
        """Mean and deviation, (2, C)."""
        average, second = measured
        variance = (second - average.square()).clamp(min=0)
        return torch.stack([average, (variance + SMALLEST).sqrt()])


class Covariance(Statistic):
    """Mean and covariance, as the optimal transport between two Gaussians sees them.

    W² = ‖μ - μ'‖² + tr(Σ + Σ' - 2(Σ'^½ Σ Σ'^½)^½), the squared Wasserstein-2 distance (Olkin and
    Pukelsheim 1982), as in Crowson's style-transfer-pytorch. A small multiple of the identity is
    added to both covariances.
    """

    weight = 0.15

    def measure(self, features: Tensor, guide: Guide | None = None) -> Tensor:
        """(1, C, H, W) → (C + 1, C): means of F·Fᵀ, and below them those of F."""
        x = rows(features)
        if guide is None:
            second = Products.apply(x[None], len(x))[0]
        else:
            second = GuidedProducts.apply(x, guide, 1)
        return torch.cat([second, mean(rows(features, guide), guide)[None]])

    def target(self, parts: Sequence[Part]) -> Tensor:
        """(2C + 1, C): the covariance, its root, and the mean."""
        covariance, average = central(super().target(parts))
        ridge = (RIDGE * covariance.diagonal().mean()).clamp(min=SMALLEST)
        covariance = covariance + ridge * torch.eye(len(covariance)).to(covariance)
        return torch.cat([covariance, root(covariance).to(covariance), average[None]])

    def distance(self, measured: Tensor, target: Tensor, guide: Guide | None = None) -> Tensor:
        """W²."""
        (covariance, average), channels = central(measured), measured.shape[1]
        wanted, its_root, its_mean = target.split([channels, channels, 1])
        # As much as was added to the target's.
        ridge = (RIDGE / (1 + RIDGE) * wanted.diagonal().mean()).clamp(min=SMALLEST)
        covariance = covariance + ridge * torch.eye(channels).to(covariance)
        apart = squared_distance(average, its_mean[0])
        return apart + wanted.trace() + TraceBetween.apply(covariance, its_root)

    def size(self, target: Tensor) -> Tensor:
        """‖μ'‖² + tr Σ'."""
        channels = target.shape[1]
        return target[-1].square().sum() + target[:channels].trace()


class GuidedProducts(torch.autograd.Function):
    """Xᵀ diag(w) X / n of the rows that count, in fewer passes over them than autograd takes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, guide: Guide, n: int) -> Tensor:
        """(M, C) → (C, C), as the product of √w X with itself, which stays symmetric."""
        if len(guide.places) > MOST * len(x):
            places, roots = None, guide.map.flatten().sqrt()[:, None]
        else:
            x, places, roots = guide.of_rows(x), guide.places, guide.weights.sqrt()[:, None]
        weighted = x * roots
        ctx.save_for_backward(weighted, roots, places)
        ctx.positions, ctx.n = guide.map.numel(), n
        return weighted.mT @ weighted / n

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """The gradient diag(w) X (G + Gᵀ) / n, where G is that with respect to the product."""
        weighted, roots, places = ctx.saved_tensors
        slope = (weighted @ ((gradient + gradient.mT) / ctx.n)).mul_(roots)
        if places is not None:
            everywhere = slope.new_zeros(ctx.positions, slope.shape[1])
            slope = everywhere.index_add_(0, places, slope)
        return slope, None, None


class TraceBetween(torch.autograd.Function):
    """tr(Σ - 2(R Σ R)^½) of a covariance Σ and the root R of another, (C, C) each."""

    @staticmethod
    def forward(ctx: Any, covariance: Tensor, its_root: Tensor) -> Tensor:
        """In float64: roots of small eigenvalues need the digits."""
        r = precise(its_root)
        values, vectors = torch.linalg.eigh(r @ precise(covariance) @ r)
        roots = values.clamp(min=1e-14 * values.max()).sqrt()
        turned = r @ vectors
        # The transport from Σ to the other Gaussian is R (R Σ R)^-½ R; its identity less it, the
        # derivative.
        transport = (turned / roots) @ turned.mT
        ctx.save_for_backward((torch.eye(len(r)).to(r) - transport).to(covariance))
        return (precise(covariance).trace() - 2 * roots.sum()).to(covariance)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """The gradient with respect to Σ: 1 - R (R Σ R)^-½ R."""
        (slope,) = ctx.saved_tensors
        return gradient * slope, None


def mean(values: Tensor, guide: Guide | None) -> Tensor:
    """The rows' mean, (N, C) → (C,), weighted by the guide."""
    return values.mean(0) if guide is None else guide.weights @ values


def central(moments: Tensor) -> tuple[Tensor, Tensor]:
    """Covariance (C, C) and mean (C,) of moments (C + 1, C) about 0."""
    second, average = moments[:-1], moments[-1]
    return second - average[:, None] * average, average


def root(matrix: Tensor) -> Tensor:
    """The root of a symmetric positive matrix."""
    values, vectors = torch.linalg.eigh(precise(matrix))
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.mT


def precise(matrix: Tensor) -> Tensor:
    """As float64; on the CPU where the device has none, as Apple's GPUs."""
    return (matrix.cpu() if matrix.device.type == "mps" else matrix).double()
