"""The studio's painting while one chooses, and in full size, without a browser."""

import io
import threading

import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

import nst
from nst import SettingsError
from nst.control.colours import grey, pixels
from nst.images import preprocess_image, resize
from nst.painters.painting import blended
from nst.widgets import TransferStudio, engine, preview
from nst.widgets.library import Library
from nst.widgets.live import Easel, Live, Wish
from nst.widgets.work import stop_all

PATIENCE = 60


@pytest.fixture
def library(picture, other):
    made = Library()
    made.add("photo.png", nst.postprocess_image(picture))
    made.add("own.png", nst.postprocess_image(other))
    return made


@pytest.fixture
def view(picture):
    made = TransferStudio(picture, "ink", size=40, num_steps=1, synchronous=True)
    yield made
    stop_all(PATIENCE)
    made.close()


def wish(strength=1.0, **changes):
    settings = {"content": "photo.png", "styles": ("starry",)}
    return Wish(nst.make_settings(**settings | changes), strength)


@pytest.mark.parametrize(
    ("styles", "strength"),
    [
        ({"starry": 1.0}, 0.0),
        ({"starry": 1.0}, 1.0),
        ({"starry": 3.0, "ink": 1.0}, 0.4),
        ({"own.png": 1.0, "ink": 1.0}, 0.4),
    ],
)
def test_a_wish_is_painted_as_paint_does(library, styles, strength):
    easel = Easel(library)
    shares = tuple(styles.values()) if len(set(styles.values())) > 1 else ()
    painted = easel.paint(wish(strength, styles=tuple(styles), style_blend=shares), 40)
    photo = easel.content("photo.png", 40)
    taught = set(styles) <= set(library.samples["style"])
    painter = nst.load_painter("styles" if taught else "any")
    rows = [
        painter.condition(name if taught else preprocess_image(library.open(name), 448))
        for name in styles
    ]
    pairs = zip(styles.values(), rows, strict=True)
    mixture = sum(share / sum(styles.values()) * row for share, row in pairs)
    with torch.no_grad():
        expected = blended(painter, photo, mixture, strength) if strength else photo
    torch.testing.assert_close(painted, expected, atol=1e-5, rtol=0)
    again = easel.paint(wish(strength, styles=tuple(styles), style_blend=shares), 40)
    assert again.equal(painted)


def test_broad_strokes_are_those_of_paint(library):
    broad = Easel(library).paint(wish(0.4), 40, 2.0)
    by_hand = nst.paint(library.open("photo.png"), "starry", 0.4, size=40, strokes=2.0)
    torch.testing.assert_close(broad, by_hand, atol=1e-5, rtol=0)


def test_colours_are_kept_and_regions_are_painted_apart(library):
    easel = Easel(library)
    photo = easel.content("photo.png", 40)
    kept = easel.paint(wish(colour="content"), 40)
    plain = easel.paint(wish(), 40)
    torch.testing.assert_close(grey(kept), grey(plain), atol=0.02, rtol=0)
    left = easel.paint(wish(masks=("left",)), 40)
    half = photo.shape[-1] // 2
    torch.testing.assert_close(left[..., :half], plain[..., :half], atol=1e-4, rtol=0)
    torch.testing.assert_close(left[..., half + 1 :], photo[..., half + 1 :], atol=1e-4, rtol=0)


def test_the_newest_wish_is_painted_and_those_between_are_not(library):
    shown, begun, go = [], threading.Event(), threading.Event()

    class Slow(Easel):
        def paint(self, wish, size, strokes):
            begun.set()
            assert go.wait(PATIENCE)
            return torch.zeros(1)

    live = Live(Slow(library), lambda wish, _: shown.append(wish.strength), pytest.fail, False)
    live.ask(wish(0.1))
    assert begun.wait(PATIENCE)
    for strength in (0.2, 0.3, 0.4):
        live.ask(wish(strength))
    go.set()
    live.work.join(PATIENCE)
    assert shown == [0.1, 0.4]
    live.ask(wish(0.5))
    live.work.join(PATIENCE)
    assert shown[-1] == 0.5


