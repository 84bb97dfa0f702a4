"""Large tensors get memory of their own, which the system has back as soon as they are gone."""

import ctypes
import os
import sys
from pathlib import Path

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
SETTINGS = {-3: 8 * 10**6, -1: 64 * 10**6}  # glibc's mallopt: M_MMAP_THRESHOLD, M_TRIM_THRESHOLD


def hand_back_memory() -> None:
    """Have glibc and torch do so in this process, from 8 MB upwards.

    By itself glibc lays blocks of up to 32 MB side by side and keeps the gaps that they leave: a
    quarter of what a run takes. Memory of one's own comes page by page, and that takes time with
    pages of 4 KB; torch asks for huge ones if the environment says so when it first needs them. So
    nothing is changed where the system has none, nor what the user has set by the environment.
    """
    asked = os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1") == "1"
    own = {"GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"} & set(os.environ)
    if sys.platform != "linux" or not asked or own or not has_huge_pages():
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", lambda *_: None)  # which musl does not have
    for setting, size in SETTINGS.items():
        mallopt(setting, size)


def has_huge_pages() -> bool:
    """Whether Linux gives huge pages to those who ask for them, or to everyone."""
    try:
        return "[never]" not in HUGE_PAGES.read_text()
    except OSError:
        return False
