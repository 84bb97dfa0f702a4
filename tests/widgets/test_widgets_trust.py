"""What a stranger has written runs nowhere: no markup of his in any view, no setting that is none.

FAULTS=long tries thirty times as many settings.
"""

import dataclasses
import io
import json
import os
import re
from html.parser import HTMLParser

import ipywidgets as ipw
import pytest
import torch
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from nst import NstError, SettingsError, make_settings
from nst.networks import ARCHITECTURES, load_network
from nst.settings import CHOICES, Settings
from nst.widgets import ActivationExplorer, GramExplorer, TradeOffStrip, TransferStudio
from nst.widgets.curves import curves

EXAMPLES = 3000 if os.environ.get("FAULTS") == "long" else 100
HOSTILE = "\"'><img src=x onerror=hacked=1>&lt;script"
OURS = {"a", "b", "br", "caption", "div", "h2", "line", "p", "polyline", "small", "span", "style",
        "sub", "svg", "table", "td", "text", "th", "tr"}  # fmt: skip
FIELDS = [field.name for field in dataclasses.fields(Settings)]


class Markup(HTMLParser):
    """Says of a text what a browser would find in it beyond this package's own markup."""

    def __init__(self, text):
        super().__init__()
        self.foreign = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag not in OURS:
            self.foreign.append(tag)
        for name, value in attrs:
            link = name == "href" and not re.match("data:image/(png|jpeg|webp);base64,", value)
            if name.startswith("on") or name in ("src", "srcdoc", "action") or link:
                self.foreign.append(f"{tag} {name}={value}")


@pytest.fixture(autouse=True)
def written(monkeypatch):
    """Every value that any HTML widget has had; all of them are looked at in the end."""
    values, notify = [], ipw.HTML.notify_change

    def record(widget, change):
        if change["name"] == "value":
            values.append(change["new"])
        notify(widget, change)

    monkeypatch.setattr(ipw.HTML, "notify_change", record)
    yield values
    for value in set(values):
        assert Markup(value).foreign == [], value


def all_of(widget):
    """The widget and everything in it."""
    yield widget
    for part in getattr(widget, "children", ()):
        yield from all_of(part)


def shown(view):
    """The values of all HTML widgets of a view."""
    return [part.value for part in all_of(view) if isinstance(part, ipw.HTML)]


def harmless(view):
    """Whether all that the view shows is its own markup."""
    values = shown(view)
    return values and not [value for value in values if Markup(value).foreign]


def png_with(settings):
    chunks, file = PngInfo(), io.BytesIO()
    chunks.add_text("nst", settings if isinstance(settings, str) else json.dumps(settings))
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=chunks)
    return file.getvalue()


@pytest.fixture
def view(picture, other):
    studio = TransferStudio(picture, other, 40, num_steps=2, synchronous=False)
    yield studio
    studio.close()


def test_the_judge_sees_what_a_browser_sees():
    for text in (HOSTILE, f"<b>{HOSTILE}", f'<a href="{HOSTILE}">', "<a href='javascript:x'>"):
        assert Markup(text).foreign


# The views


def test_names_in_the_studio_are_text(picture, other, monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, HOSTILE, ARCHITECTURES["vgg19_quarter"])
    view = TransferStudio(picture, other, 40, num_steps=2, synchronous=True,
                          networks=["vgg19_quarter", HOSTILE])  # fmt: skip
    name = f"{HOSTILE}.png"
    view.controls.content.drop.put(name, png_with({}))
    view.controls.mixture.styles[0].drop.put(name, png_with({}))
    assert view.controls.content.name == name
    # Past the checks of settings: what is shown is safe by itself.
    texts = {n: HOSTILE for n in FIELDS if isinstance(getattr(Settings(), n), str)}
    # These have controls, which take nothing else.
    rest = {"optimizer": "lbfgs", "init": "content", "statistic": "gram", "history": HOSTILE}
    layers = {HOSTILE: 1.0, "relu1_1": 1.0}
    view.controls.show(
        dataclasses.replace(
            view.controls.settings(), **(texts | rest), content_layers=layers, style_layers=layers
        )
    )
    assert any(HOSTILE.split(">")[1] not in v and "onerror" in v for v in shown(view))
    assert harmless(view)
    view.controls.show(make_settings(content=name, styles=[name], sizes=8, num_steps=2,
                                     content_layers="relu1_1", style_layers="relu1_1"))  # fmt: skip
    view.start_button.click()
    assert view.run.settings.content == name
    assert "onerror" in " ".join(shown(view.history))
    assert harmless(view)
    view.close()