def test_slow_machines_paint_smaller_and_fine_strokes_larger(library):
    live = Live(Easel(library), lambda *_: None, pytest.fail, True)
    assert live.side(wish().settings) == 512
    live.paces.extend([9.0, 0.2 / 400**2])
    assert live.side(wish().settings) == 384
    assert live.side(wish(style_scale=0.8).settings) == 480
    live.paces.extend([9.0] * 9)
    assert live.side(wish().settings) == 256


def test_nothing_is_painted_before_the_page_is_there(view):
    assert view.canvas.alt == "the content picture"
    view.page._hear()
    assert view.canvas.alt == "picture in ink, painted in one pass"
    before = view.canvas.data
    view.controls.look.balance.value = 2
    assert view.canvas.data != before
    view.controls.sizes.value = "many"  # makes no sense yet
    view.controls.look.balance.value = 1
    assert view.error == ""


def test_a_run_is_not_painted_over_until_something_is_chosen(view):
    view.start()
    view.page._hear()
    assert view.canvas.data == view.run.png
    view.history.cards[0].again_button.click()
    assert view.canvas.data == view.run.png
    assert view.stage.export.layout.display == "none"
    view.controls.look.keep.value = True
    assert "painted in one pass" in view.canvas.alt
    assert (view.shown, view.stage.saving.layout.display) == (None, "none")
    assert "nst-shown" not in view.history.cards[0]._dom_classes
    view.history.cards[0].show_button.click()
    assert view.canvas.data == view.run.png


def test_opened_settings_are_painted(view):
    view.page._hear()
    settings = view.controls.settings().to_dict()
    view.open_settings(settings | {"content": "cat"})
    assert view.canvas.alt == "cat in ink, painted in one pass"
    view.opening.paste.value = '{"styles": ["waves"]}'
    view.opening.button.click()
    assert view.canvas.alt == "cat in waves, painted in one pass"
    assert "The settings are open" in view.opening.said.value


def test_the_defaults_are_painted_once(view):
    view.preview.live.side = lambda _: 40  # else as large as the machine is quick
    view.page._hear()
    before = view.canvas.data
    view.controls.look.balance.value = -2
    painted = []
    view.canvas.observe(lambda change: painted.append(change["new"]), "data")
    view.controls.defaults.click()
    assert painted == [before]


def test_a_run_that_failed_leaves_the_run_before(view):
    """What is on the canvas is what is marked, offered and gone on with."""
    view.start()
    first, seen = view.run, (view.canvas.data, view.canvas.alt, view.save.value, view.left.value)
    view.controls.look.content_weight.value = view.controls.look.style_weight.value = 0
    view._show(first)
    with pytest.raises(SettingsError, match="nothing to minimise"):
        view.start()
    assert (view.run.number, view.run.reason, view.shown) == (2, "failed", first)
    assert (view.canvas.data, view.canvas.alt, view.save.value, view.left.value) == seen
    shown = {card.run.number: "nst-shown" in card._dom_classes for card in view.history.cards}
    assert shown == {1: True, 2: False}
    assert "Run 2 failed" in view.status.value and view.json_area.value == first.json
    view.continue_button.click()
    assert (view.run, first.settings.num_steps, view.shown) == (first, (2,), first)


def test_a_run_that_failed_leaves_the_painting(view):
    view.preview.live.side = lambda _: 40  # else as large as the machine is quick
    view.page._hear()
    view.controls.look.content_weight.value = view.controls.look.style_weight.value = 0
    seen = view.canvas.data, view.canvas.alt
    with pytest.raises(SettingsError, match="nothing to minimise"):
        view.start()
    assert "nothing to minimise" in view.error
    assert (view.canvas.data, view.canvas.alt, view.shown) == (*seen, None)
    assert (view.stage.export.layout.display, view.stage.bar.layout.display) == ("flex", "none")
    assert "nst-shown" not in view.history.cards[0]._dom_classes
    assert view.continue_button.disabled


