"""Grids of runs: axes, cells, folders, rebalanced weights, cached targets."""

import csv
import json
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import nst
from nst.cache import Cache, cached, caching
from nst.grids import workers
from nst.grids.axes import labels, split
from nst.grids.cells import hash_of
from nst.grids.experiments import Experiment, grid
from nst.images import postprocess_image
from nst.objective import Objective
from nst.settings import settled

STANDARD = nst.PRESETS["default"].settings.style_layers
TINY = {"sizes": 32, "num_steps": 2}


@pytest.fixture
def here():
    """An executor in this process; one thread, so that cells finish in their order."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


class Nobody(Executor):
    """An executor that no cell may reach."""

    def submit(self, *_args, **_options):
        raise AssertionError("a cell was run")


def pixels(cell):
    return np.asarray(cell.picture)


def repeat(cell, content, styles, **options):
    """The picture that `style_transfer` paints with a cell's settings."""
    settings = cell.settings.to_dict() | options
    del settings["content"], settings["styles"]
    return np.asarray(postprocess_image(nst.style_transfer(content, styles, **settings).image))


# Axes


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("content_weight", [0.5, 1, 20.0], ["0.5", "1", "20"]),
        ("content_weight", np.array([0.5, 2]), ["0.5", "2"]),
        ("seed", range(3), ["0", "1", "2"]),
        ("seed", {"first": 1, "second": 2}, ["first", "second"]),
        ("sizes", [256, (256, 512)], ["256", "256, 512"]),
        ("learning_rate", [None, 0.5], ["default", "0.5"]),
        ("content_weight", [0.12345678, 0.12345679], ["0.12345678", "0.12345679"]),
        ("style", ["starry", "a/b/waves.jpg", ("dots", "ink")], ["starry", "waves", "dots + ink"]),
        ("style", ["a/x.png", "b/x.png"], ["a/x.png", "b/x.png"]),
        ("style", ["https://a.org/x.jpg?size=3"], ["x"]),
        ("content", [Image.new("RGB", (9, 9)), np.zeros((9, 9))], ["picture 1", "picture 2"]),
        (
            "style_layers",
            ["relu1_1", ["relu1_1", "relu2_1", "conv3_1", "conv4_1"], {"relu1_1": 2, "relu2_1": 1}],
            ["relu1_1", "relu1_1 2_1 conv3_1 4_1", "relu1_1=2 2_1=1"],
        ),
        ("style_layers", {"low": "relu1_1", "high": ["relu5_1"]}, ["low", "high"]),
        ("style_layers", ["layer1.0.relu", "layer1.1.relu"], ["layer1.0.relu", "layer1.1.relu"]),
    ],
)
def test_lists_and_labelled_dicts_are_axes(name, value, expected):
    axes, fixed = split({name: value})
    assert list(axes[name]) == expected
    assert fixed == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sizes", (256, 512)),
        ("style", ("starry", "waves")),
        ("style_layers", ("relu1_1", "relu2_1")),
        ("style_layers", {"relu1_1": 1.0, "relu2_1": 0.5}),
        ("content", np.zeros((4, 4))),
        ("content_weight", 2.0),
    ],
)
def test_all_else_is_the_same_for_every_cell(name, value):
    axes, fixed = split({name: value})
    assert axes == {}
    assert fixed[name] is value


def test_alternatives_that_cannot_be_told_apart_are_refused():
    with pytest.raises(nst.SettingsError, match="two alternatives of seed are called '1'"):
        labels("seed", [1, 2, 1])
    with pytest.raises(nst.SettingsError, match="seed has no alternatives"):
        split({"seed": []})


# Cells


