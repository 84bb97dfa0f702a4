"""Judges of a painting, which did not take part in painting it.

A painting is made by lowering a loss, so that its loss says little of how good it is. What is here
measures the same things with other eyes: other layers, a network that was never trained, other
statistics; all on the picture that a person gets. Every number is 0 for the best there is, and
lower is better. None replaces looking (Yeh et al. 2020, "Improving style transfer with calibrated
metrics"; Ioannou and Maddock 2024, "Evaluation in neural style transfer: a review").
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nst.control.colours import pixels
from nst.errors import SettingsError
from nst.features import extract_features
from nst.files.checkpoints import weights_file
from nst.networks import Network, load_network
from nst.statistics import STATISTICS, Part

HELD_OUT = ("relu2_2", "relu3_3", "relu4_3")  # of a VGG: layers that no preset optimises
FIRES = ("features.1", "features.4.cat", "features.7.cat")  # of SqueezeNet
PLACES = 32  # squared: so many positions of a layer are compared with each other
PRIOR = 0.5  # wins, and as many losses, against an average opponent: before any vote


class Eye(NamedTuple):
    """A network, and the layers at which it looks."""

    network: Network
    layers: Sequence[str]


def eyes(device: torch.device | str = "cpu") -> dict[str, Eye]:
    """Who can judge here, without a download.

    The built-in network by layers that no preset optimises; SqueezeNet (Iandola et al. 2016) with
    random weights of a fixed seed, which knows nothing of the built-in network; and VGG-19 by the
    same layers, where its weights lie in torchvision's cache.
    """
    found = {
        "held-out layers": Eye(load_network(device=device), HELD_OUT),
        "untrained network": Eye(
            load_network("squeezenet1_1", weights="random", device=device), FIRES
        ),
    }
    if weights_file("vgg19").is_file():
        found["VGG-19"] = Eye(load_network("vgg19", device=device), HELD_OUT)
    return found


def judge(
    picture: Tensor, content: Tensor, style: Tensor, by: dict[str, Eye] | None = None
) -> dict[str, float]:
    """How far a picture is from its content and from its style, by several judges.

    Args:
        picture: the painting, (1, 3, H, W) in [0, 1].
        content: the photograph, as large.
        style: the artwork, of any size.
        by: who looks; by default all `eyes` of the picture's device.

    Returns:
        Numbers by name. "content, …" is the share of the photograph's activations that changed
        (`content_changed`), "shape, …" how much what is like what has changed (`shape_changed`);
        "style, …" and "strokes, …" are distances to the style as shares of the photograph's, which
        are 1 if nothing was painted (`style_left`); "colours" is a distance to the style's colours
        (`colour_distance`).

    Raises:
        SettingsError: the picture and the photograph differ in size, or the photograph is the
            style picture, of which nothing can be left.
    """
    if picture.shape != content.shape:
        (height, width), (rows, columns) = picture.shape[-2:], content.shape[-2:]
        raise SettingsError(
            f"a picture of {width}×{height} cannot be compared with a photograph of "
            f"{columns}×{rows}: load the photograph with the picture's size"
        )
    if torch.equal(content, style):
        raise SettingsError(
            "the photograph is the style picture itself: give two pictures, between which to judge"
        )
    found = {}
    for name, eye in (eyes(picture.device) if by is None else by).items():
        ours, photograph, artwork = (look(eye, image) for image in (picture, content, style))
        found[f"content, {name}"] = content_changed(ours, photograph)
        found[f"shape, {name}"] = shape_changed(ours, photograph)
        found[f"style, {name}"] = style_left(ours, photograph, artwork)
        found[f"strokes, {name}"] = style_left(ours, photograph, artwork, "sliced")
    return found | {"colours": colour_distance(picture, style)}


@torch.no_grad()
def look(eye: Eye, image: Tensor) -> dict[str, Tensor]:
    """What a judge sees: activations (1, C, H, W) by layer."""
    return extract_features(eye.network, image, eye.layers)


Seen = dict[str, Tensor]


def content_changed(picture: Seen, content: Seen) -> float:
    """The squared change of the activations, as a share of their squares; the layers' mean."""
    shares = [
        (x - content[n]).square().sum() / content[n].square().sum() for n, x in picture.items()
    ]
    return mean(shares)


