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

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from nst.errors import WeightsError
from nst.files.sealed import load_plain
from nst.files.tensors import is_dense
from nst.files.writing import expand

# Bytes of one weight: a number can be repeated any number of times by a file of any size.
LARGEST = 2**32

# Under which a training program keeps the state dict among other things.
WRAPPINGS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights",
             "params", "ema", "module")  # fmt: skip

# What data-parallel training, torch.compile and sharding put into names, wherever they wrap.
WRAPPER = re.compile(
    r"(?<![^.])((module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.)+"
)

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
    state = unwrapped(state, str(path))
    if not state:
        raise WeightsError(f"{path} holds no state dict: save one with model.state_dict()")
    for name, value in state.items():
        plain = is_dense(value) and not (value.is_complex() or value.is_quantized)
        if not plain or value.nbytes > LARGEST:
            raise WeightsError(f"{path} holds no plain numbers in {name}: save it dense, of floats")
        if value.is_floating_point() and not value.float().isfinite().all():
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
    found = expand(path, WeightsError)
    if re.match(r"(https?|ftp|s3|file)://", str(path)):
        raise WeightsError(f"{path} is an address: download it, and give the file's path")
    try:
        if found.is_file():
            return found
    except OSError as error:  # the name is too long
        raise WeightsError(f"{str(path)!r} cannot be read ({error}); check the path") from error
    raise WeightsError(
        f"{found} is a folder; name the weights file in it"
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
        # By its path, torch would go by how its name ends.
        with path.open("rb") as file:
            return load_plain(file)
    except Exception as error:  # the unpickler raises whatever broken bytes lead it to
        code = re.search(r"GLOBAL ([\w.]+)", str(error))
        if isinstance(error, UnpicklingError) and code:
            raise WeightsError(
                f"{path} holds a whole model, or other objects ({code[1]}), as program code, which "
                "is not run: where it comes from, torch.save(model.state_dict(), 'weights.pt')"
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
    if not any(name.endswith("data.pkl") for name in names):
        raise WeightsError(f"{path} is an archive (zip): unpack it, and give the file in it")
    if any(name.endswith("constants.pkl") for name in names):
        raise WeightsError(
            f"{path} is a TorchScript program, which is not run: where it comes from, "
            "torch.save(model.state_dict(), 'weights.pt')"
        )


def unwrapped(state: Any, source: str) -> dict[str, Tensor]:
    """The state dict in what a file holds, however deep, by its bare names; empty if none.

    What stands in `WRAPPINGS` comes first. Beside the weights a program may have kept its numbers.

    Raises:
        WeightsError: there are several, and none of them has a usual name.
    """
    if not isinstance(state, Mapping):
        return {}
    named = {key: value for key, value in state.items() if isinstance(key, str)}
    tensors = {key: value for key, value in named.items() if isinstance(value, Tensor)}
    if tensors and (len(tensors) == len(state) or any(key.endswith("weight") for key in tensors)):
        return {WRAPPER.sub("", key): value for key, value in tensors.items()}
    inner = {key: found for key in named if (found := unwrapped(named[key], source))}
    usual = [key for key in WRAPPINGS if key in inner]
    if len(inner) > 1 and not usual:
        raise WeightsError(
            f"{source} holds several networks ({', '.join(inner)}): save the one that is meant by "
            "itself, with torch.save(model.state_dict(), 'weights.pt')"
        )
    return inner[usual[0]] if usual else next(iter(inner.values()), {})


def bared_for(state: dict[str, Tensor], names: set[str]) -> dict[str, Tensor]:
    """The state dict, without so much of what stands before all keys that most are in `names`."""
    best = state
    while len(first := {key.partition(".")[0] for key in state}) == 1 and all(map(is_path, state)):
        state = {key.removeprefix(f"{min(first)}."): value for key, value in state.items()}
        best = state if len(names & state.keys()) > len(names & best.keys()) else best
    return best


def is_path(name: str) -> bool:
    """Whether a parameter's name has parts."""
    return "." in name
