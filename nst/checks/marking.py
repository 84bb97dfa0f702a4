"""What the graded cells of the assignments are made of.

    with reload(marking).part("03_gram_matrices") as part:
        gram = part.function(globals(), "gram_matrix")
        x = marking.random(2, 3, 4, 5)
        part.equal(gram(x), marking.gram(x), "the values are wrong.")

A cell reloads this module, so that nothing counts that a notebook may have done to it. It uses
nothing of the package but `Mistake`, computes right answers in NumPy, in float64, and compares in
plain Python. Inside `part` nothing is printed, warnings are ignored, seeds and torch's switches are
set: what a notebook prints, or has switched, changes no points.
"""

import contextlib
import inspect
import io
import math
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor, nn

from nst.checks.common import Mistake

Array = NDArray[np.float64]


@contextlib.contextmanager
def part(notebook: str, section: str = "") -> Iterator["Part"]:
    """One graded part of an exercise; whatever fails in it says where the course explains it.

    Raises:
        Mistake: the part is not right.
        NotImplementedError: it is not written yet.
    """
    place = f"{notebook}.ipynb" + (f", “{section}”" if section else "")
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
            torch.random.fork_rng(devices=[]),
            torch.enable_grad(),
            contextlib.ExitStack() as stack,
        ):
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            yield Part(stack)
    except NotImplementedError:
        raise
    except Mistake as mistake:
        raise Mistake(f"{mistake} Explained in {place}.") from None
    except (Exception, SystemExit) as error:
        raise Mistake(f"{type(error).__name__}: {error}. Explained in {place}.") from error
    finally:
        torch.set_default_dtype(dtype)