def test_cells_are_what_style_transfer_paints(picture, other, here):
    experiment = grid(
        content=picture, style=[other, (other, picture)], optimizer=["lbfgs", "adam"],
        sizes=(32, 48), num_steps=(2, 1), init="noise", style_scale=0.8, executor=here,
    )  # fmt: skip
    assert experiment.axes == {
        "style": ["picture 1", "picture 2 + picture 2"],
        "optimizer": ["lbfgs", "adam"],
    }
    assert [tuple(cell.labels.values()) for cell in experiment.cells] == [
        ("picture 1", "lbfgs"), ("picture 1", "adam"),
        ("picture 2 + picture 2", "lbfgs"), ("picture 2 + picture 2", "adam"),
    ]  # fmt: skip
    for cell in experiment.cells:
        assert (cell.reason, cell.error, len(cell.history)) == ("finished", None, 5)
        styles = [other, picture] if "+" in cell.labels["style"] else [other]
        assert np.array_equal(pixels(cell), repeat(cell, picture, styles))
    assert len({pixels(cell).tobytes() for cell in experiment.cells}) == 4


def test_pictures_of_any_kind_give_the_same_cell(picture, other, here, tmp_path):
    """Files and arrays travel as bytes, tensors as floats; each exactly as `load_image` reads."""
    nst.save_image(picture, tmp_path / "p.png")
    image = nst.open_image(tmp_path / "p.png")
    kinds = {"path": tmp_path / "p.png", "pil": image, "array": np.asarray(image),
             "tensor": nst.load_image(image)}  # fmt: skip
    experiment = grid(content=kinds, style=other, init=image, executor=here, sizes=24, num_steps=2)
    path = repeat(experiment["path"], tmp_path / "p.png", other, init=image)
    for kind in ("path", "pil", "array"):
        assert np.array_equal(pixels(experiment[kind]), path)
    tensor = repeat(experiment["tensor"], kinds["tensor"], other, init=image)
    assert np.array_equal(pixels(experiment["tensor"]), tensor)
    assert experiment["path"].settings.content == str(tmp_path / "p.png")


def test_packing_is_exact(picture):
    bytes_ = nst.preprocess_image(postprocess_image(picture))
    for image, kind in ((picture, np.float32), (bytes_, np.uint8)):
        packed = workers.pack(image)
        assert packed.dtype == kind
        assert torch.equal(workers.unpack(packed, torch.device("cpu")), image)


