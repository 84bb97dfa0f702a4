"""Figures of features: what stands where, on which scales."""

import numpy as np
import pytest
import torch

from nst import plots


def arrays(axes):
    return [np.asarray(image.get_array()) for image in axes.images]


def drawn(figure):
    """Renders without a complaint, and says in words what it shows."""
    assert figure.alt
    return figure.png().startswith(b"\x89PNG")


def test_numbers_are_written_where_they_stand_in_cells_of_one_size():
    matrix = torch.arange(6.0).view(2, 3) - 2
    figure = plots.numbers([matrix, matrix.T], ["a", "b"], marks=[(0, 1, 2, 2)])
    first, second = figure.axes
    written = {text.get_position(): text.get_text() for text in first.texts}
    assert written[(0, 0)] == "-2"
    assert written[(2, 1)] == "3"
    assert len(written) == 6
    cells = [axes.get_position().height * figure.get_figheight() for axes in (first, second)]
    assert cells[0] / 2 == pytest.approx(cells[1] / 3)
    (mark,) = first.patches
    assert (mark.get_xy(), mark.get_width(), mark.get_height()) == ((0.5, -0.5), 2, 2)
    assert not second.patches
    assert drawn(figure)


@pytest.mark.parametrize(("lowest", "limits"), [(-1.0, (-3, 3)), (0.0, (0, 3))])
def test_maps_share_a_scale_which_is_even_around_0_if_there_are_both_signs(lowest, limits):
    values = [torch.full((1, 1, 4, 6), lowest), torch.full((4, 6), 3.0)]
    figure = plots.maps(values, ["low", "high"])
    shown = [axes for axes in figure.axes if axes.images and axes.get_title()]
    assert [axes.get_title() for axes in shown] == ["low", "high"]
    assert [image.get_clim() for axes in shown for image in axes.images] == [limits] * 2
    assert drawn(figure)


def test_the_liveliest_channels_stand_first_and_a_row_has_one_scale():
    ramp = torch.linspace(0, 1, 20).view(4, 5)
    feature = torch.stack([0.1 * ramp, 3 * ramp, ramp, 9 + 0 * ramp])[None]
    figure = plots.activations({"relu1_1": feature, "relu2_1": feature[..., ::2, ::2]}, channels=3)
    titles = [axes.get_title() for axes in figure.axes[:6]]
    assert titles == ["channel 1", "channel 2", "channel 0"] * 2
    assert len(figure.axes) == 8  # with a bar for each row
    assert figure.axes[0].get_ylabel() == "relu1_1\n5 × 4"
    assert figure.axes[3].get_ylabel() == "relu2_1\n3 × 2"
    assert len({axes.images[0].get_clim() for axes in figure.axes[:3]}) == 1
    assert np.allclose(arrays(figure.axes[0])[0], 3 * ramp)
    assert drawn(figure)


def test_rectification_counts_what_is_cut_off():
    before = torch.randn(1, 2, 30, 40, generator=torch.Generator().manual_seed(0))
    figure = plots.rectification(before, before.relu(), channel=1)
    assert np.allclose(arrays(figure.axes[0])[0], before[0, 1])
    assert np.allclose(arrays(figure.axes[1])[0], before[0, 1].relu())
    assert figure.axes[0].images[0].get_clim() == figure.axes[1].images[0].get_clim()
    everything, rest = figure.axes[2].patches
    data, kept = everything.get_data(), rest.get_data()
    assert 0 in data.edges
    below = data.edges[1:] <= 0
    assert (kept.values[below] == 0).all()
    assert np.array_equal(kept.values[~below], data.values[~below])
    assert data.values[below].sum() == pytest.approx((before < 0).sum().item(), rel=0.01)
    assert drawn(figure)


def test_receptive_fields_are_cut_out_of_the_picture(picture):
    boxes = {"small": (10, 20, 3, 3), "large": (-4, 30, 12, 12)}
    figure = plots.receptive_fields(picture, boxes)
    whole, small, large = (axes for axes in figure.axes if axes.images)
    corners = [patch.get_xy() for patch in whole.patches]
    assert corners == [(19.5, 9.5), (29.5, -4.5)]
    pixels = arrays(whole)[0]
    assert np.array_equal(arrays(small)[0], pixels[10:13, 20:23])
    assert np.array_equal(arrays(large)[0], pixels[:8, 30:42])  # the rest lies outside
    assert whole.get_ylim()[1] == -4.5  # and there is room for it
    assert whole.get_xlim() == (-0.5, pixels.shape[1] - 0.5)
    assert drawn(figure)


def test_supports_are_logarithms_of_shares():
    gradient = torch.zeros(6, 8)
    gradient[2, 3], gradient[2, 4] = 10.0, 0.1
    figure = plots.supports({"relu1_1": gradient}, {"relu1_1": (1, 2, 3, 3)})
    axes, bar = figure.axes
    assert "largest" in bar.get_ylabel()
    (shown,) = arrays(axes)
    assert shown[2, 3] == 0
    assert shown[2, 4] == pytest.approx(-2)
    assert shown[0, 0] == pytest.approx(-6)
    assert axes.images[0].get_clim() == (-6, 0)
    assert drawn(figure)


def test_portraits_stand_row_by_row(picture):
    crops = [picture[..., :5, :5], picture[..., 5:9, 5:9]]
    channels = [("channel 1", picture, crops), ("channel 2", picture.flip(1), crops[::-1])]
    figure = plots.channel_portraits({"relu1_1": channels, "relu2_1": channels[::-1]})
    shown = [axes for axes in figure.axes if axes.images]
    assert len(shown) == 12
    assert [axes.get_title() for axes in shown[::3]] == [
        "channel 1",
        "channel 2",
        "channel 2",
        "channel 1",
    ]
    assert [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()] == [
        "relu1_1",
        "relu2_1",
    ]
    assert arrays(shown[1])[0].shape == (5, 5, 3)
    assert arrays(shown[4])[0].shape == (4, 4, 3)
    assert drawn(figure)


def test_lines_by_layer_keep_the_layers_apart():
    lines = {"a": {"relu1_1": 1.0, "relu2_1": 2.0}, "b": {"relu2_1": 3.0}}
    figure = plots.by_layer(lines, "share", baseline=("guessing", 0.5))
    (axes,) = figure.axes
    first, second, level = axes.lines
    assert list(first.get_xdata()) == [0, 1]
    assert list(second.get_xdata()) == [1]
    assert level.get_ydata()[0] == 0.5
    assert [label.get_text() for label in axes.get_xticklabels()] == ["relu1_1", "relu2_1"]
    assert axes.get_ylim()[0] == 0
    assert plots.by_layer(lines, "share", log=True).axes[0].get_yscale() == "log"
    assert drawn(figure)
