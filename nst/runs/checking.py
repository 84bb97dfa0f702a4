"""What a saved run must be, as a whole, before any of it is used.

Every function raises a `ValueError` that says what is wrong with it.
"""

import math
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from nst.images import fitted
from nst.loop import DIVERGED, State
from nst.optimizers import Guess
from nst.optimizers.lbfgs import nothing_known
from nst.settings import Settings, make_settings

PARTS = {"settings", "content", "styles", "state", "history", "seconds", "reason", "weights"}
PARTS |= {"masks", "style_masks"}
NUMBERS = {"number", "of", "size", "total", "terms", "seconds", "at_bounds"}  # of a record


def check_run(whole: Any) -> None:
    """All that `Result.whole` hands to `torch.save`, as it comes back."""
    names = {entry.name for entry in fields(State)}
    demand(has_keys(whole, PARTS) and has_keys(whole["state"], names), "another version saved it")
    named = isinstance(whole["settings"], dict) and all(
        isinstance(n, str) for n in whole["settings"]
    )
    demand(named, "its settings are none")
    settings = make_settings(**whole["settings"])
    demand(settings.to_dict() == whole["settings"], "its settings are not whole")
    demand(is_number(whole["seconds"]) and whole["seconds"] >= 0, "its time is none")
    demand(isinstance(whole["weights"], str), "its weights have no hash")
    demand(isinstance(whole["styles"], list), "its style pictures are none")
    for picture in (whole["content"], *whole["styles"]):
        check_picture(picture)
    used = settings.used(len(whole["styles"]))
    for name in ("masks", "style_masks"):
        check_masks(whole[name], getattr(settings, name), used)
    check_state(whole["state"], settings, whole["content"].shape, whole["reason"])
    check_history(whole["history"], whole["state"]["totals"])
    storages = [t.untyped_storage().data_ptr() for t in tensors_in(whole)]
    demand(len(set(storages)) == len(storages), "its pictures share their memory")


def check_picture(image: Any) -> None:
    """A content or style picture: (1, 3, H, W) in [0, 1]."""
    demand(isinstance(image, Tensor) and image.dim() == 4, "one of its pictures is none")
    check_tensor(image, (1, 3, *image.shape[2:]), "picture")
    low, high = image.aminmax()
    demand(low >= 0 and high <= 1, "one of its pictures is not in [0, 1]")


def check_masks(masks: Any, names: tuple[str, ...], used: int) -> None:
    """Masks (1, 1, H, W) in [0, 1], one for each name."""
    demand(isinstance(masks, list) and len(masks) == len(names) <= used, "its masks are none")
    for mask in masks:
        demand(isinstance(mask, Tensor) and mask.dim() == 4, "one of its masks is none")
        check_tensor(mask, (1, 1, *mask.shape[2:]), "mask")
        low, high = mask.aminmax()
        demand(low >= 0 and high <= 1, "one of its masks is not in [0, 1]")


def check_state(state: dict[str, Any], settings: Settings, content: Any, reason: Any) -> None:
    """Where the loop stood: see `nst.loop.State`."""
    stages, full = settings.stages(max(content[-2:])), reason == "out of memory"
    index, number, totals = state["size_index"], state["number"], state["totals"]
    demand(is_count(index) and index < len(stages), "it stands at a size that it does not have")
    demand(is_count(number), "it has no number of steps")
    shape = (1, 3, *fitted(content[-2:], stages[index][0]))
    for name in ("image", "best", "average"):
        if state[name] is not None or name == "image":
            check_tensor(state[name], shape, name)
            low, high = state[name].aminmax()
            beyond = settings.bounds == "projected" and (low < -1e-3 or high > 1 + 1e-3)
            demand(not beyond, f"its {name} is not in [0, 1]")
    if state["best_total"] is not None:
        check_tensor(state["best_total"], (), "lowest loss")
    demand((state["best"] is None) == (state["best_total"] is None), "its best picture has no loss")
    demand(isinstance(totals, list) and all(map(is_float, totals)), "its losses are none")
    enough = len(totals) <= number + 1 if full else len(totals) == number + 1
    demand(enough, "its losses are not one for each step")
    demand(full or state["best"] is not None, "it has no best picture")
    exploded = bool(totals) and not totals[-1] <= DIVERGED * totals[0]
    averaged = bool(settings.average) and number > 0
    demand((state["average"] is not None) == averaged or exploded or full, "its average is lost")
    check_optimizer(state["optimizer"], settings, shape, fresh=full or not number)


