"""Files of weights as people have them: read as a state dict, or named for what they are.

A file is known by its content, whatever its name ends in. Pickled code is never executed.
"""

import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from nst.errors import WeightsError

# Under which a training program keeps the state dict among other things.
WRAPPINGS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights",
             "params", "ema", "module")  # fmt: skip

# What programs put before a layer's name, besides data-parallel training and torch.compile.
PREFIXES = ("model.", "network.", "net.", "backbone.", "encoder.", "vgg.", "layers.", "features.")

STRANGERS = (
    (b"\x89HDF", "is a Keras file (HDF5)", "export its weights as safetensors"),
    (b"version https://git-lfs", "is a pointer to a large file", "fetch the file itself: git lfs"),
    (b"<", "is a web page", "download the file itself"),
    (b"{", "is JSON text", "give the file with the weights"),
    (b"\x89PNG", "is a picture", "give a file with weights"),
    (b"\xff\xd8", "is a picture", "give a file with weights"),
    (b"\x1f\x8b", "is compressed (gzip)", "unpack it first"),
    (b"\x93NUMPY", "is a NumPy array", "save a state dict as safetensors"),
)


def read_weights(path: str | os.PathLike) -> dict[str, Tensor]:
    """The state dict in a safetensors or PyTorch file, without what wraps it.

    Raises:
        WeightsError: there is no such file, it is damaged, it holds no state dict, or its numbers
            are not numbers.
    """
    path = find(path)
    try:
        with path.open("rb") as file:
            start = file.read(64)
        state = read(path, start)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}); check it") from error
    state = unwrapped(state)
    if not state:
        raise WeightsError(f"{path} holds no state dict: save one with model.state_dict()")
    for name, value in state.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise WeightsError(f"{path} holds NaN or infinity in {name}: take an earlier version")
    return state


def check_named(weights: object) -> None:
    """WeightsError for weights that are neither None nor the name of something."""
    if isinstance(weights, Mapping):
        raise WeightsError(
            "weights are a file, a name or 'random', not a dict: torch.save(state, 'weights.pt') "
            "makes a file of it"
        )
    if not (weights is None or isinstance(weights, str | os.PathLike)):
        raise WeightsError(
            f"weights are a file, a name or 'random', not a {type(weights).__name__}"
        )
    if weights == "":
        raise WeightsError("weights have an empty name; leave them out for the pretrained ones")


def find(path: str | os.PathLike) -> Path:
    """The file's path, `~` in full; WeightsError if there is no such file."""
    try:
        found = Path(path).expanduser()
        if found.is_file():
            return found
    except (OSError, RuntimeError, ValueError) as error:  # no such user; a zero byte
        raise WeightsError(f"{str(path)!r} cannot be read ({error}); check the path") from error
    raise WeightsError(
        f"{path} is a folder; name the weights file in it"
        if found.is_dir()
        else f"there is no weights file {path}; check the path"
    )


def read(path: Path, start: bytes) -> Any:
    """What the file holds, by its content."""
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size:
        try:
            return load_file(path)
        except (SafetensorError, ValueError) as error:
            raise WeightsError(f"{path} is damaged: get it again from where it came") from error
    for beginning, what, advice in STRANGERS:
        if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(beginning):
            raise WeightsError(f"{path} {what}: {advice}")
    if start.startswith(b"PK"):
        check_sums(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises whatever broken bytes lead it to
        if isinstance(error, UnpicklingError) and "nsupported" in str(error):
            raise WeightsError(
                f"{path} holds a whole model as program code, which is not run: where it comes "
                "from, torch.save(model.state_dict(), 'weights.pt')"
            ) from error
        raise WeightsError(
            f"{path} is damaged, or holds something else than a plain state dict"
        ) from error


def check_sums(path: Path) -> None:
    """Check every part of a zip, as PyTorch writes it, against its sum: torch itself does not."""
    try:
        with zipfile.ZipFile(path) as file:
            names, damaged = file.namelist(), file.testzip()
    except Exception as error:  # whatever broken bytes lead to
        raise WeightsError(f"{path} is damaged: get it again from where it came") from error
    if damaged:
        raise WeightsError(f"{path} is damaged ({damaged}): get it again from where it came")
    if any(name.endswith(".npy") for name in names):
        raise WeightsError(f"{path} is a NumPy archive: save a state dict as safetensors")
    if any(name.endswith("constants.pkl") for name in names):
        raise WeightsError(
            f"{path} is a TorchScript program, which is not run: where it comes from, "
            "torch.save(model.state_dict(), 'weights.pt')"
        )


def unwrapped(state: Any) -> dict[str, Tensor]:
    """The dict of tensors in what a file holds, at any depth of `WRAPPINGS`; empty if none."""
    while isinstance(state, Mapping):
        if state and all(isinstance(v, Tensor) and isinstance(k, str) for k, v in state.items()):
            wrapper = re.compile(r"(?<![^.])((module|_orig_mod)\.)+")
            return {wrapper.sub("", key): value for key, value in state.items()}
        inner = [state[k] for k in WRAPPINGS if isinstance(state.get(k), Mapping)]
        state = inner[0] if inner else None
    return {}


def bare(name: str) -> str:
    """A parameter's name without what programs put before it."""
    while prefix := next((p for p in PREFIXES if name.startswith(p)), ""):
        name = name.removeprefix(prefix)
    return name


def bared_for(state: dict[str, Tensor], names: set[str]) -> dict[str, Tensor]:
    """The state dict with as many prefixes taken away as bring its keys nearest to `names`."""
    best = state
    while prefix := next(
        (p for p in PREFIXES if state and all(k.startswith(p) for k in state)), ""
    ):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
        best = state if len(names & state.keys()) > len(names & best.keys()) else best
    return best
