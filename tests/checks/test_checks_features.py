"""Self-checks of convolution, normalisation and receptive field."""

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF

import nst
from nst import checks
from nst.checks.common import Mistake

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def loops(image, kernel, flip=False, pad=0, less=0, start=0):
    """Four loops over plain numbers."""
    kernel = np.flip(kernel.numpy()) if flip else kernel.numpy()
    image = np.pad(image.numpy(), np.broadcast_to(np.reshape(pad, (-1, 1)), (2, 2)))
    height, width = (s - k + 1 - less for s, k in zip(image.shape, kernel.shape, strict=True))
    answer = torch.zeros(height - start, width - start)
    for y in range(start, height):
        for x in range(start, width):
            for (i, j), weight in np.ndenumerate(kernel):
                answer[y - start, x - start] += float(image[y + i, x + j] * weight)
    return answer


def unsummed(image, kernel):
    answer = torch.zeros(1)
    answer[0] = image[: len(kernel), : kernel.shape[1]] * kernel
    return answer


def normalised(image):
    return TF.normalize(image, MEAN, STD)


def spoiling(image):
    image -= torch.tensor(MEAN).view(1, 3, 1, 1)
    image /= torch.tensor(STD).view(1, 3, 1, 1)
    return image


def seen(layers):
    """From the last layer back to the picture: the other direction's formula."""
    side = 1
    for kernel, stride in reversed(layers):
        side = (side - 1) * stride + kernel
    return side


def scaled(image, by):
    return TF.normalize(image * by, MEAN, STD)


RIGHT = [
    (checks.convolution, loops),
    (checks.normalise, normalised),
    (checks.normalise, nst.load_network(weights="random").normalise),
    (checks.receptive_field, seen),
]


@pytest.mark.parametrize(
    ("check", "answer", "remark"),
    [
        (checks.convolution, lambda x, k: loops(x, k, flip=True), "turned over"),
        (checks.convolution, lambda x, k: loops(x, k.flip(0)), "upside down"),
        (checks.convolution, lambda x, k: loops(x, k.flip(1)), "mirrored"),
        (checks.convolution, lambda x, k: loops(x, k, less=1), "last row"),
        (checks.convolution, lambda x, k: loops(x, k, start=1), "first row"),
        (checks.convolution, lambda x, k: loops(x, k) / k.numel(), "mean of the products"),
        (checks.convolution, lambda x, k: loops(x, k).clamp(min=0), "ReLU"),
        (checks.convolution, lambda x, k: loops(x, k)[None, None], "first axes"),
        (checks.convolution, lambda x, k: loops(x, k) + 1, "the values are not"),
        (checks.convolution, lambda x, k: loops(x, k, pad=1), "padded by one"),
        (checks.convolution, lambda x, k: loops(x, k, pad=2), "its shape is"),
        (checks.convolution, lambda x, k: loops(x, k, pad=[s // 2 for s in k.shape]), "padded"),
        (checks.convolution, lambda x, k: None, "returns None"),
        (checks.convolution, lambda x, k: x @ k, "raises RuntimeError"),
        (checks.convolution, unsummed, "room for one number"),
        (checks.normalise, lambda x: x - torch.tensor(MEAN).view(3, 1, 1), "divide by"),
        (checks.normalise, lambda x: x - normalised(0 * x).neg(), "brackets"),
        (checks.normalise, lambda x: x / torch.tensor(STD).view(3, 1, 1), "mean off first"),
        (checks.normalise, lambda x: normalised(x.flip(1)).flip(1), "swapped"),
        (checks.normalise, lambda x: scaled(x, 255), "0-255"),
        (checks.normalise, lambda x: scaled(x, 1 / 255), "from 0 to 255"),
        (checks.normalise, lambda x: TF.normalize(x, x.mean((0, 2, 3)), STD), "values are not"),
        (
            checks.normalise,
            lambda x: torch.stack([TF.normalize(y, y.mean((1, 2)), y.std((1, 2))) for y in x]),
            "own mean",
        ),
        (checks.normalise, spoiling, "changes the picture"),
        (checks.receptive_field, lambda n: seen([(k, 1) for k, _ in n]), "strides are left"),
        (checks.receptive_field, lambda n: seen([(k + 1, s) for k, s in n]), "one less"),
        (checks.receptive_field, lambda n: seen(n) - 1, "starts from 0"),
        (checks.receptive_field, lambda n: seen(n[::-1]), "last to first"),
        (checks.receptive_field, lambda n: sum(k for k, _ in n), "sum of the kernels"),
        (checks.receptive_field, lambda n: np.prod([k for k, _ in n]).item(), "product of the"),
        (checks.receptive_field, lambda n: np.prod([s for _, s in n]).item(), "the stride"),
        (checks.receptive_field, lambda n: seen(n[:1]), "return after the loop"),
        (checks.receptive_field, lambda n: seen(n[-1:]), "start before the loop"),
        (checks.receptive_field, lambda n: [seen(n)], "not a number"),
        (checks.receptive_field, lambda n: seen(n) + 1, "it is 4, and should be 3"),
    ],
)
def test_usual_mistakes_are_named(check, answer, remark):
    with pytest.raises(Mistake, match=remark):
        check(answer)


def test_early_strides_are_named():
    def early(layers):
        strides = [s for _, s in layers]
        return 1 + sum((k - 1) * int(np.prod(strides[: i + 1])) for i, (k, _) in enumerate(layers))

    with pytest.raises(Mistake, match="too early"):
        checks.receptive_field(early)
