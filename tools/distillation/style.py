"""How much of a style a network brings across, judged by the teachers.

A picture is painted by plain L-BFGS-B (Byrd et al. 1995: L-BFGS within bounds, here [0, 1]) with a
content and a style loss in relative terms, and judged by networks that did not make it.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.optimize import minimize
from torch import Tensor

from distillation.teachers import Teachers
from nst.losses import gram_matrix
from nst.networks import Network

STYLE_LAYERS = ("1_1", "2_1", "3_1", "4_1", "5_1")
STYLE_WEIGHT = 100.0
CONTENTS = ("photo_140088", "photo_225022", "photo_70011")
STYLES = ("art_fig4_content", "art_modern", "art_vg_wheat_field_cropped")
LONG_SIDE, EVALUATIONS = 320, 100


def judged_pairs(folder: Path, device: torch.device) -> list[tuple[str, Tensor, Tensor]]:
    """The nine pairs of pictures that the style is judged on, none used in training."""
    return [
        (
            f"{c} × {s}",
            read_at(folder / f"{c}.jpg").to(device),
            read_at(folder / f"{s}.jpg").to(device),
        )
        for c in CONTENTS
        for s in STYLES
    ]


def read_at(path: Path, long_side: int = LONG_SIDE) -> Tensor:
    """The picture with that long side: (1, 3, H, W) in [0, 1]."""
    with Image.open(path) as image:
        k = long_side / max(image.size)
        size = (round(image.width * k), round(image.height * k))
        pixels = np.array(image.convert("RGB").resize(size, Image.Resampling.LANCZOS))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def relative_loss(
    network: Network, image: Tensor, content: Tensor, grams: dict[str, Tensor]
) -> Tensor:
    """Content at relu4_2 plus STYLE_WEIGHT times the mean over the style layers; a scalar."""
    features = network(image, ["relu4_2", *grams])
    loss = (features["relu4_2"] - content).square().sum() / content.square().sum()
    for name, gram in grams.items():
        error = (gram_matrix(features[name]) - gram).square().sum() / gram.square().sum()
        loss = loss + STYLE_WEIGHT / len(grams) * error
    return loss


def paint(
    network: Network, content: Tensor, style: Tensor, evaluations: int = EVALUATIONS
) -> Tensor:
    """From the content picture, `evaluations` of the loss by L-BFGS-B; as 8 bits would keep it."""
    with torch.no_grad():
        target = network(content, ["relu4_2"])["relu4_2"]
        layers = [f"relu{n}" for n in STYLE_LAYERS]
        grams = {n: gram_matrix(f) for n, f in network(style, layers).items()}

    def loss_and_gradient(pixels: np.ndarray) -> tuple[float, np.ndarray]:
        image = torch.from_numpy(pixels).float().to(content.device).view_as(content)
        image = image.contiguous(memory_format=torch.channels_last).requires_grad_()
        loss = relative_loss(network, image, target, grams)
        (gradient,) = torch.autograd.grad(loss, image)
        return loss.item(), gradient.contiguous().cpu().double().numpy().ravel()

    found = minimize(
        loss_and_gradient,
        content.cpu().double().numpy().ravel(),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, 1)] * content.numel(),
        options={"maxfun": evaluations, "maxiter": evaluations, "ftol": 0, "gtol": 0},
    )
    painted = torch.from_numpy(found.x).float().to(content.device).view_as(content)
    return painted.mul(255).round() / 255


@torch.no_grad()
def judge(
    teachers: Teachers, painted: Tensor, content: Tensor, style: Tensor
) -> tuple[float, float]:
    """What is left of the style's distance, and how far the content moved; 0 is best in both.

    The style left is the squared distance of Gram matrices as a share of the content picture's, a
    geometric mean over STYLE_LAYERS. The content is relu3_3's squared change, relative.
    """
    seen = [teachers.activations(image) for image in (painted, content, style)]
    left = []
    for n in STYLE_LAYERS:
        a, b, target = (gram_matrix(features[n]) for features in seen)
        left.append(((a - target).square().sum() / (b - target).square().sum()).log())
    was = seen[1]["3_3"]
    moved = (seen[0]["3_3"] - was).square().mean() / was.square().mean()
    return torch.stack(left).mean().exp().item(), moved.item()


def sheet(pictures: list[Tensor], columns: int = 3) -> Image.Image:
    """The pictures in rows of `columns`, on white."""
    side = max(max(p.shape[-2:]) for p in pictures)
    page = Image.new("RGB", (columns * side, -(-len(pictures) // columns) * side), "white")
    for i, picture in enumerate(pictures):
        pixels = picture[0].permute(1, 2, 0).mul(255).round().byte().cpu().numpy()
        page.paste(Image.fromarray(pixels), (i % columns * side, i // columns * side))
    return page
