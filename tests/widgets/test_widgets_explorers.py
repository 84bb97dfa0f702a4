"""The explorers and the strip, driven as a page would, without one."""

import io
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

import nst
from nst.features import channel_order
from nst.widgets import ActivationExplorer, GramExplorer, Picture, TradeOffStrip, Work, draw
from nst.widgets import strip as strips
from nst.widgets.common import View, sentence
from nst.widgets.gram import cosines
from nst.widgets.work import stop_all

SIZE = 64


@pytest.fixture(autouse=True)
def no_thread_is_left():
    """Whatever a test starts has ended with it."""
    yield
    left = [thread for thread in threading.enumerate() if thread.name == "nst-work"]
    for thread in left:
        thread.join(5)
    assert not [thread for thread in left if thread.is_alive()]


@pytest.fixture(autouse=True)
def _nothing_is_remembered(monkeypatch):
    monkeypatch.setattr(strips, "_results", {})


@pytest.fixture
def explorer(quarter):
    view = ActivationExplorer("astronaut", quarter, size=SIZE, synchronous=True)
    yield view
    view.close()


@pytest.fixture
def gram(quarter):
    view = GramExplorer("starry", "waves", quarter, size=SIZE, synchronous=True)
    yield view
    view.close()


def pixels(picture):
    return np.asarray(picture.image()).astype(int)


def text(widget):
    """What an HTML widget says, without its markup."""
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", widget.value)).strip()


def features(network, name, layer):
    """A layer's activations, (C, H, W), by the package's function."""
    image = nst.load_image(name, SIZE)
    return nst.extract_features(network, image, [layer])[layer][0].numpy()


def until(condition, seconds=20.0):
    """Wait for it; whether it came true."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


# Work


@pytest.mark.parametrize("synchronous", [True, False])
def test_work_gives_its_result(synchronous):
    work = Work(synchronous)
    assert work.result() is None
    assert work.start(lambda stop: 7)
    assert work.result(5) == 7
    assert not work.running


def test_work_raises_what_the_job_raised():
    calls, work = [], Work(False)
    work.when_done = lambda: calls.append(work.running)

    def job(_):
        raise KeyError("lost")

    work.start(job)
    with pytest.raises(KeyError, match="lost"):
        work.result(5)
    with pytest.raises(KeyError, match="lost"):
        Work(True).start(job)
    assert calls == [False]


def test_nothing_runs_twice_and_a_stopped_job_stays_stopped():
    begun, work = [], Work(False)

    def job(stop):
        begun.append(stop)
        stop.wait(20)
        return "stopped" if stop.is_set() else "ran out"

    assert work.start(job)
    assert not work.start(job)
    work.stop(wait=True)
    assert work.result(5) == "stopped"
    assert work.start(job)
    assert until(lambda: len(begun) == 2)
    assert begun[0].is_set()
    assert not begun[1].is_set()
    with pytest.raises(TimeoutError):
        work.result(0.01)
    stop_all(5)
    assert work.result(5) == "stopped"


def test_the_environment_can_ask_for_no_threads(monkeypatch):
    monkeypatch.setenv("NST_SYNCHRONOUS", "1")
    assert Work().synchronous
    assert not Work(False).synchronous
    monkeypatch.setenv("NST_SYNCHRONOUS", "0")
    assert not Work().synchronous


KERNEL = """
from nst.widgets import Work
work = Work(False)
def job(stop):
    return "stopped" if stop.wait(60) else "ran out"
