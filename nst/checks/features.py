"""Checks of what happens to a picture within a network."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.checks.common import Function, Mistake, call, close, compare, describe, right, same
from nst.checks.losses import pictures
from nst.checks.stubs import exercise
from nst.networks import IMAGENET_MEAN, IMAGENET_STD


@exercise
def convolution(function: Function) -> None:
    """Check `convolution(image, kernel)`: (H, W), (h, w) → (H - h + 1, W - w + 1).

    What networks call a convolution: the kernel is laid on every place where it fits, not turned
    over, and the sum of the products is the answer there. A kernel need not be square.

    Raises:
        Mistake: says what is wrong.
    """

    def slide(image: Tensor, kernel: Tensor) -> Tensor:
        return F.conv2d(image[None, None], kernel[None, None])[0, 0]

    def padded(image: Tensor, kernel: Tensor) -> Tensor:
        height, width = (side // 2 for side in kernel.shape)
        return slide(F.pad(image, (width, width, height, height)), kernel)

    def biggest(image: Tensor, kernel: Tensor) -> Tensor:
        rows = image.unfold(0, kernel.shape[0], 1).unfold(1, kernel.shape[1], 1)
        return (rows * kernel).amax((-1, -2))

    shapes = [(6, 7, 3, 3), (5, 8, 3, 3), (7, 6, 3, 5)]
    cases = []
    for seed, (height, width, tall, wide) in enumerate(shapes):
        image, kernel = pictures(seed, (height, width), (tall, wide))
        cases.append((image, kernel - 0.4))
    mistakes: dict[str, Function] = {
        "the kernel is turned over, in both directions: that is the convolution of mathematics. "
        "Networks leave it as it is (cross-correlation).": lambda x, k: slide(x, k.flip(0, 1)),
        "the kernel is turned upside down: its first row belongs on the window's first "
        "row.": lambda x, k: slide(x, k.flip(0)),
        "the kernel is mirrored: its first column belongs on the window's first "
        "column.": lambda x, k: slide(x, k.flip(1)),
        "the picture was padded with zeros, so that the answer is as large as the picture. Here "
        "only places count where the whole kernel fits.": padded,
        "the picture was padded by one pixel on every side. Here only places count where the "
        "whole kernel fits.": lambda x, k: slide(F.pad(x, (1, 1, 1, 1)), k),
        "off by one: the last row and the last column are missing. A kernel of h rows fits in "
        "H - h + 1 places.": lambda x, k: slide(x, k)[:-1, :-1],
        "off by one: the first row and the first column are missing. Places count from "
        "0.": lambda x, k: slide(x, k)[1:, 1:],
        "that is the mean of the products; take their sum.": lambda x, k: slide(x, k) / k.numel(),
        "that is the largest of the products; take their sum.": biggest,
        "negative answers are set to 0: that is a ReLU, which comes later.": lambda x, k: slide(
            x, k
        ).relu(),
        "right but for its first axes: leave out the batch and the channels.": lambda x, k: slide(
            x, k
        )[None, None],
    }
    compare(function, slide, cases, mistakes)
    right("convolution")


@exercise
def normalise(function: Function) -> None:
    """Check `normalise(image)`: (B, 3, H, W) in [0, 1] → ImageNet's mean 0 and deviation 1.

    Raises:
        Mistake: says what is wrong.
    """
    mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)

    def own(x: Tensor) -> Tensor:
        return (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True)

    before = pictures(8, (1, 3, 3, 3))[0]
    image = before.clone()
    call(function, (image,))
    if not torch.equal(image, before):
        raise Mistake("it changes the picture that it is given: return a new one instead.")
    cases = [(x,) for x in pictures(7, (1, 3, 4, 5), (2, 3, 3, 3))]
    mistakes: dict[str, Function] = {
        "only the mean is taken off: divide by the standard deviation too.": lambda x: x - mean,
        "only divided: take the mean off first.": lambda x: x / std,
        "divided first, and then the mean taken off: it is (image - mean) / std.": lambda x: (
            x / std - mean
        ),
        "only the mean is divided by the standard deviation: put image - mean in "
        "brackets.": lambda x: x - mean / std,
        "multiplied by the standard deviation: divide by it.": lambda x: (x - mean) * std,
        "the mean is added: take it off.": lambda x: (x + mean) / std,
        "blue, green and red are swapped: the constants are for red, green, blue.": lambda x: (
            (x - mean.flip(1)) / std.flip(1)
        ),
        "that is for pixels from 0 to 255: here they are from 0 to 1.": lambda x: (
            (x / 255 - mean) / std
        ),
        "the pixels are brought to 0-255 first: the constants are for 0 to 1.": lambda x: (
            (x * 255 - mean) / std
        ),
        "it takes off each picture's own mean, and divides by its own deviation: the network wants "
        "ImageNet's, the same for every picture.": own,
    }
    compare(function, lambda x: (x - mean) / std, cases, mistakes)
    right("normalise")


Layers = Sequence[tuple[int, int]]  # kernel and stride, in order


def _side(layers: Layers, reach: int = -1, before: bool = False, first: int = 1) -> int:
    """The pixels seen; its options make the usual mistakes."""
    field, step = first, 1
    for kernel, stride in layers:
        step *= stride if before else 1
        field += (kernel + reach) * step
        step *= 1 if before else stride
    return field


FIELD_MISTAKES: dict[str, Function] = {
    "every layer adds its whole kernel. It adds one less than that: the middle is seen "
    "already.": lambda layers: _side(layers, reach=0),
    "the strides are left out: after a stride of 2, neighbours are 2 pixels apart, and a "
    "kernel reaches twice as far.": lambda layers: 1 + sum(k - 1 for k, _ in layers),
    "a layer's own stride is counted too early: it spreads the layers after it, not the layer "
    "itself.": lambda layers: _side(layers, before=True),
    "it starts from 0: without any layer, one pixel is seen.": lambda layers: _side(
        layers, first=0
    ),
    "the layers are taken from last to first, with the strides of the later ones. Start at "
    "the picture.": lambda layers: _side(list(reversed(layers))),
    "only the first layer counts: return after the loop, not within it.": lambda layers: _side(
        layers[:1]
    ),
    "only the last layer counts: start before the loop, not within it.": lambda layers: _side(
        layers[-1:]
    ),
    "that is the product of the kernels; they add up.": lambda layers: int(
        torch.tensor([k for k, _ in layers]).prod()
    ),
    "that is the sum of the kernels: neighbouring windows overlap.": lambda layers: sum(
        k for k, _ in layers
    ),
    "that is the stride, the distance between neighbours.": lambda layers: int(
        torch.tensor([s for _, s in layers]).prod()
    ),
}


@exercise
def receptive_field(function: Function) -> None:
    """Check `receptive_field(layers)`: the pixels that one activation sees, along one side.

    `layers` is a list of (kernel, stride), first layer first; the answer is a number.

    Raises:
        Mistake: says what is wrong.
    """
    vgg = [(3, 1), (3, 1), (2, 2), (3, 1), (3, 1), (2, 2), (3, 1)]
    cases: list[tuple[Layers]] = [
        ([(3, 1)],),
        ([(3, 1), (3, 1)],),
        ([(5, 2), (3, 1), (7, 3), (3, 1)],),
        (vgg,),
    ]
    for case in cases:
        answer = call(function, case)
        if not isinstance(answer, int | float | Tensor):
            raise Mistake(f"it returns {describe(answer)}, not a number.")
        if close(answer, _side(*case), 1e-6):
            continue
        for remark, wrong in FIELD_MISTAKES.items():
            if all(same(function, wrong, other, 1e-6) for other in cases):
                raise Mistake(remark)
        layers = " and ".join(f"{kernel} × {kernel} with stride {step}" for kernel, step in case[0])
        raise Mistake(f"for {layers} it is {answer}, and should be {_side(*case)}.")
    right("receptive_field")
