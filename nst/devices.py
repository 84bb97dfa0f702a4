"""The machine that a run is on: its device, and how exactly that computes."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from nst.errors import SettingsError

PRECISIONS = ("float32", "tf32", "bfloat16")


def pick_device(device: torch.device | str | None) -> torch.device:
    """The device asked for, else a GPU if there is one, else the CPU.

    Raises:
        SettingsError: there is no such device.
    """
    if device is not None:
        try:
            return torch.empty(0, device=device).device
        except (RuntimeError, AssertionError) as error:
            raise SettingsError(f"there is no device {str(device)!r} here; try cpu") from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def pick_precision(precision: str | None, device: torch.device) -> str:
    """The precision asked for, else "tf32" on NVIDIA's GPUs, "float32" elsewhere.

    Raises:
        SettingsError: there is no such precision.
    """
    if precision is None:
        return "tf32" if device.type == "cuda" else "float32"
    if precision not in PRECISIONS:
        raise SettingsError(f"precision is one of {', '.join(PRECISIONS)}; not {precision!r}")
    return precision


@contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """Within it NVIDIA's GPUs multiply float32 as TF32, unless `precision` is "float32".

    TF32 rounds the factors to 11 bits and sums their products in float32. These are switches of
    the whole process, so they are put back; elsewhere they do nothing.
    """
    convolutions, matrices = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, matrices.allow_tf32, convolutions.benchmark
    rounded = precision != "float32"
    try:
        convolutions.allow_tf32, matrices.allow_tf32 = rounded, rounded
        convolutions.benchmark = True  # looks for the fastest algorithm, once for each shape
        yield
    finally:
        convolutions.allow_tf32, matrices.allow_tf32, convolutions.benchmark = before
