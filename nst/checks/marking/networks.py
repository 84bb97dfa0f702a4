"""Small networks and losses that stand for the real ones, and the names of layers."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nst.checks.marking.oracles import array, gram, random
from nst.networks import Network


class Quiet(nn.ReLU):
    """Works in place, and its setting does not say so."""

    def forward(self, x: Tensor) -> Tensor:
        """Overwrites x."""
        return x.relu_()


class Loud(nn.ReLU):
    """Says that it works in place, and does not."""

    def __init__(self) -> None:
        super().__init__(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Leaves x as it is."""
        return x.relu()


RELUS = {"r": nn.ReLU, "i": lambda: nn.ReLU(inplace=True), "q": Quiet, "l": Loud}


def chain(code: str) -> list[nn.Module]:
    """Modules by their letters: convolution, ReLU, ReLU (in place), pooling (max), (average).

    And two ReLUs whose settings mislead: q works in place without saying so, l only says so.

    Convolutions have 4 channels, and seeded, frozen weights.
    """
    modules: list[nn.Module] = []
    for number, letter in enumerate(code):
        if letter == "c":
            convolution = nn.Conv2d(4 if "c" in code[:number] else 3, 4, 3, padding=1)
            for parameter in convolution.requires_grad_(False).parameters():
                parameter.copy_(random(*parameter.shape, seed=number) - 0.5)
            modules.append(convolution)
        elif letter in RELUS:
            modules.append(RELUS[letter]())
        else:
            modules.append(nn.MaxPool2d(2) if letter == "p" else nn.AvgPool2d(2))
    return modules


def model(code: str) -> nn.Sequential:
    """The modules as a chain that runs."""
    return nn.Sequential(*chain(code))


def chain_names(code: str) -> list[str]:
    """The names of the modules by block and place, such as conv1_1."""
    names, block, place = [], 1, 0
    for letter in code:
        place += letter == "c"
        kinds = {"c": f"conv{block}_{place}", "p": f"pool{block}", "a": f"pool{block}"}
        names.append(kinds.get(letter, f"relu{block}_{place}"))
        if letter in "pa":
            block, place = block + 1, 0
    return names


QUARTER = [
    f"{kind}{block}_{place}"
    for block, places in enumerate((2, 2, 4, 4, 1), start=1)
    for place in range(1, places + 1)
    for kind in ("conv", "relu")
] + [f"pool{block}" for block in range(1, 5)]  # the layers of vgg19_quarter
LAYERS = {"CONTENT": "relu3_1", "STYLE": ["relu1_1", "relu2_1", "relu3_1"]}


PLAIN = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)  # the mean and the deviation of pictures left as they are


class Counted(Network):
    """A tiny network for `nst.extract_features`, which counts the pictures that it is given.

    Its layers, by any names, are seeded mixtures of the colours and of their squares, whose number
    of channels is that of the name's first letter in the alphabet, plus 2.
    """

    def __init__(self) -> None:
        super().__init__(*PLAIN)
        self.pictures = 0

    def forward(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Activations of the layers for a picture (B, 3, H, W)."""
        self.pictures += len(image)
        both = torch.cat([image, image.square()], 1)
        return {
            name: torch.einsum("nc,bchw->bnhw", random(ord(name[0]) - 94, 6, seed=7), both)
            for name in layers
        }


class Tiny(Network):
    """A network for `nst.extract_features`: one seeded convolution, not frozen; counts its calls.

    A layer of block n is the convolution's ReLU to the n-th power.
    """

    def __init__(self) -> None:
        super().__init__(*PLAIN)
        self.calls = 0
        self.weight = nn.Parameter(random(4, 3, 3, 3, seed=5) - 0.4)

    def forward(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Activations of the layers for a picture (B, 3, H, W)."""
        self.calls += 1
        x = nn.functional.conv2d(image, self.weight, padding=1).relu()
        return {name: x ** int(name[4]) for name in layers}


def objective(image: Tensor, content: Tensor, style: Tensor, weights: tuple[float, float]) -> float:
    """The weighted loss of problem set 4, at `LAYERS` of `Tiny`."""
    seen, wanted, painted = (Tiny()(x, LAYERS["STYLE"]) for x in (image, content, style))
    of_content = ((array(seen["relu3_1"]) - array(wanted["relu3_1"])) ** 2).mean()
    of_style = sum(((gram(seen[n]) - gram(painted[n])) ** 2).mean() for n in LAYERS["STYLE"])
    return float(weights[0] * of_content + weights[1] * of_style)


class Bowl:
    """A loss of a picture (1, 3, 4, 4) whose minimum is known: weighted squared distances.

    `target` is within [0.3, 0.7] but for every other value, if `high` is given: these are `high`.
    `highest` is the largest value of a picture that it was asked for, `calls` how often it was.
    """

    def __init__(
        self, stretch: float = 10.0, scale: float = 1.0, high: float | None = None, seed: int = 3
    ) -> None:
        self.target = 0.3 + 0.4 * random(1, 3, 4, 4, seed=seed)
        if high is not None:
            self.target.view(-1)[::2] = high
        self.weights = scale * stretch ** random(1, 3, 4, 4, seed=seed + 50)
        self.highest, self.calls = -math.inf, 0

    def __call__(self, image: Tensor) -> Tensor:
        """The loss, a scalar."""
        self.calls += 1
        self.highest = max(self.highest, image.detach().max().item())
        return (self.weights * (image - self.target).square()).sum()
