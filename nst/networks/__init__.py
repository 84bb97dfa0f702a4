"""Networks by their layers: VGGs, their weights and scale, and torchvision's others."""

from nst.networks.loading import BUILT_IN, EDITION, SCALES, identity, load_network, made_for
from nst.networks.vgg import (
    ARCHITECTURES,
    IMAGENET_MEAN,
    IMAGENET_STD,
    PADDINGS,
    POOLINGS,
    VGG,
    Architecture,
    Network,
    Pool,
    ReLU,
    check_network,
    fit_both,
    fit_out,
    randomise,
    rescale_pools,
)

__all__ = [
    "ARCHITECTURES",
    "BUILT_IN",
    "EDITION",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "PADDINGS",
    "POOLINGS",
    "SCALES",
    "VGG",
    "Architecture",
    "Network",
    "Pool",
    "ReLU",
    "check_network",
    "fit_both",
    "fit_out",
    "identity",
    "load_network",
    "made_for",
    "randomise",
    "rescale_pools",
]
