"""The studio without a browser: every control, every callback, and what can go wrong."""

import base64
import io
import json
import re
import signal
import threading
from itertools import pairwise
from operator import attrgetter

import pytest
import torch
from PIL import Image

from nst import PRESETS, ImageError, NstError, SettingsError, make_settings, resume, style_transfer
from nst.images import load_image, read_settings, sample_names
from nst.settings import Settings
from nst.widgets import Limits, TransferStudio, engine
from nst.widgets.common import png
from nst.widgets.curves import colours, curves
from nst.widgets.drop import Drop
from nst.widgets.library import Library
from nst.widgets.parts import Fold
from nst.widgets.runs import as_done, time_left
from nst.widgets.wipe import Wipe
from nst.widgets.work import stop_all

PATIENCE = 60


@pytest.fixture
def small(picture, other):
    """A studio that works at once, on small pictures, for two steps."""

    def make(**options):
        start = {"size": 56, "num_steps": 2, "synchronous": True}
        return TransferStudio(picture, other, **start | options)

    made = []
    yield lambda **options: made.append(make(**options)) or made[-1]
    stop_all(PATIENCE)
    for view in made:
        view.close()


@pytest.fixture
def live(small):
    """A studio that works in a thread, in a run that would last for long, and has begun."""
    view = small(synchronous=False, num_steps=1000)
    begun = threading.Event()
    view.canvas.observe(lambda _: begun.set(), "data")
    view.start_button.click()
    assert begun.wait(PATIENCE)
    return view


