"""Figures on judges: what is filled, joined and marked."""

from nst import plots


def test_fronts_fill_who_is_not_beaten_and_join_them_in_order():
    one = {"gram": [(1.0, 8.0), (4.0, 2.0)], "crude": [(2.0, 4.0), (4.0, 4.0)]}
    other = {"gram": [(1.0, 1.0), (2.0, 2.0)], "crude": [(3.0, 3.0), (4.0, 0.5)]}
    figure = plots.fronts({"judge A": one, "judge B": other}, ["4", "40"], ("changed", "left"))
    filled = []
    for axes, judge in zip(figure.axes, ("judge A", "judge B"), strict=True):
        points = [line for line in axes.lines if len(line.get_xdata()) == 1]
        filled.append(
            {
                (line.get_xdata()[0], line.get_ydata()[0])
                for line in points
                if line.get_markerfacecolor() != "white"
            }
        )
        (joined,) = [line for line in axes.lines if len(line.get_xdata()) > 1]
        assert list(joined.get_xdata()) == sorted(x for x, _ in filled[-1])
        assert axes.get_title() == judge
        assert axes.get_xlabel() == "changed (logarithmic scale)"
        assert axes.get_ylabel() == "left (logarithmic scale)"
        assert axes.get_xscale() == axes.get_yscale() == "log"
    assert filled == [{(1.0, 8.0), (2.0, 4.0), (4.0, 2.0)}, {(1.0, 1.0), (4.0, 0.5)}]
    assert "judge A: on the front gram 4, gram 40, crude 4;" in figure.alt
    assert "judge B: on the front gram 4, crude 40." in figure.alt


def test_correlations_stand_over_the_band_of_chance():
    figure = plots.correlations({"style": -0.3, "both": 0.9}, 0.67, ["both"], "drawn by a rule")
    (axes,) = figure.axes
    zero, first, second = axes.lines
    assert zero.get_xdata() == [0, 0]
    assert [line.get_xdata()[0] for line in (first, second)] == [-0.3, 0.9]
    assert first.get_markerfacecolor() != second.get_markerfacecolor() == "white"
    (band,) = axes.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == (-0.67, 0.67)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["style", "both"]
    assert "both 0.90" in figure.alt
    assert "drawn by a rule" in figure.alt
