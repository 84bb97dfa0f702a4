"""Regions of styles in the studio, its sliders and examples, without a browser."""

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from nst import SettingsError, make_settings, style_transfer
from nst.control.masks import written
from nst.settings import Settings
from nst.widgets import TransferStudio
from nst.widgets.brush import Brush
from nst.widgets.look import RATIO
from nst.widgets.regions import share_of, tinted
from nst.widgets.starts import FIELDS, STARTS, examples, start, start_of


@pytest.fixture
def view(picture, other):
    made = TransferStudio(picture, other, size=40, num_steps=1, synchronous=True)
    yield made
    made.close()


def mask_of(view, name=None):
    """The left third of the photograph, as a page sends it."""
    picture = view.library.open(name or view.controls.content.name)
    values = np.zeros((picture.height, picture.width), np.uint8)
    values[:, : picture.width // 3] = 255
    return Image.fromarray(values)


def file_of(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def paint(region, mask):
    """What the page does at the end of a stroke."""
    region.button.value = True
    region.brush.region = file_of(mask)


# Regions


def test_a_region_is_a_mask_of_the_run_and_travels_with_it(view, tmp_path):
    style, mask = view.controls.mixture.styles[0], mask_of(view)
    paint(style.where, mask)
    assert re.search(r"3\d % of the photograph", style.where.button.description)
    assert "regions of 1 styles" in view.controls.content.preview.alt
    settings = view.controls.settings()
    assert (settings.masks, settings.style_masks) == ((written(mask),), ())
    view.start()
    images = [view.library.open(name) for name in ("picture", "picture (2)")]
    # The engine, given the mask as an array.
    result = style_transfer(*images, sizes=40, num_steps=1, masks=np.array(mask), progress=False)
    torch.testing.assert_close(view.result().image, result.image)
    assert view.run.settings.masks == settings.masks
    # Into another studio, by the PNG alone.
    other = TransferStudio("cat", "ink", size=40)
    for name in ("picture", "picture (2)"):
        other.library.add(name, view.library.open(name))
    other.opening.drop.put("run.png", view.run.png)
    assert other.controls.settings() == view.run.settings
    region = other.controls.mixture.styles[0].where
    region.button.value = True
    assert Image.open(io.BytesIO(region.brush.region)).tobytes() == mask.tobytes()


def test_styles_without_a_region_get_everything_else(view):
    mixture = view.controls.mixture
    mixture.more.click()
    mixture.more.click()
    one, two, three = mixture.styles
    paint(two.where, mask_of(view))
    with pytest.raises(SettingsError, match="2 style pictures have no region"):
        view.controls.settings()
    three.where.take("right")
    three.share.value = 2
    assert "everything else" in one.where.button.description
    settings = view.controls.settings()
    assert settings.styles == (two.name, three.name, one.name)
    assert settings.masks == (two.where.mask(), "right")
    assert (settings.mask_weights, settings.style_blend) == ((1.0, 2.0, 1.0), ())
    one.counts.take("top")
    assert view.controls.settings().style_masks == ("all", "all", "top")
    before = view.controls.settings()
    view.open_settings(before.to_dict())
    assert view.controls.settings() == before


@pytest.mark.parametrize(
    ("masks", "styles", "weights"),
    [(("left",), ("ink",), (3.0,)), (("left", "right"), ("ink", "dots"), (2.0, 2.0))],
)
def test_the_weights_of_regions_are_kept_as_they_were(view, masks, styles, weights):
    """They are factors: twice 2 is not twice 1."""
    told = {"masks": masks, "styles": styles, "mask_weights": weights, "content": "cat"}
    view.open_settings(told)
    assert view.controls.settings() == make_settings(**told)


def test_where_a_style_is_painted_is_said_of_the_photograph_that_is_chosen(view):
    mixture, content = view.controls.mixture, view.controls.content
    mixture.more.click()
    one, two = (choice.where for choice in mixture.styles)
    paint(one, mask_of(view))
    for name, said in (("cat", "everywhere"), ("picture", "everything else")):
        content.chosen.value = name
        assert bool(view.controls.settings().masks) == (name == "picture")
        assert two.title == f"Where it is painted: {said}"
        assert ("everywhere" in one.title) == (name == "cat")


def test_one_picture_for_two_regions_becomes_two_of_the_same(view):
    settings = view.controls.settings().to_dict() | {"masks": ("left", "right")}
    view.open_settings(settings)
    assert len(view.controls.mixture.styles) == 2
    assert view.controls.settings() == make_settings(**settings | {"styles": ("picture (2)",) * 2})


def test_a_region_belongs_to_its_picture(view):
    content, style = view.controls.content, view.controls.mixture.styles[0]
    paint(style.where, mask_of(view))
    mask = style.where.mask()
    content.chosen.value = "coffee"
    assert view.controls.settings().masks == ()
    assert style.where.brush.region == b""
    content.chosen.value = "picture"
    assert view.controls.settings().masks == (mask,)
    style.where.brush.region = b""
    assert view.controls.settings().masks == ()


@pytest.mark.parametrize(
    ("masks", "says"),
    [
        (["sky.png"], "The run's mask 'sky.png' is a file that is not here"),
        (["/etc/passwd"], "The run's mask 'passwd' is a file that is not here"),
        (["data:image/png;base64,AAAA"], "The file is not a picture"),
        (["data:image/png;base64,A"], "A mask that was drawn is damaged"),
        ([written(Image.new("L", (90, 9), 255))], "A mask of 90×9 pixels does not fit"),
        (["left"] * 5, "At most 4 style pictures"),
    ],
)
def test_masks_that_cannot_be_opened_change_nothing(picture, other, masks, says):
    view = TransferStudio(picture, other, size=40, synchronous=False)
    before = view.controls.settings()
    view.opening.paste.value = make_json(before, masks)
    view.opening.button.click()
    assert view.error.startswith(says)
    assert view.controls.settings() == before
    view.close()


def make_json(settings, masks):
    return json.dumps(settings.to_dict() | {"masks": masks})


def test_a_mask_by_file_is_known_when_a_run_names_it(view):
    region, mask = view.controls.mixture.styles[0].where, mask_of(view)
    region.button.value = True
    region.drop.put("sky.png", file_of(mask))
    assert region.mask() == written(mask)
    region.take("")
    view.open_settings(view.controls.settings().to_dict() | {"masks": ["masks/sky.png"]})
    assert view.controls.settings().masks == (written(mask),)
    region = view.controls.mixture.styles[0].where
    region.button.value = True
    region.named.value = "left"
    assert view.controls.settings().masks == ("left",)
    assert share_of(region.values("left")) == pytest.approx(0.5, abs=0.02)


def test_the_page_sends_views_of_memory():
    brush = Brush()
    brush.set_state({"region": memoryview(b"abc")})
    assert brush.region == b"abc"


def test_a_tint_lies_where_the_mask_is():
    grey = Image.new("RGB", (8, 6), (100, 100, 100))
    mask = Image.new("L", (4, 3))
    mask.putpixel((0, 0), 255)
    pixels = np.array(tinted(grey, [(mask, "#ff0000")]))
    assert (pixels[3:, 5:] == 100).all()
    assert pixels[0, 0, 0] > 180 > 60 > pixels[0, 0, 1]


# Sliders and examples


def test_the_balance_is_the_logarithm_of_the_ratio(view):
    look = view.controls.look
    for place in (-2, -0.5, 1.35, 2):
        look.balance.value = place
        ratio = look.style_weight.value / look.content_weight.value
        assert np.log10(ratio / RATIO) == pytest.approx(place, abs=0.005)
    look.content_weight.value, look.style_weight.value = 1.0, 12.5
    assert look.balance.value == pytest.approx(-1)
    look.style_weight.value = 0
    assert (look.balance.value, look.style_weight.value) == (-2, 0)
    look.content_weight.value = 0
    look.style_weight.value = 1
    assert look.balance.value == 2
    look.balance.value = 0
    assert look.style_weight.value / look.content_weight.value == pytest.approx(RATIO)


def test_an_example_sets_all_that_it_shows(view):
    look = view.controls.look
    assert look.examples.value == "balanced"
    for name in STARTS:
        look.examples.value = name
        settings = view.controls.settings().to_dict()
        assert {field: settings[field] for field in FIELDS} == start(name)
        assert start_of(start(name)) == name
    look.balance.value = 0.35
    assert look.examples.value == ""
    look.examples.value = "balanced"
    assert view.controls.settings().style_weight == Settings().style_weight


def test_examples_are_small_and_different():
    pictures = examples()
    assert set(pictures) == set(STARTS)
    assert max(map(len, pictures.values())) <= 15_000
    assert len(set(pictures.values())) == len(STARTS)


def test_what_a_run_has_for_each_style_stays_until_the_slider_is_moved(view):
    two = view.controls.settings().to_dict() | {"styles": ["ink", "dots"]}
    settings = two | {"style_scale": [0.5, 1.0], "layers_by_style": [["relu1_1"], ["relu4_1"]]}
    view.open_settings(settings)
    assert view.controls.settings() == make_settings(**settings)
    assert "style_scale 0.5 and 1.0" in view.controls.silent.value
    view.controls.look.strokes.value = 0.5
    assert view.controls.settings().style_scale == pytest.approx(2**0.5, abs=1e-3)
    view.open_settings(settings | {"colour": "match"})
    view.controls.mixture.styles[1].remove.click()
    now = view.controls.settings()
    assert (now.style_scale, now.colour, now.layers_by_style) == (0.5, "match", (("relu1_1",),))


def test_a_picture_can_be_saved_in_three_formats(view):
    view.start()
    whole = Image.open(io.BytesIO(view.run.png))
    for name, suffix in (("JPEG", ".jpg"), ("WebP", ".webp"), ("PNG", ".png")):
        view.stage.format.value = name
        file, kind = re.search(
            r'download="([^"]+)" href="data:image/(\w+);', view.save.value
        ).groups()
        assert (file, kind) == (f"picture-picture-2--1{suffix}", name.lower())
        data = re.search('base64,([^"]+)', view.save.value)[1]
        saved = Image.open(io.BytesIO(base64.b64decode(data)))
        assert (saved.format, saved.size) == (name.upper(), whole.size)
