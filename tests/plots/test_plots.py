"""Figures: what stands where, and that all of it can be read."""

import io
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image

import nst
from nst import plots
from nst.grids.cells import Cell
from nst.grids.experiments import Experiment
from nst.plots.common import DPI, WIDTH

AXES = {"style": ["starry", "waves"], "content_weight": ["0.5", "1", "2"], "seed": ["0", "1"]}


def history(layers=("relu1_1", "relu2_1"), steps=4, start=8.0):
    """Halving losses at two sizes, content starting at 0."""
    records = []
    for size, number in product((32, 64), range(steps)):
        content = {"content relu4_2": 0.01 * number}
        terms = content | {f"style {layer}": start / 2**number for layer in layers} | {"tv": 1e-3}
        total = sum(terms.values())
        records.append({"number": number, "size": size, "terms": terms, "total": total})
    return records


def experiment_of(axes, shape=(30, 20)):
    """Every cell has a picture of its own colour."""
    cells = []
    for index, labels in enumerate(product(*axes.values())):
        picture = Image.new("RGB", shape, (index, 100, 200))
        labels = dict(zip(axes, labels, strict=True))
        cells.append(Cell(nst.Settings(), labels, picture, history(), 1.0, "finished"))
    return Experiment(axes, cells, [""] * len(cells))


def fail(cell):
    return replace(cell, picture=None, history=[], reason="failed", error="out of luck " * 600)


def colours(figure):
    """Which cell's picture stands in which row and column of the figure."""
    places = {}
    for axes in figure.axes:
        spec = axes.get_subplotspec()
        for image in axes.images:
            place = spec.rowspan.start, spec.colspan.start
            places[place] = int(np.asarray(image.get_array())[0, 0, 0])
    return places


