"""Figures of Gram matrices: what stands where, on which scale."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

import nst
from nst import plots


def drawn(figure):
    """The figure, laid out and drawn; nothing may fail or warn on the way."""
    FigureCanvasAgg(figure).draw()
    return figure


def blocks(order):
    """A Gram matrix of two groups of three channels and a silent one, its channels shuffled."""
    features = torch.zeros(7, 40)
    features[:3, :20], features[3:6, 20:] = torch.rand(3, 20) + 0.5, torch.rand(3, 20) + 0.5
    return nst.gram_matrix(features[order][None, :, None])


def test_channels_that_go_together_stand_together():
    shuffled = [4, 0, 6, 3, 1, 5, 2]
    order = plots.channel_order(blocks(shuffled))
    assert sorted(order) == list(range(7))
    groups = [shuffled[n] // 3 for n in order]
    assert groups[:3] in ([0] * 3, [1] * 3)
    assert groups[3:6] == [1 - groups[0]] * 3
    assert groups[6] == 2  # the silent one


def test_the_order_begins_with_the_strongest_channel():
    gram = torch.eye(5) * torch.tensor([1.0, 2, 9, 3, 4])
    assert plots.channel_order(gram)[0] == 2


def test_heatmaps_share_a_scale_unless_each_has_its_own():
    grams = [torch.ones(1, 5, 5), 4 * torch.ones(5, 5)]
    shared = drawn(plots.gram_matrices(grams, ["one", "four"]))
    assert [axes.images[0].norm.vmax for axes in shared.axes[:2]] == [4, 4]
    assert len(shared.axes) == 3  # with a colour bar
    own = drawn(plots.gram_matrices(grams, ["one", "four"], equal=False))
    maps, bars = own.axes[:2], own.axes[2:]
    assert [axes.images[0].norm.vmax for axes in maps] == [1, 4]
    assert [axes.get_title() for axes in maps] == ["one", "four"]
    assert [axes.get_xlim() for axes in bars] == [(0, 1), (0, 4)]
    assert "one; four" in own.alt


def test_heatmaps_follow_the_order_of_the_channels():
    gram = torch.arange(25.0).reshape(5, 5)
    figure = plots.gram_matrices([gram], ["sorted"], order=[3, 1, 0, 2, 4])
    shown = np.asarray(figure.axes[0].images[0].get_array())
    assert shown[0].tolist() == [18, 16, 15, 17, 19]


def test_small_matrices_have_their_numbers_on_them():
    gram = torch.tensor([[0.25, 0.5], [0.5, 1.0]])
    figure = drawn(plots.gram_matrices([gram], ["toy"], names=["red", "green"]))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["0.250", "0.500", "0.500", "1.000"]
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["red", "green"]


def test_the_mean_of_the_product_is_the_similarity():
    features = torch.rand(1, 3, 4, 6)
    gram = nst.gram_matrix(features)[0]
    alike = float(gram[0, 2] / (gram[0, 0] * gram[2, 2]).sqrt())
    figure = drawn(plots.together(features, [(0, 2)], ["a pair"]))
    assert figure.axes[2].get_title() == f"product: mean {alike:.2f}"


def test_a_ring_marks_the_nearest_other_picture():
    distances = torch.tensor([[0.0, 2, 1], [2, 0, 3], [1, 3, 0]])
    figure = drawn(plots.distance_matrix(distances, ["a", "b", "c"]))
    rings = figure.axes[0].collections[0].get_offsets()
    assert np.asarray(rings).tolist() == [[2, 0], [0, 1], [0, 2]]
    assert "nearest to b is a" in figure.alt


def test_a_table_of_numbers_stands_in_rows_and_columns():
    rows = {"first": {"x": 0.0, "y": 0.5}, "second": {"x": 2.0, "y": 1.0}}
    images = [torch.zeros(1, 3, 4, 6), torch.ones(1, 3, 6, 4)]
    figure = drawn(plots.number_table(rows, "a table", images))
    axes = figure.axes[0]
    places = {text.get_position(): text.get_text() for text in axes.texts}
    assert places == {(0, 0): "0.00", (1, 0): "0.50", (0, 1): "2.00", (1, 1): "1.00"}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "second"]
    assert len(figure.axes) == 3
    assert "second: 2.00, 1.00" in figure.alt


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_table_of_equal_numbers_can_be_drawn(value):
    drawn(plots.number_table({"all": {"x": value, "y": value}}))


def test_dots_stand_at_their_numbers():
    groups = {"here": {"relu1_1": 1.0, "relu2_1": 2.0}, "there": {"relu1_1": 3.0, "relu2_1": 4.0}}
    figure = drawn(plots.layer_dots(groups, "length"))
    heights = [list(line.get_ydata()) for line in figure.axes[0].lines]
    assert heights == [[1, 2], [3, 4]]
    assert figure.axes[0].get_yscale() == "log"
    assert figure.axes[0].get_ylabel() == "length (logarithmic scale)"
    assert "there: relu1_1 3" in figure.alt
