"""Figures of content: what stands where."""

import numpy as np
import torch

import nst
from nst import plots


def test_pairs_stand_against_each_other_on_equal_axes():
    expected, found = torch.tensor([1.0, -2.0]), torch.tensor([1.0, 4.0])
    figure = plots.agreement(expected, found, ("by hand", "autograd"))
    (axes,) = figure.axes
    points = axes.lines[1]
    assert list(points.get_xdata()) == [1, -2]
    assert list(points.get_ydata()) == [1, 4]
    assert axes.get_xlim() == axes.get_ylim()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("by hand", "autograd")
    assert figure.alt
    assert figure.png()


def test_curves_are_drawn_apart_on_a_logarithmic_axis():
    figure = plots.curves({"a": [3.0, 2.0, 1.0], "b": [3.0, 0.1]}, "loss")
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    assert [list(line.get_ydata()) for line in axes.lines] == [[3, 2, 1], [3, 0.1]]
    assert len({line.get_linestyle() for line in axes.lines}) == 2
    assert "a; b" in figure.alt
    assert figure.png()


def test_reconstructions_stand_over_their_enlarged_parts(picture):
    made = {"relu1_1": 1 - picture, "relu2_1": picture.flip(1)}
    figure = plots.reconstructions(
        picture, made, window=(0.25, 0.5, 0.5, 0.25), remarks={"relu2_1": "error 0.1"}
    )
    above, below = figure.axes[:3], figure.axes[3:]
    assert [axes.get_title() for axes in above] == ["the picture", "relu1_1", "relu2_1"]
    assert [axes.get_xlabel() for axes in below] == ["", "", "error 0.1"]
    for axes, part, tensor in zip(above, below, [picture, *made.values()], strict=True):
        pixels = np.asarray(nst.postprocess_image(tensor))
        assert np.array_equal(axes.images[0].get_array(), pixels)
        assert np.array_equal(part.images[0].get_array(), pixels[10:30, 28:42])
    (frame,) = above[0].patches
    assert frame.get_xy() == (27.5, 9.5)
    assert "relu1_1" in figure.alt
    assert figure.png()