def test_errors_in_the_studio_are_text(view):
    said = []
    for name, data in ((f"{HOSTILE}.png", b"none"), (f"{HOSTILE}.json", b"{"), (HOSTILE, b"")):
        for drop in (view.opening.drop, view.controls.content.drop):
            drop.put(name, data)
            said.append(view.error)
    for text in (HOSTILE, f'{{"{HOSTILE[2:]}": 1}}', json.dumps({"preset": HOSTILE})):
        view.opening.paste.value = text
        view.opening.button.click()
        said.append(view.error)
    view.controls.sizes.value = HOSTILE
    view.start_button.click()
    said.append(view.error)
    view.error = HOSTILE
    assert all(said)
    assert harmless(view)


VALUES = [HOSTILE, [HOSTILE], {HOSTILE: 1}, 10**400, -1, [[[]]], {}, [1] * 3000, "x" * 100_000,
          {f"relu1_{n}": 1 for n in range(3000)}, "\x1b[2J", True, 1e308]  # fmt: skip


def test_a_saved_run_whose_settings_are_hostile_changes_nothing(view):
    before = view.controls.settings()
    texts = [json.dumps({name: value}) for name in FIELDS for value in VALUES]
    opened = []
    texts += ["[]", "{", '{"seed": 1' + "0" * 5000 + "}", '{"callback": 1}']
    for text in texts:
        view.opening.drop.put("a.png", png_with(text))
        if view.error:
            assert view.controls.settings() == before
            assert "\n" not in view.error
            assert len(view.error) < 700
            assert "should not have happened" not in view.error
        else:
            opened.append(text)
            view.open_settings(before.to_dict())
        assert harmless(view)
    print(f"{len(texts)} pictures with hostile settings: {len(opened)} opened, none harmful")
    # Of these the largest numbers of weights are numbers of weights still, or single layers' names.
    assert all(len(text) < 60 for text in opened), opened


def test_names_in_the_activation_explorer_are_text(tmp_path):
    view = ActivationExplorer(picture_called(tmp_path), strange_network(), f"relu2_1{HOSTILE}", 40)
    view.side.value = view.side.options[1]
    assert "onerror" in view.caption.value
    assert "onerror" in view.grid_caption.value
    assert harmless(view)
    view.close()


def test_names_in_the_gram_explorer_are_text(tmp_path):
    path = picture_called(tmp_path)
    view = GramExplorer(path, path, strange_network(), f"relu2_1{HOSTILE}", 40)
    assert all("onerror" in title.value for title in [*view.titles, *view.captions, view.distances])
    assert harmless(view)
    view.close()


def test_names_in_the_strip_are_text(tmp_path):
    path = picture_called(tmp_path)
    view = TradeOffStrip(path, path, "content_layers", {HOSTILE: ["relu1_1"]}, size=40, steps=1)
    view._say(view.figures[0], HOSTILE)
    assert "onerror" in view.figures[0].caption.value
    view.values.value = f"{HOSTILE} again"
    assert view.error
    assert harmless(view)
    view.close()


def test_names_in_the_curves_are_text():
    step = {"terms": {f"content {HOSTILE}": 1.0, f"style {HOSTILE}": 2.0}, "total": 3.0}
    assert "onerror" in curves([step, step])
    assert Markup(curves([step, step])).foreign == []


def picture_called(folder):
    """A file whose name is markup."""
    path = folder / f"{HOSTILE}.png"
    Image.effect_noise((40, 40), 50).convert("RGB").save(path)
    return str(path)


def strange_network():
    """A network all of whose layers' names are markup."""
    network = load_network("vgg19_quarter")
    named = {f"{name}{HOSTILE}": layer for name, layer in network.layers.items()}
    network.layers = torch.nn.ModuleDict(named)
    return network


# Settings

single = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50)
    | st.sampled_from([HOSTILE, 10**400, -(10**400), 1e300, "x" * 10_000, "\x1b[2J", "../" * 999])
)  # fmt: skip
# Long lists are of one value: to draw each anew takes nearly all of the time.
long = st.tuples(single, st.integers(0, 300)).map(lambda drawn: [drawn[0]] * drawn[1])
anything = st.recursive(
    single | long,
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=40,
)
numbers_beyond = st.sampled_from(
    [-1, 10**400, float("nan"), float("inf"), True, "1", HOSTILE, [], {}]
)
no_path = st.sampled_from(["", "x" * 4097, "a\0b", "a\nb", "\x1b[2J", 5, [HOSTILE], {}, True])
no_word = st.text(max_size=200).filter(lambda t: not re.fullmatch(r"[A-Za-z0-9_.:/-]{1,100}", t))
too_many = st.integers(201, 400).map(lambda n: {f"relu{i}": 1.0 for i in range(n)})
# For each field, values that are not to pass.
HOSTILES = {
    **{name: anything.filter(lambda v, c=c: v is not None and v not in c)
       for name, c in CHOICES.items()},
    **dict.fromkeys(["content_weight", "style_weight", "tv_weight", "style_scale", "average",
                     "learning_rate", "seed", "history"], numbers_beyond),
    **dict.fromkeys(["content_layers", "style_layers"],
                    too_many | no_word | st.lists(no_word, min_size=1)
                    | st.dictionaries(no_word, st.just(1.0), min_size=1)
                    | numbers_beyond.map(lambda v: {"relu1_1": v})
                    | st.sampled_from([5, [5], [[]]])),
    **dict.fromkeys(["sizes", "num_steps"], st.lists(st.integers(1), min_size=17, unique=True)
                    .map(sorted) | numbers_beyond.map(lambda v: [v]) | st.just([10**7])),
    "history": numbers_beyond | st.integers(201),
    "edition": numbers_beyond | st.just(0),
    "network": no_word | st.sampled_from([5, [], {}]),
    **dict.fromkeys(["weights", "init", "content"], no_path),
    "styles": no_path.map(lambda v: [v]) | st.just(["ink"] * 17),
    "style_blend": numbers_beyond.map(lambda v: [v]) | st.just([1] * 17) | st.just([0, 0]),
    "learning_rate_decay": numbers_beyond.map(lambda v: [v, 50])
                           | numbers_beyond.map(lambda v: [0.9, v]) | st.just([1.5, 50]),
    "style_scale": numbers_beyond | st.floats(11) | st.just(0)
                   | numbers_beyond.map(lambda v: [1.0, v]) | st.just([1.0] * 17),
    **dict.fromkeys(["masks", "style_masks"],
                    no_path.map(lambda v: [v]) | st.just(["left"] * 17)),
    "mask_weights": numbers_beyond.map(lambda v: [v]) | st.just([1] * 17) | st.just([0, 0]),
    "layers_by_style": no_word.map(lambda v: [[v]]) | st.just([["relu1_1"]] * 17)
                       | st.sampled_from([5, [5], [[5]], [[["relu1_1"]]], {"relu1_1": 1}]),
}  # fmt: skip


def trials(function):
    return trying(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True)(function)


def test_every_field_has_its_hostile_values():
    assert set(HOSTILES) == set(FIELDS)


@trials
@given(st.sampled_from(sorted(HOSTILES)).flatmap(lambda n: st.tuples(st.just(n), HOSTILES[n])))
def hostile_ones_are_refused(pair):
    name, value = pair
    with pytest.raises(SettingsError) as caught:
        make_settings(**{name: value})
    assert len(str(caught.value)) < 600
    assert not re.search(r"[\x00-\x1f]", str(caught.value))


@trials
@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=20), anything, max_size=3))
def any_ones_are_refused_or_plain(changes):
    try:
        made = make_settings(**changes)
    except NstError as error:
        assert len(str(error)) < 900
        return
    text = json.dumps(made.to_dict(), allow_nan=False)
    assert len(text) < 100_000
    assert make_settings(**json.loads(text)) == made
    for name in (
        "network",
        "pooling",
        "padding",
        "normalisation",
        "tv_norm",
        "optimizer",
        "statistic",
        "colour",
    ):
        assert re.fullmatch(r"[\w.:/-]+", str(getattr(made, name)))


@pytest.mark.parametrize("trial", [hostile_ones_are_refused, any_ones_are_refused_or_plain])
def test_settings_made_up(trial):
    trial()
    print(f"{EXAMPLES} made-up settings: none accepted that are none ({trial.__name__})")
