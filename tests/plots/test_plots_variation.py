"""Figures of fine detail: filters by closed forms, then what stands where."""

import math

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from nst import plots


def drawn(figure):
    """The figure, laid out and drawn; nothing may fail or warn on the way."""
    FigureCanvasAgg(figure).draw()
    return figure


def wave(length, side=96):
    """Waves from left to right, (1, 3, H, W) in [0, 1]."""
    row = 0.5 + 0.5 * torch.cos(2 * math.pi * torch.arange(side) / length)
    return row.expand(1, 3, side, side)


def test_high_pass_leaves_nothing_of_one_colour_and_all_of_the_finest_waves():
    assert plots.high_pass(torch.full((1, 3, 8, 9), 0.7)).abs().max() < 1e-6
    finest = wave(2, 16)
    assert torch.allclose(plots.high_pass(finest), finest[0] - 0.5, atol=1e-6)


def test_high_pass_weakens_waves_by_the_filters_response():
    length, side = 8, 32
    # (1 + cos ω)²/4 of a wave passes the blur with weights 1 4 6 4 1.
    passes = 1 - ((1 + math.cos(2 * math.pi / length)) / 2) ** 2
    expected = passes * (wave(length, side)[0] - 0.5)
    inner = slice(2, -2)  # borders are mirrored
    assert torch.allclose(
        plots.high_pass(wave(length, side))[..., inner], expected[..., inner], atol=1e-6
    )


@pytest.mark.parametrize("length", [3, 6, 16])
def test_the_spectrum_peaks_at_the_waves_own_length(length):
    frequencies, power = plots.spectrum(wave(length))
    peak = frequencies[np.nanargmax(power)]
    assert peak == pytest.approx(1 / length, rel=0.12)


def test_the_spectrum_reaches_the_checkerboard_in_its_corner():
    board = torch.tensor([[0.0, 1], [1, 0]]).repeat(48, 48).expand(1, 3, -1, -1)
    frequencies, power = plots.spectrum(board)
    assert np.nanargmax(power) == len(power) - 1
    assert frequencies[-1] == pytest.approx(0.5**0.5, rel=0.1)
    noise = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    assert plots.spectrum(noise)[1][-4:] == pytest.approx(plots.spectrum(noise)[1][-5], rel=0.2)


def test_colour_noise_is_detail_although_its_grey_is_flat():
    board = torch.tensor([[0.0, 1], [1, 0]]).repeat(4, 4)
    image = torch.stack([board, 1 - board, torch.full_like(board, 0.5)])[None]
    assert image.mean(1).std() < 1e-6
    assert plots.high_pass(image)[0].abs().min() > 0.4


def test_high_passes_share_a_scale_around_grey_and_say_how_much_there_is():
    figure = drawn(plots.high_passes([wave(2, 16), wave(2, 16) / 10], ["fine", "faint"], limit=1))
    lower = [np.asarray(axes.images[0].get_array()) for axes in figure.axes[2:4]]
    assert (lower[0].min(), lower[0].max()) == (0.25, 0.75)
    assert (lower[1].min(), lower[1].max()) == pytest.approx((0.475, 0.525))
    assert figure.axes[2].get_title() == "detail 0.500"
    assert "fine has 0.500" in figure.alt


def test_spectra_run_from_coarse_to_fine():
    figure = drawn(plots.spectra({"a": wave(4), "b": wave(8)}, "two waves", unit=True))
    axes = figure.axes[0]
    left, right = axes.get_xlim()
    assert left > right
    for line in axes.lines:
        assert np.nanmean(line.get_ydata()) == pytest.approx(1)
    assert "a, b" in figure.alt


def test_lines_have_their_values_and_scales():
    figure = drawn(plots.lines([1, 10, 100], {"up": [1, 2, 3]}, "weight", "loss", log="x"))
    axes = figure.axes[0]
    assert axes.lines[0].get_ydata().tolist() == [1, 2, 3]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "10", "100"]


def test_details_enlarge_the_part_that_is_framed():
    image = torch.zeros(1, 3, 20, 40)
    image[..., 5:10, 10:20] = 1.0
    figure = drawn(plots.details([image], ["white"], box=(0.25, 0.25, 0.25, 0.25), columns=1))
    upper, lower = figure.axes
    assert upper.get_title() == "white"
    part = np.asarray(lower.images[0].get_array())
    assert part.shape == (20, 40, 3)
    assert part.min() == 255


def test_details_leave_empty_places_empty():
    figure = drawn(plots.details([torch.rand(1, 3, 12, 12)] * 3, ["a", "b", "c"], columns=2))
    assert sum(bool(axes.images) for axes in figure.axes) == 6
