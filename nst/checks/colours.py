"""Checks of colours: carried over from another picture, or kept while the lightness changes."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from nst.checks.common import (
    Case,
    Function,
    Mistake,
    call,
    close,
    compare,
    describe,
    difference,
    right,
    same,
)
from nst.checks.losses import pictures
from nst.checks.stubs import exercise
from nst.control.colours import power, transfer_colours


def pale(seed: int, *shapes: tuple[int, ...]) -> list[Tensor]:
    """Pictures whose colours are their own, and stay in [0, 1] when they change a little."""
    mixes = [[0.10, 0.05, 0.0], [0.0, 0.08, 0.02], [0.03, 0.0, 0.06]]
    mix, found = torch.tensor(mixes), []
    for number, noise in enumerate(pictures(seed, *shapes)):
        turned = mix.roll(number, 0)
        found.append(torch.einsum("ij,bjhw->bihw", turned, noise) + 0.35 + 0.1 * number)
    return found


def colours_of(image: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (3, 1) and covariance (3, 3) of a picture's colours."""
    x = image[0].flatten(1).double()
    return x.mean(1, keepdim=True), torch.cov(x, correction=0)


def by_map(make: Callable[[Tensor, Tensor], Tensor]) -> Function:
    """The map x ↦ T(x - μ) + μ', with T made of the covariances of picture and palette."""

    def function(image: Tensor, palette: Tensor) -> Tensor:
        (mean, own), (its_mean, wanted) = colours_of(image), colours_of(palette)
        x = image[0].flatten(1).double()
        return (make(own, wanted) @ (x - mean) + its_mean).view_as(image).to(image.dtype)

    return function


@exercise
def matched_colours(function: Function) -> None:
    """Check `match_colours(image, palette)`: the palette's mean and covariance of colours.

    Both are (1, 3, H, W); they may differ in size. Every affine map of the colours that brings the
    two about is right, by the shortest way (`nst.transfer_colours`) or by another.

    Raises:
        Mistake: says what is wrong.
    """
    cases: list[Case] = [tuple(pale(seed, (1, 3, 6, 5), (1, 3, 4, 7))) for seed in (21, 22)]
    for case in cases:
        answer = call(function, case)
        if not isinstance(answer, Tensor) or answer.shape != case[0].shape:
            raise Mistake(difference(answer, case[0]))
        if affine(answer, case[0]) and has_colours_of(answer, case[1]):
            continue
        for remark, wrong in WRONG_COLOURS.items():
            if all(same(function, wrong, other, 1e-3) for other in cases):
                raise Mistake(remark)
        if has_colours_of(answer, case[1]):
            raise Mistake(
                "the colours are the palette's, but they do not come from the picture's by one "
                "map for all pixels."
            )
        raise Mistake(difference(answer, transfer_colours(*case)))
    right("match_colours")


WRONG_COLOURS: dict[str, Function] = {
    "nothing has changed.": lambda image, palette: image,
    "picture and palette are swapped in the map: it starts from the picture's covariance.": by_map(
        lambda own, wanted: torch.linalg.inv(power(own, -0.5) @ root_between(own, wanted))
    ),
    "the mean is the palette's, the covariance still the picture's: multiply by T.": by_map(
        lambda own, wanted: torch.eye(3, dtype=own.dtype)
    ),
    "each channel has the right spread by itself, but how channels go together is still the "
    "picture's: take the whole covariance, not only its diagonal.": by_map(
        lambda own, wanted: (wanted.diagonal() / own.diagonal()).sqrt().diag()
    ),
    "that multiplies by the covariances themselves; T is made of their roots.": by_map(
        lambda own, wanted: wanted @ torch.linalg.inv(own)
    ),
    "the covariance is right, but not the mean: add the palette's.": lambda image, palette: (
        by_map(shortest)(image, palette) - colours_of(palette)[0].view(1, 3, 1, 1).float()
    ),
    "the picture's mean was not taken off before T, so the mean is wrong.": lambda image, palette: (
        by_map(shortest)(image, palette)
        + (shortest(colours_of(image)[1], colours_of(palette)[1]) @ colours_of(image)[0])
        .view(1, 3, 1, 1)
        .float()
    ),
}


