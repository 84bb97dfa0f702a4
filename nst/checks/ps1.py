"""Self-checks of problem set 1: pictures, names and hooks, what a layer sees."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nst.checks import marking
from nst.checks.common import (
    Function,
    Mistake,
    call,
    close,
    compare,
    describe,
    helped,
    right,
    self_check,
)
from nst.checks.losses import pictures


@self_check
def load_picture(function: Function) -> None:
    """Check `load_picture(path, size)`: a file → float32 (1, 3, H, W) in [0, 1], in proportion.

    Raises:
        Mistake: says what is wrong.
    """
    pixels = np.zeros((40, 80, 3), dtype=np.uint8)
    pixels[:20], pixels[20:, 40:] = (255, 0, 0), (0, 0, 255)
    with tempfile.TemporaryDirectory() as folder:
        path, grey = Path(folder) / "wide.png", Path(folder) / "grey.png"
        Image.fromarray(pixels).save(path)
        Image.fromarray(pixels[..., 0]).save(grey)
        whole, small, large, plain = (
            call(function, (str(file), size))
            for file, size in [(path, 80), (path, 20), (path, 200), (grey, 80)]
        )
    if not isinstance(whole, Tensor):
        raise Mistake(f"it returns {describe(whole)}, not a tensor.")
    shape = tuple(whole.shape)
    if shape == (1, 40, 80, 3) or shape == (40, 80, 3):
        raise Mistake("the colours come last: permute (H, W, 3) to (3, H, W).")
    if shape == (3, 40, 80):
        raise Mistake("the first axis is missing: a batch of one picture, (1, 3, H, W).")
    if shape == (1, 3, 80, 40):
        raise Mistake("height and width have changed places.")
    if shape != (1, 3, 40, 80):
        raise Mistake(f"80 × 40 pixels give {shape}, and should give (1, 3, 40, 80).")
    if whole.max() > 1:
        raise Mistake("its values go up to 255: divide by 255.")
    if whole.dtype != torch.float32:
        raise Mistake(f"it is {whole.dtype}, and should be torch.float32.")
    if whole[0, 2, 0, 0] > 0.5:
        raise Mistake("red is blue: the colours are in the order BGR.")
    if whole[0, 0, 0, 0] < 0.99 or whole[0, 2, -1, -1] < 0.99 or whole[0, 2, -1, 0] > 0.01:
        raise Mistake("colours stand in wrong places: has view or reshape mixed the axes?")
    sides = tuple(small.shape[-2:])
    if sides == (20, 20):
        raise Mistake("the picture is squashed into a square: keep its proportions.")
    if sides != (10, 20):
        raise Mistake(
            f"at size 20, 80 × 40 pixels (width × height) become {sides[1]} × {sides[0]}, and "
            "should become 20 × 10: the long side counts."
        )
    if tuple(large.shape[-2:]) != (40, 80):
        raise Mistake("a picture that is smaller than `size` stays as it is.")
    if tuple(plain.shape) != (1, 3, 40, 80):
        raise Mistake('a grey picture has one channel: convert("RGB") first.')
    if not whole.is_contiguous():
        raise Mistake("right, but it lies askew in memory: end with .contiguous().")
    right("load_picture")


@self_check
def normalise(function: Function) -> None:
    """Check `normalise(image)`: (B, 3, H, W) in [0, 1] → ImageNet's mean 0 and deviation 1.

    Raises:
        Mistake: says what is wrong.
    """
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)

    def wanted(x: Tensor) -> Tensor:
        return (x - mean) / std

    mistakes: dict[str, Function] = {
        "the means are subtracted, but nothing is divided.": lambda x: x - mean,
        "divide by the standard deviation, do not multiply.": lambda x: (x - mean) * std,
        "that is the picture's own mean and deviation: take ImageNet's.": lambda x: (
            (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True)
        ),
        "first subtract, then divide: brackets?": lambda x: x - mean / std,
        "the channels are in reverse order: red comes first.": lambda x: (
            (x - mean.flip(0)) / std.flip(0)
        ),
        "multiplied by 255: the means are for values in [0, 1].": lambda x: (255 * x - mean) / std,
    }
    images = pictures(1, (1, 3, 4, 5), (2, 3, 3, 3))
    before = [image.clone() for image in images]
    compare(function, wanted, [(image,) for image in before], mistakes)
    if any(not torch.equal(a, b) for a, b in zip(images, before, strict=True)):
        raise Mistake("the values are right, but its input has changed: no -= or sub_.")
    right("normalise")


@self_check
def denormalise(function: Function) -> None:
    """Check `denormalise(normalised)`: back to [0, 1].

    Raises:
        Mistake: says what is wrong.
    """
    image = pictures(2, (2, 3, 4, 5))[0]
    given = torch.from_numpy(marking.normalise(image)).float()
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    mistakes: dict[str, Function] = {
        "first multiply, then add the mean.": lambda x: (x + mean) * std,
        "that normalises once more.": lambda x: (x - mean) / std,
    }
    compare(function, lambda x: x * std + mean, [(given,)], mistakes)
    right("denormalise")


@self_check
def layer_names(function: Function) -> None:
    """Check `layer_names(modules)`: conv1_1, relu1_1, …, pool1, conv2_1, ….

    Raises:
        Mistake: says what is wrong.
    """
    code = "crcrpcrcrpcr"
    found, wanted = call(function, (marking.chain(code),)), marking.chain_names(code)
    if not isinstance(found, list | tuple):
        raise Mistake(f"it returns {describe(found)}, not a list of names.")
    if len(found) != len(wanted):
        raise Mistake(f"of {len(wanted)} modules it names {len(found)}.")
    for place, (one, other) in enumerate(zip(found, wanted, strict=True)):
        if one != other:
            raise Mistake(f"module {place} is {other}, and you call it {one}.")
    right("layer_names")


@self_check
def record(function: Function) -> None:
    """Check `record(model, names, wanted, image)`: a dict of outputs, by hooks.

    Raises:
        Mistake: says what is wrong.
    """
    code = "crcrp"
    model, names = marking.model(code), marking.chain_names(code)
    _recorded(function, model, names, ["relu1_2", "conv1_1"])
    right("record")


@self_check
def record_safely(function: Function) -> None:
    """Check `record_safely(model, names, wanted, image)`, with ReLUs that work in place.

    Raises:
        Mistake: says what is wrong.
    """

    def check() -> None:
        code = "cicip"
        model, names = marking.model(code), marking.chain_names(code)
        _recorded(function, model, names, ["relu1_2", "conv1_1"])
        if not all(module.inplace for module in model if isinstance(module, torch.nn.ReLU)):
            raise Mistake("the outputs are right, but the model's ReLUs have changed: leave them.")
        right("record_safely")

    helped(check, function, "record_safely", record=marking.recorder)


def _recorded(function: Function, model: Any, names: list[str], wanted: list[str]) -> None:
    """The outputs of the wanted layers are right, no hook is left, a gradient flows."""
    (image,) = pictures(3, (1, 3, 6, 8))
    image.requires_grad_()
    seen = call(function, (model, names, wanted, image))
    if not isinstance(seen, dict):
        raise Mistake(f"it returns {describe(seen)}, not a dict.")
    if set(seen) > set(wanted):
        raise Mistake("it returns layers that were not wanted.")
    if list(seen) != wanted:
        raise Mistake(f"wanted were {wanted}, and there is {list(seen)}: the order counts.")
    for name, output in seen.items():
        target = model[: names.index(name) + 1](image)
        if not close(output, target.detach(), 1e-4):
            if isinstance(output, Tensor) and close(output, target.detach().relu(), 1e-4):
                raise Mistake(f"{name} has no negative values: a ReLU has overwritten it.")
            raise Mistake(f"what it returns for {name} is another layer's output.")
        if not output.requires_grad:
            raise Mistake("right, but no gradient flows back to the image: no detach, no no_grad.")
    if any(module._forward_hooks for module in model.modules()):
        raise Mistake("right, but its hooks are still there: keep the handles, and remove them.")


@self_check
def overwritten(function: Function) -> None:
    """Check `overwritten(model, names, image)`: the layers that a later one overwrites.

    Raises:
        Mistake: says what is wrong.
    """

    def check() -> None:
        (image,) = pictures(4, (1, 3, 8, 8))
        cases = [("cr", []), ("cicrpci", ["conv1_1", "conv2_1"]), ("cqcl", ["conv1_1"])]
        for code, wanted in cases:
            found = call(function, (marking.model(code), marking.chain_names(code), image))
            if not isinstance(found, list | tuple):
                raise Mistake(f"it returns {describe(found)}, not a list of names.")
            if list(found) != wanted:
                remark = ""
                if code == "cqcl":
                    remark = (
                        " Here the first ReLU works in place though its setting does not say so, "
                        "the second does not though it does: do not look at settings, compare "
                        "values."
                    )
                elif not found:
                    remark = " Compare with a copy that was made when the layer had just run."
                raise Mistake(f"it finds {list(found)}, and should find {wanted}.{remark}")
        right("overwritten")

    right_ones: dict[str, Function] = {
        "record": marking.recorder,
        "record_safely": marking.safe_recorder,
    }
    helped(check, function, "overwritten", **right_ones)


@self_check
def what_it_sees(function: Function) -> None:
    """Check `what_it_sees(names)`: receptive field and stride of the last layer.

    Raises:
        Mistake: says what is wrong.
    """
    for code, wanted in [("cr", (3, 1)), ("crcr", (5, 1)), ("crp", (4, 2)), ("crpcr", (8, 2))]:
        names = marking.chain_names(code)
        found = call(function, (names,))
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise Mistake(f"it returns {describe(found)}, not a pair (field, stride).")
        found = tuple(map(int, found))
        if found != wanted:
            remark = ""
            if code == "crpcr" and found[0] == 6:
                remark = " After a pooling, a neighbour is two pixels away: add 2·stride."
            raise Mistake(
                f"after {', '.join(names)} it says {found}, and should say {wanted}.{remark}"
            )
    right("what_it_sees")


@self_check
def strongest(function: Function) -> None:
    """Check `strongest(features, count)`: the channels with the largest means.

    Raises:
        Mistake: says what is wrong.
    """
    means = torch.tensor([1.0, -9, 3, 2])
    found = call(function, (means.view(1, 4, 1, 1).expand(1, 4, 2, 3), 2))
    if not isinstance(found, list | tuple):
        raise Mistake(f"it returns {describe(found)}, not a list of numbers.")
    if list(found) == [3, 2]:
        raise Mistake("the right channels; the largest comes first.")
    if 1 in found:
        raise Mistake("a channel with a mean of -9 is not the strongest: no absolute values.")
    if list(found) != [2, 3]:
        raise Mistake(f"of channels with means 1, -9, 3, 2 it finds {list(found)}, not [2, 3].")
    right("strongest")


@self_check
def scaled_maps(function: Function) -> None:
    """Check `scaled_maps(features, channels)`: each map from 0 to 1.

    Raises:
        Mistake: says what is wrong.
    """

    def scaled(features: Tensor, channels: list[int]) -> Tensor:
        maps = features[0, channels]
        low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
        return (maps - low) / torch.where(high > low, high - low, 1.0)

    def together(features: Tensor, channels: list[int]) -> Tensor:
        maps = features[0, channels]
        return (maps - maps.min()) / (maps.max() - maps.min())

    features = 3 * pictures(5, (1, 4, 3, 5))[0] - 1
    mistakes: dict[str, Function] = {
        "all maps are scaled together: take each one's own smallest and largest value.": together,
        "divided by the largest value, but the smallest is not 0.": lambda f, c: (
            f[0, c] / f[0, c].amax((1, 2), keepdim=True)
        ),
    }
    compare(function, scaled, [(features, [2, 0]), (features, [3])], mistakes)
    flat = call(function, (torch.full((1, 1, 2, 2), 0.5), [0]))
    if isinstance(flat, Tensor) and flat.isnan().any():
        raise Mistake("a flat map becomes NaN, as 0 is divided by 0. Make it 0.")
    if not close(flat, torch.zeros(1, 2, 2), 1e-4):
        raise Mistake("a flat map should become 0 everywhere.")
    right("scaled_maps")
