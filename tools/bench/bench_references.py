"""What the benchmark compares with: the bare network, and the loops that others have published.

Each is the evaluation that one reads in the named project, in plain PyTorch, with its loss, weights
and waste: what it computes that no loss reads, and which gradients it takes for nothing. Layers are
arguments, so that all can be timed on the same ones. They run on the convolutions of one of our
networks, in PyTorch's default layout. Each function returns an `Evaluation`: it takes a picture
(1, 3, H, W) and gives the loss and its gradient.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.networks import VGG, Pool, ReLU

Evaluation = Callable[[Tensor], tuple[Tensor, Tensor]]
STANDARD = tuple(f"relu{block}_1" for block in range(1, 6))
BEFORE_RELU = tuple(f"conv{block}_1" for block in range(1, 6))
TUTORIAL = ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1")


def plain_layers(network: VGG, overwrite: bool) -> Iterator[tuple[str, nn.Module]]:
    """The layers as torchvision builds them, with the weights and the pooling of `network`."""
    for name, module in network.layers.items():
        if isinstance(module, ReLU):
            yield name, nn.ReLU(inplace=overwrite)
        else:
            largest = isinstance(module, Pool) and not module.average
            yield name, nn.MaxPool2d(2) if largest else module


def backward(loss: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
    """The loss and its gradient, as all of them take it."""
    image.grad = None
    loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
    assert image.grad is not None
    return loss.detach(), image.grad


def bare(network: VGG, last: str = "relu5_1") -> Evaluation:
    """The network forward and backward alone: no loss is cheaper."""
    chain = nn.Sequential()
    for name, module in plain_layers(network, overwrite=True):
        chain.add_module(name, module)
        if name == last:
            break

    def evaluate(image: Tensor) -> tuple[Tensor, Tensor]:
        image = image.detach().requires_grad_()
        return backward(chain((image - network.mean) / network.std).sum(), image)

    return evaluate


class Normalisation(nn.Module):
    """The picture on the network's scale, as a layer."""

    def __init__(self, mean: Tensor, std: Tensor):
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, x: Tensor) -> Tensor:
        """Of the same shape."""
        return (x - self.mean) / self.std


class Probe(nn.Module):
    """A layer that passes its input on, and keeps a loss of it."""

    def __init__(self, distance: Callable[[Tensor], Tensor]):
        super().__init__()
        self.distance, self.loss = distance, torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        """The input as it is."""
        self.loss = self.distance(x)
        return x


def probed(
    network: VGG,
    content: Tensor,
    style: Tensor,
    content_layer: str,
    style_layers: Sequence[str],
    overwrite: bool,
) -> tuple[nn.Sequential, list[Probe], list[Probe]]:
    """A chain with losses between its layers, up to the last of them: two projects build this."""
    targets = network(content, [content_layer])
    grams = {name: flat_gram(x) for name, x in network(style, style_layers).items()}
    chain = nn.Sequential(Normalisation(network.mean, network.std))
    content_probes, style_probes = [], []
    for name, module in plain_layers(network, overwrite):
        chain.add_module(name, module)
        if name == content_layer:
            content_probes.append(Probe(partial(F.mse_loss, target=targets[name])))
            chain.add_module(f"{name} content", content_probes[-1])
        if name in style_layers:
            style_probes.append(Probe(partial(gram_loss, target=grams[name])))
            chain.add_module(f"{name} style", style_probes[-1])
        if len(style_probes) == len(style_layers) and content_probes:
            break
    return chain, content_probes, style_probes


def flat_gram(features: Tensor) -> Tensor:
    """One image's Gram matrix over its number of activations."""
    rows = features.reshape(features.shape[1], -1)
    return rows @ rows.t() / features.numel()


