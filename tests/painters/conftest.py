"""Painters small enough to learn something within a test."""

import pytest
import torch

from nst.painters import StylesPainter


@pytest.fixture
def small():
    """A painter of two styles with weights that nobody has trained, but that differ by style."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        painter = StylesPainter(["one", "two"], channels=(4, 6, 8), blocks=1)
        for name, values in painter.named_parameters():
            if name.endswith(("scale", "shift")):
                values.data += 0.5 * torch.randn_like(values)
    return painter.eval().requires_grad_(False)


@pytest.fixture(autouse=True)
def _same_numbers():
    """Of so few channels all may be silent, if they are drawn anew each time."""
    torch.manual_seed(0)
