"""Nothing is lost and nothing is left unsaid: kept runs, messages beside controls, the page."""

import io
import json

import ipywidgets as ipw
import pytest
from PIL import Image

from nst import ImageError, style_transfer
from nst.images import read_settings
from nst.widgets import TransferStudio, View, Work, keeping, page, work
from nst.widgets import runs as run_cards
from nst.widgets.common import sentence
from nst.widgets.curves import SHADES
from nst.widgets.keeping import Shelf, folder_of
from nst.widgets.page import Page
from nst.widgets.work import stop_all

PATIENCE = 60


@pytest.fixture
def make(picture, other, tmp_path):
    """A function that makes a studio of small pictures, which keeps its runs in `runs`."""
    made = []

    def make(**options):
        start = {"size": 32, "num_steps": 1, "synchronous": True, "folder": tmp_path / "runs"}
        made.append(TransferStudio(picture, other, **start | options))
        return made[-1]

    yield make
    stop_all(PATIENCE)
    for view in made:
        view.close()


def file_of(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


# Kept runs


def test_a_run_is_there_again_in_the_next_view(make, tmp_path):
    first = make()
    first.controls.content.drop.put("red dog.png", file_of(Image.new("RGB", (32, 20), "red")))
    first.start()
    first.start()
    second = make()
    one, two = second.history.runs
    for run, before in zip((one, two), first.history.runs, strict=True):
        assert (run.png, run.history) == (before.png, before.history)
        assert (run.settings, run.delivered) == (before.settings, before.delivered)
    assert second.shown is two
    assert second.canvas.data == two.png
    assert "2 runs that were finished before" in second.status.value
    second.history.cards[0].again_button.click()
    assert second.controls.content.name == "red dog.png"
    assert second.controls.content.picture().getpixel((0, 0)) == (255, 0, 0)
    second.start()
    assert second.run.number == 3
    assert len(list((tmp_path / "runs").glob("*.png"))) == 3
    # A PNG that anybody can open, with the settings inside; the picture is kept once.
    path = min((tmp_path / "runs").glob("*.png"))
    assert read_settings(path)["content"] == "red dog.png"
    assert len(list((tmp_path / "runs" / "pictures").iterdir())) == 2


def test_over_a_kept_run_it_is_said_that_refine_paints_what_the_controls_say(make):
    view = make()
    view.controls.mixture.styles[0].chosen.value = "ink"
    view.start()
    again = make()
    again.page._hear()
    assert again.canvas.data == again.shown.png != b""
    assert again.controls.settings().styles != again.shown.settings.styles
    assert "Start and Refine paint what the controls say" in again.status.value
    assert again.stage.refine.tooltip.startswith("paint what the controls say in one pass")
    again.controls.look.keep.value = True
    assert again.stage.refine.tooltip == "go on from this painting, step by step"
    again.history.cards[0].show_button.click()
    assert again.stage.refine.tooltip.startswith("paint what the controls say in one pass")


def test_a_run_that_went_on_takes_its_own_place(make, tmp_path):
    view = make()
    view.start()
    view.go_on()
    assert len(list((tmp_path / "runs").glob("*.png"))) == 1
    (run,) = make().history.runs
    assert run.settings.num_steps == (2,)
    assert run.png == view.run.png


def test_what_is_damaged_is_left_out(make, tmp_path):
    view = make()
    for _ in range(4):
        view.start()
    paths = sorted((tmp_path / "runs").glob("*.png"))
    paths[0].write_bytes(paths[0].read_bytes()[:99])
    paths[1].with_suffix(".json").write_text("{")
    about = json.loads(paths[2].with_suffix(".json").read_text())
    paths[2].with_suffix(".json").write_text(json.dumps(about | {"picture": "another's"}))
    paths[3].with_suffix(".json").write_text(json.dumps(about | {"own": {"x": "../../a"}}))
    (tmp_path / "runs" / "foreign.png").write_bytes(file_of(Image.new("RGB", (8, 8))))
    again = make()
    # Without what stood beside them, the pictures are there all the same.
    assert [run.png for run in again.history.runs] == [path.read_bytes() for path in paths[1:]]
    assert again.error == ""


STRANGE = (None, 5, "x", [], {}, [5], [{}], [[]], True, -1, 1e308, {"a": 1}, {"": "x"})


def test_what_stands_beside_a_picture_may_be_anything(make, tmp_path, monkeypatch):
    """As in a folder of runs that somebody sends; each beside a picture that is whole."""
    first = make()
    first.start()
    (path,) = (tmp_path / "runs").glob("*.png")
    whole, picture = path.with_suffix(".json").read_text(), path.read_bytes()
    about = json.loads(whole)
    (step,) = about["history"][:1]
    strange = [about | {name: value} for name in about for value in STRANGE]
    strange += [{n: v for n, v in about.items() if n != gone} for gone in about]
    strange += [about | {"history": [step | {name: value}]} for name in step for value in STRANGE]
    own = about["own"]
    strange += [about | {"own": own | {"x": name}} for name in ("../../a", "/", "..", "none")]
    texts = [*map(json.dumps, [*strange, *STRANGE]), "[" * 10**5, "\ud800", ""]
    for module in (keeping, run_cards):
        monkeypatch.setattr(module, "KEPT", len(texts))
    for number, text in enumerate(texts):
        (tmp_path / "runs" / f"{number}.png").write_bytes(picture)
        data = text.encode("utf-8", "surrogatepass")
        (tmp_path / "runs" / f"{number}.json").write_bytes(data)
    again = make()
    assert len(again.history.runs) == len(texts)
    for card in again.history.cards[::9]:
        card.show_button.click()
        assert again.canvas.data == picture
    assert again.error == ""
    again.start()
    assert again.run.png and not again.error


def test_a_picture_that_was_brought_along_is_what_it_was(make, tmp_path):
    view = make()
    view.controls.content.drop.put("red.png", file_of(Image.new("RGB", (32, 20), "red")))
    view.start()
    pictures = list((tmp_path / "runs" / "pictures").iterdir())
    for data in (file_of(Image.new("RGB", (32, 20), "blue")), b"", b"junk"):
        for path in pictures:
            path.write_bytes(data)
        again = make()
        assert len(again.history.runs) == 1
        assert "red.png" not in again.library.own
    again.controls.content.drop.put("red.png", file_of(Image.new("RGB", (32, 20), "red")))
    again.start()  # and it is kept once more
    assert make().library.own["red.png"].picture.getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("harm", ["no json", "no text", "a folder", "a folder of a picture's"])
def test_a_damaged_shelf_keeps_what_is_new(make, monkeypatch, tmp_path, harm):
    view = make()
    shelf = view.shelf = Shelf(tmp_path / "limited", limited=True)
    view.start()
    view.start()
    for path in list(shelf.folder.glob("*.json")):
        if harm == "no json":
            path.unlink()
        elif harm == "no text":
            path.write_bytes(b"\xff\xfe")
    if harm == "a folder":
        (shelf.folder / "0.png").mkdir()
    elif harm == "a folder of a picture's":
        (shelf.pictures / "0").mkdir()
    monkeypatch.setattr(keeping, "KEPT", 1)
    view.start()
    assert view.error == ""
    assert (shelf.folder / f"{view.run.kept}.png").read_bytes() == view.run.png


def test_long_names_and_odd_browsers_are_kept_too(make, tmp_path):
    view = make()
    for drop in (view.controls.content.drop, view.controls.mixture.styles[0].drop):
        drop.put(f"{'字' * 96}.png", file_of(Image.new("RGB", (32, 20), "red")))
    view.start()
    assert view.error == ""
    assert len(make().history.runs) == 1
    names = [
        folder_of(name, tmp_path).name for name in ("", "../..", "a\0b", "\ud800", "x" * 10**6)
    ]
    assert len(set(names)) == 5 and all(len(name) == 32 for name in names)


def test_old_runs_give_way_in_the_app_only(make, monkeypatch, tmp_path):
    monkeypatch.setattr(keeping, "KEPT", 2)
    view = make()
    for _ in range(3):
        view.start()
    assert len(list((tmp_path / "runs").glob("*.png"))) == 3
    limited = view.shelf = Shelf(tmp_path / "limited", limited=True)
    view.controls.content.drop.put("red.png", file_of(Image.new("RGB", (32, 20), "red")))
    view.start()
    red = {path.name for path in limited.pictures.iterdir()}
    view.controls.content.chosen.value = "picture"
    for _ in range(2):
        view.start()
    assert len(list(limited.folder.glob("*.png"))) == len(list(limited.folder.glob("*.json"))) == 2
    assert len(red & {path.name for path in limited.pictures.iterdir()}) == 1  # the style's
    monkeypatch.setattr(keeping, "SPACE", 1)
    view.start()
    assert [path.stem for path in limited.folder.glob("*.png")] == [view.run.kept]


def test_a_run_that_cannot_be_kept_is_still_here(make, tmp_path):
    (tmp_path / "runs").write_text("a file")
    view = make()
    view.start()
    assert view.run.png
    assert view.error.startswith("Run 1 is here, but was not kept. '")
    assert "Finished" in view.status.value


def test_the_app_keeps_runs_by_browser(make, monkeypatch, tmp_path):
    monkeypatch.setenv("NST_RUNS", str(tmp_path / "app"))
    one = make(folder=None)
    one.start()
    assert not (tmp_path / "app").exists()
    for browser, runs in (("one", 0), ("other", 0), ("one", 1)):
        view = make(folder=None)
        view.page.browser = browser
        assert len(view.history.runs) == runs
        if browser == "one" and not runs:
            view.start()
    assert "one" not in " ".join(path.name for path in (tmp_path / "app").iterdir())
    monkeypatch.setattr(keeping, "DAYS", -1)
    folder = folder_of("third", tmp_path / "app")
    assert not list((tmp_path / "app").iterdir())
    assert folder.parent == tmp_path / "app"


# Messages


def lines(view):
    """What is said in each place, by its role."""
    return {line: line.value for line in view.lines if line.value}


def test_what_is_said_stands_beside_the_control_and_alone(make):
    view = make(synchronous=False)
    controls = view.controls
    (style,) = controls.mixture.styles
    cases = (
        (lambda: controls.content.drop.put("a.png", b"x"), controls.content.said, "alert"),
        (lambda: style.drop.put("a.png", b"x"), style.said, "alert"),
        (lambda: view.opening.button.click(), view.opening.said, "alert"),
        (lambda: controls.content.drop.put("b.png", file_of(Image.new("RGB", (32, 32)))),
         controls.content.said, "status"),
        (lambda: setattr(controls.sizes, "value", "many") or view.start_button.click(),
         view.error_line, "alert"),
        (lambda: controls.defaults.click(), controls.said_of_network, "alert"),
    )  # fmt: skip
    for act, place, role in cases:
        act()
        assert list(lines(view)) == [place]
        assert f'role="{role}" tabindex="-1" data-nst-call=' in place.value
        assert bool(view.error) == (role == "alert")
    controls.sizes.value = "32"
    view.start_button.click()
    view.result(PATIENCE)
    view.history.cards[0].again_button.click()
    assert list(lines(view)) == [view.history.said]
    assert "press Start" in view.history.said.value
    # The same again is said again.
    before = view.history.said.value
    view.history.cards[0].again_button.click()
    assert view.history.said.value != before


def test_a_refused_start_is_not_under_a_finished_run(make):
    view = make(synchronous=False)
    view.start()
    view.result(PATIENCE)
    view.controls.sizes.value = "many"
    view.start_button.click()
    assert view.error == "Sizes are whole numbers, such as 256, not 'many'."
    assert "Finished" not in view.status.value
    assert "No run was started" in view.status.value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("photo.png is damaged", "photo.png is damaged."),
        ("vgg16.pth could not be had", "vgg16.pth could not be had."),
        ("content_layers are names", "content_layers are names."),
        ("'a.png' is empty", "'a.png' is empty."),
        ("there is no such picture", "There is no such picture."),
    ],
)
def test_names_stay_as_they_are(text, said):
    assert sentence(ImageError(text)) == said