class Part:
    """What a part demands of an answer; every method raises a `Mistake` if it is not so."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.stack = stack
        self.lent: dict[str, Any] = {}

    def lend(self, **names: Any) -> None:
        """Until the part ends, let the notebook's functions use these instead of its own.

        So that a mistake in one exercise costs no points in the next one.
        """
        self.lent |= names

    def function(self, space: Mapping[str, Any], name: str) -> Callable[..., Any]:
        """The notebook's function of that name, whose errors become Mistakes."""
        found = self.value(space, name)
        if not callable(found):
            raise Mistake(f"{name} is {kind(found)}, not a function.")
        if str(getattr(found, "__module__", "")).split(".")[0] == "nst":
            raise Mistake(f"{name} is the package's own function; write yours.")
        self._replace(found)

        def call(*arguments: Any) -> Any:
            try:
                return found(*arguments)
            except (NotImplementedError, Mistake):
                raise
            except (Exception, SystemExit) as error:
                raise Mistake(f"{name} raises {type(error).__name__}: {error}.") from error

        return call

    def _replace(self, function: Callable[..., Any]) -> None:
        """Put what is lent into the names that the function sees, and back at the end."""
        names = getattr(inspect.unwrap(function), "__globals__", {})
        before = {name: names[name] for name in self.lent if name in names}
        names.update(self.lent)
        self.stack.callback(names.update, before)

    def value(self, space: Mapping[str, Any], name: str) -> Any:
        """What the notebook holds under that name."""
        if name not in space:
            raise Mistake(
                f"there is no {name} here: keep the name that the exercise gives, and see that "
                "its cell runs without an error."
            )
        return space[name]

    def true(self, condition: Any, remark: str) -> None:
        """The condition is True itself, and not merely something that says so."""
        if condition is not True:
            raise Mistake(remark)

    def tensor(self, answer: Any, shape: Sequence[int]) -> None:
        """The answer is a tensor of that shape, and its values are finite."""
        self.true(
            type(answer) in (Tensor, nn.Parameter),
            f"it returns {kind(answer)}, not a tensor. Does every branch end in return?",
        )
        self.true(
            tuple(answer.shape) == tuple(shape),
            f"its shape is {tuple(answer.shape)}, and should be {tuple(shape)}.",
        )
        numbers(answer)

    def shapes(
        self, function: Callable[..., Any], cases: Mapping[tuple[int, ...], tuple[int, ...]]
    ) -> None:
        """Given tensors of the first shapes, the function returns tensors of the second ones.

        They depend on what is given, and on nothing else.
        """
        for number, (given, wanted) in enumerate(cases.items()):
            first, second = random(*given, seed=number), random(*given, seed=number + 100)
            answer, again, other = function(first), function(first.clone()), function(second)
            for one in (answer, again, other):
                self.tensor(one, wanted)
            self.true(near(answer, again), "it gives two answers to the same question.")
            self.true(not near(answer, other), "it returns the same, whatever it is given.")

    def equal(
        self, answer: Any, wanted: ArrayLike | Tensor, remark: str, tolerance: float = 1e-4
    ) -> None:
        """The answer has the wanted shape and values; a number will do for a scalar."""
        wanted = np.asarray(
            wanted.detach().double() if isinstance(wanted, Tensor) else wanted, dtype=np.float64
        )
        if wanted.ndim or isinstance(answer, Tensor):
            self.tensor(answer, wanted.shape)
        values, targets = numbers(answer), wanted.ravel().tolist()
        scale = max(map(abs, targets), default=0.0)
        for value, target in zip(values, targets, strict=True):
            if not abs(value - target) <= tolerance * scale + 1e-12:
                raise Mistake(f"{remark} One value is {value:.5g}, and should be {target:.5g}.")

    def gradient(
        self, function: Callable[[Tensor], Any], x: Tensor, wanted: ArrayLike | None = None
    ) -> None:
        """A gradient flows from the answer's sum back to `x`: the wanted one, or any but zeros."""
        x = x.detach().clone().requires_grad_()
        answer = function(x)
        self.true(isinstance(answer, Tensor), f"it returns {kind(answer)}, not a tensor.")
        flows = answer.requires_grad
        (found,) = (
            torch.autograd.grad(answer.square().sum() if wanted is None else answer.sum(), x)
            if flows
            else (None,)
        )
        self.true(
            flows and found is not None,
            "no gradient flows back: .item(), .detach(), .numpy() or no_grad() cut it off.",
        )
        self.true(any(numbers(found)), "the gradient is zero everywhere.")
        if wanted is not None:
            self.equal(found, wanted, "the gradient is wrong.")

    def file(self, pixels: NDArray[np.uint8]) -> str:
        """The path of a PNG with these pixels, (H, W) or (H, W, C), which goes with the part."""
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        path = Path(folder) / "picture.png"
        Image.fromarray(pixels).save(path)
        return str(path)

    def no_loop(
        self, function: Callable[..., Any], small: Sequence[Any], large: Sequence[Any]
    ) -> None:
        """The function takes as many lines of Python for a large input as for a small one."""
        few = lines_run(function, small, 100_000)
        many = lines_run(function, large, 2 * few + 50)
        self.true(
            many <= 2 * few + 50,
            "it loops in Python: the more pixels, the more lines it runs. Let one operation on "
            "whole tensors do the work.",
        )

    def accepts(self, test: Callable[..., Any], rights: Mapping[str, Callable[..., Any]]) -> None:
        """The notebook's test says True to each of these functions."""
        for name, right in rights.items():
            self.true(verdict(test, right), f"your test rejects a right function: {name}.")

    def rejects(self, test: Callable[..., Any], wrongs: Mapping[str, Callable[..., Any]]) -> None:
        """The notebook's test says False to each of these functions."""
        for name, wrong in wrongs.items():
            self.true(not verdict(test, wrong), f"your test accepts a wrong function: {name}.")


def verdict(test: Callable[..., Any], function: Callable[..., Any]) -> bool:
    """What a test says of a function; a failed assertion in it means False."""
    answer = test(function)
    if isinstance(answer, Tensor | np.bool_) and answer.ndim == 0:
        answer = answer.item()
    if type(answer) is not bool:
        raise Mistake(f"your test returns {kind(answer)}, not True or False.")
    return answer


class _Loop(BaseException):
    """Ends a function that has run too many lines."""


def lines_run(function: Callable[..., Any], arguments: Sequence[Any], limit: int) -> int:
    """How many lines of Python a call runs, calls and returns included; it ends at the limit."""
    count, before = 0, sys.gettrace()

    def trace(*_: Any) -> Any:
        nonlocal count
        count += 1
        if count > limit:
            raise _Loop
        return trace

    sys.settrace(trace)
    try:
        function(*arguments)
    except _Loop:
        pass
    finally:
        sys.settrace(before)
    return count


