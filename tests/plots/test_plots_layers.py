"""Figures on the choice of layers: what stands where."""

import io

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from nst import plots


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_pushes_are_drawn_by_layer_on_a_logarithmic_scale():
    norms = {"mse": {"relu1_1": 1.0, "relu2_1": 300.0}, "paper": {"relu1_1": 2.0, "relu2_1": 9.0}}
    figure = plots.pushes(norms, "unequal")
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    for name, by_layer in norms.items():
        assert list(lines(axes)[name].get_ydata()) == list(by_layer.values())
    FigureCanvasAgg(figure).draw()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["relu1_1", "relu2_1"]
    assert "mse" in figure.alt
    assert "unequal" in figure.alt


def test_a_trade_off_joins_the_points_of_a_curve_and_names_those_of_the_first():
    curves = {"shallow": [(0.1, 0.5), (0.3, 0.2)], "deep": [(0.2, 0.6), (0.4, 0.1)]}
    figure = plots.judgements(curves, notes=["weight 1", "weight 8"], names=("changed", "left"))
    (axes,) = figure.axes
    for name, points in curves.items():
        line = lines(axes)[name]
        assert list(zip(line.get_xdata(), line.get_ydata(), strict=True)) == points
    notes = {text.get_text(): text.xy for text in axes.texts}
    assert notes == {"weight 1": (0.1, 0.5), "weight 8": (0.3, 0.2)}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("changed", "left")
    colours = {line.get_color() for line in axes.get_lines()}
    marks = {line.get_marker() for line in axes.get_lines()}
    assert len(colours) == len(marks) == 2
    assert "shallow" in figure.alt


def test_a_spread_has_a_row_for_each_group_and_a_stroke_at_its_mean():
    figure = plots.spread({"relu2_2": [1.0, 3.0], "relu4_2": [5.0]}, "changed", "apart")
    (axes,) = figure.axes
    dots, mean, *_ = axes.get_lines()
    assert list(dots.get_xdata()) == [1.0, 3.0]
    assert list(dots.get_ydata()) == [0, 0]
    assert list(mean.get_xdata()) == [2.0, 2.0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["relu2_2", "relu4_2"]
    top, bottom = axes.get_ylim()[::-1]
    assert top < bottom  # the first group is at the top
    assert "relu4_2" in figure.alt


def test_a_figure_is_as_fine_as_it_was_told_last():
    figure = plots.spread({"a": [1.0, 2.0]}, "changed", "fine or not")
    wide = Image.open(io.BytesIO(figure.png())).width
    figure.set_dpi(figure.dpi / 2)
    assert Image.open(io.BytesIO(figure.png())).width == pytest.approx(wide / 2, rel=0.02)
