"""Targets that are not computed twice, for many runs on the same pictures in one process."""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

from nst.networks import Network

See = Callable[[Tensor, Sequence[str]], dict[str, Tensor]]  # a picture and layers → by layer


class Cache:
    """The tensors that were used last, up to `limit` bytes together."""

    def __init__(self, limit: int = 2**28):
        self.limit = limit
        self.tensors: dict[Any, Tensor] = {}  # the one used last is last
        self.lock = threading.Lock()

    def get(self, key: Any) -> Tensor | None:
        """What was put there, if it is still there."""
        with self.lock:
            tensor = self.tensors.pop(key, None)
            if tensor is not None:
                self.tensors[key] = tensor
            return tensor

    def put(self, key: Any, tensor: Tensor) -> None:
        """Keep the tensor, and forget those that were not used for longest."""
        with self.lock:
            self.tensors[key] = tensor
            while sum(kept.nbytes for kept in self.tensors.values()) > self.limit:
                del self.tensors[next(iter(self.tensors))]


_current: ContextVar[Cache | None] = ContextVar("cache", default=None)


@contextmanager
def caching(cache: Cache) -> Iterator[None]:
    """Within this context, what is `cached` is looked up in `cache` first."""
    token = _current.set(cache)
    try:
        yield
    finally:
        _current.reset(token)


def cached(see: See, network: Network, *what: str) -> See:
    """`see`, a method that looks through `network`, asked only for layers that are not cached.

    `what` tells apart the things that one method may look for.
    """
    cache = _current.get()
    if cache is None:
        return see

    def lookup(image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        start = (see.__qualname__, *what, network, fingerprint(image))
        found = {layer: cache.get((*start, layer)) for layer in layers}
        if missing := [layer for layer, tensor in found.items() if tensor is None]:
            fresh = see(image, missing)
            for layer, tensor in fresh.items():
                cache.put((*start, layer), tensor)
            found |= fresh
        return {layer: tensor for layer, tensor in found.items() if tensor is not None}

    return lookup


def fingerprint(image: Tensor) -> tuple[str, ...]:
    """The same for the same pixels on the same device, and for no others."""
    pixels = image.detach().cpu().contiguous().view(torch.uint8).numpy()
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    return digest, str(tuple(image.shape)), str(image.dtype), str(image.device)
