"""Colours against scikit-image and SciPy; masks against a network that averages; whole runs."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.linalg import sqrtm
from skimage.color import rgb2lab

import nst
from nst import ImageError, Objective, SettingsError, load_mask, make_settings, style_transfer
from nst.control.colours import grey, prepare, recolour, transfer_histogram
from nst.control.masks import NAMED, layer_guides, seen_masks
from nst.networks import VGG, Architecture
from nst.objective import total

QUICK = {"sizes": 40, "num_steps": 3, "progress": False, "device": "cpu"}


def lab(image):
    return rgb2lab(image[0].permute(1, 2, 0).double().numpy())


def moments(image):
    """Mean and covariance of the colours."""
    x = image[0].flatten(1).double().numpy()
    return x.mean(1), np.cov(x, bias=True)


@pytest.fixture(scope="module")
def pale():
    """A picture whose colours stay in [0, 1] when they are mapped a little."""
    generator = torch.Generator().manual_seed(4)
    mix = torch.tensor([[0.1, 0.05, 0.0], [0.0, 0.08, 0.02], [0.03, 0.0, 0.06]])
    noise = torch.rand(3, 30 * 20, generator=generator)
    return (mix @ noise + torch.tensor([[0.3], [0.4], [0.5]])).view(1, 3, 30, 20)


# Colours


def test_grey_has_the_lightness_of_the_picture(picture):
    expected, found = lab(picture), lab(grey(picture))
    np.testing.assert_allclose(found[..., 0], expected[..., 0], atol=0.02)
    assert np.abs(found[..., 1:]).max() < 0.02


def test_colours_put_back_leave_the_lightness_and_are_the_contents_where_a_screen_has_them(picture):
    light = grey(picture.flip(-1).roll(7, -2))
    found, content = lab(recolour(light, picture)), lab(picture)
    np.testing.assert_allclose(found[..., 0], lab(light)[..., 0], atol=0.02)
    apart = np.abs(found - content)[..., 1:].max(-1)
    assert np.quantile(apart, 0.99) < 0.02  # of a rather pale picture
    red = torch.tensor([0.9, 0.05, 0.1]).view(1, 3, 1, 1).expand(1, 3, 1, 4)
    white = torch.linspace(0, 1, 4).view(1, 1, 1, 4).expand(1, 3, 1, 4)
    found = lab(recolour(white, red))  # no screen has that red at every lightness
    np.testing.assert_allclose(found[..., 0], lab(white)[..., 0], atol=0.02)
    assert (found[0, 1:3, 1] > 5).all()
    assert np.abs(found[0, [0, 3], 1:]).max() < 0.02


def test_transferred_colours_have_the_palettes_mean_and_covariance_by_the_shortest_way(pale):
    palette = (pale.flip(1) * 0.8 + 0.1).contiguous()
    found = nst.transfer_colours(pale, palette)
    for one, other in zip(moments(found), moments(palette), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    (mean, covariance), (wanted_mean, wanted) = moments(pale), moments(palette)
    root = sqrtm(covariance).real
    way = np.linalg.inv(root) @ sqrtm(root @ wanted @ root).real @ np.linalg.inv(root)
    x = pale[0].flatten(1).double().numpy()
    expected = way @ (x - mean[:, None]) + wanted_mean[:, None]
    np.testing.assert_allclose(found[0].flatten(1).numpy(), expected, atol=2e-3)
    torch.testing.assert_close(nst.transfer_colours(pale, pale), pale, atol=1e-5, rtol=0)
    one_colour = torch.full_like(pale, 0.25)
    assert nst.transfer_colours(one_colour, palette).isfinite().all()


def test_histograms_are_the_contents(pale, other):
    content, (style,) = prepare("histogram", pale, [other])
    assert content is pale
    found, wanted = (x[0].flatten(1).sort()[0] for x in (style, pale))
    places = np.linspace(0.05, 0.95, 9)
    for channel in range(3):
        ours, theirs = (np.quantile(x[channel].numpy(), places) for x in (found, wanted))
        np.testing.assert_allclose(ours, theirs, atol=3e-3)
    torch.testing.assert_close(transfer_histogram(pale, pale), pale)


@pytest.mark.parametrize("init", ["content", "noise", "style"])
def test_a_painting_in_the_contents_colours(picture, other, init):
    seen = []
    result = style_transfer(
        picture,
        other,
        colour="content",
        init=init,
        callback=lambda s: seen.append(s.image),
        **QUICK,
    )
    for image in (result.image, seen[-1]):
        apart = (lab(image) - lab(nst.images.fit(picture, 40)))[..., 1:]
        assert np.median(np.hypot(*np.moveaxis(apart, -1, 0))) <= 2
    best = min(record["total"] for record in result.history)
    assert result.delivered["total"] == pytest.approx(best, rel=0.02)
    assert result.checkpoint["state"]["image"].std(1).max() < 1e-6  # what is painted is grey


# Masks


def test_masks_of_every_kind(picture, tmp_path):
    array = np.zeros((40, 56))
    array[:, :28] = 1
    expected = load_mask("left", picture)
    assert expected.shape == (1, 1, 40, 56)
    Image.fromarray((array * 255).astype(np.uint8)).save(tmp_path / "mask.png")
    clear = np.dstack([np.full((40, 56, 3), 9), array * 255]).astype(np.uint8)
    Image.fromarray(clear).save(tmp_path / "clear.png")
    for kind in (
        array, array > 0, (array * 255).astype(np.uint8), array[None], torch.from_numpy(array),
        tmp_path / "mask.png", str(tmp_path / "clear.png"), Image.open(tmp_path / "mask.png"),
    ):  # fmt: skip
        torch.testing.assert_close(load_mask(kind, picture), expected, atol=1e-6, rtol=0)
    soft = np.linspace(0, 1, 56)[None].repeat(40, 0)
    assert load_mask(soft, picture).sub(torch.from_numpy(soft)).abs().max() < 1e-6
    twice = load_mask(np.kron(array, np.ones((2, 2))), picture)
    assert twice.sub(expected).abs().mean() < 0.02


def test_named_masks_are_halves_and_a_circle(picture):
    masks = {name: load_mask(name, picture) for name in NAMED}
    pairs = (("left", "right"), ("top", "bottom"), ("centre", "edge"), ("dark", "light"))
    for one, other in pairs:
        assert torch.equal(masks[one] + masks[other], masks["all"])
        assert 0.3 < masks[one].mean() < 0.7
    assert masks["top"][0, 0, 0, 0] == masks["left"][0, 0, 0, 0] == masks["edge"][0, 0, 0, 0] == 1
    light = grey(picture)[:, :1]
    assert light[masks["dark"] > 0].max() < light[masks["light"] > 0].min()


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.zeros((40, 56)), "black everywhere"),
        (np.ones((56, 40)), "does not fit a picture of 56×40"),
        (np.ones((3, 40, 56)), "has shape"),
        (np.full((40, 56), 7.0), "numbers from 0 to 1"),
        (np.full((40, 56), np.nan), "numbers from 0 to 1"),
        (17, "not a int"),
        ("lefft", "no file or sample picture"),
    ],
)
def test_what_is_no_mask_is_refused(picture, mask, words):
    with pytest.raises(ImageError, match=words):
        load_mask(mask, picture)


def test_half_of_a_picture_that_is_mostly_black_is_dark():
    night = torch.zeros(1, 3, 40, 56)
    night[..., 40:] = torch.rand(1, 3, 40, 16, generator=torch.Generator().manual_seed(1))
    dark, light = load_mask("dark", night), load_mask("light", night)
    assert torch.equal(light, (grey(night)[:, :1] > 0).float())
    assert torch.equal(dark, 1 - light)
    with pytest.raises(ImageError, match="mask light is black everywhere"):
        load_mask("light", torch.zeros(1, 3, 40, 56))


@pytest.mark.parametrize("statistic", nst.statistics.STATISTICS)
def test_an_empty_region_is_seen_nowhere(averaging, picture, other, statistic):
    assert layer_guides(averaging, torch.zeros(1, 1, 40, 56), averaging.layer_names) == {}
    halves = load_mask("left", picture), load_mask("right", picture)
    soft = torch.rand(1, 1, 40, 56, generator=torch.Generator().manual_seed(1))
    for masks in (halves, (soft, 1 - soft), (load_mask("all", picture),)):
        styles = [other] * (len(masks) + 1)
        with pytest.raises(SettingsError, match="leave nothing for the last style picture"):
            style_transfer(
                picture, styles, masks=[mask[0, 0] for mask in masks], statistic=statistic, **QUICK
            )


@pytest.fixture(scope="module")
def averaging():
    """A VGG of one channel in which every path from a pixel weighs as much."""
    scale = (0.0,) * 3, (1.0,) * 3
    network = VGG(Architecture((1, 2, 3), (1, 1, 1)), "average", "replicate", *scale)
    for name, parameter in network.named_parameters():
        weight = 1 / 27 if name.startswith("layers.conv1_1") else 1 / 9
        parameter.requires_grad_(False).fill_(0 if name.endswith("bias") else weight)
    return network.eval()


@pytest.mark.parametrize("shape", [(40, 56), (33, 47)])
def test_a_layer_sees_of_a_mask_what_its_positions_see(averaging, shape):
    mask = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(1))
    layers = averaging.layer_names
    expected = averaging(mask.expand(1, 3, *shape).contiguous(), layers)
    found = seen_masks(averaging, mask, layers)
    assert list(found) == layers
    for layer in layers:
        torch.testing.assert_close(found[layer], expected[layer])
    rest = seen_masks(averaging, 1 - mask, layers)
    for layer in layers:
        torch.testing.assert_close(found[layer] + rest[layer], torch.ones_like(found[layer]))


def test_weights_add_up_to_1_and_a_layer_that_sees_too_little_is_left_out(quarter):
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 30:36, 30:36] = 0.5
    guides = layer_guides(quarter, mask, ["relu1_1", "relu2_1", "relu4_1", "relu5_1"])
    assert list(guides) == ["relu1_1", "relu2_1"]
    for guide in guides.values():
        assert guide.weights.sum().item() == pytest.approx(1)
        assert (guide.weights > 0).all()


def test_a_network_that_is_no_vgg_sees_what_lies_under_its_positions():
    left = load_mask("left", torch.zeros(1, 3, 32, 48))

    def network(image, layers):
        return {layer: torch.zeros(1, 7, 8, 12) for layer in layers}

    seen = seen_masks(network, left, ["features"])["features"]
    assert torch.equal(seen, load_mask("left", torch.zeros(1, 3, 8, 12)))


# Regions


def objective(network, content, styles, masks=(), style_masks=(), **options):
    names = {"masks": ["x"] * len(masks) or None, "style_masks": ["x"] * len(style_masks) or None}
    return Objective(
        network, content, styles, make_settings(**names, **options), masks, style_masks
    )


def test_a_mask_of_all_is_no_mask(quarter, picture, other):
    whole = load_mask("all", picture)
    for statistic in nst.statistics.STATISTICS:
        plain = objective(quarter, picture, [other], statistic=statistic)
        masked = objective(quarter, picture, [other], [whole], statistic=statistic)
        image = picture.flip(-1).contiguous()
        terms, gradient = plain.loss_and_gradient(image)
        their_terms, their_gradient = masked.loss_and_gradient(image)
        assert total(their_terms).item() == pytest.approx(total(terms).item(), rel=1e-4)
        assert (gradient - their_gradient).norm() < 1e-3 * gradient.norm()


def test_each_region_is_pushed_to_its_own_style_only(quarter, picture, other):
    """Far from the border, by as much as without a mask; and weights are factors."""
    image, waves = nst.load_image("cat", 96), nst.load_image("waves", 64)
    masks = [load_mask("left", image), load_mask("right", image)]
    shallow = {"style_layers": {"relu1_1": 1.0}, "content_weight": 0.0, "tv_weight": 0.0}
    alone = objective(quarter, image, [waves], [masks[0]], **shallow)
    both = objective(quarter, image, [waves, other], masks, mask_weights=(1.0, 0.0), **shallow)
    one, two = (x.loss_and_gradient(image)[1] for x in (alone, both))
    torch.testing.assert_close(one, two)
    assert one[..., 50:].abs().max() == 0
    assert one[..., :46].abs().min() >= 0
    assert list(both(image)) == ["style relu1_1, region 1", "style relu1_1, region 2"]
    rest = objective(quarter, image, [waves, other], masks[:1], **shallow)
    given = objective(quarter, image, [waves, other], masks, **shallow)
    torch.testing.assert_close(rest.loss_and_gradient(image)[1], given.loss_and_gradient(image)[1])


def test_layers_by_style_and_scales_by_style(quarter, picture, other):
    parts = (("relu1_1", "relu2_1"), ("relu4_1",))
    layers = {"style_layers": ["relu1_1", "relu2_1", "relu4_1"]}
    made = objective(quarter, picture, [other, picture], layers_by_style=parts, **layers)
    ours = {name: aims[0].target for name, aims in made.style.items()}
    for style, names in ((other, parts[0]), (picture, parts[1])):
        alone = objective(quarter, picture, [style], **layers)
        for name in names:
            torch.testing.assert_close(ours[name], alone.style[name][0].target)
    result = style_transfer(picture, [other, picture], style_scale=(0.9, 1.0), **QUICK)
    again = style_transfer(
        picture, [nst.images.fit(other, 36), picture], style_blend=(1.0, 1.0), **QUICK
    )
    torch.testing.assert_close(result.image, again.image, atol=2e-3, rtol=0)


def test_what_a_mask_of_a_style_hides_does_not_count(quarter, picture):
    style = nst.load_image("starry", 64)
    half = load_mask("left", style)
    hidden = torch.where(half > 0, style, style.flip(-2))

    def target(image, masks=()):
        made = objective(quarter, picture, [image], (), masks, style_layers={"relu1_1": 1.0})
        return made.style["relu1_1"][0].target

    shown = target(style, [half])
    assert (shown - target(hidden, [half])).norm() < 0.02 * shown.norm()
    assert (shown - target(hidden)).norm() > 0.02 * shown.norm()


def test_two_regions_are_told_apart_at_layers_that_nothing_was_painted_for(quarter):
    """By Gram matrices in halves of a small picture."""
    names, layers = ("starry", "ink"), ["relu1_2", "relu2_2"]
    options = {"sizes": 80, "num_steps": 20, "content_weight": 0.0, "progress": False}
    result = style_transfer("astronaut", list(names), masks=("left", "right"), **options)

    def grams(image):
        return [nst.gram_matrix(f) for f in nst.extract_features(quarter, image, layers).values()]

    def apart(grams, style):
        pairs = zip(grams, style, strict=True)
        return sum(((g - a).square().sum() / a.square().sum()).item() for g, a in pairs)

    left, right = (grams(half.contiguous()) for half in result.image.chunk(2, dim=-1))
    starry, ink = (grams(nst.load_image(name, 80)) for name in names)
    assert apart(left, starry) < 0.2 * apart(left, ink)
    assert apart(right, ink) < 0.2 * apart(right, starry)


def test_empty_regions_are_said_and_refused_where_nothing_is_left(picture, other, capsys):
    dot = np.zeros((40, 56))
    dot[10:18, 10:18] = 1
    style_transfer(picture, [other, other], masks=dot, **QUICK)
    said = "at 40 pixels too little is seen of region 1 at relu3_1, relu4_1, relu5_1\n"
    assert said in capsys.readouterr().err
    deep = {"style_layers": ["relu5_1"]}
    with pytest.raises(SettingsError, match="region 1 has no layer that sees it"):
        style_transfer(picture, [other, other], masks=dot, **deep, **QUICK)


@pytest.mark.parametrize(
    ("styles", "options", "words"),
    [
        (3, {"masks": ["left"]}, "1 masks and 3 style pictures"),
        (2, {"masks": ["left", "right"], "style_masks": "all"}, "2 regions and 1 style_masks"),
        (2, {"style_scale": (1.0, 1.0, 1.0)}, "2 style pictures and 3 style_scale"),
        (1, {"masks": ["left"], "mask_weights": (1.0, 2.0)}, "1 regions and 2 mask_weights"),
        (2, {"masks": ["left"], "style_blend": (1.0, 2.0)}, "give mask_weights in the place"),
        (1, {"mask_weights": 2.0}, "mask_weights are of regions"),
        (1, {"layers_by_style": (("relu1_1",), ())}, "1 style pictures and 2 layers_by_style"),
        (1, {"layers_by_style": (("relu1_2",),)}, "'relu1_2', which is none of the style's"),
        (1, {"layers_by_style": (("relu1_1", "relu31"),)}, "'relu31', which is none of the"),
        (2, {"style_blend": (1.0, 2.0, 3.0)}, "2 style pictures and 3 style_blend"),
        (2, {"style_blend": (1.0, 2.0, 3.0), "init": "painter"}, "2 style pictures and 3 style_"),
        (0, {"style_weight": 0, "init": "style"}, "the start 'style' needs a style picture"),
        (0, {"style_weight": 0, "init": "painter"}, "the start 'painter' needs a style picture"),
        (1, {"layers_by_style": "<b>"}, "layers_by_style are tuples"),
        (1, {"style_scale": (1.0, 0.0)}, "style_scale is a number from 0.01"),
        (1, {"colour": "red"}, "colour is one of style, content, match, histogram"),
        (1, {"statistic": "Gram"}, "statistic is one of gram, mean-std"),
        (1, {"statistic": "sliced", "preset": "article"}, "normalisation mse is of Gram"),
        (1, {"masks": "given"}, "mask without a name"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_run(picture, other, styles, options, words):
    with pytest.raises(SettingsError, match=words):
        style_transfer(picture, [other] * styles, **options, **QUICK)


# Whole runs


@pytest.fixture
def here():
    """An executor in this process."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


