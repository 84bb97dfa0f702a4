"""The student, its heads, and its first weights."""

import random

import torch
import torch.nn.functional as F
from scipy.linalg import qr
from torch import Tensor, nn
from tqdm import tqdm

from distillation.style import STYLE_LAYERS
from distillation.teachers import CONVOLUTIONS, Teachers
from nst.networks import ARCHITECTURES, VGG
from nst.networks.scaling import convolutions, mean_activations, multiply_scale

NAME = "vgg19_quarter"
POOLING, PADDING = "average", "replicate"
SILENT = 0.001  # a filter that fires on a smaller share of positions is called silent
BUSY = 0.15  # the share of positions that a new filter fires on, at least
FAINT = 0.02  # of its layer's mean activation: a filter below is grown anew
POSITIONS = 1000  # of each batch, for regressions: all of them would not fit into memory


def new_student() -> VGG:
    """The network to be trained."""
    return VGG(ARCHITECTURES[NAME], POOLING, PADDING).requires_grad_(True)


class Heads(nn.Module):
    """Linear maps from the student's channels to the teachers', thrown away after training.

    `features` predict activations, and have a bias; `grams` predict Gram matrices: W·G·Wᵀ, where G
    is the student's.
    """

    def __init__(self, student: VGG, outputs: dict[str, int]):
        super().__init__()
        inputs = {n: layer.out_channels for n, layer in convolutions(student).items()}
        self.features = nn.ModuleDict({n: nn.Linear(inputs[n], outputs[n]) for n in CONVOLUTIONS})
        self.grams = nn.ModuleDict(
            {n: nn.Linear(inputs[n], outputs[n], bias=False) for n in STYLE_LAYERS}
        )


def rows(feature: Tensor, margin: int = 1) -> Tensor:
    """(B, C, H, W) → (positions, C), borders left out: there, paddings differ."""
    return feature[..., margin:-margin, margin:-margin].permute(0, 2, 3, 1).flatten(0, 2).float()


def regress(x: Tensor, y: Tensor, ridge: float = 1e-3) -> tuple[Tensor, Tensor]:
    """Ridge regression of y (n, outputs) on x (n, inputs): weights (outputs, inputs) and bias."""
    x, y = x.double(), y.double()
    mean_x, mean_y = x.mean(0), y.mean(0)
    x, y = x - mean_x, y - mean_y
    gram = x.T @ x
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram)).to(gram)
    weight = torch.linalg.solve(gram, x.T @ y).T
    return weight.float(), (mean_y - weight @ mean_x).float()


def telling_channels(activations: Tensor, count: int) -> Tensor:
    """The `count` channels that best span all, by QR with column pivoting; activations (n, C)."""
    centred = (activations - activations.mean(0)).double().cpu().numpy()
    # R of a first QR has the same inner products as the activations, in far fewer rows.
    pivots = qr(qr(centred, mode="r")[0][: centred.shape[1]], mode="r", pivoting=True)[1]
    return torch.from_numpy(pivots[:count].astype("int64"))


@torch.no_grad()
def silent_channels(student: VGG, images: list[Tensor], share: float = SILENT) -> dict[str, Tensor]:
    """Which filters fire on less than that share of positions: (C,) of bool, by layer."""
    names = [f"relu{n}" for n in CONVOLUTIONS]
    fired: dict[str, list[Tensor]] = {n: [] for n in CONVOLUTIONS}
    for image in images:
        for name, feature in student.walk(image, names):
            fired[name.removeprefix("relu")].append((feature > 0).double().mean((2, 3)))
    return {n: torch.cat(shares).mean(0) < share for n, shares in fired.items()}


@torch.no_grad()
def take_over(student: VGG, images: list[Tensor]) -> dict[str, Tensor]:
    """Fit weights made for max pooling to average pooling; returns the channels to grow anew.

    Each channel's average is smaller than its maximum by a factor of its own, which the next
    convolution's weights make good.
    """
    dead = silent_channels(student, images, 5 * SILENT)
    for n, means in mean_activations(student, images).items():
        dead[n] |= means < FAINT * means.mean()
    x = torch.cat([student.normalise(image) for image in images])
    previous = ""
    for name, module in student.layers.items():
        if name.startswith("pool"):
            ratio = F.max_pool2d(x, 2).mean((0, 2, 3)) / F.avg_pool2d(x, 2).mean((0, 2, 3))
            following = convolutions(student)[f"{int(name[-1]) + 1}_1"]
            following.weight.mul_(torch.nan_to_num(ratio, nan=1.0).view(1, -1, 1, 1))
        x = module(x)
        if name.startswith("conv") and previous:
            # Nobody has learnt from a silent channel.
            convolutions(student)[name.removeprefix("conv")].weight[:, dead[previous]] = 0
        if name.startswith("conv"):
            previous = name.removeprefix("conv")
    return dead


