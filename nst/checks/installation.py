"""What is installed here, for the first notebook and for reports of problems."""

import os
import platform
import shutil
from importlib import metadata
from pathlib import Path

import torch

from nst.devices import pick_device
from nst.files.checkpoints import weights_file

PACKAGES = ("nst", "torch", "torchvision", "matplotlib", "ipywidgets", "jupyterlab")
DOWNLOADED = ("vgg19", "vgg16")


def installation() -> None:
    """Print versions, the device, memory and cores, and which networks' weights are here.

    Ends with a tick, or with one line for each thing that is missing and what to do.
    """
    missing = []
    print(f"Python       {platform.python_version()}, {platform.system()}")
    for name in PACKAGES:
        try:
            print(f"{name:12} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(f"{name} is missing: pip install '.[notebooks]' in the kit's folder")
    print(f"device       {describe_device(pick_device(None))}, {os.cpu_count()} CPU cores")
    print(f"free         {free_memory()}, {shutil.disk_usage('.').free / 2**30:.0f} GiB of disk")
    print("network      vgg19_quarter: comes with the package")
    for name in DOWNLOADED:
        file = weights_file(name)
        place = home(file.parent)
        state = "is here" if file.is_file() else f"not here yet; {file.name} would go to {place}"
        print(f"network      {name}: {state}")
    print("\n".join(missing) or "✓ everything that the course needs is here")


def describe_device(device: torch.device) -> str:
    """The device in words."""
    if device.type == "cuda":
        return f"cuda, {torch.cuda.get_device_name(device)}"
    return {"cpu": "CPU", "mps": "mps, an Apple GPU"}.get(device.type, str(device))


def free_memory() -> str:
    """Memory that a run may take here, in GiB; ipykernel brings psutil."""
    try:
        import psutil
    except ImportError:
        return "unknown memory"
    return f"{psutil.virtual_memory().available / 2**30:.0f} GiB of memory"


def home(path: Path) -> str:
    """The path as people write it, with ~ for their home directory."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)