CONTROLS = [
    {"colour": "content", "statistic": "covariance"},
    {"masks": ["left"], "colour": "match", "statistic": "sliced", "mask_weights": (1.0, 0.5)},
    {"masks": ["top", "bottom"], "style_masks": ["all", "centre"], "style_scale": (1.0, 0.9),
     "layers_by_style": ((), ("relu1_1", "relu2_1"))},
]  # fmt: skip


@pytest.mark.parametrize("options", CONTROLS)
def test_a_run_is_kept_resumed_and_repeated_from_its_picture(picture, other, tmp_path, options):
    styles, rest = [other, picture], {k: v for k, v in QUICK.items() if k != "num_steps"}
    whole = style_transfer(picture, styles, num_steps=3, **options, **rest)
    cut = style_transfer(
        picture, styles, num_steps=3, callback=lambda step: step.number == 1, **options, **rest
    )
    again = nst.resume(cut.save(tmp_path / "run"), progress=False)
    assert torch.equal(again.image, whole.image)
    assert again.settings == whole.settings
    nst.save_image(whole.image, tmp_path / "a.png", whole.about())
    kept = nst.read_settings(tmp_path / "a.png")
    kept = {name: value for name, value in kept.items() if name not in ("content", "styles")}
    repeated = style_transfer(picture, styles, **kept, progress=False, device="cpu")
    assert torch.equal(repeated.image, whole.image)


def test_a_grid_takes_each_as_an_axis(picture, other, here):
    experiment = nst.grid(
        content=picture, style=(other, picture), masks=[("left", "right"), ("top", "bottom")],
        colour=["style", "content"], statistic="mean-std", style_layers=["relu1_1"],
        sizes=40, num_steps=1, executor=here, progress=False,
    )  # fmt: skip
    assert experiment.axes["masks"] == ["left + right", "top + bottom"]
    assert [cell.error for cell in experiment.cells] == [None] * 4
    cell = experiment["top + bottom", "content", "relu1_1"]
    settings = cell.settings.to_dict()
    del settings["content"], settings["styles"]
    again = style_transfer(picture, [other, picture], progress=False, **settings)
    assert np.array_equal(np.asarray(cell.picture), np.asarray(nst.postprocess_image(again.image)))