"""


@pytest.mark.parametrize("busy", [False, True])
def test_interrupting_the_kernel_stops_the_work(busy, monkeypatch):
    import warm
    from jupyter_client.manager import start_new_kernel

    warm.use(monkeypatch)
    said = []
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        client.execute_interactive(KERNEL, timeout=60, output_hook=lambda _: None)
        client.execute_interactive("work.start(job)", timeout=60, output_hook=lambda _: None)
        if busy:
            code = "import time; print('busy', flush=True); time.sleep(60)"
            client.execute(code, stop_on_error=False)  # else what comes after is dropped
            message = {"content": {}}
            while "busy" not in message["content"].get("text", ""):
                message = client.get_iopub_msg(timeout=60)
            time.sleep(0.5)  # the cell has said so, and then sleeps
        manager.interrupt_kernel()
        client.execute_interactive(
            "print(work.result(30))",
            timeout=60,
            output_hook=lambda message: said.append(message["content"].get("text", "")),
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert "stopped\n" in said


# View


def test_an_error_appears_as_one_sentence_and_goes():
    import ipywidgets as ipw

    view, slider, button = View("test", False), ipw.IntSlider(), ipw.Button()

    def react():
        if slider.value == 1:
            raise nst.ImageError("the picture <b> is upside down; turn it")
        if slider.value == 2:
            raise ZeroDivisionError("by\nzero")

    view.on(slider, react)
    view.on(button, react)
    view.fill(slider)
    slider.value = 1
    assert view.error == "The picture <b> is upside down; turn it."
    assert "&lt;b&gt;" in view.error_line.value
    assert 'role="alert"' in view.error_line.value
    slider.value = 2
    assert view.error == "This should not have happened: zero division error: by."
    slider.value = 3
    assert view.error == view.error_line.value == ""
    with view.muted():
        slider.value = 1
    assert view.error == ""
    button.click()
    assert view.error
    view.work.synchronous = True
    slider.value = 0
    with pytest.raises(nst.ImageError):
        slider.value = 1
    assert sentence(RuntimeError()) == "This should not have happened: runtime error."


@pytest.mark.parametrize("how", ["close", "unseen"])
def test_closing_a_view_stops_its_work(how):
    view = View("test", False)
    view.work.start(lambda stop: stop.wait(20))
    view._view_count = 2
    view._view_count = 1
    assert view.work.running
    if how == "close":
        view.close()
    else:
        view._view_count = 0
    assert view.result(5) is True


def test_a_failed_job_is_shown():
    view = View("test", False)

    def job(_):
        raise nst.SettingsError("no layers")

    view.work.start(job)
    view.work.join(5)
    assert view.error == "No layers."


# Drawing


@pytest.mark.parametrize("signed", [False, True])
def test_colours_are_matplotlibs(signed):
    from matplotlib import colormaps

    values = np.linspace(-2 if signed else 0, 2, 101)
    wanted = colormaps["PuOr_r" if signed else "magma"](np.linspace(0, 1, 101))[:, :3] * 255
    assert np.abs(draw.colour(values, 2, signed).astype(int) - wanted).max() < 9
    assert len(np.unique(draw.colour(np.zeros(5), 0.0, signed), axis=0)) == 1


def test_a_map_lies_over_the_pixels_that_it_stands_for():
    picture = Image.new("RGB", (11, 8), (0, 0, 200))
    values = np.zeros((2, 2), np.float32)
    values[1, 0] = 3
    shown = np.asarray(draw.over(picture, values, 4, False, 1.0))
    bright = shown.sum(2) > 500
    rows, columns = np.nonzero(bright)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 7, 0, 3)
    assert (shown[:, 8:] == (0, 0, 200)).all()
    half = np.asarray(draw.over(picture, values, 4, False, 0.5)).astype(int)
    assert np.abs(half[:, :8] - (shown[:, :8] + [0, 0, 200]) / 2).max() <= 1
    assert (np.asarray(draw.over(picture, values, 4, False, 0.0)) == (0, 0, 200)).all()


def test_spots_are_the_greatest_and_apart():
    values = np.array([[9, 8, 0, 7], [0, 0, 0, 6], [5, 0, 0, -1.0]])
    assert draw.spots(values, 3, apart=1) == [(0, 0), (0, 3), (2, 0)]
    assert draw.spots(values, 9, apart=0) == [(0, 0), (0, 1), (0, 3), (1, 3), (2, 0)]
    assert draw.spots(-values, 3, apart=0) == [(2, 3)]
    assert draw.spots(np.zeros((2, 2))) == []


@pytest.mark.parametrize("layer", ["relu1_1", "conv1_2", "pool1", "relu2_1", "pool2", "conv3_2"])
def test_a_receptive_field_is_where_an_activation_has_a_gradient(layer):
    # Random weights, since trained ones may have zeros; average pooling sees all of its pixels.
    network = nst.load_network("vgg19_quarter", weights="random", pooling="average")
    info = next(row for row in nst.layer_table(network) if row.name == layer)
    image = torch.rand(1, 3, 80, 96, generator=torch.Generator().manual_seed(0)).requires_grad_()
    feature = nst.extract_features(network, image, [layer])[layer]
    row, column = feature.shape[2] // 2, feature.shape[3] // 2 - 1
    feature[0, :, row, column].sum().backward()
    touched = image.grad[0].abs().sum(0).nonzero()
    (top, left), (bottom, right) = touched.min(0).values.tolist(), touched.max(0).values.tolist()
    box = draw.field_box(row, column, info.stride, info.receptive_field)
    assert box == (left, top, right + 1, bottom + 1)


def test_a_patch_is_cut_out_and_grey_beyond_the_border():
    picture = Image.fromarray(np.arange(300, dtype=np.uint8).reshape(10, 10, 3))
    assert (np.asarray(draw.patch(picture, (2, 3, 6, 7), 4)) == np.asarray(picture)[3:7, 2:6]).all()
    beyond = np.asarray(draw.patch(picture, (-4, -4, 0, 0), 4))
    assert (beyond == beyond[0, 0]).all()


# Activations


def test_everything_that_is_shown_has_a_text_and_a_name(explorer, gram, quarter):
    strip = TradeOffStrip(size=32, steps=1, synchronous=True)
    for view in (explorer, gram, strip):
        names = [name for part in parts(view) for name in part._dom_classes]
        assert {"nst-error", "nst-picture"} <= set(names)
        for part in parts(view):
            if isinstance(part, Picture):
                assert len(part.alt) > 10
            elif hasattr(part, "description") and type(part).__name__ not in ("HTML", "Message"):
                assert part.description
    strip.close()


def parts(box):
    for part in box.children:
        yield part
        yield from parts(part) if hasattr(part, "children") else ()


def test_layers_are_computed_once_a_picture_and_network(monkeypatch, quarter):
    from nst.widgets import seen

    monkeypatch.setattr(seen, "_kept", {})
    calls, extract = [], seen.extract_features
    monkeypatch.setattr(seen, "extract_features", lambda *a: calls.append(a) or extract(*a))
    view = ActivationExplorer("cat", quarter, size=SIZE, synchronous=True)
    for layer in view.layer.options:
        view.layer.value = layer
    view.channel.value, view.blend.value, view.side.value = 3, 0.2, "before it"
    assert len(calls) == 1
    view.picture.value = "coffee"
    view.picture.value = "cat"
    assert len(calls) == 2
    assert set(calls[0][2]) == set(quarter.layer_names)
    GramExplorer("cat", "coffee", quarter, size=SIZE, synchronous=True)
    assert len(calls) == 2


def test_the_numbers_are_those_of_the_layer(explorer, quarter):
    maps = features(quarter, "astronaut", "relu3_1")
    explorer.channel.value = 5
    shown = text(explorer.facts)
    assert f"{maps.shape[0]} channels of {maps.shape[1]} × {maps.shape[2]}" in shown
    zeros, own = np.count_nonzero(maps == 0), np.count_nonzero(maps[5] == 0)
    assert f"{zeros / maps.size:.0%} of the layer" in shown
    assert f"{own / maps[5].size:.0%} of this channel" in shown
    assert f"mean {maps[5].mean():.3g}, greatest {maps[5].max():.3g}" in shown
    assert "Stride 4 pixels" in shown
    # Three 3×3 convolutions... by hand: 3, 5, pooled 6, 10, 14, pooled 16, 24.
    assert "Receptive field 24 × 24 pixels" in shown


def test_before_and_after_the_relu(explorer, quarter):
    before = features(quarter, "astronaut", "conv3_1")
    after = explorer.maps
    explorer.side.value = "before it"
    assert explorer.shown_layer == "conv3_1"
    np.testing.assert_array_equal(explorer.maps, before)
    np.testing.assert_array_equal(after, np.maximum(before, 0))
    assert f"{np.count_nonzero(before < 0) / before.size:.0%} of the layer" in text(explorer.facts)
    assert "conv3_1" in explorer.large.alt
    explorer.layer.value = "pool2"
    assert explorer.side.disabled
    assert explorer.shown_layer == "pool2"
    explorer.layer.value = "relu2_2"
    assert not explorer.side.disabled
    assert explorer.shown_layer == "conv2_2"


def test_a_layer_before_its_relu_can_be_asked_for(quarter):
    view = ActivationExplorer("astronaut", quarter, "conv2_1", SIZE, 3, synchronous=True)
    assert (view.layer.value, view.side.value) == ("relu2_1", "before it")
    assert view.shown_layer == "conv2_1"
    assert view.channel.value == 3
    assert not any("conv" in name for name in view.layer.options)


def test_blending_goes_from_the_picture_to_the_map(explorer):
    explorer.marks.value = False
    explorer.blend.value = 0
    plain = pixels(explorer.large)
    np.testing.assert_array_equal(plain, np.asarray(explorer.backdrop))
    explorer.blend.value = 1
    block = explorer.times * 4
    values = explorer.maps[0]
    colours = draw.colour(values, values.max(), False).repeat(block, 0).repeat(block, 1)
    np.testing.assert_array_equal(pixels(explorer.large), colours)
    explorer.marks.value = True
    changed = np.nonzero((pixels(explorer.large) != colours).any(2))
    row, column = np.unravel_index(values.argmax(), values.shape)
    ring = np.hypot(changed[0] - (row + 0.5) * block, changed[1] - (column + 0.5) * block)
    assert ring.min() < 20


def test_a_click_on_the_grid_chooses_the_channel(explorer):
    explorer.grid.picked = (2, 3)
    assert explorer.channel.value == 2 * explorer.grid.columns + 3
    explorer.channel.value = 9
    assert explorer.grid.picked == (1, 1)
    # The last row of another layer may not be full.
    explorer.layer.value = "relu1_1"
    assert explorer.channel.value == 9
    assert (explorer.grid.rows, explorer.grid.columns) == (2, 8)
    explorer.grid.picked = (7, 7)
    assert explorer.channel.value == 9
    assert explorer.grid.picked == (1, 1)


def test_every_channel_has_its_cell_of_the_grid(explorer):
    explorer.layer.value = "relu2_1"
    image, columns = explorer.grid.image(), explorer.grid.columns
    cell = image.width / columns, image.height / explorer.grid.rows
    for channel in (0, 7, 8, 31):
        values = explorer.maps[channel]
        row, column = divmod(channel, columns)
        box = [round(n) for n in (column * cell[0], row * cell[1])]
        tile = image.crop((*box, box[0] + round(cell[0]), box[1] + round(cell[1])))
        small = tile.crop((1, 1, tile.width - 1, tile.height - 1)).resize(values.shape[::-1])
        brightness = np.asarray(small).astype(float).sum(2)
        if values.any():
            assert np.corrcoef(brightness.ravel(), values.ravel())[0, 1] > 0.7


def test_the_channel_stays_within_the_layer(explorer):
    explorer.layer.value = "relu4_1"
    explorer.channel.value = 127
    explorer.layer.value = "relu1_1"
    assert explorer.channel.value == explorer.channel.max == 15


def test_a_picture_that_cannot_be_had_leaves_the_last_one(quarter):
    view = ActivationExplorer("astronaut", quarter, size=SIZE, synchronous=False)
    view.picture.options = (*view.picture.options, "nowhere.jpg")
    before = view.large.data
    view.picture.value = "nowhere.jpg"
    assert re.fullmatch(r"There is no file or sample picture 'nowhere.jpg'.*\.", view.error)
    assert view.picture.value == "astronaut"
    assert view.large.data == before
    view.picture.value = "cat"
    assert view.error == ""
    assert "cat" in view.large.alt
    assert view.large.data != before


def test_own_pictures_and_other_networks(picture):
    view = ActivationExplorer(picture, layer="relu2_1", size=SIZE, synchronous=True)
    assert view.picture.value == "yours"
    view.picture.value = "cat"
    view.picture.value = "yours"
    assert view.seen.picture.size == (56, 40)
    view = ActivationExplorer(
        "cat", nst.load_network("squeezenet1_1", weights="random"), "features.0", 64,
        synchronous=True,
    )  # fmt: skip
    assert "not known for this network" in text(view.facts)
    assert view.side.disabled
    for name in view.layer.options[::7]:
        view.layer.value = name
        assert view.error == ""


@pytest.mark.parametrize("view", [ActivationExplorer, GramExplorer])
def test_an_unknown_layer_is_refused(view, quarter):
    with pytest.raises(nst.SettingsError, match=r"there is no layer 'relu9_1'.* relu5_1"):
        view("cat", network=quarter, layer="relu9_1", size=SIZE)


def test_a_still_picture_stands_in_for_the_view(looked_at, explorer, gram):
    for view in (explorer, gram):
        bundle = view._repr_mimebundle_()
        bundle = bundle[0] if isinstance(bundle, tuple) else bundle
        assert "application/vnd.jupyter.widget-view+json" in bundle
        image = Image.open(io.BytesIO(bundle["image/png"]))
        assert image.size == view.still().size


def test_closing_closes_every_part(looked_at, quarter):
    view = ActivationExplorer("cat", quarter, size=SIZE)
    inside = list(parts(view))
    assert all(part.comm is not None for part in [view, *inside])
    view.close()
    assert all(part.comm is None for part in [view, *inside])


# Gram matrices


def hand_gram(maps):
    """Σ over positions of F_i·F_j / (C·H·W), in float64."""
    flat = maps.reshape(len(maps), -1).astype(float)
    return flat @ flat.T / maps.size


def test_the_pairs_number_is_that_of_the_gram_matrix(gram, quarter):
    gram.pair[0].value, gram.pair[1].value = 3, 11
    for caption, name in zip(gram.captions, ("starry", "waves"), strict=True):
        maps = features(quarter, name, "relu3_1")
        wanted = (maps[3].astype(float) * maps[11]).mean() / len(maps)
        shown = float(re.search(r"= ([\d.e+-]+)", text(caption)).group(1))
        assert shown == pytest.approx(wanted, rel=1e-3)
        assert name in text(caption)


def test_the_distances_are_those_of_the_relative_style_loss(gram, quarter):
    rows = re.findall(r"(relu\d_\d) ([\d.e+-]+)", text(gram.distances))
    assert [layer for layer, _ in rows] == [n for n in quarter.layer_names if "relu" in n]
    for layer, shown in rows:
        g, a = (hand_gram(features(quarter, name, layer)) for name in ("starry", "waves"))
        wanted = ((g - a) ** 2).sum() / (a**2).sum()
        assert float(shown) == pytest.approx(wanted, rel=6e-3)
    # The same as a run's term for that layer.
    settings = nst.make_settings(style_layers=["relu2_1"], content_weight=0, style_weight=1)
    objective = nst.Objective(quarter, None, [nst.load_image("waves", SIZE)], settings)
    with torch.no_grad():
        term = objective(nst.load_image("starry", SIZE))["style relu2_1"].item()
    assert gram.distance("relu2_1") == pytest.approx(term, rel=1e-4)


def test_a_picture_has_no_distance_from_itself(gram):
    gram.pictures[1].value = "starry"
    assert gram.distance("relu3_1") == 0
    assert gram.maps[0].data == gram.maps[1].data
    assert gram.heatmaps[0].data == gram.heatmaps[1].data


def test_the_order_is_one_of_all_channels_and_brings_like_together():
    # Three groups of channels, each with a pattern of its own, shuffled; two are silent.
    generator = np.random.default_rng(0)
    patterns = generator.random((3, 400)) * (generator.random((3, 400)) < 0.3)
    groups = generator.permutation(np.repeat([0, 1, 2], 8))
    maps = patterns[groups] + 0.05 * generator.random((24, 400))
    maps = np.concatenate([maps[:10], np.zeros((2, 400)), maps[10:]])
    found = channel_order(torch.from_numpy(hand_gram(maps.reshape(26, 20, 20))))
    assert sorted(found) == list(range(26))
    assert set(found[-2:]) == {10, 11}
    labels = np.insert(groups, [10, 10], -1)[found]
    assert np.count_nonzero(np.diff(labels[:24])) == 2
    assert channel_order(torch.zeros(4, 4)) == [0, 1, 2, 3]


def test_cosines_are_between_minus_one_and_one():
    maps = np.array([[1.0, 0, 0, 0], [2, 0, 0, 0], [-1, 1, 0, 0], [0, 0, 0, 0]])
    found = cosines(hand_gram(maps.reshape(4, 2, 2)))
    root = 2**-0.5
    wanted = [[1, 1, -root, 0], [1, 1, -root, 0], [-root, -root, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_a_click_on_a_heatmap_chooses_the_pair(gram):
    for heatmap, place in zip(gram.heatmaps, ((5, 20), (63, 0)), strict=True):
        heatmap.picked = place
        assert gram.pair[0].value == gram.order[place[0]]
        assert gram.pair[1].value == gram.order[place[1]]
        assert [h.picked for h in gram.heatmaps] == [place, place]
        i, j = (slider.value for slider in gram.pair)
        assert f"G {i},{j}" in text(gram.captions[0])
        # What is clicked on has the colour of the number.
        colour = gram.heatmaps[1].image().resize((64, 64), Image.Resampling.NEAREST)
        most = max(gram.gram(0).max(), gram.gram(1).max())
        wanted = draw.colour(np.sqrt(gram.gram(1)[i, j]), float(np.sqrt(most)), False)
        assert colour.getpixel(place[::-1]) == tuple(wanted)
    gram.pair[0].value = 2
    assert gram.order[gram.heatmaps[0].picked[0]] == 2
    gram.heatmaps[0].picked = (99, 0)
    assert gram.order[gram.heatmaps[0].picked[0]] == 2


def test_the_maps_and_their_product_have_one_scale_for_both_pictures(gram):
    greatest = [gram.seen[index].layers["relu3_1"].max((1, 2)) for index in range(2)]
    stronger = greatest[0] - greatest[1]
    for channel in (int(stronger.argmin()), int(stronger.argmax())):
        gram.pair[0].value = gram.pair[1].value = channel
        most = max(greatest[0][channel], greatest[1][channel])
        for index in range(2):
            values = gram.seen[index].layers["relu3_1"][channel]
            shape = values.shape[::-1]
            picture = gram.seen[index].picture
            first = round(picture.width * 150 / picture.height) + 8
            width = round(shape[0] * 150 / shape[1])
            for left, wanted, top in (
                (first, values, most),
                (first + 2 * (width + 8), values**2, most**2),
            ):
                tile = gram.maps[index].image().crop((left, 0, left + width, 150))
                shown = np.asarray(tile.resize(shape, Image.Resampling.NEAREST)).astype(int)
                assert np.mean(np.abs(shown - draw.colour(wanted, top, False))) < 2


def test_layers_and_forms(gram):
    shown = gram.heatmaps[0].data
    gram.form.value = "cosines"
    assert gram.heatmaps[0].data != shown
    assert "Cosines" in text(gram.legend)
    assert "pale yellow 1," in text(gram.legend)
    for layer in gram.layer.options:
        gram.layer.value = layer
        channels = len(gram.seen[0].layers[layer])
        assert gram.heatmaps[0].rows == gram.heatmaps[1].columns == channels
        assert gram.pair[0].max == gram.pair[1].max == channels - 1
        assert ("purple" in text(gram.legend)) == layer.startswith("conv")


def test_pictures_are_changed_and_kept_apart(quarter, picture, other):
    view = GramExplorer(picture, other, quarter, size=SIZE, synchronous=False)
    assert [control.value for control in view.pictures] == ["yours", "your other one"]
    assert not np.allclose(view.gram(0), view.gram(1))
    view.pictures[0].value = "cat"
    wanted = hand_gram(features(quarter, "cat", "relu3_1"))
    np.testing.assert_allclose(view.gram(0), wanted, rtol=1e-3, atol=1e-6)
    assert "cat" in text(view.titles[0])
    view.pictures[0].value = "your other one"
    np.testing.assert_array_equal(view.gram(0), view.gram(1))
    view.pictures[0].options = ("cat", "nowhere.jpg")
    view.pictures[0].value = "nowhere.jpg"
    assert view.error.startswith("There is no file")
    assert view.pictures[0].value == "cat"


# The strip


@pytest.fixture
def small():
    """Makes strips of runs that take no time."""
    made = []

    def make(*args, **options):
        options = {"size": 32, "steps": 2, "values": [1, 100], "synchronous": True} | options
        made.append(TradeOffStrip(*args, **options))
        return made[-1]

    yield make
    for view in made:
        view.close()
        view.work.join(20)


def test_a_strip_paints_what_style_transfer_paints(small):
    strip = small("cat", "waves")
    assert [text(figure.caption) for figure in strip.figures] == [
        "1 not painted yet",
        "100 not painted yet",
    ]
    strip.button.click()
    for figure, weight in zip(strip.figures, (1.0, 100.0), strict=True):
        wanted = nst.style_transfer(
            "cat", "waves", None, None, 2, sizes=32, content_weight=weight, progress=False
        )
        shown = pixels(figure.picture)
        same = np.asarray(nst.postprocess_image(wanted.image)).astype(int)
        assert np.abs(shown - same).max() <= 1
        terms = wanted.delivered
        style = sum(value for name, value in terms.items() if name.startswith("style")) / 1000
        assert f"style loss {style:.3g}" in text(figure.caption)
        content = terms["content relu4_2"] / weight
        assert f"content loss {content:.3g}" in text(figure.caption)
    assert strip.progress.value == strip.progress.max == 200
    assert strip.button.description == "Paint"
    assert strip.still().height == 240


def test_what_was_painted_is_not_painted_again(small, monkeypatch):
    strip = small("cat", "waves")
    strip.start()
    first = [figure.picture.data for figure in strip.figures]
    calls, run = [], strips.run_cell
    monkeypatch.setattr(strips, "run_cell", lambda *a: calls.append(a[0]) or run(*a))
    again = small("cat", "waves")
    assert [figure.picture.data for figure in again.figures] == first
    again.start()
    assert len(again.result()) == 2
    assert calls == []
    again.values.value = "1, 10, 100"
    again.start()
    assert [task.settings.content_weight for task in calls] == [10]
    assert len(again.figures) == len(again.row.children) == 3


def test_a_folder_is_shared_with_a_grid(small, tmp_path, monkeypatch):
    experiment = nst.grid(
        folder=tmp_path, content="cat", style="waves", content_weight=[1, 100], sizes=32,
        num_steps=2, executor=ThreadPoolExecutor(1), progress=False,
    )  # fmt: skip
    strip = small("cat", "waves", folder=tmp_path)
    for figure, cell in zip(strip.figures, experiment.cells, strict=True):
        np.testing.assert_array_equal(pixels(figure.picture), np.asarray(cell.picture))
    strip.values.value = "7"
    strip.start()
    monkeypatch.setattr(strips, "_results", {})
    assert "loss" in text(small("cat", "waves", folder=tmp_path, values=[7]).figures[0].caption)


def test_a_strip_over_layers_is_balanced_as_in_a_grid(small):
    strip = small("cat", "waves", axis="style_layers", values=["relu1_1", ["relu1_1", "relu2_1"]])
    strip.start()
    one, two = strip.result()
    assert one.settings.style_layers == {"relu1_1": 1.0}
    assert two.settings.style_layers == {"relu1_1": 0.5, "relu2_1": 0.5}
    assert one.settings.style_weight != two.settings.style_weight != 1000
    assert strip.values.value == "relu1_1, relu1_1 2_1"
    plain = small("cat", "waves", axis="style_layers", values=["relu1_1"], rebalance=False)
    plain.start()
    assert plain.result()[0].settings.style_weight == 1000


@pytest.mark.parametrize("axis", list(strips.DEFAULTS))
def test_the_field_of_values_reads_what_it_writes(small, axis):
    strip = small("cat", "waves", values=None)
    strip.axis.value = axis
    tasks = [figure.task.settings for figure in strip.figures]
    assert len(tasks) == len(strips.DEFAULTS[axis])
    strip.values.value = strip.values.value + " ,"
    assert [figure.task.settings for figure in strip.figures] == tasks
    assert strip.error == ""


@pytest.mark.parametrize(
    ("axis", "value", "message"),
    [
        (
            "content_weight",
            "1, two",
            "content_weight takes numbers, as in 0.5, 1, 4; not '1, two'.",
        ),
        ("content_weight", " , ", "content_weight has no values; write some, as in 0.5, 1, 4."),
        (
            "content_weight",
            "-1",
            r"Weights are numbers of 0 or more, up to 1e\+18; content_weight cannot be -1\.0\.",
        ),
        ("content_weight", "1, 1", "Two alternatives of content_weight are called '1'; .*"),
        ("style_layers", "", "style_layers has no values; write some, as in relu1_1, .*"),
    ],
)
def test_values_that_make_no_sense(small, axis, value, message):
    strip = small("cat", "waves", axis=axis, values=None, synchronous=False)
    before = list(strip.figures)
    strip.values.value = value
    assert re.fullmatch(message, strip.error)
    assert strip.figures == before
    strip.values.value = "5" if "weight" in axis else "relu2_1"
    assert strip.error == ""
    assert len(strip.figures) == 1


def test_a_run_that_fails_is_said_and_the_others_go_on(small):
    strip = small(axis="style_layers", values=["relu9_1", "relu1_1"], synchronous=False)
    strip.start()
    with pytest.raises(nst.NstError, match="relu9_1 failed"):
        strip.result(60)
    assert re.fullmatch(r"relu9_1 failed: .*has no layer 'relu9_1'.*\.", strip.error)
    assert "has no layer" in text(strip.figures[0].caption)
    assert strip.figures[1].task.key() in strips._results
    assert strip.button.description == "Paint"


def test_arguments_that_make_no_sense():
    with pytest.raises(nst.SettingsError, match="axis is one of content_weight"):
        TradeOffStrip("cat", "waves", axis="colour")
    with pytest.raises(nst.SettingsError, match="give a list"):
        TradeOffStrip("cat", "waves", axis="style_layers", values={"relu1_1": 1.0})
    with pytest.raises(nst.SettingsError, match="content_weight is what differs here"):
        TradeOffStrip("cat", "waves", content_weight=3)
    with pytest.raises(nst.ImageError, match="no file or sample picture 'nowhere'"):
        TradeOffStrip("nowhere")
    with pytest.raises(nst.SettingsError, match="did you mean"):
        TradeOffStrip("cat", "waves", stile_scale=2)


def test_a_picture_can_be_ones_own(small, picture, other):
    strip = small(picture, other, steps=1)
    assert (strip.content.value, strip.style.value) == ("your content", "your style")
    strip.start()
    assert strip.figures[0].picture.image().size == (32, 23)
    strip.style.value = "ink"
    assert strip.figures[0].task.settings.styles == ("ink",)


def test_progress_is_shown_and_the_button_stops(small):
    strip = small("cat", "waves", steps=100_000, synchronous=False)
    pale = strip.figures[0].picture.data
    strip.button.click()
    assert strip.button.description == "Stop"
    assert until(lambda: "step" in text(strip.figures[0].caption))
    seen = {strip.figures[0].picture.data}
    assert until(lambda: len(seen | {strip.figures[0].picture.data}) > 1)
    assert pale not in seen
    strip.start()  # a second start changes nothing
    strip.button.click()
    assert strip.result(20) == []
    assert strip.button.description == "Paint"
    assert "stopped" in text(strip.figures[0].caption)
    assert "not painted yet" in text(strip.figures[1].caption)
    assert not strips._results
    strip.start()
    assert strip.work.running
    strip.values.value = "3"  # other values end what is under way
    assert not strip.work.running
    assert [figure.label for figure in strip.figures] == ["3"]


def test_what_the_results_have_in_common_is_said(small):
    strip = small("cat", "waves", values=None, seed=3)
    assert text(strip.note).startswith(
        "All with 32 pixels, 2 steps, network vgg19_quarter, seed 3."
    )
    strip.axis.value = "content_layers"
    assert "content_weight 30" in text(strip.note)
    assert {figure.task.settings.content_weight for figure in strip.figures} == {30}
    strip.axis.value = "style_weight"
    usual = nst.make_settings().content_weight
    assert {figure.task.settings.content_weight for figure in strip.figures} == {usual}


def test_settings_of_a_strip_are_plain(small):
    strip = small("cat", "waves", seed=3, optimizer="adam")
    settings = strip.figures[1].task.settings
    assert (settings.seed, settings.optimizer, settings.content_weight) == (3, "adam", 100)
    assert json.loads(json.dumps(settings.to_dict()))["num_steps"] == [2]


def test_a_title_stands_over_its_picture_and_fits(picture):
    image = nst.postprocess_image(picture)
    for text in ("short", "a title that is much longer than its picture is wide, by far"):
        titled = draw.titled(image, text)
        above = np.asarray(titled.crop((0, 0, image.width, 22)).convert("L"))
        assert titled.size == (image.width, image.height + 22)
        assert above.min() < 128 and (above[:, -1] > 250).all()
        assert np.array_equal(np.asarray(titled.crop((0, 22, *titled.size))), np.asarray(image))
