"""What is freed goes back to the system, or stays as the user has set it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nst.hardware import allocator

# As in a run: large tensors come and go, and small ones between them stay. Not very small ones,
# since these would find place among what imports have freed.
HELD = """
import torch
{before}

def held():  # megabytes that are nobody's files
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("RssAnon"))) / 1000

start, kept = held(), []
for size in (31, 16):  # million bytes; glibc takes freed blocks for a sign of what is to come
    large = [(torch.ones(size * 250_000), kept.append(torch.ones(250_000))) for _ in range(20)]
    full = held()
    del large
print(full - start, held() - start)
"""


def megabytes(before: str, **environment: str) -> tuple[float, float]:
    """What 20 tensors of 16 MB take, and what is held when only 40 of 1 MB are left."""
    inherited = {k: v for k, v in os.environ.items() if k != "THP_MEM_ALLOC_ENABLE"}
    out = subprocess.run(
        [sys.executable, "-c", HELD.format(before=before)],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    taken, kept = out.stdout.split()
    return float(taken), float(kept)


needs_huge_pages = pytest.mark.skipif(
    not allocator.has_huge_pages(), reason="the system has no huge pages"
)


@needs_huge_pages
def test_what_large_tensors_took_is_handed_back() -> None:
    """With nst imported, by contrast with torch alone."""
    taken, kept = megabytes("import nst")
    assert taken > 300
    assert kept < 90
    assert megabytes("")[1] > 200


@needs_huge_pages
@pytest.mark.parametrize(
    ("before", "environment"),
    [
        ("", {"MALLOC_MMAP_THRESHOLD_": str(2**30)}),
        ("", {"THP_MEM_ALLOC_ENABLE": "0"}),
        ("torch.ones(10**6)", {}),  # torch looks for what it is told when it first needs it
    ],
    ids=["own limit", "no huge pages", "too late"],
)
def test_where_it_would_harm_nothing_is_changed(before: str, environment: dict[str, str]) -> None:
    """The user has said otherwise, or torch cannot be told any more."""
    assert megabytes(f"{before}\nimport nst", **environment)[1] > 100


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