@torch.no_grad()
def first_weights(
    student: VGG,
    heads: Heads,
    teachers: Teachers,
    images: list[Tensor],
    unit: dict[str, Tensor],
    grow: dict[str, Tensor],
) -> None:
    """Grow channels, and set the heads, layer by layer, by ridge regression.

    `grow` tells which channels of each layer, (C,) of bool.
    """
    asked = tqdm(images, "asking the teachers", leave=False, disable=None)
    answers = [positions(teachers, image, unit) for image in asked]
    places, wanted, targets = zip(*answers, strict=True)
    inputs = [student.normalise(image) for image in images]
    for name in tqdm(CONVOLUTIONS, "first weights", leave=False, disable=None):
        if name.endswith("_1") and name != "1_1":
            inputs = [student.layers[f"pool{int(name[0]) - 1}"](x) for x in inputs]
        layer, new = convolutions(student)[name], grow[name]
        at = [place[name] for place in places]
        if new.any():
            # Unpadded patches, so that their rows are those of `rows`.
            unfolded = [F.unfold(x, 3).transpose(1, 2).flatten(0, 1) for x in inputs]
            patches = torch.cat([patch[a] for patch, a in zip(unfolded, at, strict=True)])
            known = sampled([F.relu(layer(x)) for x in inputs], at)[:, ~new]
            grow_channels(layer, new, patches, known, torch.cat([w[name] for w in wanted]))
        inputs = [F.relu(layer(x)) for x in inputs]
        weight, bias = regress(sampled(inputs, at), torch.cat([t[name] for t in targets]))
        for head in (heads.features, heads.grams):
            if name in head:
                head[name].weight.copy_(weight)  # type: ignore[operator]
        heads.features[name].bias.copy_(bias)  # type: ignore[operator]


def positions(
    teachers: Teachers, image: Tensor, unit: dict[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """Some positions of each layer, and there the teachers' pre-activations and activations."""
    pre, target = teachers(image)
    at = {n: torch.tensor(random.sample(range(len(r)), min(POSITIONS, len(r))))
          for n, r in ((n, rows(x)) for n, x in pre.items())}  # fmt: skip
    wanted = {n: rows(pre[n])[at[n]] for n in CONVOLUTIONS}
    return at, wanted, {n: rows(target[n])[at[n]] / unit[n] for n in CONVOLUTIONS}


def sampled(features: list[Tensor], at: list[Tensor]) -> Tensor:
    """A layer's activations at the chosen positions of each picture."""
    return torch.cat([rows(f)[a] for f, a in zip(features, at, strict=True)])


def grow_channels(
    layer: nn.Conv2d, new: Tensor, patches: Tensor, known: Tensor, answers: Tensor
) -> None:
    """Let the layer's `new` channels, (C,) of bool, learn some of the teacher's.

    They learn the pre-activations of those that are most telling beyond what the layer's other
    channels, whose activations are `known`, already say; `patches` is what the layer sees there.
    """
    unknown = F.relu(answers)
    if len(known.T):
        weight, bias = regress(known, unknown)
        unknown = unknown - known @ weight.T - bias
    answers = answers[:, telling_channels(unknown, int(new.sum()))]
    # One gain a layer: activations of size 1 suit an optimiser that knows no scales.
    size = known.square().mean().sqrt() if len(known.T) else torch.ones(())
    size = F.relu(answers).square().mean().sqrt() / size
    weight, bias = regress(patches, answers / size, 1e-4)
    layer.weight[new] = weight.view_as(layer.weight[new])
    # Some of the teacher's channels fire rarely; the student's few are to fire more often.
    response = patches @ weight.T + bias
    floor = response.sort(0).values[int((1 - BUSY) * len(response))]
    layer.bias[new] = bias - floor.clamp(max=0)  # type: ignore[index]


@torch.no_grad()
def even_out(student: VGG, heads: Heads, images: list[Tensor]) -> None:
    """Make each layer's mean activation 1, and no filter's less than half; the heads follow."""
    factors = {}
    for n, means in mean_activations(student, images).items():
        lift = (means.mean() / (2 * means).clamp(min=1e-3 * means.mean())).clamp(min=1)
        factors[n] = (lift / (lift * means).mean()).float()
    multiply_scale(student, factors)
    for group in (heads.features, heads.grams):
        for n, head in group.items():
            head.weight.div_(factors[n])  # type: ignore[operator]
