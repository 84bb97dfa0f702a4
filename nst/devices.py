"""The machine that a run is on: its device, and how exactly that computes."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

import torch
from torch import Tensor

from nst.errors import SettingsError

PRECISIONS = ("float32", "tf32", "bfloat16")
# In errors for too little memory that have no class of their own: of a GPU's libraries, of the CPU.
FULL = (
    "unable to find an engine", "STATUS_ALLOC_FAILED", "CUFFT_ALLOC_FAILED", "not enough memory",
    "can't allocate memory", "std::bad_alloc", "could not create a", "could not execute a",
)  # fmt: skip


def pick_device(device: torch.device | str | None) -> torch.device:
    """The device asked for, else a GPU if there is one, else the CPU.

    Raises:
        SettingsError: there is no such device.
    """
    if device is not None:
        try:
            return torch.empty(0, device=device).device
        except (RuntimeError, AssertionError, TypeError) as error:
            raise SettingsError(f"there is no device {str(device)!r} here; try cpu") from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def check_computes(device: torch.device) -> None:
    """Raise SettingsError for torch's device without memory, on which nothing has a value."""
    if device.type == "meta":
        raise SettingsError(
            "nothing is computed on the device 'meta', which has no memory; try cpu"
        )


def pick_precision(precision: str | None, device: torch.device) -> str:
    """The precision asked for, else "tf32" on NVIDIA's GPUs, "float32" elsewhere.

    Raises:
        SettingsError: there is no such precision, or nothing is computed on the device.
    """
    check_computes(device)
    if precision is None:
        return "tf32" if device.type == "cuda" else "float32"
    if precision not in PRECISIONS:
        raise SettingsError(f"precision is one of {', '.join(PRECISIONS)}; not {precision!r}")
    return precision


def is_full(error: BaseException) -> bool:
    """Whether there was too little memory, on a GPU or beside it, however it is put."""
    full = isinstance(error, torch.cuda.OutOfMemoryError | MemoryError)
    return full or (isinstance(error, RuntimeError) and any(words in str(error) for words in FULL))


@contextmanager
def own_modes() -> Iterator[None]:
    """Within it torch's switches are as a run needs them, whatever the caller has set.

    Gradients are recorded, new tensors are float32 and on the CPU, nothing is cast by itself, and
    what has no deterministic form does without. All is put back. For threads see `shared_cores`.
    """
    dtype, strict = torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled()
    warning = torch.is_deterministic_algorithms_warn_only_enabled()
    with ExitStack() as modes:
        modes.enter_context(torch.inference_mode(False))
        modes.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda", "mps"):
            if torch.is_autocast_enabled(device):
                modes.enter_context(torch.autocast(device, enabled=False))
        if torch.empty(0).device.type != "cpu":
            modes.enter_context(torch.device("cpu"))
        if strict and not warning:  # a switch that takes seconds when first touched
            torch.use_deterministic_algorithms(True, warn_only=True)
            modes.callback(torch.use_deterministic_algorithms, True)
        modes.callback(torch.set_default_dtype, dtype)
        torch.set_default_dtype(torch.float32)
        yield


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
        # Trying all algorithms takes seconds and tens of gigabytes, and finds none that is faster.
        convolutions.benchmark = False
        yield
    finally:
        convolutions.allow_tf32, matrices.allow_tf32, convolutions.benchmark = before


# Pixels beyond which an evaluation's kernels fill a GPU one by one, and memory is what is short.
SMALL = 2**20


class Beside:
    """A place for work that the rest need not wait for: a GPU's second stream, for small pictures.

    Elsewhere all is done in turn. Autograd takes each way back on the stream of the way there. What
    was read beside must not be freed before all is done: this holds it until then.
    """

    def __init__(self, image: Tensor | None = None):
        self.read: list[Tensor] = []
        self.stream: torch.cuda.Stream | None = None
        if image is not None and image.is_cuda and image[0, 0].numel() <= SMALL:
            self.stream = side_stream(image.get_device(), "beside")

    @contextmanager
    def reading(self, x: Tensor) -> Iterator[None]:
        """Within it work that reads x, as soon as that is there."""
        if self.stream is None:
            yield
            return
        self.read.append(x)
        self.stream.wait_stream(torch.cuda.current_stream(self.stream.device))
        with torch.cuda.stream(self.stream):
            yield

    def join(self) -> None:
        """Let what comes now wait for it."""
        if self.stream is not None:
            torch.cuda.current_stream(self.stream.device).wait_stream(self.stream)


@cache
def side_stream(device: int, use: str) -> torch.cuda.Stream:
    """One for each GPU and use, since libraries keep some memory for every stream they meet."""
    return torch.cuda.Stream(device)
