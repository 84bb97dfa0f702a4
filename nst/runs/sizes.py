"""The sizes at which a network can see the pictures of a run."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from torch import Tensor

from nst.control.regions import spread
from nst.errors import ImageError
from nst.images import fitted
from nst.networks import VGG, Network
from nst.objective import layers_of
from nst.settings import Settings


def visible(
    settings: Settings, network: Network, content: Tensor, styles: Sequence[Tensor]
) -> Settings:
    """The settings without the sizes at which a picture is too small for a layer.

    Pictures are (1, 3, H, W), as large as they are loaded. Only a VGG says beforehand what it sees.

    Raises:
        ImageError: no size is left.
        SettingsError: the network does not have a layer.
    """
    layers = layers_of(settings)
    if not isinstance(network, VGG) or not layers:
        return settings
    network.check_layers(layers)
    found = [fault(settings, network, content, styles, size, layers) for size in settings.sizes]
    if found[-1] and all(found):
        raise ImageError(found[-1])
    kept = [index for index, wrong in enumerate(found) if not wrong]
    if len(kept) == len(found):
        return settings
    steps = tuple(settings.steps_at(index) for index in kept)
    return replace(settings, sizes=tuple(settings.sizes[i] for i in kept), num_steps=steps)


def fault(
    settings: Settings,
    network: VGG,
    content: Tensor,
    styles: Sequence[Tensor],
    size: int,
    layers: list[str],
) -> str | None:
    """Which picture is too small at this size, for which layer, and what to do; None if none is."""
    size = min(size, max(content.shape[-2:]))
    looks = [("content", content, size, layers)]
    if of_style := [n for n, w in settings.style_layers.items() if w and settings.style_weight]:
        used = settings.used(len(styles))
        pairs = zip(spread(styles, used), settings.style_sizes(size, used), strict=True)
        looks += [("style", style, side, of_style) for style, side in pairs]
    for name, picture, side, seen in looks:
        layer = max(seen, key=network.smallest_input)
        need, (height, width) = network.smallest_input(layer), fitted(picture.shape[-2:], side)
        if min(height, width) < need:
            enough = ceil(need * max(picture.shape[-2:]) / min(picture.shape[-2:]))
            what = "a size" if name == "content" else "a size (times style_scale)"
            return (
                f"the {name} picture of {width}×{height} pixels is too small for {layer}, which "
                f"needs {need} on the short side: take {what} of {enough} or more, a picture that "
                "is so large, or other layers"
            )
    return None
