"""Figures on speed and size: what stands where, on which scales."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from nst import plots


def test_bars_begin_at_zero_and_carry_their_numbers():
    figure = plots.bars({"forward": 12.34, "backward": 20.0}, "a step", "ms")
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [12.34, 20.0]
    assert {bar.get_x() for bar in axes.patches} == {0}
    assert [text.get_text() for text in axes.texts] == ["12.3 ms", "20 ms"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["forward", "backward"]
    assert "a step" in figure.alt


def test_bars_of_several_series_do_not_overlap():
    parts = {"time": {"a": 0.25, "b": 0.75}, "memory": {"a": 0.5, "b": 0.5}}
    figure = plots.bars(parts, "shares", "%", digits=2)
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [25, 75, 50, 50]
    edges = sorted((bar.get_y(), bar.get_y() + bar.get_height()) for bar in axes.patches)
    assert all(a[1] <= b[0] + 1e-9 for a, b in pairwise(edges))
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["time", "memory"]


def test_growth_draws_the_power_law_through_its_points():
    xs = [1e3, 1e4, 1e5]
    figure = plots.growth(
        {"measured": (xs, [2 * x**1.5 for x in xs])}, ("pixels", "s"), "law", {"measured": (1.5, 2)}
    )
    (axes,) = figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    points, line = axes.get_lines()
    np.testing.assert_allclose(line.get_ydata(), [points.get_ydata()[0], points.get_ydata()[-1]])
    assert line.get_label() == "slope 1.50"
    FigureCanvasAgg(figure).draw()
    assert "1,000" in [label.get_text() for label in axes.get_xticklabels()]


def test_bowls_have_equal_scales_and_hold_the_whole_path():
    def bowl(x, y):
        return x**2 + 9 * y**2

    path = [(1.0, 0.5), (-2.0, 0.1), (0.0, 0.0)]
    figure = plots.bowls({"stretched": (bowl, path), "round": (bowl, [(1.0, 1.0)])})
    first, second = figure.axes
    assert first.get_xlim() == second.get_xlim() == first.get_ylim() == second.get_ylim()
    assert first.get_xlim()[0] < -2
    assert first.get_aspect() == 1
    assert list(first.get_lines()[0].get_xdata()) == [1.0, -2.0, 0.0]
    assert "stretched" in figure.alt


@pytest.mark.parametrize(("goal", "marked"), [(2.0, ["2", "3"]), (1.5, ["3"])])
def test_descents_mark_when_the_goal_is_reached(goal, marked):
    figure = plots.descents({"plain": [8, 4, 2], "ours": [8, 2, 1]}, "race", goal)
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    assert list(axes.get_lines()[0].get_xdata()) == [1, 2, 3]
    assert sorted(text.get_text() for text in axes.texts) == marked


def test_error_maps_share_one_scale_and_have_a_floor():
    errors = {"crude": torch.full((4, 5), 0.5), "exact": torch.zeros(4, 5)}
    figure = plots.error_maps(errors, "error", floor=1e-6)
    crude, exact = (axes.images[0] for axes in figure.axes[:2])
    assert crude.norm is exact.norm
    assert (crude.norm.vmin, crude.norm.vmax) == (1e-6, 0.5)
    np.testing.assert_allclose(np.asarray(exact.get_array()), 1e-6, rtol=1e-6)
    assert "crude" in figure.alt
