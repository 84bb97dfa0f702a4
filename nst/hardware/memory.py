"""How much memory a run takes; how large its tiles, and how long its memory of steps, may be."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil, isqrt
from typing import NamedTuple

import torch
from torch import nn

from nst.devices import SMALL, is_full
from nst.errors import SettingsError
from nst.features import layer_table
from nst.files.fields import shown, whole
from nst.hardware.tiles import only_vgg, smallest_tile, view
from nst.networks import VGG, Network, Pool
from nst.objective import layers_of
from nst.settings import Settings
from nst.statistics import STATISTICS

UNITS = {"": 1} | {letter: 1000**n for n, letter in enumerate("KMGT", 1)}
UNITS |= {f"{letter}I": 1024**n for n, letter in enumerate("KMGT", 1)}
NUMBER = 4  # bytes of a float32

# Measured on CPUs, as peaks of the process's resident memory:
PROCESS = 13 * 10**8  # bytes of Python, torch, and what was freed but not handed back
COPIES = 7  # of the picture: itself, the best, two gradients, and three that an optimiser keeps
TURNS = 10  # more copies while the smoothness is evaluated or a step made, when no tile is held
PASSING = 5  # a layer's activations so many times over while the gradient passes it
SORTING = 4  # times the activations, where a statistic of style needs all of them at once
SHORTEST = 3  # history with which L-BFGS is still itself
# On NVIDIA's GPUs, counted as what tensors take at a time:
GPU_PROCESS = 4 * 10**8  # workspaces of cuDNN, cuBLAS and cuFFT
GPU_PASSING = 4  # of the whole picture; a tile's are as on a CPU
GPU_TURNS = 13  # with what cuFFT works in
SPARE = 0.9  # the share of a GPU's memory that is planned for: the rest goes into gaps


class Plan(NamedTuple):
    """The tile's size in pixels, None for the whole picture at once, and L-BFGS's history."""

    tile: int | None
    history: int


def parse_bytes(limit: float | str | None) -> int | None:
    """A number of bytes, or text such as "8GB", "500 MB" or "7.5G", as bytes; None for none.

    Raises:
        SettingsError: it is neither.
    """
    if limit is None:
        return None
    given = whole(limit)
    found = re.fullmatch(r"(\d{1,30}(?:\.\d+)?)\s*([KMGT]I?|)B?", shown(given).strip("' ").upper())
    if not found or isinstance(given, bool | float):
        raise SettingsError(f"a memory limit is bytes, or text such as 8GB; not {shown(limit)}")
    return int(float(found[1]) * UNITS[found[2]])


def plan(
    limit: int,
    network: Network,
    settings: Settings,
    shape: tuple[int, int],
    styles: list[int],
    stored: int,
) -> Plan:
    """The largest tile and the longest history that fit.

    Args:
        limit: bytes of the whole process; on a GPU, of all that the run's tensors take there.
        network, settings: the run's.
        shape: height and width of the picture.
        styles: pixels of each style picture at this size.
        stored: pixels of the pictures that are held in full size.

    Raises:
        SettingsError: nothing fits, or the network's memory is not known, as it is no VGG.
    """
    network, layers = only_vgg(network), layers_of(settings)
    gpu = network.mean.is_cuda
    here, per_pixel = view(network, layers), bytes_per_pixel(network, layers)
    pixels = shape[0] * shape[1]
    picture = 3 * NUMBER * pixels
    pair = 2 * picture if settings.optimizer != "adam" else 0
    others = 3 * NUMBER * (pixels + sum(styles) + stored)
    targets = pixels * feature_bytes(network, settings.content_weight, settings.content_layers)
    if settings.style_weight and not STATISTICS[settings.statistic].additive:
        # The style layers' activations together, their gradient, and what both are put in order in.
        seen = pixels + sum(styles)
        targets += SORTING * seen * feature_bytes(network, 1.0, settings.style_layers)
    copies = COPIES + 2 * bool(settings.average)
    process = GPU_PROCESS if gpu else PROCESS
    held = process + weight_bytes(network) + others + targets + copies * picture
    turns, rest = max((GPU_TURNS if gpu else TURNS) * picture, targets), limit - held

    at_once = gpu_bytes_per_pixel(network, layers) if gpu else per_pixel
    if gpu and pixels <= SMALL:  # what is computed beside leaves gradients that wait
        at_once += feature_bytes(network, settings.content_weight, settings.content_layers)
        at_once += feature_bytes(network, settings.style_weight, settings.style_layers)
    whole, history = max(turns, at_once * max([pixels, *styles])), settings.history
    least = max(turns, per_pixel * (smallest_tile(here) + 2 * here.margin) ** 2)
    if pair and whole + history * pair > rest:
        # Half of what is left to the steps, since both they and the tiles save time.
        history = min(history, max(SHORTEST, min(rest // 2, rest - least) // pair))
    room = rest - history * pair
    if whole <= room:
        return Plan(None, history)
    if room < least:
        needed = held + min(SHORTEST, settings.history) * pair + least
        raise SettingsError(
            f"{shape[1]}×{shape[0]} pixels need a memory limit of {ceil(needed / 10**7) / 100} GB, "
            f"not {limit / 10**9:.2f} GB; raise it, or take a smaller size"
        )
    return Plan(isqrt(room // per_pixel) - 2 * here.margin, history)


def plan_for_gpu(
    limit: int | None,
    network: Network,
    settings: Settings,
    shape: tuple[int, int],
    styles: list[int],
    stored: int,
) -> Plan:
    """As `plan`, by what is free on the GPU now; without a limit, what fits best if nothing does.

    Raises:
        SettingsError: there is a limit, and nothing fits.
    """
    if limit is None and not isinstance(network, VGG):
        return Plan(None, settings.history)
    there = weight_bytes(only_vgg(network)) + 3 * NUMBER * stored
    room = gpu_room(network.mean.device, limit) + there
    try:
        return plan(room, network, settings, shape, styles, stored)
    except SettingsError:
        if limit is not None:
            raise SettingsError(
                f"{shape[1]}×{shape[0]} pixels do not fit into {limit / 10**9:.2f} GB of the GPU; "
                "raise the memory limit, or take a smaller size"
            ) from None
        tile = smallest_tile(view(network, layers_of(settings)))
        return Plan(tile, min(SHORTEST, settings.history))


def gpu_room(device: torch.device, limit: int | None) -> int:
    """Bytes that tensors may still take on a GPU, by what is free there now, and by a limit.

    Gaps between tensors are not counted, nor what a recording holds: nothing may fit in there.
    """
    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info(device)
    held = torch.cuda.memory_reserved(device)
    most = min(free + held, total * gpu_share(device), total if limit is None else limit)
    return int(SPARE * (most - held))


def gpu_share(device: torch.device) -> float:
    """The share of a GPU's memory that the process may take; 1 where torch does not tell."""
    share = getattr(torch.cuda, "get_per_process_memory_fraction", None)
    return share(index_of(device)) if share else 1.0


