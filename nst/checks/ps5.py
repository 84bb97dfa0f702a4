"""Self-checks of problem set 5: a plan, a judge, rows and a figure."""

from collections.abc import Sequence

from nst.checks import marking
from nst.checks.common import Function, Mistake, call, describe, right, self_check
from nst.checks.losses import pictures
from nst.errors import NstError


@self_check
def design(function: Function, judge: Sequence[str]) -> None:
    """Check `design()`: the arguments of `nst.grid`, with one axis of layers.

    Raises:
        Mistake: says what is wrong.
    """
    wanted = call(function, ())
    try:
        axes, fixed = marking.plan(wanted)
        layers = marking.alternatives(axes)
        others = {k: v for k, v in fixed.items() if k not in ("content", "style", "rebalance")}
        marking.check_settings(others)
    except NstError as error:
        raise Mistake(f"nst.grid would refuse it: {error}.") from error
    marking.alone(axes)
    if len(layers) < 3:
        raise Mistake(f"there are {len(layers)} alternatives; three or more are wanted.")
    if len({frozenset(names) for names in layers}) < len(layers):
        raise Mistake("two alternatives read the same layers.")
    for name in {name for names in layers for name in names}:
        if name not in marking.QUARTER:
            raise Mistake(f"the built-in network has no layer {name}.")
        if name in judge:
            raise Mistake(f"{name} is read by the judge; a run must not read it, too.")
    if not {"content", "style"} <= set(fixed):
        raise Mistake("name the pictures: content and style.")
    if not bool(fixed.get("rebalance", True)):
        raise Mistake("rebalance is off: then the weights change with the layers.")
    size, steps = (marking.single(fixed.get(name)) for name in ("sizes", "num_steps"))
    if size is None or not 64 <= size <= 128:
        raise Mistake(f"sizes is {fixed.get('sizes')}; one number from 64 to 128 is wanted.")
    if steps is None or not 15 <= steps <= 60:
        raise Mistake(f"num_steps is {fixed.get('num_steps')}; 15 to 60 are wanted.")
    if len(layers) > 6:
        raise Mistake(f"{len(layers)} cells are too many for an afternoon; six at most.")
    right("design")


@self_check
def judge(function: Function) -> None:
    """Check `judge(network, picture, content, style)`: content changed, style left; floats.

    Raises:
        Mistake: says what is wrong.
    """
    picture, content, style = pictures(0, (1, 3, 8, 6), (1, 3, 8, 6), (1, 3, 5, 9))
    answer = call(function, (marking.Tiny(), picture, content, style))
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise Mistake(f"it returns {describe(answer)}, not a pair of numbers.")
    wanted = marking.judge(picture, content, style)
    for name, found, number in zip(("content changed", "style left"), answer, wanted, strict=True):
        if not isinstance(found, float):
            raise Mistake(f"{name} is {describe(found)}, not a float: float(…).")
        if abs(found - number) > 1e-3 * number:
            remark = ""
            if abs(found - 3 * number) < 3e-3 * number:
                remark = " That is the sum over the layers; take their mean."
            raise Mistake(
                f"{name} is {found:.4g}, and should be {number:.4g}: the squared differences, "
                f"added up, over the squares of the target, for each layer by itself.{remark}"
            )
    right("judge")


@self_check
def rows(function: Function) -> None:
    """Check `rows(experiment, score)`: a dict for each cell, failed ones too.

    Raises:
        Mistake: says what is wrong.
    """
    experiment = marking.experiment({"b": 51, "a": None})
    found = call(function, (experiment, marking.brightness))
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise Mistake(f"it returns {describe(found)}, not a list of dicts.")
    if len(found) != 2:
        raise Mistake(f"of two cells, one of them failed, there are {len(found)} rows.")
    for row in found:
        if not {"label", "content changed", "style left"} <= set(row):
            raise Mistake(f"a row has the keys {list(row)}.")
    if [row["label"] for row in found] != ["b", "a"]:
        raise Mistake(f"the labels are {[row['label'] for row in found]}, and should be b and a.")
    if found[1]["content changed"] is not None or found[1]["style left"] is not None:
        raise Mistake("a run that failed has no numbers: None.")
    if abs(found[0]["content changed"] - 0.2) > 1e-6 or abs(found[0]["style left"] - 0.8) > 1e-6:
        raise Mistake("the numbers are not those of the score, in its order.")
    right("rows")


@self_check
def figure(function: Function) -> None:
    """Check `figure(rows)`: named axes, every label, both numbers of every row.

    Raises:
        Mistake: says what is wrong.
    """
    points = {"shallow": (0.21, 0.73), "deep": (0.42, 0.33), "broken": (None, None)}
    drawn = marking.Drawn(call(function, (marking.rows(points),)))
    if not drawn.named:
        raise Mistake("an axis has no name: set_xlabel and set_ylabel.")
    for label in ("shallow", "deep"):
        if label not in drawn.text:
            raise Mistake(f"the label {label!r} stands nowhere.")
    for number in (0.21, 0.73, 0.42, 0.33):
        if not drawn.has(number):
            raise Mistake(f"of a row with {number} nothing is drawn at {number}.")
    right("figure")
