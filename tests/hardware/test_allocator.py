"""What is freed goes back to the system, or stays as the user has set it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nst.hardware import allocator

# As in a run: large tensors come and go, and small ones between them stay.
HELD = """
import {module}, torch

def held():  # megabytes that are nobody's files
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("RssAnon"))) / 1000

start, kept = held(), []
for size in (31, 16):  # million bytes; glibc takes freed blocks for a sign of what is to come
    large = [(torch.ones(size * 250_000), kept.append(torch.ones(25_000))) for _ in range(20)]
    full = held()
    del large
print(full - start, held() - start)
"""


def megabytes(module: str, **environment: str) -> tuple[float, float]:
    """What 20 tensors of 16 MB take, and what of it the process holds when they are gone."""
    inherited = {k: v for k, v in os.environ.items() if k != "THP_MEM_ALLOC_ENABLE"}
    out = subprocess.run(
        [sys.executable, "-c", HELD.format(module=module)],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    taken, kept = out.stdout.split()
    return float(taken), float(kept)


@pytest.mark.skipif(not allocator.has_huge_pages(), reason="no huge pages here")
def test_what_large_tensors_took_is_handed_back() -> None:
    """With nst imported, by contrast with torch alone."""
    taken, kept = megabytes("nst")
    assert taken > 300
    assert kept < 50
    assert megabytes("torch")[1] > 200


@pytest.mark.skipif(not allocator.has_huge_pages(), reason="no huge pages here")
def test_what_the_user_has_set_stays() -> None:
    """Here, that blocks of up to a gigabyte lie side by side."""
    assert megabytes("nst", MALLOC_MMAP_THRESHOLD_=str(2**30))[1] > 200


def test_without_huge_pages_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system has switched them off, or does not know them."""
    monkeypatch.setattr(allocator, "HUGE_PAGES", tmp_path / "enabled")
    assert not allocator.has_huge_pages()
    allocator.HUGE_PAGES.write_text("always madvise [never]\n")
    assert not allocator.has_huge_pages()
    allocator.HUGE_PAGES.write_text("always [madvise] never\n")
    assert allocator.has_huge_pages()