def shape_changed(picture: Seen, content: Seen) -> float:
    """How much it has changed which places are like which others, from 0 to 1; the layers' mean.

    For every place the others' cosine distances, divided by their sum, are compared; that says
    nothing of colours or of how strong the activations are (self-similarity: Kolkin et al. 2019,
    "Style transfer by relaxed optimal transport and self-similarity", section 2.2). The number is
    half of the sum of the differences, the mean over places; at most 32×32 places of a layer.
    """
    pairs = [(unlikeness(picture[n]), unlikeness(content[n])) for n in picture]
    return mean([(a - b).abs().sum(0).mean() / 2 for a, b in pairs])


def unlikeness(features: Tensor) -> Tensor:
    """(1, C, H, W) → (N, N): cosine distances between places, each column divided by its sum."""
    height, width = features.shape[-2:]
    places = F.adaptive_avg_pool2d(features, (min(height, PLACES), min(width, PLACES)))
    x = F.normalize(places[0].flatten(1), dim=0)
    distances = (1 - x.mT @ x).clamp(min=0)
    return distances / distances.sum(0).clamp(min=1e-12)


def style_left(picture: Seen, content: Seen, style: Seen, statistic: str = "gram") -> float:
    """The picture's distance to the style, as a share of the photograph's; the layers' mean.

    1 if nothing was painted, 0 for the style's own statistics. `statistic` is one of
    `nst.statistics.STATISTICS`.
    """
    kind = STATISTICS[statistic]

    def distance(features: Tensor, layer: str) -> Tensor:
        return kind.distance(
            kind.measure(features), kind.target([Part(kind.measure(style[layer]))])
        )

    return mean([distance(x, n) / distance(content[n], n) for n, x in picture.items()])


def mean(values: Sequence[Tensor]) -> float:
    """Of scalars."""
    return torch.stack(list(values)).double().mean().item()


def colour_distance(picture: Tensor, other: Tensor) -> float:
    """How far the histograms of L*, a* and b* (CIELAB) are apart, the mean of the three.

    Each distance is the mean way that a pixel's value has to go (Wasserstein-1), in CIELAB's units,
    of which the eye sees about one. The pictures, (1, 3, H, W) in [0, 1], may differ in size.
    """
    from scipy.stats import wasserstein_distance
    from skimage.color import rgb2lab

    one, two = (rgb2lab(pixels(image)).reshape(-1, 3) for image in (picture, other))
    return float(np.mean([wasserstein_distance(one[:, i], two[:, i]) for i in range(3)]))


def undominated(points: Sequence[Sequence[float]]) -> list[bool]:
    """Which points are on the Pareto front: no other is as good in all numbers and better in one.

    Lower is better.
    """
    if not len(points):
        return []
    x = np.asarray(points, float)
    as_good = (x[None] <= x[:, None]).all(2)
    better = (x[None] < x[:, None]).any(2)
    return (~np.any(as_good & better, axis=1)).tolist()


def strengths(votes: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Strengths from votes (winner, loser), by the model of Bradley and Terry (1952).

    Somebody of strength a wins against one of strength b with probability 1 / (1 + exp(b - a)).
    The likeliest strengths are found by SciPy, each with half a win and half a loss against
    strength 0 before any vote: otherwise whoever never lost would be infinitely strong. Best first.

    Raises:
        SettingsError: there are no votes, or somebody was to win against themselves.
    """
    from scipy.optimize import minimize

    names = sorted({name for vote in votes for name in vote})
    if not votes or any(winner == loser for winner, loser in votes):
        raise SettingsError("strengths come from votes between two different pictures; give some")
    place = {name: i for i, name in enumerate(names)}
    counts = Counter((place[winner], place[loser]) for winner, loser in votes)
    won, lost = np.array(list(counts)).T
    times = np.array(list(counts.values()), float)

    def surprise(x: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus the logarithm of the likelihood, and its gradient."""
        ahead = x[won] - x[lost]
        missed = times / (1 + np.exp(ahead))
        slope = PRIOR * np.tanh(x / 2)
        np.add.at(slope, won, -missed)
        np.add.at(slope, lost, missed)
        prior = PRIOR * (np.logaddexp(0, x) + np.logaddexp(0, -x)).sum()
        return float((times * np.logaddexp(0, -ahead)).sum() + prior), slope

    found = minimize(surprise, np.zeros(len(names)), jac=True, method="BFGS").x
    order = sorted(names, key=lambda name: -found[place[name]])
    return {name: float(found[place[name]]) for name in order}