def index_of(device: torch.device) -> int:
    """A GPU's number: some of torch's functions want one, where "cuda" names the current GPU."""
    return torch.cuda.current_device() if device.index is None else device.index


@contextmanager
def room_for_pictures() -> Iterator[None]:
    """Too little memory for what comes before a run is told of as a SettingsError."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_full(error):
            raise
        raise SettingsError(
            "there is too little memory left for the network and the pictures; "
            "free some, take a smaller size, or, if it is a GPU's, device='cpu'"
        ) from None


@contextmanager
def on_gpu(device: torch.device, limit: int | None) -> Iterator[None]:
    """Within it a GPU is the current one, and its allocator takes no more than the limit.

    What does not fit fails. On other devices it does nothing.
    """
    if device.type != "cuda":
        yield
        return
    before, total = gpu_share(device), torch.cuda.mem_get_info(device)[1]
    with torch.cuda.device(device):
        if limit is not None:
            torch.cuda.empty_cache()
            torch.cuda.set_per_process_memory_fraction(min(before, limit / total), index_of(device))
        try:
            yield
        finally:
            if limit is not None:
                torch.cuda.set_per_process_memory_fraction(before, index_of(device))


def bytes_per_pixel(network: VGG, layers: list[str]) -> int:
    """What an evaluation takes for each pixel, by what is kept for the way back.

    That is each ReLU's result, or, where only a max pooling reads it, 4 bytes for each maximum
    (`nst.kernels.layers`). Where a loss reads a convolution, or what a max pooling reads, PyTorch's
    own layers are at work: the one keeps its input too, the other 8 bytes for each maximum.
    """
    kept, peak, before, pooled = 0.0, 0.0, 3.0, False
    for row in layer_table(network):
        module, size = network.layers[row.name], row.channels / row.stride**2
        if isinstance(module, nn.Conv2d):
            pooled = network.pooled_unread(row.name, layers)
            kept += NUMBER * (size + before) * (row.name in layers)
        elif isinstance(module, Pool):
            kept += (4 if pooled else 8) * size * (not module.average)
            kept += NUMBER * size * (row.name in layers)
        elif not pooled:
            kept += NUMBER * size
        peak, before = max(peak, kept + PASSING * NUMBER * size), size
        if row.name == max(layers, key=network.layer_names.index):
            break
    return ceil(peak)


def gpu_bytes_per_pixel(network: VGG, layers: list[str]) -> int:
    """The same of the whole picture on a GPU, at most: `nst.kernels.layers` says what it keeps."""
    number = 2 if network.precision == "bfloat16" else NUMBER
    kept, peak = 0.0, 0.0
    for row in layer_table(network):
        module, size = network.layers[row.name], row.channels / row.stride**2
        if isinstance(module, Pool):
            kept += 4 * size * (not module.average)  # the place of each maximum, at most 4 bytes
        elif not isinstance(module, nn.Conv2d) or row.name in layers:
            kept += number * size
        peak = max(peak, kept + GPU_PASSING * number * size)
        if row.name == max(layers, key=network.layer_names.index):
            break
    return ceil(peak)


def weight_bytes(network: VGG) -> int:
    """The weights and biases of a network."""
    return sum(parameter.nbytes for parameter in network.parameters())


def feature_bytes(network: VGG, weight: float, layers: dict[str, float]) -> int:
    """The activations of the layers that have a weight, for each pixel of the picture."""
    rows = [row for row in layer_table(network) if weight and layers.get(row.name)]
    return ceil(NUMBER * sum(row.channels / row.stride**2 for row in rows))
