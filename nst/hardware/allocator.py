"""Large tensors get memory of their own, which the system has back as soon as they are gone."""

import ctypes
import mmap
import os
import sys
from pathlib import Path

import torch

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
SETTINGS = {-3: 8 * 10**6, -1: 64 * 10**6}  # glibc's mallopt: M_MMAP_THRESHOLD, M_TRIM_THRESHOLD


def hand_back_memory() -> None:
    """Have glibc and torch do so in this process, from 8 MB upwards.

    By itself glibc lays blocks of up to 32 MB side by side and keeps the gaps that they leave: a
    quarter of what a run takes. Memory of one's own comes page by page, which takes time with pages
    of 4 KB; torch asks for huge ones if the environment says so when it first needs them. So
    nothing is changed where they are not to be had, nor what the user has set by the environment.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    own = {"GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"} & set(os.environ)
    if sys.platform != "linux" or own or not has_huge_pages() or not asks_for_huge_pages():
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


def asks_for_huge_pages() -> bool:
    """Whether torch does: then its tensors of 2 MB or more begin where a page begins."""
    tensors = [torch.empty(10**6, device="cpu") for _ in range(3)]  # one might do so by chance
    return all(tensor.data_ptr() % mmap.PAGESIZE == 0 for tensor in tensors)