def check_optimizer(saved: Any, settings: Settings, shape: tuple[int, ...], fresh: bool) -> None:
    """What the optimiser of a picture of that shape knows; nothing only if it may be `fresh`."""
    knowledge: Any = saved.get("state") if isinstance(saved, dict) else {}
    demand(isinstance(knowledge, dict) and set(knowledge) <= {0}, "its optimiser knows too much")
    demand(fresh or 0 in knowledge, "its optimiser has forgotten all")
    if 0 not in knowledge:
        return
    known, image = knowledge[0], torch.empty(shape, device="meta")
    flat = image.flatten()
    demand(isinstance(known, dict), "its optimiser knows nothing")
    if settings.optimizer == "adam":
        wanted = {"step": image.new_empty(()), "exp_avg": image, "exp_avg_sq": image}
    elif settings.optimizer == "lbfgs-plain":
        wanted = {"move": flat, "gradient": flat}
        known = dict(known)
        pairs, kept, blind = (known.pop(name, None) for name in ("pairs", "kept", "blind"))
        demand(is_count(kept) and is_count(blind), "its optimiser's steps cannot be counted")
        demand(kept <= settings.history, "its optimiser's history has another length")
        check_pairs(pairs, kept, flat)
        demand(bool(pairs) == (blind == 0), "its optimiser has forgotten steps")
    else:
        steps = known.get("steps")
        rows = len(steps) if isinstance(steps, Tensor) and steps.dim() else 0
        demand(1 <= rows <= settings.history, "its optimiser's history has another length")
        wanted = nothing_known(flat, rows) | Guess(image).nothing_known()
        demand(has_keys(known, set(wanted)), "its optimiser's knowledge is not whole")
        check_tensor(known["count"], (), "count of steps", torch.int64)
        demand(known["count"] >= 0, "its optimiser's steps cannot be counted")
    demand(has_keys(known, set(wanted)), "its optimiser's knowledge is not whole")
    # On Apple's GPUs, which have no float64, `LBFGS` does with float32, everywhere.
    exact = {
        getattr(known[n], "dtype", None) for n, x in wanted.items() if x.dtype == torch.float64
    }
    for name, like in wanted.items():
        dtype = (
            torch.float32 if exact == {torch.float32} and like.is_floating_point() else like.dtype
        )
        check_tensor(known[name], tuple(like.shape), f"optimiser's {name}", dtype)


def check_pairs(pairs: Any, count: int, flat: Tensor) -> None:
    """The steps that `PlainLBFGS` remembers, and how many they are."""
    demand(isinstance(pairs, list) and len(pairs) == count, "its optimiser's steps are not whole")
    for pair in pairs:
        demand(isinstance(pair, list) and len(pair) == 3, "its optimiser's steps are not pairs")
        for value, shape in zip(pair, (flat.shape, flat.shape, ()), strict=True):
            check_tensor(value, tuple(shape), "optimiser's step")


def check_history(history: Any, totals: list[float]) -> None:
    """The records of the steps; the last ones' losses are the state's."""
    demand(isinstance(history, list) and len(history) >= len(totals), "its history is not whole")
    for record in history:
        demand(
            has_keys(record, NUMBERS, NUMBERS | {"delivered"})
            and all(is_count(record[name]) for name in ("number", "of", "size"))
            and all(is_float(record[name]) for name in ("total", "seconds", "at_bounds"))
            and are_losses(record["terms"])
            and are_losses(record.get("delivered", {})),
            "its history is not one of steps",
        )
    demand(len({frozenset(record["terms"]) for record in history}) <= 1, "its losses change")
    last = history[len(history) - len(totals) :]
    demand(
        all(same(record["total"], total) for record, total in zip(last, totals, strict=True)),
        "its history is of another run",
    )


def check_tensor(
    value: Any, shape: tuple[int, ...], name: str, dtype: torch.dtype = torch.float32
) -> None:
    """A plain tensor on the CPU, of numbers that are all finite."""
    demand(
        type(value) is Tensor
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and value.dtype == dtype
        and tuple(value.shape) == shape
        and value.numel() > 0
        and value.untyped_storage().nbytes() >= value.nbytes
        and not value.requires_grad,
        f"its {name} has not the form that the settings ask for",
    )
    demand(
        bool(value.isfinite().all()), f"its {name} holds values that are no numbers: it diverged"
    )


def tensors_in(value: Any) -> list[Tensor]:
    """All tensors in nested dicts and lists."""
    if isinstance(value, Tensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value
    nested = isinstance(value, dict | list | tuple)
    return [tensor for item in items for tensor in tensors_in(item)] if nested else []


def demand(fits: bool | Tensor, fault: str) -> None:
    """Raise the fault unless it fits."""
    if not fits:
        raise ValueError(fault)


def has_keys(value: Any, least: set[str], most: set[str] | None = None) -> bool:
    """Whether it is a dict with at least these keys, and no others than the most."""
    return isinstance(value, dict) and least <= set(value) <= (most or least)


def is_float(value: Any) -> bool:
    """Whether it is a float, NaN and infinity among them: a run may diverge."""
    return type(value) is float


def is_number(value: Any) -> bool:
    """Whether it is a finite number."""
    whole = type(value) is int and abs(value) < 2**63
    return whole or (type(value) is float and math.isfinite(value))


def is_count(value: Any) -> bool:
    """Whether it is a whole number of 0 or more."""
    return type(value) is int and 0 <= value < 2**31


def are_losses(value: Any) -> bool:
    """Whether these are losses by their terms' names."""
    return isinstance(value, dict) and all(
        isinstance(name, str) and is_float(loss) for name, loss in value.items()
    )


def same(a: float, b: float) -> bool:
    """Whether two losses are equal, or both no numbers."""
    return a == b or (math.isnan(a) and math.isnan(b))
