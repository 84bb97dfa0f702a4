"""The start of a run in one pass: what `init="painter"` begins with."""

from collections.abc import Sequence

import torch
from torch import Tensor

from nst.control.regions import regions
from nst.devices import own_modes
from nst.images import fit
from nst.painters.files import knows, load_painter
from nst.painters.networks import mixed
from nst.painters.tiles import in_one_pass
from nst.painters.training import STYLE_SIZE
from nst.settings import Settings


@own_modes()
@torch.no_grad()
def first_painting(
    settings: Settings, content: Tensor, styles: Sequence[Tensor], masks: Sequence[Tensor] = ()
) -> Tensor:
    """The content in the styles, each in its region, as one pass of a painter gives it.

    The painter of the sample styles, where the run's are among them and keep their colours; else
    the painter of any style.

    Args:
        settings: with the styles' names, and their shares or those of the regions.
        content, styles: (1, 3, H, W) in [0, 1]; the styles as often as they are used.
        masks: (1, 1, H, W) of the content's size.
    """
    taught = load_painter("styles", content.device)
    names = settings.styles * len(styles) if len(settings.styles) == 1 else settings.styles
    of_own_colours = settings.colour in ("style", "content")
    if names and of_own_colours and knows(taught, names):
        painter, conditions = taught, [taught.condition(name) for name in names]
    else:
        painter = load_painter("any", content.device)
        conditions = [painter.condition(fit(style, STYLE_SIZE)) for style in styles]
    shares = settings.style_blend or (1.0,) * len(styles)
    if not masks:
        condition = mixed(conditions, [share / sum(shares) for share in shares])
        return in_one_pass(painter, content, condition)
    paintings = [in_one_pass(painter, content, row) for row in conditions]
    return joined(content, masks, paintings, settings.mask_weights)


def joined(
    content: Tensor,
    masks: Sequence[Tensor],
    paintings: Sequence[Tensor],
    weights: Sequence[float] = (),
) -> Tensor:
    """Each painting in its region, as thick as its weight; where none is, the content stays.

    Args:
        content, paintings: (1, 3, H, W) in [0, 1].
        masks: (1, 1, H, W); the last painting may have none, and gets what the others leave.
        weights: of each painting, from 0, which leaves the content there; above 1 is as 1. Or none.
    """
    whole, covered = torch.zeros_like(content), torch.full_like(content[:, :1], 1e-6)
    places = regions(paintings, masks, (), (), (), ())
    thick = [min(weight, 1.0) for weight in weights or (1.0,) * len(places)]
    for region, painting, weight in zip(places, paintings, thick, strict=True):
        assert region.mask is not None
        whole += weight * region.mask * painting
        covered += weight * region.mask
    return torch.lerp(content, whole / covered, covered.clamp(max=1)).clamp(0, 1)