def test_a_run_that_could_not_go_on_is_what_it_was_and_can_try_again(view, monkeypatch):
    view.start()
    run, before = view.run, (view.run.png, list(view.run.history), view.run.reason)

    def fail(*_args, **_options):
        raise nst.ImageError("the memory is gone")

    monkeypatch.setattr(engine, "resume", fail)
    with pytest.raises(nst.ImageError):
        view.go_on()
    assert (run.png, run.history, run.reason) == before
    assert "Run 1 could not go on" in view.status.value
    monkeypatch.undo()
    view.continue_button.click()
    assert (run.settings.num_steps, run.reason) == ((2,), "finished")


def test_a_refused_start_does_not_hold_up_the_painting(view, monkeypatch):
    forgotten = []
    monkeypatch.setattr(view.preview.live, "forget", lambda: forgotten.append(1))
    view.controls.sizes.value = "many"
    with pytest.raises(SettingsError):
        view.start()
    assert forgotten == []


PLACES = [(0, 0), (-1, 0), (-2, 0), (2, 0), (2, 1), (0.5, 0.6), (0, -1)]  # balance, strokes


def refined(view, balance, strokes):
    """The start of a run that goes on from the painting of the two sliders, without a step."""
    view.controls.steps.value = "0"
    view.controls.look.balance.value, view.controls.look.strokes.value = balance, strokes
    view.stage.refine.click()
    return view.result().image


@pytest.mark.parametrize(("balance", "strokes"), PLACES)
def test_refine_goes_on_from_the_painting_that_is_shown(view, picture, balance, strokes):
    view.page._hear()
    view.controls.look.balance.value, view.controls.look.strokes.value = balance, strokes
    shown = view.canvas.image().resize((40, 29))
    start = refined(view, balance, strokes)
    difference = preprocess_image(shown) - start
    assert difference.abs().mean() < 8 / 255  # that of a small JPEG
    strength = 0.7 + balance / 2 * (0.3 if balance > 0 else 0.7)
    size, thick = max(picture.shape[-2:]), max(1, 2**strokes)
    by_hand = nst.paint(
        view.library.open("picture"), "ink", strength, size=size, strokes=round(thick, 3)
    )
    assert (resize(by_hand, start.shape[-2:]) - start).abs().max() < 1 / 255


def test_a_run_that_is_larger_than_the_painting_has_its_strokes(view, monkeypatch):
    monkeypatch.setattr("nst.widgets.live.SIDES", (24,))
    start = refined(view, 0, 0)  # of what would be shown, if the page were there
    by_hand = nst.paint(view.library.open("picture"), "ink", 0.7, size=40, strokes=40 / 24)
    assert (by_hand - start).abs().max() < 1 / 255


def test_refine_goes_on_from_a_painting_in_the_photographs_colours(view):
    view.controls.look.keep.value = True
    kept = refined(view, 0, 0)
    photo, by_hand = (
        resize(whole, kept.shape[-2:])
        for whole in (
            preprocess_image(view.library.open("picture")),
            nst.paint(view.library.open("picture"), "ink", 0.7),
        )
    )
    torch.testing.assert_close(grey(kept), grey(by_hand), atol=0.03, rtol=0)
    of_kept, of_photo, of_hand = (rgb2lab(pixels(p))[..., 1:] for p in (kept, photo, by_hand))
    assert abs(of_kept - of_photo).mean() < 0.1 * abs(of_hand - of_photo).mean()


def test_refine_leaves_the_photograph_where_no_share_is(view):
    asked = {"styles": ["ink"], "masks": ["left", "right"], "mask_weights": [0, 1], "sizes": 40}
    view.open_settings(asked | {"content": "picture"})
    start = refined(view, 2, 0)
    moved = start - resize(preprocess_image(view.library.open("picture")), start.shape[-2:])
    assert moved[..., :18].abs().max() < 2 / 255
    assert moved[..., 22:].abs().mean() > 0.1


def test_what_refine_began_with_is_recorded_and_begins_so_again(view):
    view.controls.look.balance.value = -0.6
    view.stage.refine.click()
    first = view.result()
    assert view.run.settings.init == first.settings.init == "given"
    view.continue_button.click()
    assert view.error_line.value == ""  # nothing has been changed since
    assert view.result().history[0] == first.history[0]
    view.stage.refine.click()  # once more: the same run
    assert view.result().image.equal(first.image)
    view.controls.look.balance.value = 1
    view.open_settings(first.settings.to_dict())
    assert view.controls.start.value == "given"
    assert "a picture that its settings do not hold" in view.controls.silent.value
    view.start()
    assert view.result().image.equal(first.image)


