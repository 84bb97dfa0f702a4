"""What a student's code may see beside its own folder: the system's programs and libraries, Python
and its packages, and this kit. Nothing else is there for it, whatever else the machine holds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nst

PARTS = ("bin", "sbin", "lib", "lib32", "lib64", "libexec", "share", "etc", "ssl", "pyvenv.cfg")
SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store")
SETTINGS = (
    *("alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime"),
    *("matplotlibrc", "mime.types", "nsswitch.conf", "ssl"),
)
PROCESSORS = "/sys/devices/system/cpu"  # their number, for OpenMP


def visible() -> list[Path]:
    """Files and folders, the outer ones first, each once, as they are named and as they are.

    Of Python's own places only the parts that programs need, since they may lie in somebody's home
    or hold much else; of loaded packages that are elsewhere, such as this one in its repository,
    the packages alone.
    """
    roots = ("/usr", "/usr/local", sys.prefix, sys.exec_prefix, sys.base_prefix)
    places = [Path(root) / part for root in roots for part in PARTS]
    places += map(Path, (*SYSTEM, PROCESSORS))
    places += [Path("/etc") / name for name in SETTINGS]
    places += [p for p in map(Path, sys.path) if p.name in ("site-packages", "dist-packages")]
    for name, module in list(sys.modules.items()):
        if "." not in name and (folders := getattr(module, "__path__", None)):
            places += [Path(folder) for folder in folders if isinstance(folder, str)]
    places.append(nst.images.DATA)
    found: list[Path] = []
    for place in sorted({*places, *(p.resolve() for p in places)}, key=lambda p: len(p.parts)):
        if place.is_absolute() and place.exists() and not {place, *place.parents} & set(found):
            found.append(place)
    return found