def test_one_bad_cell_stops_no_other(picture, other, here):
    layers = ["relu1_1", "relu9_1", "relu2_1"]
    experiment = grid(content=picture, style=other, style_layers=layers, executor=here, **TINY)
    assert [cell.reason for cell in experiment.cells] == ["finished", "failed", "finished"]
    bad = experiment["relu9_1"]
    assert bad.picture is None
    assert bad.error.startswith("vgg19_quarter has no layer 'relu9_1'")
    assert "3 cells, 2 finished, 1 failed" in repr(experiment)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"content": None}, "content=… and style=…"),
        ({"contentweight": [1]}, "did you mean content_weight"),
        ({"style_weight": [1, -1]}, "0 or more"),
        ({"style": ["starry", "nowhere.png"]}, "nowhere.png"),
        ({"styles": ("a", "b")}, "style="),
        ({"executor": "threads:2"}, "processes:2"),
        ({"executor": "processes:0"}, "processes:2"),
        ({"executor": "dask:tcp"}, "dask://scheduler:8786"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_runs(picture, other, settings, words):
    given = {"content": picture, "style": other, "executor": Nobody()} | TINY | settings
    with pytest.raises(nst.NstError, match=words):
        grid(**given)


def test_networks_go_to_workers_by_name(picture, other, here, quarter):
    made = nst.load_network("vgg19_quarter", pooling="max")
    networks = {"average": quarter, "max": made, "by name": "vgg19_quarter"}
    experiment = grid(content=picture, style=other, network=networks, executor=here, **TINY)
    assert [cell.settings.pooling for cell in experiment.cells] == ["average", "max", "average"]
    first, second, third = map(pixels, experiment.cells)
    assert np.array_equal(first, third)
    assert not np.array_equal(first, second)
    mine = nst.load_network("vgg19_quarter")
    mine.settings = {}
    with pytest.raises(nst.SettingsError, match="load_network"):
        grid(content=picture, style=other, network=mine, executor=Nobody())
    with pytest.raises(nst.SettingsError, match="pooling"):
        grid(content=picture, style=other, network=made, pooling="average", executor=Nobody())


# The experiment as a table


@pytest.fixture
def experiment(picture, other, here):
    return grid(
        content=picture, style={"a": other, "b": picture}, content_weight=[0.5, 2.0],
        style_layers=["relu1_1", "relu9_1"], executor=here, **TINY,
    )  # fmt: skip


def test_cells_are_found_by_label(experiment):
    cell = experiment["b", 2.0, "relu1_1"]
    assert cell.labels == {"style": "b", "content_weight": "2", "style_layers": "relu1_1"}
    part = experiment.select(style="b", style_layers="relu1_1")
    assert part.axes == {"content_weight": ["0.5", "2"]}
    assert part[2] is cell
    with pytest.raises(nst.SettingsError, match=r"no label '3' on content_weight; there are 0\.5"):
        experiment.select(content_weight=3)
    with pytest.raises(nst.SettingsError, match="no axis 'seed'; there are style, content_weight"):
        experiment.select(seed=3)
    with pytest.raises(nst.SettingsError, match="one label for each axis"):
        experiment["b"]


def test_the_table_and_its_csv(experiment, tmp_path):
    table = experiment.table()
    assert len(table) == 8
    assert len({tuple(row) for row in table}) == 1
    row, cell = table[0], experiment.cells[0]
    delivered = cell.history[-1]["delivered"]
    assert (row["style"], row["content_weight"]) == ("a", "0.5")
    assert row["total"] == delivered["total"]
    assert row["style relu1_1"] == delivered["style relu1_1"]
    assert row["used style_weight"] == cell.settings.style_weight != 1000
    assert row["evaluations"] == 3
    assert (table[1]["total"], table[1]["reason"]) == (None, "failed")
    experiment.write_csv(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["error"] for row in rows] == [row["error"] or "" for row in table]
    assert float(rows[0]["total"]) == delivered["total"]


# Folders


def files(folder):
    return {path.name: path.read_bytes() for path in (folder / "cells").iterdir()}


def test_a_later_call_runs_only_what_is_missing(picture, other, here, tmp_path):
    fixed = {"content": picture, "folder": tmp_path, **TINY}
    first = grid(style={"a": other}, content_weight=[1, 2], executor=here, **fixed)
    before = files(tmp_path)
    assert sorted(name[:4] for name in before) == ["a_1_", "a_1_", "a_2_", "a_2_"]
    again = grid(style={"a": other}, content_weight=[1, 2], executor=Nobody(), **fixed)
    assert repr(again) == repr(first)
    for ours, theirs in zip(again.cells, first.cells, strict=True):
        assert np.array_equal(pixels(ours), pixels(theirs))
        assert (ours.settings, ours.history) == (theirs.settings, theirs.history)
    more = grid(style={"new label": other}, content_weight=[2, 3], executor=here, **fixed)
    assert before.items() <= files(tmp_path).items()
    assert len(files(tmp_path)) == 6
    assert more["new label", 2].labels["style"] == "new label"


def test_a_picture_in_the_folder_says_how_to_repeat_it(picture, other, here, tmp_path):
    layers = ["relu2_1"]
    grid(content=picture, style=other, style_layers=layers, folder=tmp_path, executor=here, **TINY)
    (path,) = (tmp_path / "cells").glob("*.png")
    settings = nst.read_settings(path)
    del settings["content"], settings["styles"]  # tensors have no names
    result = nst.style_transfer(picture, other, **settings)
    assert np.array_equal(np.asarray(postprocess_image(result.image)), np.asarray(Image.open(path)))


def test_other_pixels_under_the_same_name_are_another_cell(picture, other, here, tmp_path):
    for image in (picture, picture.flip(-1)):
        nst.save_image(image, tmp_path / "p.png")
        grid(content=tmp_path / "p.png", style=other, folder=tmp_path, executor=here, **TINY)
    assert len(files(tmp_path)) == 4


def test_the_same_pixels_under_another_name_are_the_same_cell(picture, other, here, tmp_path):
    for name, executor in (("p.png", here), ("moved/p.png", Nobody())):
        nst.save_image(picture, tmp_path / name)
        grid(content=tmp_path / name, style=other, folder=tmp_path, executor=executor, **TINY)


def test_other_weights_under_the_same_name_are_another_cell(
    picture, other, here, tmp_path, monkeypatch, quarter
):
    """In a folder, in workers that live on, and in a network that was changed since."""
    monkeypatch.chdir(tmp_path)
    pictures = {"content": picture, "style": other, "executor": here, **TINY}
    state = quarter.state_dict()
    for factor in (1.0, 1.3):
        torch.save({name: factor * value for name, value in state.items()}, "w.pt")
        direct = nst.style_transfer(picture, other, weights="w.pt", **TINY)
        for folder in ("cells", None):
            (cell,) = grid(weights="w.pt", folder=folder, **pictures).cells
            assert cell.history[-1]["terms"] == direct.history[-1]["terms"]
    loaded = nst.load_network(weights="w.pt")
    torch.save(state, "w.pt")
    workers._load.cache_clear()
    (cell,) = grid(network=loaded, **pictures).cells
    assert "w.pt has changed" in cell.error
    with torch.no_grad():
        loaded.layers["conv1_1"].weight.mul_(2)
    with pytest.raises(nst.SettingsError, match="give one as load_network made it"):
        grid(network=loaded, **pictures)
    assert nst.style_transfer(picture, other, network=loaded, **TINY).settings.network == "given"


@pytest.mark.parametrize("harm", ["no json", "half a json", "no picture", "half a picture"])
def test_a_half_written_cell_is_run_again(picture, other, here, tmp_path, harm):
    settings = {"content": picture, "style": other, "folder": tmp_path, **TINY}
    grid(executor=here, **settings)
    before = files(tmp_path)
    suffix = "json" if "json" in harm else "png"
    (path,) = (tmp_path / "cells").glob(f"*.{suffix}")
    if harm.startswith("no"):
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert Experiment.load(tmp_path).cells[0].reason == "not run"
    with pytest.raises(AssertionError, match="a cell was run"):
        grid(executor=Nobody(), **settings)
    grid(executor=here, **settings)
    assert files(tmp_path).keys() == before.keys()
    assert Experiment.load(tmp_path).cells[0].reason == "finished"


def test_failures_are_kept_and_tried_again(picture, other, here, tmp_path, monkeypatch):
    settings = {"content": picture, "style": other, "folder": tmp_path, "seed": [1, 2], **TINY}
    load = workers.loaded_networks
    monkeypatch.setattr(workers, "loaded_networks", lambda *_: 1 / 0)
    grid(executor=here, **settings)
    assert [cell.error for cell in Experiment.load(tmp_path).cells] == [
        "ZeroDivisionError: division by zero"
    ] * 2
    monkeypatch.setattr(workers, "loaded_networks", load)
    grid(executor=here, **settings)
    loaded = Experiment.load(tmp_path)
    assert [(cell.reason, cell.error) for cell in loaded.cells] == [("finished", None)] * 2
    assert len(files(tmp_path)) == 4


def test_save_and_load(experiment, tmp_path):
    experiment.save(tmp_path / "new")
    loaded = Experiment.load(tmp_path / "new")
    assert loaded.axes == experiment.axes
    assert loaded.table() == experiment.table()
    assert np.array_equal(pixels(loaded["a", 0.5, "relu1_1"]), pixels(experiment.cells[0]))
    with pytest.raises(nst.SettingsError, match="holds no experiment"):
        Experiment.load(tmp_path)
    for text in ("{", "[]", json.dumps({"axes": {}, "cells": [{"settings": {}}]})):
        (tmp_path / "new" / "experiment.json").write_text(text)
        with pytest.raises(nst.SettingsError, match="cannot be read"):
            Experiment.load(tmp_path / "new")


def test_a_full_disk_costs_no_result(picture, other, here, tmp_path, monkeypatch):
    def refuse(*_):
        raise nst.ImageError("the disk is full")

    monkeypatch.setattr(nst.grids.cells.Cell, "save", refuse)
    settings = {"content": picture, "style": other, "seed": [1, 2], **TINY}
    with pytest.warns(UserWarning, match="disk is full") as warned:
        experiment = grid(folder=tmp_path, executor=here, **settings)
    assert len(warned) == 1
    assert all(cell.picture for cell in experiment.cells)


def test_the_json_is_written_last(picture, other, here, tmp_path, monkeypatch):
    def cut_off(path, _values):
        if path.parent.name == "cells":
            raise KeyboardInterrupt

    monkeypatch.setattr(nst.grids.cells, "write_json", cut_off)
    grid(content=picture, style=other, folder=tmp_path, executor=here, **TINY)
    assert [path.suffix for path in (tmp_path / "cells").iterdir()] == [".png"]


def test_ctrl_c_keeps_what_is_finished(picture, other, tmp_path):
    class Interrupted(ThreadPoolExecutor):
        """Ctrl-C comes while the second cell runs."""

        def submit(self, work, task):
            if task.settings.seed == 1:
                return super().submit(work, task)
            return super().submit(interrupt)

    def interrupt():
        raise KeyboardInterrupt

    def outcome(future):
        return future.result()

    with Interrupted(1) as executor, pytest.MonkeyPatch.context() as patch:
        patch.setattr(nst.grids.pools, "_outcome", outcome)  # raises here, as a signal would
        experiment = grid(
            content=picture, style=other, seed=[1, 2, 3], folder=tmp_path, executor=executor, **TINY
        )
    reasons = [cell.reason for cell in experiment.cells]
    assert reasons == ["finished", "not run", "not run"]
    assert [cell.reason for cell in Experiment.load(tmp_path).cells] == reasons


# Rebalanced weights


def push(picture, other, settings, term):
    """The size of a loss's gradient half-way between the pictures."""
    weight = {"content": "style_weight", "style": "content_weight"}[term]
    settings = replace(settings, tv_weight=0.0, **{weight: 0.0})
    network = nst.load_network("vgg19_quarter")
    halfway = (picture + nst.images.resize(other, picture.shape[-2:])) / 2
    objective = Objective(network, picture, [other], settings)
    return objective.loss_and_gradient(halfway)[1].norm().item()


@pytest.mark.parametrize("normalisation", ["relative", "mse", "paper"])
@pytest.mark.parametrize("term", ["content", "style"])
def test_cells_with_other_layers_push_as_hard_as_the_preset(
    picture, other, here, normalisation, term
):
    layers = {"one": "relu1_1", "deep": "relu5_1", "two": {"relu2_1": 1.0, "conv3_3": 9.0}}
    settings = {
        "content": picture, "style": other, "normalisation": normalisation,
        f"{term}_layers": layers, f"{term}_weight": 7.0, "num_steps": 0, "executor": here,
    }  # fmt: skip
    weight, same = f"{term}_weight", {"normalisation": normalisation, "num_steps": 0}
    usual = nst.make_settings(**same, **{weight: 7.0})
    expected = push(picture, other, usual, term)
    pushes = {"True": [], "False": []}
    for cell in grid(rebalance=[True, False], **settings).cells:
        balanced, label = cell.labels["rebalance"], cell.labels[f"{term}_layers"]
        own = {f"{term}_layers": layers[label], weight: 7.0}
        given = settled(nst.make_settings(**same, **own))
        assert replace(cell.settings, **{weight: 7.0}) == given
        assert (cell.settings == given) == (balanced == "False")
        pushes[balanced].append(push(picture, other, cell.settings, term))
    assert pushes["True"] == pytest.approx([expected] * 3, rel=1e-4)
    assert max(pushes["False"]) > 3 * min(pushes["False"])


def test_the_pushes_by_another_way(picture, other, here):
    """In "mse" the style loss is `nst.style_loss`: autograd on it gives the same weights."""
    network = nst.load_network("vgg19_quarter")
    target = nst.extract_features(network, other, list(STANDARD))
    halfway = (picture + nst.images.resize(other, picture.shape[-2:])) / 2

    def push_of(layers):
        image = halfway.clone().requires_grad_()
        loss = nst.style_loss(nst.extract_features(network, image, layers), target, layers)
        return torch.autograd.grad(loss, image)[0].square().sum().sqrt()

    experiment = grid(
        content=picture, style=other, normalisation="mse", style_layers=["relu1_1", "relu4_1"],
        style_weight=100.0, num_steps=0, executor=here,
    )  # fmt: skip
    for cell, layer in zip(experiment.cells, ["relu1_1", "relu4_1"], strict=True):
        # The preset's five layers have a fifth of the weight each, a single one the whole.
        expected = 100 * push_of(list(STANDARD)) / 5 / push_of([layer])
        assert cell.settings.style_weight == pytest.approx(expected.item(), rel=1e-4)


def test_networks_without_the_usual_layers_are_balanced_by_the_first(picture, other, here):
    names = ["features.1", "features.4"]
    experiment = grid(
        content=picture, style=other, network="alexnet", weights="random", style_layers=names,
        content_layers="features.4", sizes=56, num_steps=0, executor=here,
    )  # fmt: skip
    assert [cell.error for cell in experiment.cells] == [None, None]
    assert experiment["features.1"].settings.style_weight == 1000
    assert experiment["features.4"].settings.style_weight != 1000


def test_pictures_that_are_the_same_leave_the_weights_alone(picture, here):
    experiment = grid(
        content=picture, style=picture, style_layers=["relu1_1"], num_steps=0, executor=here
    )
    assert experiment["relu1_1"].settings.style_weight == 1000


# Targets


def test_a_cell_does_not_depend_on_those_before_it(picture, other, here, monkeypatch):
    """Nor where a worker rounds, as on a GPU, and has seen the same pictures exactly."""
    monkeypatch.setattr(workers, "pick_precision", lambda precision, device: "bfloat16")

    def painted(sizes):
        workers._load.cache_clear()
        monkeypatch.setattr(workers, "CACHE", Cache())
        options = {"num_steps": 4, "executor": here, "sizes": sizes}
        return [cell.picture for cell in grid(content=picture, style=other, **options).cells]

    try:
        (alone,), (_, after) = painted([(40, 56)]), painted([(56,), (40, 56)])
    finally:
        workers._load.cache_clear()
    assert np.array_equal(alone, after)
    direct = nst.style_transfer(
        picture, other, sizes=(40, 56), num_steps=4, precision="bfloat16", progress=False
    )
    assert np.array_equal(nst.images.postprocess_image(direct.image), alone)


def test_a_worker_computes_no_target_twice(picture, other, here, monkeypatch):
    monkeypatch.setattr(workers, "CACHE", Cache())
    network, _ = workers.loaded_networks(nst.Settings(), torch.device("cpu"))
    images, walk = [], network.walk

    def noted(image, layers):
        images.append(image.shape[-2:])
        return walk(image, layers)

    monkeypatch.setattr(network, "walk", noted)
    grid(
        content=picture, style=[other, other.flip(-1)], content_weight=[1, 2, 3],
        num_steps=0, executor=here,
    )  # fmt: skip
    assert images.count(torch.Size([44, 36])) == 2  # each style once
    assert images.count(torch.Size([40, 56])) == 1 + 12  # the content once, each start and result


def test_only_missing_layers_are_computed_and_the_oldest_forgotten(picture, quarter):
    asked = []

    def see(_image, layers):
        asked.append(list(layers))
        return {layer: torch.full((10,), float(layer)) for layer in layers}

    cache = Cache(limit=3 * 40)
    with caching(cache):
        look = cached(see, quarter)
        look(picture, ["1", "2"])
        result = look(picture, ["3", "1"])
        assert [(name, value[0].item()) for name, value in result.items()] == [("3", 3), ("1", 1)]
        look(picture, ["4"])  # forgets 2, which was not used for longest
        look(picture, ["1", "2"])
        look(picture + 1, ["1"])
        cached(see, nst.load_network("vgg19_quarter"))(picture + 1, ["1"])
        look(picture, ["9", "8", "7", "6"])  # more than fits
    assert asked == [["1", "2"], ["3"], ["4"], ["2"], ["1"], ["1"], ["9", "8", "7", "6"]]
    assert len(cache.tensors) == 3
    cached(see, quarter)(picture, ["6"])
    assert asked[-1] == ["6"]


def test_a_damaged_or_foreign_cell_is_run_again_and_that_is_said(
    picture, other, here, tmp_path, capsys
):
    def run(executor):
        return grid(
            content=picture, style=other, seed=[0, 1], init="noise",
            folder=tmp_path, executor=executor, **TINY,
        )  # fmt: skip

    cells = tmp_path / "cells"
    first = run(here)
    path, second = (next(cells.glob(f"*{key}.json")) for key in first.keys)
    whole, image = path.read_bytes(), path.with_suffix(".png").read_bytes()
    saved = json.loads(whole)
    harms = [
        (whole[:100], image),
        (b"[" * 100_000, image),
        (b"5", image),
        (whole, image[:-40]),
        (whole, second.with_suffix(".png").read_bytes()),
        (second.read_bytes(), second.with_suffix(".png").read_bytes()),
        (whole.replace(b"finished", b"finisheD"), image),
    ]
    harms += [
        (json.dumps(saved | {name: value}).encode(), image)
        for name in saved
        for value in (None, 5, [], {}, "x")
    ]
    harms += [
        (json.dumps({k: v for k, v in saved.items() if k != gone}).encode(), image)
        for gone in saved
    ]
    harms += [(resealed(saved | change), image) for change in restructured(saved)]
    harms = [harm for harm in harms if harm != (whole, image) and json_of(harm[0]) != saved]
    for text, pixels in harms:
        path.write_bytes(text)
        path.with_suffix(".png").write_bytes(pixels)
        assert Experiment.load(tmp_path).cells[0].reason == "not run"
        assert "counts as not run" in capsys.readouterr().err
    again = run(here)
    assert np.array_equal(pixels_of(again), pixels_of(first))
    assert [cell.reason for cell in run(Nobody()).cells] == ["finished"] * 2
    assert capsys.readouterr().err.count("counts as not run") == 1


FAULTS = {
    "labels": (None, 5, "x", [5], {"a": 1}),
    "reason": (None, 5, [], {}),
    "error": (5, [], {}),
    "seconds": (None, "x", -1, []),
    "history": (None, 5, "x", [5], [{}], {}),
    "delivered": (None, 5, [], {"a": "b"}),
}


def restructured(saved):
    """Other things in a cell's fields, and in the record of its first step."""
    yield from ({name: value} for name, values in FAULTS.items() for value in values)
    step, *others = saved["history"]
    for name in step:
        for value in (None, "x", [], {"a": "b"}):
            yield {"history": [step | {name: value}, *others]}
    yield {"history": [step | {"terms": {"other": 1.0}}, *others]}


def resealed(saved):
    """A cell's file, its hash made good."""
    values = {name: value for name, value in saved.items() if name != "hash"}
    return json.dumps(values | {"hash": hash_of(values)}).encode()


def json_of(text):
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def pixels_of(experiment):
    return [pixels(cell) for cell in experiment.cells]


@pytest.mark.parametrize(
    "change",
    [
        lambda index: [],
        lambda index: index | {"axes": []},
        lambda index: index | {"axes": {}},
        lambda index: index | {"cells": {"key": 1}},
        lambda index: index | {"cells": [5]},
        lambda index: index | {"cells": []},
        lambda index: {"axes": {}, "cells": []},
        lambda index: index | {"cells": [index["cells"][0] | {"key": "../../x"}]},
        lambda index: index | {"cells": [index["cells"][0] | {"labels": {"seed": 5}}]},
        lambda index: index | {"cells": [index["cells"][0] | {"settings": {"pooling": "<b>"}}]},
    ],
)
def test_an_index_that_is_not_ours_is_one_sentence(picture, other, here, tmp_path, change):
    grid(content=picture, style=other, seed=[0], folder=tmp_path, executor=here, **TINY)
    path = tmp_path / "experiment.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(nst.SettingsError):
        Experiment.load(tmp_path)
