"""Figures of the optimiser: what stands where, equal scales, and words for what is seen."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from nst import plots


def shown(figure):
    FigureCanvasAgg(figure).draw()
    assert figure.alt.endswith(".")
    return figure.axes


def bowl(points):
    return (points.double().square() * torch.tensor([1.0, 9.0])).sum(-1)


def test_paths_share_their_landscape():
    walks = {
        "straight": torch.tensor([[-0.9, 0.3], [0.0, 0.0]]),
        "round": torch.tensor([[-0.9, 0.3], [-0.9, -0.3], [0.1, 0.0]]),
    }
    panels = shown(plots.paths(bowl, walks))
    assert [axes.get_title() for axes in panels] == list(walks)
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in panels}) == 1
    for axes, walk in zip(panels, walks.values(), strict=True):
        line, start = axes.get_lines()
        np.testing.assert_allclose(line.get_xydata(), walk.numpy(), rtol=1e-6)
        np.testing.assert_allclose(start.get_xydata(), [[-0.9, 0.3]], rtol=1e-6)


def test_contours_follow_the_landscape():
    """The long axis of the bowl is the one along which it is flat."""
    (axes,) = shown(plots.paths(bowl, {"walk": torch.tensor([[-1.0, 1.0]])}))
    contours = axes.collections[0].get_paths()
    closed = next(path for path in contours if len(path.vertices) > 10)
    width, height = np.ptp(closed.vertices, axis=0)
    assert width / height == pytest.approx(3, rel=0.1)


def test_losses_that_explode_leave_at_the_top():
    curves = {"calm": [8.0, 4.0, 2.0], "wild": [8.0, 1e9, float("inf"), float("nan")]}
    (axes,) = shown(plots.losses(curves, "Title"))
    assert axes.get_yscale() == "log"
    assert axes.get_title() == "Title"
    calm, wild = axes.get_lines()
    assert list(calm.get_ydata()) == curves["calm"]
    assert np.isnan(wild.get_ydata()[2:]).all()
    low, high = axes.get_ylim()
    assert low < 2
    assert 8 < high < 100


@pytest.mark.parametrize("curves", [{"none": []}, {"nan": [float("nan")]}])
def test_nothing_to_draw_is_no_error(curves):
    shown(plots.losses(curves))


def test_a_race_shows_the_same_losses_twice():
    runs = {
        "quick": [(0.1, 9.0), (0.2, 3.0), (0.3, 1.0)],
        "slow": [(0.5, 9.0), (1.0, 8.0)],
    }
    left, right = shown(plots.race(runs, "Who wins"))
    assert left.get_ylim() == right.get_ylim()
    for a, b, run in zip(left.get_lines(), right.get_lines(), runs.values(), strict=True):
        seconds, values = zip(*run, strict=True)
        assert list(a.get_xdata()) == list(range(len(run)))
        assert list(b.get_xdata()) == list(seconds)
        assert list(a.get_ydata()) == list(b.get_ydata()) == list(values)
        assert a.get_color() == b.get_color()
    legend = left.figure.legends[0].get_texts()
    assert [text.get_text() for text in legend] == ["quick", "slow"]


def test_the_trade_offs_losses_stand_below_their_pictures():
    images = [torch.full((1, 3, 4, 6), shade) for shade in (0.1, 0.5, 0.9)]
    *strip, chart = shown(plots.trade_off(images, [1, 100, 10000], [0.1, 0.5, 1], [9, 3, 0.1]))
    content, style = chart.get_lines()
    assert list(content.get_ydata()) == [0.1, 0.5, 1]
    assert list(style.get_ydata()) == [9, 3, 0.1]
    for number, (axes, shade) in enumerate(zip(strip, (0.1, 0.5, 0.9), strict=True)):
        assert axes.images[0].get_array()[0, 0, 0] == pytest.approx(255 * shade, abs=1)
        middle = axes.get_window_extent().x0 / 2 + axes.get_window_extent().x1 / 2
        below = chart.transData.transform((number, 1))[0]
        assert middle == pytest.approx(below, abs=0.06 * chart.get_window_extent().width)
    assert [label.get_text() for label in chart.get_xticklabels()] == ["1", "100", "10 000"]


def test_movements_add_up_to_all_values():
    start = torch.full((1, 3, 8, 8), 0.5)
    pictures = {"a little": start + 0.05, "much": start - 0.4}
    left, right = shown(plots.movements(pictures, start, {"a little": 0.1, "much": 3.0}))
    assert left.get_xlim() == right.get_xlim()
    assert left.get_ylim() == right.get_ylim()
    for axes, moved in ((left, 0.05), (right, 0.4)):
        heights = np.array([bar.get_height() for bar in axes.patches])
        assert heights.sum() == pytest.approx(100)
        tallest = axes.patches[heights.argmax()]
        assert tallest.get_x() - 0.001 <= moved <= tallest.get_x() + tallest.get_width() + 0.001
    (line,) = left.get_lines()
    assert list(line.get_xdata()) == [0.1, 0.1]
    assert not right.get_lines()  # a bound beyond what pixels can move says nothing


def drawn_on_logarithmic_scales():
    fall, picture = [4.0, 2.0, 1.0], torch.rand(1, 3, 8, 8)
    yield plots.losses({"a": fall})
    yield plots.race({"a": [(0.0, 4.0), (0.1, 2.0)]})
    yield plots.trade_off([picture, picture], [1, 10], [0.1, 0.2], [0.2, 0.1])
    yield plots.movements({"a": picture}, picture.flip(3), {"a": 0.3})
    yield plots.descents({"a": fall}, "falls")
    yield plots.growth({"a": ([1, 2], [3, 4])}, ("pixels", "seconds"), "grows")
    yield plots.pushes({"a": {"relu1_1": 1.0, "relu2_1": 3.0}}, "pushes")
    yield plots.lines([1, 2], {"a": [1.0, 2.0]}, "weight", "detail", log="xy")
    yield plots.spectra({"a": picture})


def test_an_axis_with_a_logarithmic_scale_says_so():
    for figure in drawn_on_logarithmic_scales():
        names = [axes.get_ylabel() for axes in figure.axes if axes.get_yscale() == "log"]
        names += [axes.get_xlabel() for axes in figure.axes if axes.get_xscale() == "log"]
        named = [name for name in names if name]
        assert named and all(name.endswith("(logarithmic scale)") for name in named), names
