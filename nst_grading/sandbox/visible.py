"""What a student's code may see beside its own folder: the system's programs and libraries, Python
and its packages, and this kit. Nothing else is there for it, whatever else the machine holds.
"""

from __future__ import annotations

import functools
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

OURS = ("nst", "nst_grading")
PARTS = ("bin", "sbin", "lib", "lib32", "lib64", "libexec", "share", "etc", "ssl", "pyvenv.cfg")
SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store")
SETTINGS = (
    *("alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime"),
    *("matplotlibrc", "mime.types", "nsswitch.conf", "ssl"),
)
PROCESSORS = "/sys/devices/system/cpu"  # their number, for OpenMP


def visible(kit: Path | None = None) -> dict[Path, Path]:
    """Files and folders by the paths where they are seen, the outer ones first.

    Args:
        kit: stands for the package `nst`, and nothing for `nst_grading`; without it, both are seen.

    Of Python's own places only the parts that programs need, since they may lie in somebody's home
    or hold much else; of installed packages that are elsewhere, such as this one in its repository,
    the packages alone. What else may be loaded, such as tests, is nobody's to see.
    """
    roots = ("/usr", "/usr/local", sys.prefix, sys.exec_prefix, sys.base_prefix)
    places = [Path(root) / part for root in roots for part in PARTS]
    places += map(Path, (*SYSTEM, PROCESSORS))
    places += [Path("/etc") / name for name in SETTINGS]
    places += [p for p in map(Path, sys.path) if p.name in ("site-packages", "dist-packages")]
    for name in {*OURS, *installed()} & {*sys.modules}:
        folders = getattr(sys.modules[name], "__path__", ())
        places += [Path(folder) for folder in folders if isinstance(folder, str)]
    ours = [Path(p) for name in OURS for p in sys.modules[name].__path__] if kit else []
    places.append(sys.modules["nst.images"].DATA)
    found: dict[Path, Path] = {}
    for place in sorted({*places, *(p.resolve() for p in places)}, key=lambda p: len(p.parts)):
        around = {place, *place.parents}
        if place.is_absolute() and place.exists() and not around & {*found, *ours}:
            found[place] = place
    if kit:
        (nothing := kit.parent / "nothing").mkdir(exist_ok=True)
        for path in ours:
            found[path] = kit if path.name == "nst" else nothing
    return found


@functools.cache
def installed() -> frozenset[str]:
    """The names by which installed packages are imported; finding them out takes long."""
    return frozenset(packages_distributions())
