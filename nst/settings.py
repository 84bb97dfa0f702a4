"""What a run was: a plain dataclass of settings, its presets, and its way to JSON and back."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from nst.control.colours import COLOURS
from nst.control.regions import pictures_used
from nst.errors import SettingsError
from nst.files.fields import LAYER_FIELDS, check, nearest, plain, share, shown
from nst.losses import TV_NORMS
from nst.networks import BUILT_IN, EDITION, PADDINGS, POOLINGS, SCALES, made_for
from nst.statistics import STATISTICS

LEARNING_RATES = {"lbfgs": 1.0, "lbfgs-plain": 1.0, "adam": 0.05}
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a run paints, but for the pictures and the machine.

    `make_settings` makes and checks them; see there for what else its arguments may be.

    Attributes:
        network, weights, pooling, padding, scale: arguments of `load_network`; pooling and padding
            are None until the network is loaded, and then what it was made for.
        edition: of the built-in network's weights, recorded by a run; None for other networks.
        content_layers, style_layers: a weight for each layer.
        normalisation: "relative", "paper" or "mse"; see `nst.objective`.
        content_weight, style_weight, tv_weight: weights of the three losses; 0 leaves one out.
        tv_norm: see `total_variation_loss`.
        statistic: of style: "gram", "mean-std", "covariance", "sliced" or "nearest"; a style weight
            means about the same strength with each. See `nst.statistics`.
        colour: "style", "content" (its colours stay), or "match" or "histogram" (the style pictures
            first get its mean and covariance, or its histograms); see `nst.control.colours`.
        style_blend: shares of the style pictures; empty: all alike.
        style_scale: long side of the style pictures as a multiple of the picture's, and so that of
            strokes; or one number for each style picture or region.
        layers_by_style: for each style picture or region the style layers that it is for, as
            (("relu1_1", "relu2_1"), ("relu4_1",)), or () for all; empty: all for each.
        masks, style_masks: names or paths of masks: of each region of the picture, and of the part
            of each style picture that counts; see `nst.load_mask`.
        mask_weights: factors of the style's weight by region; empty: 1.
        sizes: long side of the picture in pixels, coarse to fine; never more than the content's.
            Those at which a picture is too small for the network are left out.
        num_steps: optimisation steps at each size; the last number holds for all further sizes.
        init: the start: "content", "style", "noise", "painter", or a picture's path or name.
        seed: of the noise.
        optimizer: "lbfgs", "lbfgs-plain" or "adam"; see `nst.optimizers`.
        bounds: how the pixels get into [0, 1]: "projected" (the optimiser keeps them there, and
            knows it), "closure" (clamped before each evaluation, behind the optimiser's back) or
            "end" (free, and clamped in the picture that is handed back), as publications do it.
        learning_rate: for Adam about how far a pixel in [0, 1] moves a step; for L-BFGS a factor
            of the steps that it finds by itself. None: 0.05 for Adam, 1 for L-BFGS.
        learning_rate_decay: factor and interval: (0.8, 50) multiplies it by 0.8 every 50 steps.
        history: past steps that L-BFGS remembers.
        average: weight of the past in a running average of the pictures, such as 0.99; 0 for none.
        content, styles: names or paths of the pictures, where known.
    """

    network: str = BUILT_IN
    weights: str | None = None
    pooling: str | None = None
    padding: str | None = None
    scale: str | None = None
    edition: int | None = None
    content_layers: dict[str, float] = field(default_factory=lambda: {"relu4_2": 1.0})
    style_layers: dict[str, float] = field(default_factory=lambda: share(STYLE_LAYERS))
    normalisation: str = "relative"
    content_weight: float = 8.0
    style_weight: float = 1000.0
    tv_weight: float = 3.0
    tv_norm: str = "l2"
    statistic: str = "gram"
    colour: str = "style"
    style_blend: tuple[float, ...] = ()
    style_scale: float | tuple[float, ...] = 1.0
    layers_by_style: tuple[tuple[str, ...], ...] = ()
    masks: tuple[str, ...] = ()
    style_masks: tuple[str, ...] = ()
    mask_weights: tuple[float, ...] = ()
    sizes: tuple[int, ...] = (256, 512)
    num_steps: tuple[int, ...] = (40, 30)
    init: str = "content"
    seed: int = 0
    optimizer: str = "lbfgs"
    bounds: str = "projected"
    learning_rate: float | None = None
    learning_rate_decay: tuple[float, int] = (1.0, 1)
    history: int = 30
    average: float = 0.0
    content: str | None = None
    styles: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON; `make_settings(**settings.to_dict())` gives it back."""
        return dataclasses.asdict(self)

    def made(self) -> tuple[str, str | None, str | None, str | None, str | None]:
        """What `load_network` makes the run's network of, in its order."""
        return self.network, self.weights, self.pooling, self.padding, self.scale

    def step_length(self, number: int) -> float:
        """The learning rate of the step after `number` others."""
        factor, interval = self.learning_rate_decay
        start = self.learning_rate or LEARNING_RATES[self.optimizer]
        return start * factor ** (number // interval)

    def steps_at(self, index: int) -> int:
        """Steps at the size with that index."""
        return self.num_steps[min(index, len(self.num_steps) - 1)]

    def style_sizes(self, size: int, count: int) -> list[int]:
        """Long sides of `count` style pictures for a picture with a long side of `size`."""
        given = self.style_scale
        scales = given if isinstance(given, tuple) else (given,) * count
        return [max(round(size * scale), 1) for scale in scales]

    def used(self, styles: int) -> int:
        """How often pictures are used: `nst.control.regions.pictures_used`, and its errors."""
        names = ["style_scale", "layers_by_style", "style_masks", "mask_weights", "style_blend"]
        lists = {n: getattr(self, n) for n in names if isinstance(getattr(self, n), tuple)}
        return pictures_used(styles, len(self.masks), lists)

    def stages(self, longest: int) -> list[tuple[int, int]]:
        """Long side and steps at each size, none larger than that of the content picture."""
        found: dict[int, int] = {}
        for index, size in enumerate(self.sizes):
            found.setdefault(min(size, longest), self.steps_at(index))
        return list(found.items())


class Preset(NamedTuple):
    """Settings that reproduce a publication, and one line on how far and on which scale."""

    settings: Settings
    note: str


CONVOLUTIONS_OF_THE_TUTORIAL = ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1")
D2L_STD = 0.226  # mean of ImageNet's three standard deviations: d2l optimises normalised pixels

PRESETS = {
    "default": Preset(
        Settings(),
        "relative losses, coarse to fine: one pair of weights for every size and network",
    ),
    "article": Preset(
        Settings(
            style_layers=share(STYLE_LAYERS, 5),
            normalisation="mse",
            content_weight=1.0,
            style_weight=1e6,
            tv_weight=1e2,
            sizes=(512,),
            num_steps=(300,),
            optimizer="adam",
            bounds="end",
            learning_rate=0.001,
        ),
        "the introductory article's, on any scale; 300 steps of Adam at 0.001 move a pixel by 0.3",
    ),
    "gatys2016": Preset(
        Settings(
            pooling="average",
            padding="zeros",
            scale="filter",
            normalisation="paper",
            content_weight=1.0,
            style_weight=1e3,
            tv_weight=0.0,
            sizes=(512,),
            num_steps=(500,),
            init="noise",
            optimizer="lbfgs-plain",
            bounds="end",
            history=100,
        ),
        "the paper's losses, from noise, on weights scaled by filter (the built-in: by layer); it "
        "leaves the steps open",
    ),
    "gatys-notebook": Preset(
        Settings(
            pooling="max",
            padding="zeros",
            style_layers=share(STYLE_LAYERS, 5),
            normalisation="mse",
            content_weight=1.0,
            style_weight=1e3,
            tv_weight=0.0,
            sizes=(512, 800),
            num_steps=(500, 200),
            optimizer="lbfgs-plain",
            bounds="end",
            history=100,
        ),
        "the authors' own notebook, but for its caffe weights: 512, then 800 pixels",
    ),
    "neural-style-pt": Preset(
        Settings(
            pooling="max",
            padding="zeros",
            style_layers=share(STYLE_LAYERS, 5),
            normalisation="mse",
            content_weight=5.0,
            style_weight=100.0,
            tv_weight=1e-3 * 255,  # its pixels are in 0-255
            tv_norm="l1-sum",
            sizes=(512,),
            num_steps=(1000,),
            init="noise",
            optimizer="lbfgs-plain",
            bounds="end",
            history=100,
        ),
        "its defaults, but for its caffe weights, unscaled, and its start from fainter noise",
    ),
    "pytorch-tutorial": Preset(
        Settings(
            pooling="max",
            padding="zeros",
            content_layers={"conv2_2": 1.0},
            style_layers=share(CONVOLUTIONS_OF_THE_TUTORIAL, 5),
            normalisation="mse",
            content_weight=1.0,
            style_weight=1e6,
            tv_weight=0.0,
            sizes=(512,),
            num_steps=(300,),
            optimizer="lbfgs-plain",
            bounds="closure",
            history=100,
        ),
        'its "conv_4" is conv2_2; made with VGG-19 unscaled, clamped in the closure as here',
    ),
    "d2l": Preset(
        Settings(
            pooling="max",
            padding="zeros",
            content_layers={"conv4_4": 1.0},
            style_layers=share([name.replace("relu", "conv") for name in STYLE_LAYERS], 5),
            normalisation="mse",
            content_weight=1.0,
            style_weight=1e4,
            tv_weight=10 / 2 / D2L_STD,
            tv_norm="l1",
            sizes=(450,),
            num_steps=(500,),
            optimizer="adam",
            bounds="end",
            learning_rate=0.3 * D2L_STD,
            learning_rate_decay=(0.8, 50),
        ),
        "its layers as listed, VGG-19 unscaled; in-place ReLUs overwrite all but the last of them",
    ),
}
CHOICES = {
    "pooling": (None, *POOLINGS),
    "padding": (None, *PADDINGS),
    "scale": (None, *SCALES),
    "normalisation": ("relative", "paper", "mse"),
    "tv_norm": TV_NORMS,
    "statistic": tuple(STATISTICS),
    "colour": COLOURS,
    "optimizer": tuple(LEARNING_RATES),
    "bounds": ("projected", "closure", "end"),
}


def make_settings(preset: str = "default", **changes: Any) -> Settings:
    """The preset's settings with some fields changed; a change to None is no change.

    Layers may be one name, a list of names, which share the weight that the preset's layers have
    together, or a dict of weights. `sizes` and `num_steps` may be single numbers. Numbers of any
    kind and arrays are taken for plain ones. Another optimiser than the preset's keeps neither its
    learning rate nor its bounds.

    Raises:
        SettingsError: an unknown preset or field, or a value that makes no sense (see
            `nst.files.fields`).
    """
    if not (isinstance(preset, str) and preset in PRESETS):
        raise SettingsError(f"there is no preset {shown(preset)}; there are {', '.join(PRESETS)}")
    known = [f.name for f in dataclasses.fields(Settings)]
    for name in changes:
        if name not in known:
            raise SettingsError(f"there is no setting {shown(name)}; {nearest(name, known)}")
    base = PRESETS[preset].settings
    together = {name: sum(getattr(base, name).values()) for name in LAYER_FIELDS}
    given = {name: value for name, value in changes.items() if value is not None}
    values = {name: plain(name, value, together.get(name, 1.0)) for name, value in given.items()}
    if values.get("optimizer", base.optimizer) != base.optimizer:
        values = {"learning_rate": None, "bounds": "projected"} | values
    if base.scale == "filter" and values.get("network", base.network) == BUILT_IN:
        # Its weights come by layer, which keeps its filters' proportions.
        values = {"scale": "layer"} | values
    # Dicts of its own, so that who changes one changes no preset and no other run's record.
    of_its_own = {name: dict(getattr(base, name)) for name in LAYER_FIELDS}
    settings = replace(base, **of_its_own | values)
    check({name: getattr(settings, name) for name in known}, CHOICES)
    return settings


def settled(settings: Settings) -> Settings:
    """The settings with what a run records: the network's own pooling, padding and edition."""
    used = made_for(settings.network, settings.weights)
    chosen = {name: getattr(settings, name) for name in ("pooling", "padding")}
    return replace(settings, **used | {k: v for k, v in chosen.items() if v is not None})


def gone(settings: Mapping[str, Any]) -> str | None:
    """A sentence if a run's settings are of an edition of the built-in network that is gone."""
    if settings.get("network") != BUILT_IN or settings.get("weights") is not None:
        return None
    if (edition := settings.get("edition", 1)) in (None, EDITION):  # version 0.1 recorded none
        return None
    return f"it was made with edition {edition} of {BUILT_IN}, and here is edition {EDITION}"