def gram_loss(features: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of Gram matrices."""
    return F.mse_loss(flat_gram(features), target)


def differences(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Of vertical and of horizontal neighbours."""
    return pixels[:, :, 1:] - pixels[:, :, :-1], pixels[..., 1:] - pixels[..., :-1]


@torch.no_grad()
def clamp(image: Tensor) -> None:
    """Back into [0, 1]."""
    image.clamp_(0, 1)


def pytorch_tutorial(
    network: VGG,
    content: Tensor,
    style: Tensor,
    content_layer: str = "conv2_2",
    style_layers: Sequence[str] = TUTORIAL,
) -> Evaluation:
    """PyTorch's tutorial: losses as layers, out-of-place ReLUs; it clamps the picture itself."""
    chain, contents, styles = probed(network, content, style, content_layer, style_layers, False)

    def evaluate(image: Tensor) -> tuple[Tensor, Tensor]:
        image.requires_grad_()
        clamp(image)
        chain(image)
        loss = sum(p.loss for p in contents) + 1e6 * sum(p.loss for p in styles)
        return backward(torch.as_tensor(loss), image)

    return evaluate


def neural_style_pt(
    network: VGG,
    content: Tensor,
    style: Tensor,
    content_layer: str = "relu4_2",
    style_layers: Sequence[str] = STANDARD,
) -> Evaluation:
    """neural-style-pt: in-place ReLUs, total variation as a sum over pixels in 0-255."""
    chain, contents, styles = probed(network, content, style, content_layer, style_layers, True)

    def evaluate(image: Tensor) -> tuple[Tensor, Tensor]:
        image.requires_grad_()
        chain(image)
        down, right = differences(image * 255)
        loss = 1e-3 * (down.abs().sum() + right.abs().sum())
        loss = loss + 5 * sum(p.loss for p in contents) + 100 * sum(p.loss for p in styles)
        return backward(loss, image)

    return evaluate


def gatys_notebook(
    network: VGG,
    content: Tensor,
    style: Tensor,
    content_layer: str = "relu4_2",
    style_layers: Sequence[str] = STANDARD,
) -> Evaluation:
    """The authors' notebook: it computes and keeps every layer that the network has."""

    def features(image: Tensor) -> dict[str, Tensor]:
        x, kept = (image - network.mean) / network.std, {}
        for name, module in plain_layers(network, overwrite=False):
            x = kept[name] = module(x)
        return kept

    def gram(x: Tensor) -> Tensor:
        rows = x.view(*x.shape[:2], -1)
        return torch.bmm(rows, rows.transpose(1, 2)) / rows.shape[2]

    with torch.no_grad():
        target = features(content)[content_layer]
        grams = {name: gram(x) for name, x in features(style).items() if name in style_layers}

    def evaluate(image: Tensor) -> tuple[Tensor, Tensor]:
        image.requires_grad_()
        kept = features(image)
        loss = F.mse_loss(kept[content_layer], target)
        for name in style_layers:
            factor = 1e3 / grams[name].shape[1] ** 2
            loss = loss + factor * F.mse_loss(gram(kept[name]), grams[name])
        return backward(loss, image)

    return evaluate


def d2l(
    network: VGG,
    content: Tensor,
    style: Tensor,
    content_layer: str = "conv4_4",
    style_layers: Sequence[str] = BEFORE_RELU,
) -> Evaluation:
    """d2l.ai: weights not frozen, and pictures that are normalised already.

    Its ReLUs overwrite what the list keeps of the convolutions before them, but for the last.
    """
    network = deepcopy(network).requires_grad_()
    layers = dict(plain_layers(network, overwrite=True))
    last = max([content_layer, *style_layers], key=list(layers).index)

    def features(x: Tensor) -> dict[str, Tensor]:
        kept = {}
        for name, module in layers.items():
            x = module(x)
            if name == content_layer or name in style_layers:
                kept[name] = x
            if name == last:
                break
        return kept

    with torch.no_grad():
        target = features(network.normalise(content))[content_layer]
        seen = features(network.normalise(style))
        grams = {name: flat_gram(seen[name]) for name in style_layers}

    def evaluate(image: Tensor) -> tuple[Tensor, Tensor]:
        image.requires_grad_()
        kept = features(image)
        loss = (kept[content_layer] - target).square().mean()
        loss = (
            loss
            + 1e4
            * torch.stack(
                [(flat_gram(kept[n]) - grams[n]).square().mean() for n in style_layers]
            ).sum()
        )
        down, right = differences(image)
        loss = loss + 10 * 0.5 * (down.abs().mean() + right.abs().mean())
        return backward(loss, image)

    return evaluate