def texts(figure):
    """Everything that is written on the figure, and where, in dots."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    found = [t for t in figure.findobj(Text) if t.get_text() and t.get_visible()]
    return {t: t.get_window_extent(canvas.get_renderer()) for t in found}


def test_the_last_axis_goes_along_the_columns():
    experiment = experiment_of({"style": AXES["style"], "content_weight": AXES["content_weight"]})
    figure = plots.contact_sheet(experiment)
    assert colours(figure) == {
        (row, column): 3 * row + column for row in (0, 1) for column in range(3)
    }
    assert [axes.get_title() for axes in figure.axes] == ["0.5", "1", "2", "", "", ""]
    assert [axes.get_ylabel() for axes in figure.axes] == ["starry", "", "", "waves", "", ""]
    assert figure.get_suptitle() == "content_weight"
    assert figure.get_supylabel() == "style"


def test_rows_and_columns_can_be_chosen():
    experiment = experiment_of({"style": AXES["style"], "content_weight": AXES["content_weight"]})
    for options in (
        {"rows": "content_weight"},
        {"columns": "style"},
        {"rows": "content_weight", "columns": ["style"]},
    ):
        figure = plots.contact_sheet(experiment, **options)
        assert colours(figure) == {
            (row, column): 3 * column + row for row in range(3) for column in (0, 1)
        }
    in_one_row = plots.contact_sheet(experiment, rows=[])
    assert [axes.get_title() for axes in in_one_row.axes][:4] == [
        "starry, 0.5",
        "starry, 1",
        "starry, 2",
        "waves, 0.5",
    ]
    for options in (
        {"rows": "seed"},
        {"rows": "style", "columns": "style"},
        {"columns": ["style"], "rows": []},
    ):
        with pytest.raises(
            nst.SettingsError, match="rows and columns share out the axes style, content_weight"
        ):
            plots.contact_sheet(experiment, **options)


def test_further_axes_share_the_rows():
    figure = plots.contact_sheet(experiment_of(AXES))
    assert figure.alt == "Results for style starry, waves; content_weight 0.5, 1, 2; seed 0, 1"
    assert len(colours(figure)) == 12
    assert [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()] == [
        "starry, 0.5", "starry, 1", "starry, 2", "waves, 0.5", "waves, 1", "waves, 2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "table"), [(1, (1, 1)), (3, (1, 3)), (4, (2, 2)), (7, (3, 3)), (17, (5, 4))]
)
def test_a_single_axis_is_broken_like_text(cells, table):
    names = [f"label {i}" for i in range(cells)]
    figure = plots.contact_sheet(experiment_of({"seed": names}))
    grid = figure.axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == table
    assert colours(figure) == {divmod(i, grid.ncols): i for i in range(cells)}
    assert [axes.get_title() for axes in figure.axes] == names


def test_an_experiment_without_axes_is_one_picture():
    assert colours(plots.contact_sheet(experiment_of({}))) == {(0, 0): 0}


def test_a_selection_can_be_shown():
    figure = plots.contact_sheet(experiment_of(AXES).select(style="waves"))
    assert list(colours(figure).values()) == list(range(6, 12))


@pytest.mark.parametrize("draw", [plots.contact_sheet, plots.loss_curves])
@pytest.mark.parametrize(
    ("shape", "columns"), [((30, 20), 2), ((20, 30), 2), ((30, 20), 6), ((20, 20), 9)]
)
def test_nothing_that_is_written_overlaps(draw, shape, columns):
    axes = {"a rather long name of an axis": ["one", "a label that is as long as a sentence is"]}
    axes["style"] = [f"the painting that is called {i}" for i in range(columns)]
    experiment = experiment_of(axes, shape)
    experiment.cells[0] = fail(experiment.cells[0])
    experiment.cells[1] = replace(fail(experiment.cells[1]), error=None, reason="not run")
    found = texts(draw(experiment))
    assert any("failed" in text.get_text() for text in found)
    assert any(text.get_text() == "not run" for text in found)
    for (one, a), (two, b) in combinations(found.items(), 2):
        overlap = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(overlap) < 2, (one.get_text(), two.get_text())


def test_a_failed_cell_shows_as_much_of_its_message_as_fits():
    experiment = experiment_of({"seed": ["0", "1"]})
    experiment.cells[1] = fail(experiment.cells[1])
    figure = plots.contact_sheet(experiment)
    (message,) = figure.axes[1].texts
    lines = message.get_text().splitlines()
    assert lines[0] == "failed"
    assert lines[2].startswith("out of luck")
    assert lines[-1] == "…"
    inside, around = texts(figure)[message], figure.axes[1].get_window_extent()
    assert around.x0 < inside.x0 < inside.x1 < around.x1
    assert around.y0 < inside.y0 < inside.y1 < around.y1


def test_loss_curves_draw_every_term_of_every_cell():
    experiment = experiment_of({"style_layers": ["one", "two"]})
    experiment.cells[1].history = history(["relu1_1", "relu5_1"], start=80.0)
    figure = plots.loss_curves(experiment)
    for axes, cell in zip(figure.axes, experiment.cells, strict=True):
        assert axes.get_yscale() == "log"
        lines = {line.get_label(): line for line in axes.get_lines()}
        for term in cell.history[0]["terms"]:
            values = [step["terms"][term] or np.nan for step in cell.history]
            np.testing.assert_array_equal(lines[term].get_ydata(), values)
        totals = [step["total"] for step in cell.history]
        np.testing.assert_array_equal(lines["total"].get_ydata(), totals)
        (size,) = (line for line in axes.get_lines() if line.get_label().startswith("_"))
        assert list(size.get_xdata()) == [4, 4]
        low, high = axes.get_ylim()
        assert low < 1e-3
        assert high > 160
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [
        "content relu4_2",
        "style relu1_1",
        "style relu2_1",
        "style relu5_1",
        "tv",
        "total",
    ]
    handles = [line.get_color() for line in figure.legends[0].get_lines()]
    assert len({str(colour) for colour in handles}) == 6


def test_losses_that_explode_or_vanish_can_be_drawn():
    records = history()
    records[1] = records[1] | {
        "total": float("inf"),
        "terms": dict.fromkeys(records[1]["terms"], float("nan")),
    }
    for draw in (plots.loss_curve, lambda h: plots.loss_curves(_with_history(h))):
        figure = draw(records)
        FigureCanvasAgg(figure).draw()
        assert figure.axes[0].get_ylim()[1] < 100


def _with_history(records):
    experiment = experiment_of({"seed": ["0"]})
    experiment.cells[0].history = records
    return experiment


def test_one_run():
    figure = plots.loss_curve(history())
    labels = [line.get_label() for line in figure.axes[0].get_lines()]
    assert labels[:5] == ["content relu4_2", "style relu1_1", "style relu2_1", "tv", "total"]
    assert figure.axes[0].get_xlabel() == "evaluations"


def test_all_failed():
    experiment = experiment_of({"seed": ["0", "1"]})
    experiment.cells = list(map(fail, experiment.cells))
    for draw in (plots.contact_sheet, plots.loss_curves):
        FigureCanvasAgg(draw(experiment)).draw()


def test_notebooks_and_files_get_the_same_picture(tmp_path):
    figure = plots.contact_sheet(experiment_of({"seed": ["0", "1", "2"]}))
    shown = Image.open(io.BytesIO(figure.png()))
    figure.savefig(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as saved:
        # A layout that is solved twice differs by some dots.
        assert saved.size == pytest.approx(shown.size, rel=0.02)
        assert saved.size[0] == pytest.approx(WIDTH * DPI, rel=0.1)


def test_matplotlibs_setting_of_dots_an_inch_is_heeded():
    figure = plots.pictures([Image.new("RGB", (30, 20))], width=2)
    for dots, width in (("figure", 2 * DPI), (40, 80)):
        with rc_context({"savefig.dpi": dots}):
            assert Image.open(io.BytesIO(figure.png())).width == pytest.approx(width, rel=0.1)


def test_pictures_stand_side_by_side_with_their_titles():
    images = [Image.new("RGB", (30, 20), (index, 0, 0)) for index in range(3)]
    figure = plots.pictures(images, ["a", "b", "c"], columns=2)
    assert colours(figure) == {(0, 0): 0, (0, 1): 1, (1, 0): 2}
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c", ""]
    assert figure.alt == "Pictures: a; b; c"
    data, metadata = figure._repr_mimebundle_()
    assert Image.open(io.BytesIO(data["image/png"])).width > 1000
    assert metadata["image/png"]["alt"] == figure.alt