def root_between(own: Tensor, wanted: Tensor) -> Tensor:
    """(Σ^½ Σ' Σ^½)^½ Σ^-½."""
    half = power(own, 0.5)
    return power(half @ wanted @ half, 0.5) @ power(own, -0.5)


def shortest(own: Tensor, wanted: Tensor) -> Tensor:
    """T of `transfer_colours`."""
    return power(own, -0.5) @ root_between(own, wanted)


def has_colours_of(image: Tensor, palette: Tensor) -> bool:
    """Whether mean and covariance agree, within a hundredth of the larger."""
    pairs = zip(colours_of(image), colours_of(palette), strict=True)
    return all(close(one, other, 1e-2) for one, other in pairs)


def affine(image: Tensor, original: Tensor) -> bool:
    """Whether one affine map of colours leads from the original to the image."""
    x = original[0].flatten(1).double().mT
    x = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
    y = image[0].flatten(1).double().mT
    return close(x @ torch.linalg.lstsq(x, y).solution, y, 1e-3)


@exercise
def kept_colours(function: Function) -> None:
    """Check `keep_colours(painting, photograph)`: L* (CIELAB) of the one, a* and b* of the other.

    Both are arrays (H, W, 3) in [0, 1], of the same size; so is the answer.

    Raises:
        Mistake: says what is wrong.
    """
    # Half a second, and seldom needed.
    from skimage.color import hsv2rgb, lab2rgb, rgb2hsv, rgb2lab, rgb2yiq, yiq2rgb

    def swap(into: Function, back: Function, channel: int) -> Function:
        def function(painting: np.ndarray, photograph: np.ndarray) -> np.ndarray:
            found = into(photograph).copy()
            found[..., channel] = into(painting)[..., channel]
            return back(found)

        return function

    cases: list[Case] = [
        tuple(x[0].double().permute(1, 2, 0).numpy() for x in pale(seed, *[(1, 3, 5, 4)] * 2))
        for seed in (23, 24)
    ]
    answer = call(function, cases[0])
    if not isinstance(answer, np.ndarray):
        raise Mistake(f"it returns {describe(answer)}, not an array (H, W, 3).")
    wanted = swap(rgb2lab, lab2rgb, 0)
    mistakes: dict[str, Function] = {
        "the other way round: the lightness is the painting's, the colours the "
        "photograph's.": lambda painting, photograph: wanted(photograph, painting),
        "that is CIELAB still; lab2rgb makes a picture of it.": swap(rgb2lab, lambda x: x, 0),
        "that swaps the luma of YIQ, as the paper does; here it is L* of CIELAB, which the eye "
        "sees as lightness.": swap(rgb2yiq, yiq2rgb, 0),
        "that swaps the value of HSV, which is the largest of red, green and blue; a yellow and a "
        "blue of the same value are not equally light. Take CIELAB.": swap(rgb2hsv, hsv2rgb, 2),
        "L* is the first of CIELAB's three numbers, at place 0.": swap(rgb2lab, lab2rgb, 2),
        "nothing has changed: that is the painting.": lambda painting, photograph: painting,
        "nothing was painted: that is the photograph.": lambda painting, photograph: photograph,
    }
    compare(
        as_tensors(function),
        as_tensors(wanted),
        cases,
        {remark: as_tensors(wrong) for remark, wrong in mistakes.items()},
        1e-3,
    )
    right("keep_colours")


def as_tensors(function: Function) -> Function:
    """A function of arrays, as one that gives a tensor."""

    def call(*arrays: np.ndarray) -> Tensor:
        return torch.as_tensor(np.asarray(function(*(array.copy() for array in arrays))))

    return call