def test_what_an_opened_run_keeps_is_said_without_python():
    view = TransferStudio(size=64, optimizer="adam", learning_rate_decay=(0.5, 50), pooling="max")
    assert "learning_rate_decay 0.5 and 50" in view.controls.silent.value
    assert not set("()[]{}") & set(view.controls.silent.value)


def test_another_style_is_never_the_content():
    view = TransferStudio("dots", "ink", size=64)
    view.controls.content.drop.put("me.png", file_of(Image.new("RGB", (8, 8), "red")))
    names = []
    for _ in range(3):
        view.controls.mixture.more.click()
        names.append(view.controls.mixture.styles[-1].name)
    assert "me.png" not in names
    assert set(names) <= set(view.library.samples["style"])
    view = TransferStudio("cubes" if "cubes" in view.library.samples["style"] else "dots", size=64)
    for _ in range(3):
        view.controls.mixture.more.click()
    assert view.controls.content.name not in [
        choice.name for choice in view.controls.mixture.styles
    ]


def test_continue_says_what_it_leaves_aside(make):
    view = make(synchronous=False)
    view.start_button.click()
    view.result(PATIENCE)
    view.continue_button.click()
    view.result(PATIENCE)
    assert view.error_line.value == ""
    view.controls.steps.value, view.controls.look.tv_weight.value = "2", 9
    view.continue_button.click()
    view.result(PATIENCE)
    assert "Run 1 goes on with its own settings" in view.error_line.value
    assert "tv weight, num steps, counts" in view.error_line.value
    assert view.error == ""