def numbers(answer: Any) -> list[float]:
    """The values of a tensor or a number, as plain floats, all finite."""
    if type(answer) in (Tensor, nn.Parameter):
        values = answer.detach().double().reshape(-1).tolist()
    elif isinstance(answer, int | float | np.number) and not isinstance(answer, bool):
        values = [float(answer)]
    else:
        raise Mistake(f"it returns {kind(answer)}, not a number or a tensor.")
    if not all(map(math.isfinite, values)):
        raise Mistake("it has values that are not finite (NaN or infinity).")
    return values


def near(first: Any, second: Any, tolerance: float = 1e-5) -> bool:
    """Whether two tensors or numbers hold the same values, one after the other."""
    a, b = numbers(first), numbers(second)
    scale = max(map(abs, a + b), default=0.0)
    return len(a) == len(b) and all(
        abs(x - y) <= tolerance * scale for x, y in zip(a, b, strict=True)
    )


def kind(value: Any) -> str:
    """A value in a few words."""
    if value is None:
        return "None"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return f"a value of type {type(value).__name__}"


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """A seeded tensor in [0, 1)."""
    generator = torch.Generator().manual_seed(1000 + seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64).to(dtype)


def array(x: Tensor) -> Array:
    """As NumPy's float64."""
    return x.detach().double().numpy()


def gram(x: Tensor) -> Array:
    """(B, C, H, W) → (B, C, C), divided by C·H·W."""
    rows = array(x).reshape(x.shape[0], x.shape[1], -1)
    return rows @ rows.transpose(0, 2, 1) / rows[0].size


def gram_tensor(x: Tensor) -> Tensor:
    """(B, C, H, W) → (B, C, C), divided by C·H·W; a tensor, to lend."""
    return torch.einsum("bchw,bdhw->bcd", x, x) / x[0].numel()


def products_tensor(x: Tensor) -> Tensor:
    """(C, H, W) → (C, C), undivided; a tensor, to lend."""
    return torch.einsum("chw,dhw->cd", x, x)


def style_tensor(
    first: Mapping[str, Tensor], second: Mapping[str, Tensor], layers: Sequence[str]
) -> Tensor:
    """The style loss of the course, to lend."""
    terms = [(gram_tensor(first[n]) - gram_tensor(second[n])).square().mean() for n in layers]
    return torch.stack(terms).sum()


def matrix(answer: Any, channels: int) -> Array:
    """The C × C values of an answer of any shape, as a matrix."""
    values = numbers(answer)
    if len(values) != channels**2:
        raise Mistake(f"it has {len(values)} values, and should have {channels} × {channels}.")
    return np.array(values).reshape(channels, channels)


