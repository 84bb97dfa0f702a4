"""What a network makes of a picture: all its layers, computed once."""

import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from nst.cache import fingerprint
from nst.features import Layer, extract_features, layer_table
from nst.images import Picture, as_image, postprocess_image, sample_names
from nst.networks import Network, load_network
from nst.transfer import name_of

LIMIT = 2**29  # bytes of activations that are kept for pictures that come back


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture, its activations (C, H, W) by layer, and what is known of each layer."""

    name: str
    picture: Image.Image
    layers: dict[str, np.ndarray]
    table: dict[str, Layer]

    @property
    def nbytes(self) -> int:
        """Of the activations."""
        return sum(layer.nbytes for layer in self.layers.values())


@lru_cache(maxsize=2)
def network_called(name: str) -> Network:
    """The network of that name; the last two stay loaded."""
    return load_network(name)


def network_from(network: str | Network) -> Network:
    """The network, loaded if only its name is given."""
    return network if isinstance(network, Network) else network_called(network)


_kept: dict[tuple, Seen] = {}  # the one used last is last
_lock = threading.Lock()


@torch.no_grad()
def see(network: Network, picture: Picture, size: int, name: str = "yours") -> Seen:
    """All layers' activations for a picture with a long side of at most `size` pixels.

    One pass computes them; the pictures used last are kept, by their pixels. `name` is that of a
    picture that has none itself.

    Raises:
        ImageError: the picture cannot be had, or is too small for the network.
    """
    image = as_image(picture, size, network.mean.device)
    name = Path(name_of(picture) or name).stem
    key = (network, name, *fingerprint(image))
    with _lock:
        seen = _kept.pop(key, None)
        if seen is None:
            table = {layer.name: layer for layer in layer_table(network)}
            features = extract_features(network, image, list(table))
            layers = {name: feature[0].cpu().numpy() for name, feature in features.items()}
            seen = Seen(name, postprocess_image(image), layers, table)
        _kept[key] = seen
        while len(_kept) > 1 and sum(one.nbytes for one in _kept.values()) > LIMIT:
            del _kept[next(iter(_kept))]
    return seen


def sample_list() -> list[str]:
    """The names of all sample pictures, photographs first."""
    return [name for names in sample_names().values() for name in names]