# The page


def test_signs_of_life_end_when_nobody_is_there(looked_at, monkeypatch):
    kept, sent = Page(), []
    monkeypatch.setattr(kept, "send", sent.append)
    kept.beat()
    kept.heard -= page.REST + 1
    kept.beat()
    kept.beat()
    assert sent == [{"alive": True}, {"alive": False}]
    monkeypatch.setattr(page, "_start_beating", lambda: sent.append("begun"))
    kept._handle_custom_msg({"here": True}, [])
    kept.beat()
    assert sent[2:] == ["begun", {"alive": True}, {"alive": True}]  # at once, and each second


def test_leaving_asks_while_a_run_is_under_way(make):
    view = make(synchronous=False, num_steps=1000)
    asked = []
    view.page.observe(lambda change: asked.append(change["new"]), "running")
    view.start_button.click()
    view.stop_button.click()
    view.result(PATIENCE)
    assert asked == [True, False]


def test_the_same_cell_again_stops_what_it_had_begun(monkeypatch):
    def made_by(cell, request):
        monkeypatch.setattr(work, "_asked_by", lambda: (cell, request))
        made = Work(False)
        made.start(lambda stop: "stopped" if stop.wait(20) else "ran out")
        return made

    first, twin = made_by("a", "1"), made_by("a", "1")
    elsewhere, nowhere = made_by("b", "2"), made_by("", "")
    assert all(one.running for one in (first, twin, elsewhere, nowhere))
    again = made_by("a", "3")
    assert first.result(5) == twin.result(5) == "stopped"
    assert elsewhere.running and nowhere.running and again.running
    stop_all(5)


def test_controls_have_what_screen_readers_need(make):
    view = make()
    assert view.page in view.children
    assert view.progress.label
    strip = View("test")
    strip.fill(ipw.HTML(), strip.error_line, ipw.HTML())
    assert strip.children.count(strip.error_line) == 1


def contrast(one, other):
    """WCAG 2.2, relative luminance and contrast."""

    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ground", ["#ffffff", "#212121", "#111111"])
def test_curves_can_be_told_from_their_ground(ground):
    for shades in SHADES.values():
        for shade in shades:
            assert contrast(shade, ground) >= 3


def test_a_photograph_runs_in_all_its_pixels(make):
    noise = Image.effect_noise((400, 300), 60).convert("RGB")
    view = make(num_steps=0)
    view.controls.content.drop.put("photo.png", file_of(noise))
    assert view.controls.content.picture().size == (400, 300)
    view.start()
    whole = style_transfer(noise, view.library.open("picture (2)"), sizes=32, num_steps=0,
                           progress=False)  # fmt: skip
    assert view.result().image.equal(whole.image)