def test_a_refined_run_that_was_saved_goes_on(view, tmp_path):
    view.stage.refine.click()
    view.result().save(tmp_path / "run")
    longer = nst.resume(tmp_path / "run", 2, progress=False)
    assert longer.settings.init == "given"
    assert longer.history[:1] == view.result().history[:1]


def test_full_size_has_a_limit_and_the_shape_stays():
    assert preview.whole_side(4000, 3000) == 4000
    side = preview.whole_side(8660, 5770)
    assert 0.99 < side**2 * 5770 / 8660 / preview.WHOLE < 1.01


def test_what_painters_do_not_know_is_said(view):
    view.page._hear()
    assert "step by step." in view.status.value
    view.controls.look.statistic.value = "covariance"
    assert "and minds the statistic." in view.status.value


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"style_masks": ("left",)}, "what counts of the styles"),
        ({"colour": "match"}, "the matching of colours"),
        ({"colour": "histogram", "tv_weight": 9}, "the smoothness and the matching of colours"),
        ({"style_scale": (1, 2)}, "strokes by style"),
        ({"style_scale": (2, 2)}, ""),
        ({"layers_by_style": (("relu1_1",), ())}, "the layers"),
        ({"style_layers": ["relu1_1"]}, "the layers"),
        ({"masks": ("left",), "mask_weights": (0.5, 1)}, ""),
        (
            {"masks": ("left",), "mask_weights": (1, 3), "style_scale": (1, 2), "tv_weight": 0},
            "the smoothness, strokes by style and shares above 1",
        ),
    ],
)
def test_each_setting_that_is_left_out_of_the_painting_is_said(changes, words):
    said = preview.besides(nst.make_settings(styles=("ink", "waves"), **changes))
    assert said == (f", and minds {words}" if words else "")


@pytest.mark.parametrize("shares", [(0.0, 1.0), (0.25, 1.0), (1.0, 0.0), (3.0, 1.0)])
def test_a_share_is_how_thickly_its_region_is_painted(library, shares):
    """The last style's is what the mask leaves, and not what the share does."""
    easel = Easel(library)
    photo, half = easel.content("photo.png", 40), 20
    asked = {"styles": ("starry", "ink"), "masks": ("left",), "mask_weights": shares}
    painted = easel.paint(wish(0.8, **asked), 40)
    for style, share, columns in zip(
        ("starry", "ink"), shares, (slice(0, half), slice(half + 1, None)), strict=True
    ):
        whole = easel.paint(wish(0.8, styles=(style,)), 40)
        expected = photo + min(share, 1) * (whole - photo)
        torch.testing.assert_close(painted[..., columns], expected[..., columns], atol=1e-4, rtol=0)


def test_the_painting_in_full_size(view, picture):
    view.page._hear()
    export = view.stage.export
    assert export.button.description == f"Full size: {picture.shape[-1]} × {picture.shape[-2]}"
    for name in ("JPEG", "PNG"):
        export.format.value = name
        export.button.click()
        saved = Image.open(io.BytesIO(export.download.data))
        assert (saved.format, saved.size) == (name, (picture.shape[-1], picture.shape[-2]))
        said = f"{export.download.name} is saved: {saved.width} × {saved.height} pixels."
        assert [said in line.value for line in view.lines if line.value] == [True]
    assert export.download.name == "picture-ink.png"
    assert not export.button.disabled


def test_a_file_comes_before_a_style_of_its_name(library, other, tmp_path, monkeypatch):
    """As in the run that goes on from the painting."""
    monkeypatch.chdir(tmp_path)
    nst.save_image(other, "ink.png").rename("ink")
    painted = Easel(library).paint(wish(styles=("ink",)), 40)
    photograph = preprocess_image(library.open("photo.png"), 40)
    assert (painted - nst.paint(photograph, nst.load_image("ink"))).abs().max() < 1e-5