class Counted:
    """A tiny network for `nst.extract_features`, which counts the pictures that it is given.

    Its layers, by any names, are seeded mixtures of the colours and of their squares, whose number
    of channels is that of the name's first letter in the alphabet, plus 2.
    """

    def __init__(self) -> None:
        self.pictures = 0

    def __call__(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Activations of the layers for a picture (B, 3, H, W)."""
        self.pictures += len(image)
        both = torch.cat([image, image.square()], 1)
        return {
            name: torch.einsum("nc,bchw->bnhw", random(ord(name[0]) - 94, 6, seed=7), both)
            for name in layers
        }


def variation(x: Tensor) -> float:
    """The course's total variation, of (B, 3, H, W)."""
    values = array(x)
    down, right = np.diff(values, axis=2), np.diff(values, axis=3)
    return float((down**2).mean() + (right**2).mean())


def style_gradient(features: Tensor, target: Tensor) -> Array:
    """Of the mean squared difference of a Gram matrix from the target: (1, C, H, W)."""
    rows = array(features).reshape(features.shape[1], -1)
    outer = 2 * (gram(features)[0] - array(target)[0]) / len(rows) ** 2
    return ((outer + outer.T) @ rows / rows.size).reshape(features.shape)


def cosine(first: Sequence[float], second: Sequence[float]) -> float:
    """Of the angle between two vectors; 0 if one is zero."""
    length = math.hypot(*first) * math.hypot(*second)
    return sum(a * b for a, b in zip(first, second, strict=True)) / length if length else 0.0


def numerical_gradient(loss: Callable[[Tensor], Any], x: Tensor, step: float = 1e-4) -> Tensor:
    """Central differences, to lend."""
    x, result = x.detach(), torch.zeros_like(x)
    for index in range(x.numel()):
        move = torch.zeros_like(x)
        move.view(-1)[index] = step
        result.view(-1)[index] = (float(loss(x + move)) - float(loss(x - move))) / (2 * step)
    return result


def wrong_gradient(factor: float) -> Callable[[Tensor], Tensor]:
    """A loss, the sum of squares, whose gradient is so many times the right one."""

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x.square().sum()

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            return factor * 2 * ctx.saved_tensors[0] * gradient

    return Wrong.apply


def pixels(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """A seeded picture of random colours, (H, W, 3)."""
    return (255 * random(height, width, 3, seed=seed)).byte().numpy()


def normalise(x: Tensor) -> Array:
    """By ImageNet's means and standard deviations."""
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return (array(x) - mean[:, None, None]) / std[:, None, None]


def chain(code: str) -> list[nn.Module]:
    """Modules by their letters: convolution, ReLU, ReLU (in place), pooling (max), (average).

    Convolutions have 4 channels, and seeded, frozen weights.
    """
    modules: list[nn.Module] = []
    for number, letter in enumerate(code):
        if letter == "c":
            convolution = nn.Conv2d(4 if "c" in code[:number] else 3, 4, 3, padding=1)
            for parameter in convolution.requires_grad_(False).parameters():
                parameter.copy_(random(*parameter.shape, seed=number) - 0.5)
            modules.append(convolution)
        elif letter in "ri":
            modules.append(nn.ReLU(inplace=letter == "i"))
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
        kinds = {"c": f"conv{block}_{place}", "r": f"relu{block}_{place}"}
        kinds |= {"i": kinds["r"], "p": f"pool{block}", "a": f"pool{block}"}
        names.append(kinds[letter])
        if letter in "pa":
            block, place = block + 1, 0
    return names


LAYERS = {"CONTENT": "relu3_1", "STYLE": ["relu1_1", "relu2_1", "relu3_1"]}


class Tiny(nn.Module):
    """A network for `nst.extract_features`: one seeded convolution, not frozen; counts its calls.

    A layer of block n is the convolution's ReLU to the n-th power.
    """

    def __init__(self) -> None:
        super().__init__()
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
    `highest` is the largest value of a picture that it was asked for.
    """

    def __init__(
        self, stretch: float = 10.0, scale: float = 1.0, high: float | None = None, seed: int = 3
    ) -> None:
        self.target = 0.3 + 0.4 * random(1, 3, 4, 4, seed=seed)
        if high is not None:
            self.target.view(-1)[::2] = high
        self.weights = scale * stretch ** random(1, 3, 4, 4, seed=seed + 50)
        self.highest = -math.inf

    def __call__(self, image: Tensor) -> Tensor:
        """The loss, a scalar."""
        self.highest = max(self.highest, image.detach().max().item())
        return (self.weights * (image - self.target).square()).sum()


def adam(
    objective: Callable[[Tensor], Tensor], start: Tensor, steps: int, learning_rate: float
) -> Tensor:
    """Where Adam goes (Kingma and Ba 2015, algorithm 1), clamped to [0, 1] at the end."""
    x = start.detach().double()
    mean, square = torch.zeros_like(x), torch.zeros_like(x)
    for step in range(1, steps + 1):
        image = x.float().requires_grad_()
        gradient = torch.autograd.grad(objective(image), image)[0].double()
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        root = (square / (1 - 0.999**step)).sqrt() + 1e-8
        x = x - learning_rate * mean / (1 - 0.9**step) / root
    return x.float().clamp(0, 1)


def painter(steps: int) -> Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]:
    """A loop of so many steps of Adam, as a function of an objective and a start."""
    return lambda objective, start: adam(objective, start, steps, 0.05)


QUARTER = [
    f"{kind}{block}_{place}"
    for block, places in enumerate((2, 2, 4, 4, 1), start=1)
    for place in range(1, places + 1)
    for kind in ("conv", "relu")
] + [f"pool{block}" for block in range(1, 5)]  # the layers of vgg19_quarter


def plan(design: Any) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The axes of a design, by name and label, and what is fixed."""
    from nst.grids import axes

    if not isinstance(design, dict):
        raise Mistake(f"it returns {kind(design)}, not a dict.")
    return axes.split(design)


def alternatives(axes: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """The names of the layers of every alternative, on the axis of layers."""
    found = [axes[name] for name in ("content_layers", "style_layers") if name in axes]
    if len(found) != 1:
        raise Mistake("one axis of layers is wanted: content_layers or style_layers, as a list.")
    return [[a] if isinstance(a, str) else list(a) for a in found[0].values()]


def single(value: Any) -> float | None:
    """A number, or the only one of a list; None if it is something else."""
    if isinstance(value, list | tuple) and len(value) == 1:
        (value,) = value
    return value if isinstance(value, int | float) else None


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise what `nst.make_settings` says of settings that make no sense."""
    from nst.settings import make_settings

    make_settings(**settings)


def judge(picture: Tensor, content: Tensor, style: Tensor) -> tuple[float, float]:
    """Content changed and style left, of problem set 5, seen by `Tiny`."""
    layers = ["relu2_2", "relu3_3", "relu4_3"]
    seen, wanted, painted = (Tiny()(x, layers) for x in (picture, content, style))

    def share(x: Array, y: Array) -> float:
        return float(((x - y) ** 2).sum() / (y**2).sum())

    changed = [share(array(seen[n]), array(wanted[n])) for n in layers]
    left = [share(gram(seen[n]), gram(painted[n])) for n in layers]
    return sum(changed) / len(layers), sum(left) / len(layers)


def experiment(greys: Mapping[str, int | None]) -> SimpleNamespace:
    """Stands for an experiment: cells by label, with plain grey pictures of 0-255, or None."""
    cells = [
        SimpleNamespace(
            labels={"style_layers": label},
            picture=None if grey is None else Image.new("RGB", (6, 4), (grey,) * 3),
            reason="failed" if grey is None else "finished",
        )
        for label, grey in greys.items()
    ]
    return SimpleNamespace(cells=cells, axes={"style_layers": list(greys)})


def brightness(picture: Tensor) -> tuple[float, float]:
    """Stands for a judge: the mean of a picture (1, 3, H, W), and 1 minus it."""
    if tuple(picture.shape) != (1, 3, 4, 6):
        raise Mistake(f"the judge was given {kind(picture)}, not a picture (1, 3, H, W).")
    mean = array(picture).mean()
    return float(mean), float(1 - mean)


def rows(points: Mapping[str, tuple[float | None, float | None]]) -> list[dict[str, Any]]:
    """Rows of a table by label: content changed, and style left."""
    return [
        {"label": label, "content changed": changed, "style left": left}
        for label, (changed, left) in points.items()
    ]


class Drawn:
    """What a matplotlib figure shows: its words, the numbers drawn, whether its axes have names.

    Raises:
        Mistake: it is no figure.
    """

    def __init__(self, figure: Any) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.patches import Rectangle
        from matplotlib.text import Text

        if not isinstance(figure, Figure):
            raise Mistake(f"it returns {kind(figure)}, not a matplotlib Figure.")
        FigureCanvasAgg(figure).draw()  # writes the labels of ticks, too
        visible = [axes for axes in figure.axes if axes.get_visible() and axes.axison]
        self.named = bool(visible) and all(
            axes.get_ylabel() and (axes.get_xlabel() or _words(axes.get_xticklabels()))
            for axes in visible
        )
        self.text = "\n".join(text.get_text() for text in figure.findobj(Text))
        self.points: list[float] = []
        for axes in figure.axes:
            for line in axes.lines:
                self.points += np.asarray(line.get_xydata(), float).ravel().tolist()
            for collection in axes.collections:
                self.points += np.asarray(collection.get_offsets(), float).ravel().tolist()
            for patch in axes.patches:
                if isinstance(patch, Rectangle):
                    self.points += [patch.get_height(), patch.get_width()]

    def has(self, number: float) -> bool:
        """Whether the number is drawn."""
        return any(abs(point - number) < 1e-6 for point in self.points)


def _words(labels: Sequence[Any]) -> bool:
    """Whether an axis is labelled with words, such as names of bars, and not with numbers."""
    return any(any(map(str.isalpha, label.get_text())) for label in labels)