def file_of(image):
    """A picture as the bytes of a PNG."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def saved_png(view):
    """What the link to save holds: a name and the bytes."""
    name, data = re.search(r'download="([^"]+)" href="([^"]+)"', view.save.value).groups()
    return name, base64.b64decode(data.removeprefix("data:image/png;base64,"))


# Controls


def test_the_controls_start_as_told():
    view = TransferStudio("cat", ["waves", "ink"], (64, 128), num_steps=(5, 3), seed=7,
                          tv_weight=2.0, optimizer="adam", init="noise", style_blend=(1.0, 3.0),
                          content_layers={"relu3_1": 2.0})  # fmt: skip
    told = make_settings(content="cat", styles=("waves", "ink"), sizes=(64, 128), num_steps=(5, 3),
                         seed=7, tv_weight=2.0, optimizer="adam", init="noise",
                         style_blend=(1.0, 3.0), content_layers={"relu3_1": 2.0})  # fmt: skip
    assert view.controls.settings() == told


@pytest.mark.parametrize(
    ("control", "value", "field", "expected"),
    [
        ("look.content_weight", 2.5, "content_weight", 2.5),
        ("look.style_weight", 10.0, "style_weight", 10.0),
        ("look.tv_weight", 0.0, "tv_weight", 0.0),
        ("look.balance", 1.0, "style_weight", 10_000.0),
        ("look.strokes", -1.0, "style_scale", 0.5),
        ("look.keep", True, "colour", "content"),
        ("look.statistic", "mean-std", "statistic", "mean-std"),
        ("sizes", "64, 128", "sizes", (64, 128)),
        ("steps", "7 5", "num_steps", (7, 5)),
        ("network", "vgg16", "network", "vgg16"),
        ("start", "noise", "init", "noise"),
        ("optimizer", "adam", "optimizer", "adam"),
        ("seed", 3, "seed", 3),
    ],
)
def test_each_control_sets_its_setting(control, value, field, expected):
    view = TransferStudio(size=64)
    before = view.controls.settings()
    attrgetter(control)(view.controls).value = value
    after = view.controls.settings()
    changed = {n for n, v in after.to_dict().items() if v != before.to_dict()[n]}
    assert getattr(after, field) == expected
    assert changed == {field}


def test_pictures_are_chosen_by_name():
    view = TransferStudio(size=64)
    before = view.canvas.data
    view.controls.content.chosen.value = "coffee"
    view.controls.mixture.styles[0].chosen.value = "ink"
    settings = view.controls.settings()
    assert (settings.content, settings.styles) == ("coffee", ("ink",))
    assert view.canvas.data != before
    pictures = view.controls.mixture.styles[0].chosen.pictures
    assert len(set(pictures.values())) == len(pictures) >= len(view.library.samples["style"])
    assert "coffee" in view.controls.content.preview.alt


def test_several_styles_with_shares():
    view = TransferStudio(size=64)
    controls = view.controls
    assert controls.mixture.styles[0].several.layout.display == "none"
    controls.mixture.more.click()
    first, second = controls.mixture.styles
    assert first.name != second.name
    assert controls.settings().style_blend == ()
    first.share.value = 3
    assert controls.settings().style_blend == (3.0, 1.0)
    for _ in range(2):
        controls.mixture.more.click()
    assert controls.mixture.more.disabled
    first.remove.click()
    assert len(controls.settings().styles) == 3
    for choice in list(controls.mixture.styles):
        choice.remove.click()
    assert len(controls.mixture.styles) == 1  # the last one stays


def test_shares_that_are_all_nought_are_refused():
    view = TransferStudio(style=["ink", "dots"], size=64)
    for choice in view.controls.mixture.styles:
        choice.share.value = 0
    view.start_button.click()
    assert view.error == "All shares of the style pictures are 0; set one of them higher."
    assert view.run is None
    view.controls.defaults.click()  # they have no shares
    assert (view.error, view.controls.settings().style_blend) == ("", ())


def test_the_share_of_a_style_that_is_left_alone_counts_no_more():
    view = TransferStudio(style=["ink", "dots"], size=64)
    first, second = view.controls.mixture.styles
    first.share.value = 0
    second.remove.click()
    assert view.controls.settings() == TransferStudio(style="ink", size=64).controls.settings()
    view.controls.mixture.more.click()
    assert view.controls.settings().style_blend == ()  # the field is there again, and says 1


def test_the_table_of_layers():
    view = TransferStudio(size=64)
    table = view.controls.layers
    assert table.layers("content") == {"relu4_2": 1.0}
    assert table.weights["style", "relu4_2"].disabled
    table.checks["style", "relu4_2"].value = True
    assert not table.weights["style", "relu4_2"].disabled
    table.weights["style", "relu4_2"].value = 5
    table.checks["style", "relu1_1"].value = False
    layers = view.controls.settings().style_layers
    assert layers == {"relu2_1": 0.2, "relu3_1": 0.2, "relu4_1": 0.2, "relu4_2": 5, "relu5_1": 0.2}


def test_another_network_has_other_layers():
    view = TransferStudio(size=64)
    table, network = view.controls.layers, view.controls.network
    network.value = "vgg19"
    assert ("style", "relu5_4") in table.checks
    table.checks["style", "relu5_4"].value = True
    table.checks["content", "relu5_4"].value = True
    table.checks["content", "relu4_2"].value = False
    network.value = "vgg16"
    assert ("style", "relu5_4") not in table.checks
    assert view.controls.settings().content_layers == {"relu4_2": 1.0}  # none was left
    assert set(view.controls.settings().style_layers) == set(Settings().style_layers)


def test_layers_that_are_no_relus_get_a_row():
    view = TransferStudio(size=64, content_layers="conv4_2")
    assert view.controls.settings().content_layers == {"conv4_2": 1.0}


@pytest.mark.parametrize(
    ("control", "text"),
    [("sizes", "large"), ("sizes", ""), ("sizes", "0"), ("sizes", "128, 64"), ("steps", "-3"),
     ("sizes", "2000"), ("steps", "5000")],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_refused_in_a_sentence(control, text):
    view = TransferStudio(size=64, synchronous=False)
    getattr(view.controls, control).value = text
    view.start_button.click()
    assert view.error.endswith(".")
    assert view.run is None
    view.controls.sizes.value, view.controls.steps.value = "64", "1"
    view.controls.defaults.click()
    assert view.error == ""


def test_numbers_of_steps_that_would_not_count_are_refused():
    """The run would take the first, and leave the others out without a word."""
    says = "here are 3 numbers of steps, and 1 size; give as many numbers as sizes, or one for all"
    with pytest.raises(SettingsError, match=says):
        TransferStudio(size=64, num_steps=(1, 2, 3))
    view = TransferStudio(size=64, synchronous=False)
    view.controls.steps.value = "1, 2, 3"
    for button in (view.start_button, view.stage.refine, view.controls.defaults):
        button.click()
        assert says in view.error and view.run is None
    view.open_settings({"sizes": 64, "num_steps": (40, 30)})  # as a run has them: it did 40
    assert view.controls.steps.value == "40"
    assert view.controls.settings().stages(64) == [(64, 40)]


def test_back_to_the_defaults_keeps_pictures_and_sizes():
    view = TransferStudio("cat", "ink", 64, num_steps=3, tv_weight=9.0, style_layers="relu1_1")
    view.controls.defaults.click()
    expected = make_settings(content="cat", styles="ink", sizes=64, num_steps=3)
    assert view.controls.settings() == expected


def test_another_optimiser_does_not_keep_the_learning_rate():
    view = TransferStudio(size=64, optimizer="adam", learning_rate=0.5)
    assert view.controls.settings().learning_rate == 0.5
    assert "learning_rate 0.5" in view.controls.silent.value
    view.controls.optimizer.value = "lbfgs"
    assert view.controls.settings().learning_rate is None


def test_a_fold_opens_and_closes():
    fold = Fold("Title", [])
    assert (fold.button.description, fold.inside.layout.display) == ("▸ Title", "none")
    fold.button.value = True
    assert (fold.button.description, fold.inside.layout.display) == ("▾ Title", "flex")


# Uploads


def test_an_uploaded_picture_is_chosen_and_used(small):
    view = small()
    red = Image.new("RGB", (40, 30), "red")
    view.controls.content.drop.put("red.png", file_of(red))
    view.controls.mixture.styles[0].drop.put("red.png", file_of(red))
    settings = view.controls.settings()
    assert (settings.content, settings.styles) == ("red.png", ("red.png",))
    assert len(view.library.own) == 3  # with the two of the fixture, and red only once
    view.start()
    assert view.run.settings.content == "red.png"


def test_an_uploaded_picture_can_be_chosen_everywhere():
    view = TransferStudio(size=64)
    view.controls.content.drop.put("red.png", file_of(Image.new("RGB", (8, 8), "red")))
    view.controls.mixture.styles[0].chosen.value = "red.png"
    assert view.controls.settings().styles == ("red.png",)


@pytest.mark.parametrize(
    "name",
    ["..", ".", "/", "a/..", "\\..", "a\0b", "\ud800.png", "😀" * 100 + ".png", "x" * 300, " "],
)
def test_a_picture_comes_under_any_name(name):
    """Also one that is no name of a file here."""
    view = TransferStudio(size=64)
    view.controls.content.drop.put(name, file_of(Image.new("RGB", (8, 8), "red")))
    assert view.error == ""
    assert view.controls.content.picture().getpixel((0, 0)) == (255, 0, 0)
    view.opening.drop.put(name, b"{")
    assert view.error and "should not have happened" not in view.error


def test_another_picture_of_the_same_name_gets_a_name_of_its_own():
    library = Library()
    names = [library.add("a.png", Image.new("RGB", (4, 4), c)) for c in ("red", "blue", "red")]
    assert names == ["a.png", "a (2).png", "a.png"]
    assert library.add("astronaut", Image.new("RGB", (4, 4))) == "astronaut (2)"


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("words.png", b"no picture", "'words.png' is not a picture"),
        ("empty.png", b"", "'empty.png' is empty"),
        ("half.png", file_of(Image.effect_noise((64, 64), 50))[:2000], "'half.png' is damaged"),
        ("large.png", file_of(Image.new("RGB", (40, 30))), "'large.png' has 40 × 30 pixels, and"),
        ("../../etc/passwd", b"root", "'passwd' is not a picture"),
        ("C:\\photos\\a.png", b"x", "'a.png' is not a picture"),
    ],
)
def test_what_is_no_picture_is_refused_in_a_sentence(name, data, says):
    limits = Limits(pixels=1000 if name == "large.png" else 50_000_000)
    view = TransferStudio(size=64, synchronous=False, limits=limits)
    view.controls.content.drop.put(name, data)
    assert view.error.startswith(says)
    assert "/tmp" not in view.error
    assert view.controls.content.name == "astronaut"


def arriving(drop, name, data, part):
    """Send a file to a field as the page does, in parts; yields whether more is wanted."""
    answers = []
    drop.send = lambda answer: answers.append(answer)
    for place in range(0, max(1, len(data)), part):
        about = {"id": "1", "name": name, "size": len(data), "place": place, "readable": True}
        message = {"method": "custom", "content": about}
        drop._handle_msg(
            {"content": {"data": message}, "buffers": [memoryview(data)[place:][:part]]}
        )
        assert answers[-1]["id"] == "1"
        yield answers[-1]["more"]


def test_the_page_sends_a_file_in_parts():
    drop, data = Drop(""), file_of(Image.effect_noise((40, 30), 50))
    seen = []
    drop.observe(lambda _: seen.append((drop.name, drop.data)), "arrived")
    for name in ("a.png", "b.png", "b.png"):
        assert not list(arriving(drop, name, data, 100))[-1]
    assert seen == [("a.png", data), ("b.png", data), ("b.png", data)]
    assert drop.picture().size == (40, 30)
    # Another file in the midst of one takes its place.
    half = arriving(drop, "half.png", data, 100)
    assert next(half)
    list(arriving(drop, "whole.png", data, 1000))
    assert (drop.name, drop.data) == ("whole.png", data)


@pytest.mark.parametrize(
    ("start", "says"),
    [
        (b"\0\0\0\x18ftypheic", "'big.bin' is an HEIC photograph, as iPhones take them; export"),
        (b"\0\0\0\x18ftypisom", "'big.bin' is not a picture but a film; save one picture"),
        (file_of(Image.new("1", (9000, 6000))), "'big.bin' has 9000 × 6000 pixels, and at most 50"),
        (b"II*\0", "'big.bin' has 401 MB, more than any picture of 50 million pixels"),
    ],
)
def test_what_is_of_no_use_is_not_sent_on(start, says):
    drop = Drop("")
    about = {"id": "1", "name": "big.bin", "size": 401_000_000, "place": 0, "readable": True}
    sent = []
    drop.send = sent.append
    drop._receive(drop, about, [start])
    assert sent == [{"id": "1", "more": False}]
    assert drop.arrived == 1
    with pytest.raises(ImageError) as caught:
        drop.picture()
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize("name", ["", "holidays"])
def test_a_folder_or_a_link_is_no_file(name):
    view = TransferStudio(size=64, synchronous=False)
    about = {"id": "1", "name": name, "size": 0, "place": 0, "readable": False}
    view.controls.content.drop._receive(None, about, [])
    assert "save the picture as a file of its own" in view.error


# Runs


def test_a_run_is_that_of_style_transfer(small, picture, other):
    view = small(num_steps=4)
    view.start_button.click()
    # The studio's pictures have been through 8 bits.
    images = [load_image(view.library.open(name)) for name in ("picture", "picture (2)")]
    result = style_transfer(*images, sizes=56, num_steps=4, progress=False)
    torch.testing.assert_close(view.result().image, result.image)
    assert [s["total"] for s in view.run.history] == [s["total"] for s in result.history]
    assert view.run.reason == "finished"
    assert "Finished" in view.status.value
    assert 'role="status"' in view.status.value


def test_pictures_and_curves_come_while_it_works(small):
    view = small(num_steps=8, every=2)
    seen, drawn = [], []
    view.canvas.observe(lambda change: seen.append(change["new"]), "data")
    view.chart.observe(lambda change: drawn.append(change["new"]), "value")
    view.start()
    assert len(set(seen)) >= 4
    assert len(drawn) >= 4
    assert view.progress.value == view.progress.max == 8
    assert "step 8 of 8" not in view.left.value


def test_two_starts_in_a_row_are_one_run(live):
    live.start_button.click()
    live.start()
    live.go_on()
    assert live.run.number == 1
    assert len(live.history.cards) == 1
    live.stop(), live.result(PATIENCE)
    assert live.error == ""


def test_stop_keeps_the_picture_and_continue_goes_on(small):
    whole = small(num_steps=9)
    whole.start()
    view = small(synchronous=False, num_steps=9)
    begun = threading.Event()

    def stop_early(step):
        if step == 4:
            view.stop_button.click()
            begun.set()

    watch = view._watch
    view._watch = lambda run, stop, step: stop_early(step.number) or watch(run, stop, step)
    view.start_button.click()
    view.result(PATIENCE)
    assert begun.is_set()
    assert (view.run.reason, view.run.settings.num_steps) == ("stopped", (4,))
    assert not view.continue_button.disabled
    view._watch = watch
    view.continue_button.click()
    view.result(PATIENCE)
    assert view.run.reason == "finished"
    assert view.run.settings == whole.run.settings
    assert [s["total"] for s in view.run.history] == [s["total"] for s in whole.run.history]
    assert len(view.history.cards) == 1


def test_a_finished_run_goes_on_by_as_many_steps(small):
    whole, view = small(num_steps=6), small(num_steps=2)
    whole.start()
    view.start()
    for _ in range(2):
        view.continue_button.click()
    assert view.run.settings.num_steps == (6,)
    assert [s["total"] for s in view.run.history] == [s["total"] for s in whole.run.history]
    assert view.progress.value == 6


def test_nothing_to_go_on_with(small):
    view = small()
    assert view.continue_button.disabled
    with pytest.raises(SettingsError, match="no run that could go on"):
        view.go_on()


def test_a_result_can_be_resumed_twice(picture, other):
    options = {"sizes": 56, "progress": False}
    half = style_transfer(picture, other, num_steps=2, **options)
    whole = style_transfer(picture, other, num_steps=5, **options)
    for _ in range(2):
        longer = resume(half, 5, progress=False)
        assert [s["total"] for s in longer.history] == [s["total"] for s in whole.history]
    assert len(half.history) == 3


def test_buttons_say_what_can_be_done(live):
    assert (live.start_button.disabled, live.stop_button.disabled) == (True, False)
    assert live.continue_button.disabled
    live.stop_button.click()
    live.result(PATIENCE)
    assert (live.start_button.disabled, live.stop_button.disabled) == (False, True)
    assert "Stopped" in live.status.value


def test_closing_the_view_stops_the_run(live):
    live.close()
    assert live.work.join(PATIENCE)
    assert live.run.reason == "stopped"


def test_a_page_that_no_longer_shows_the_view_stops_the_run(live):
    live._view_count = 1
    live._view_count = 0
    assert live.work.join(PATIENCE)
    assert live.run.reason == "stopped"


def test_an_interrupt_of_the_kernel_stops_the_run(live):
    stop_all()  # what the handler calls: see tests of nst.widgets.common
    live.result(PATIENCE)
    assert live.run.reason == "stopped"
    assert live.error == ""


def test_an_interrupt_while_it_works_synchronously_keeps_the_picture(small):
    view = small(num_steps=50)
    watch = view._watch

    def interrupt(run, stop, step):
        if step.number == 3:
            signal.raise_signal(signal.SIGINT)
        return watch(run, stop, step)

    view._watch = interrupt
    view.start()
    assert (view.run.reason, view.run.settings.num_steps) == ("interrupted", (3,))
    assert view.run.png


def test_an_exception_in_the_worker_is_seen(small, monkeypatch):
    view = small(synchronous=False)

    def fail(*_args, **_options):
        raise RuntimeError("the roof is on fire\nand more")

    monkeypatch.setattr(engine, "style_transfer", fail)
    view.start_button.click()
    with pytest.raises(RuntimeError, match="roof"):
        view.result(PATIENCE)
    assert "the roof is on fire" in view.error
    assert "\n" not in view.error
    assert "failed" in view.status.value
    assert view.run.reason == "failed"
    assert not view.start_button.disabled
    monkeypatch.undo()
    view.start_button.click()
    view.result(PATIENCE)
    assert (view.error, view.run.number, view.run.reason) == ("", 2, "finished")


def test_in_an_automatic_run_the_exception_is_raised(small, monkeypatch):
    def fail(*_args, **_options):
        raise ImageError("no")

    monkeypatch.setattr(engine, "style_transfer", fail)
    view = small()
    with pytest.raises(ImageError):
        view.start()
    assert view.error == "No."


def test_a_network_that_is_not_there_is_said_in_a_sentence(small, monkeypatch):
    def missing(*_args):
        raise NstError("vgg16.pth could not be downloaded")

    monkeypatch.setattr(engine, "load_network", missing)
    view = small(synchronous=False)
    view.controls.network.value = "vgg16"
    view.start_button.click()
    with pytest.raises(NstError):
        view.result(PATIENCE)
    assert view.error == "vgg16.pth could not be downloaded."


def test_the_network_is_loaded_once(small, monkeypatch):
    loaded = []
    load = engine.load_network
    monkeypatch.setattr(engine, "load_network", lambda *key: loaded.append(key) or load(*key))
    view = small()
    view.start(), view.start(), view.go_on()
    assert len(loaded) == 1


# Saved runs


def test_settings_go_round_through_the_png(small, tmp_path):
    view = small(tv_weight=0.5, optimizer="adam", learning_rate=0.03, seed=3, init="noise")
    view.controls.mixture.more.click()
    view.start()
    name, data = saved_png(view)
    assert name == f"picture-picture-2--{view.controls.mixture.styles[1].name}-1.png"
    (tmp_path / name).write_bytes(data)
    settings = make_settings(**read_settings(tmp_path / name))
    assert settings == view.run.settings == make_settings(**json.loads(view.json_area.value))

    view.controls.defaults.click()
    view.controls.mixture.styles[1].remove.click()
    assert view.controls.settings() != settings
    view.opening.drop.put(name, data)
    assert view.controls.settings() == settings
    view.start()
    assert saved_png(view)[1] == data


def test_settings_go_round_through_pasted_json(small):
    view = small()
    view.start()
    text = view.json_area.value
    view.controls.look.tv_weight.value = 9
    view.opening.paste.value = text
    view.opening.button.click()
    assert view.controls.settings() == view.run.settings


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "This is not JSON"),
        ("{", "This is not JSON"),
        ("[1]", "This is not a JSON object"),
        ('{"paint": 1}', "There is no setting 'paint'"),
        ('{"sizes": "many"}', "Sizes are whole pixels"),
        ('{"content_layers": 5}', "content_layers are names, or weights by name; not 5"),
        ('{"content": 5}', "Content is a picture's path, address or name; not 5"),
        ('{"content": "photo.jpg"}', "The picture 'photo.jpg' is not here"),
        ('{"content": "/etc/passwd"}', "The picture '/etc/passwd' is not here"),
        ('{"content": "http://localhost/a.png"}', "The picture 'http://localhost/a.png' is not"),
        ('{"init": "/etc/passwd"}', "The run started from the picture '/etc/passwd'"),
        ('{"weights": "/etc/passwd"}', "The run used the network /etc/passwd"),
        ('{"network": "squeezenet1_1"}', "The run used the network squeezenet1_1"),
        ('{"sizes": 9000}', "The size is 9000 pixels"),
        ('{"num_steps": 9000}', "These are 9000 steps"),
        ('{"styles": ["ink", "ink", "ink", "ink", "ink"]}', "At most 4 style pictures"),
        ('{"styles": ["ink"], "style_blend": [1, 2]}', "There are 1 style pictures and 2 style"),
        ('{"seed": 9223372036854775807}', "The seed is 9223372036854775807"),
    ],
)
def test_settings_that_cannot_be_opened_change_nothing(text, says):
    view = TransferStudio("cat", "waves", size=64, synchronous=False, tv_weight=0.7)
    before = view.controls.settings()
    view.opening.paste.value = text
    view.opening.button.click()
    assert view.error.startswith(says)
    assert view.controls.settings() == before


def test_a_png_without_settings_is_said_in_a_sentence():
    view = TransferStudio(size=64, synchronous=False)
    view.opening.drop.put("plain.png", file_of(Image.new("RGB", (4, 4))))
    assert view.error.startswith("'plain.png' holds no settings")


def test_a_picture_is_found_by_its_name_whatever_its_folder():
    view = TransferStudio(size=64)
    view.controls.content.drop.put("photo.png", file_of(Image.new("RGB", (8, 8), "red")))
    view.controls.content.chosen.value = "cat"
    view.open_settings({"content": "/home/me/photo.png", "sizes": 64, "num_steps": 3})
    assert view.controls.settings().content == "photo.png"


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_can_be_opened(preset):
    view = TransferStudio(size=64)
    settings = PRESETS[preset].settings
    view.open_settings(settings.to_dict() | {"content": "cat", "styles": ["ink"]})
    opened = view.controls.settings()
    assert opened == make_settings(**settings.to_dict() | {"content": "cat", "styles": ["ink"]})


# The history, and comparing


def test_the_history_shows_and_opens_runs_again(small):
    view = small()
    view.start()
    view.controls.look.tv_weight.value = 5
    view.start()
    newest, oldest = view.history.cards
    assert (newest.run.number, oldest.run.number) == (2, 1)
    assert view.shown is newest.run
    assert "nst-shown" in newest._dom_classes
    oldest.show_button.click()
    assert view.shown is oldest.run
    assert view.canvas.data == oldest.run.png
    assert json.loads(view.json_area.value)["tv_weight"] == make_settings().tv_weight
    assert "nst-shown" in oldest._dom_classes and "nst-shown" not in newest._dom_classes
    oldest.again_button.click()
    assert view.controls.settings() == oldest.run.settings
    assert oldest.picture.data and "2 steps" in oldest.caption.value


def test_while_a_run_is_under_way_it_is_shown(small, live):
    live.stop(), live.result(PATIENCE)
    first = live.run
    live.start()
    live.history.cards[1].show_button.click()
    assert "a run is under way" in live.error.lower()
    assert live.shown is not first


def test_old_runs_are_forgotten(small, monkeypatch):
    monkeypatch.setattr("nst.widgets.runs.KEPT", 2)
    view = small(num_steps=0)
    for _ in range(3):
        view.start()
    assert [run.number for run in view.history.runs] == [2, 3]
    assert len(view.history.shelf.children) == 2


def test_two_runs_are_compared(small):
    view = small()
    view.start()
    assert "content" in view.comparing.wipe.left_alt
    assert view.comparing.wipe.right == view.run.png
    view.controls.look.tv_weight.value = 5
    view.start()
    first, second = view.history.runs
    assert (view.comparing.wipe.left, view.comparing.wipe.right) == (first.png, second.png)
    view.comparing.second.value = 1
    assert view.comparing.wipe.right == first.png
    view.comparing.first.value = 0
    assert view.comparing.wipe.left == png(view.library.open("picture"))
    assert Wipe().position == 50


# What is computed for show


def test_time_left_counts_all_sizes():
    plan = [(64, 10), (128, 5)]
    history = [
        {"number": n, "of": 10, "size": 64, "seconds": 2.0 * n, "total": 1.0} for n in range(4)
    ]
    assert time_left(history[:1], plan) is None
    # 7 more steps of 2 s, then 5 with four times as many pixels.
    assert time_left(history, plan) == pytest.approx(7 * 2 + 5 * 8)


def test_sizes_are_those_of_the_run(picture, other):
    settings = make_settings(sizes=(40, 64, 128), num_steps=(1, 2))
    result = style_transfer(picture, other, sizes=(40, 64, 128), num_steps=(1, 2), progress=False)
    steps = {(step["size"], step["of"]) for step in result.history}
    assert set(settings.stages(56)) == steps


def test_a_run_cut_short_is_described_by_what_was_done():
    settings = make_settings(sizes=(32, 64), num_steps=(3, 9))
    history = [{"size": 32, "number": n} for n in range(4)]
    assert as_done(settings, history).sizes == (32,)
    history += [{"size": 64, "number": n} for n in range(6)]
    done = as_done(settings, history)
    assert (done.sizes, done.num_steps) == ((32, 64), (3, 5))


def test_curves_fall_where_the_loss_falls():
    history = [
        {"terms": {"content relu4_2": 0.0, "style relu1_1": v, "tv": 1.0}, "total": v + 1}
        for v in (100.0, 10.0, 1.0)
    ]
    assert curves(history[:1]) == ""
    svg = curves(history)
    points = re.findall(r'points="([^"]*)"', svg)
    content, style, tv, _total = (
        [tuple(map(float, p.split(","))) for p in line.split()] for line in points
    )
    assert content == []  # 0 has no place on a logarithmic scale
    falls = [after[1] - before[1] for before, after in pairwise(style)]
    assert falls[0] == pytest.approx(falls[1], abs=0.2)  # ten times less each
    assert falls[0] > 0
    assert len({y for _, y in tv}) == 1
    assert "from 101 to 2 in 2 steps" in svg


def test_every_term_has_a_colour_of_its_own():
    terms = ["content relu4_2", *(f"style relu{i}_1" for i in range(1, 6)), "tv"]
    assert len(set(colours(terms).values())) == len(terms) + 1


def test_names_in_the_page_are_escaped(small):
    view = small()
    view.controls.content.drop.put("<b>.png", file_of(Image.new("RGB", (56, 40), "red")))
    view.start()
    assert "<b>.png" not in view.history.cards[0].caption.value
    assert "<b>" not in view.save.value


def test_without_a_kernel_the_picture_is_shown(looked_at):
    view = TransferStudio(size=64)
    assert view.still().size == (512, 512)
    bundle, about = view._repr_mimebundle_()
    assert Image.open(io.BytesIO(bundle["image/png"])).size == (512, 512)
    assert about["image/png"]["alt"] == "The studio: the content picture"
    assert set(sample_names()["style"]) <= set(view.controls.mixture.styles[0].chosen.options)
