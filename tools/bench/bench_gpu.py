"""The benchmark's rows on an NVIDIA GPU: time by device events, memory by the allocator's peaks.

Where a copy of an earlier version of nst lies in the folder that `NST_BASELINE` names (.gpubase by
default), what is measured in milliseconds is measured of that too, in a process beside.
"""

import gc
import json
import os
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from bench_measure import Row, compare, in_turn, network_of, pictures
from bench_published import torch_lbfgs
from bench_references import STANDARD, pytorch_tutorial
from torch import Tensor

import nst
from nst.devices import PRECISIONS, arithmetic
from nst.networks import fit_out
from nst.optimizers import make_optimizer

ROOT = Path(__file__).resolve().parents[2]
BASELINE = Path(os.environ.get("NST_BASELINE", ROOT / ".gpubase")).resolve()
EARLIER = "version 0.1"
SIDE = 512
# Of an H200, in seconds; against version 0.1 the bar is their ratio to what that took there.
EVALUATION = {"tf32": (0.0022, 0.00299), "bfloat16": (0.0016, 0.00231)}
STEP, RUN, FIRST = (0.0006, 0.00246), 0.33, (1.2, 4.4)
NUDGED = 5  # runs from a start that differs by a millionth


def device_seconds(work: Callable[[], object]) -> Callable[[], float]:
    """How long a GPU takes from the first to the last of `work`, as a measure."""

    def measure() -> float:
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        first.record()
        work()
        last.record()
        last.synchronize()
        return first.elapsed_time(last) / 1000

    return measure


def wall_seconds(work: Callable[[], object]) -> Callable[[], float]:
    """How long a person waits for `work`."""

    def measure() -> float:
        torch.cuda.synchronize()
        began = time.perf_counter()
        work()
        torch.cuda.synchronize()
        return time.perf_counter() - began

    return measure


def ready(precision: str, name: str = "vgg19") -> tuple[nst.Objective, Tensor, Any]:
    """The default objective on the GPU, a start, and the tutorial's loop on the same layers."""
    place = torch.device("cuda")
    start, content, style = (picture.to(place) for picture in pictures(SIDE, SIDE))
    network = network_of(name).to(place)
    objective = nst.Objective(
        fit_out(network, place, precision), content, [style], nst.make_settings()
    )
    return objective, start, pytorch_tutorial(network, content, style, "relu4_2", STANDARD)


def gpu_evaluations(turns: int = 30) -> Iterator[Row]:
    """Loss and gradient of VGG-19 at 512×512, played back, by precision."""
    from nst.hardware.graphs import Recorded

    earlier = baseline("evaluations")
    for precision in PRECISIONS:
        with arithmetic(precision):
            objective, start, tutorial = ready(precision)
            ours = Recorded(partial(objective.loss_and_gradient, start))
            for _ in range(3):
                ours()
            measures: dict[str, Callable[[], object]]
            measures = {"ours": ours, "PyTorch tutorial": partial(tutorial, start.clone())}
            figures = in_turn({n: device_seconds(work) for n, work in measures.items()}, turns)
        bars = {}
        if precision in EVALUATION:
            most, before = EVALUATION[precision]
            figures[f"{1000 * most:g} ms"] = [most] * len(figures["ours"])
            bars = {f"{1000 * most:g} ms": 1.0, EARLIER: most / before}
        if precision in earlier:
            figures[EARLIER] = [earlier[precision]] * len(figures["ours"])
        label = f"vgg19, {SIDE}×{SIDE}, {precision}"
        yield from compare("One evaluation on a GPU", label, "s", figures, bars)


def gpu_steps(turns: int = 30) -> Iterator[Row]:
    """A step of each optimiser by itself, played back, after enough steps to fill its history."""
    from nst.hardware.graphs import Recorded

    earlier = baseline("steps")
    for optimizer in ("lbfgs", "adam"):
        settings = nst.make_settings(optimizer=optimizer)
        image = pictures(SIDE, SIDE)[0].cuda().requires_grad_()
        image.grad = 1e-3 * torch.randn(image.shape, device="cuda")
        step = Recorded(make_optimizer(image, settings).step)
        for _ in range(40):
            step()
        figures = {"ours": in_turn({"": device_seconds(step)}, turns)[""]}
        bars = {}
        if optimizer == "lbfgs":
            most, before = STEP
            figures[f"{1000 * most:g} ms"] = [most] * len(figures["ours"])
            bars = {f"{1000 * most:g} ms": 1.0, EARLIER: most / before}
        if optimizer in earlier:
            figures[EARLIER] = [earlier[optimizer]] * len(figures["ours"])
        label = f"{optimizer}, {SIDE}×{SIDE}"
        yield from compare("A step of the optimiser on a GPU", label, "s", figures, bars)


def run(network: nst.networks.Network, steps: int = 300) -> nst.Result:
    """A whole run at 512×512, as a user starts it."""
    _, content, style = pictures(SIDE, SIDE)
    options: dict[str, Any] = {"sizes": SIDE, "num_steps": steps, "progress": False}
    return nst.style_transfer(content, style, network=network, device="cuda", **options)


def gpu_runs(turns: int = 3, steps: int = 300) -> Iterator[Row]:
    """A whole run against the tutorial's loop for as many evaluations; a process's first run."""
    network = network_of("vgg19").cuda()
    _, content, style = (picture.cuda() for picture in pictures(SIDE, SIDE))
    with arithmetic("tf32"):
        tutorial = pytorch_tutorial(network, content, style, "relu4_2", STANDARD)
        loop = partial(torch_lbfgs, tutorial, content, steps)
        measures: dict[str, Callable[[], object]]
        measures = {"ours": partial(run, network, steps), "PyTorch tutorial": loop}
        figures = in_turn({n: wall_seconds(work) for n, work in measures.items()}, turns)
    if earlier := baseline("runs"):
        figures[EARLIER] = [earlier["run"]] * len(figures["ours"])
    label = f"vgg19, {SIDE}×{SIDE}, {steps} steps, tf32"
    bars = {"PyTorch tutorial": RUN}
    yield from compare("A whole run on a GPU", label, "s", figures, bars)
    with TemporaryDirectory() as folder:
        # Triton keeps what it has compiled in a folder: empty at first, then not.
        environment = os.environ | {"TRITON_CACHE_DIR": folder}
        cold, warm = (child("first_runs", ROOT, environment) for _ in range(2))
    most, before = FIRST
    label, section = "vgg19_quarter, the demo's settings", "A process's first run on a GPU"
    first, second = warm["first"], warm["second"]
    yield Row(section, label, f"{most:g} s", "s", first, most, first / most, 1.0)
    if BASELINE.is_dir():
        then = child("first_runs", BASELINE)["first"]
        yield Row(section, label, EARLIER, "s", first, then, first / then, most / before)
    yield Row(section, label, "its second run", "s", first, second, first / second)
    then = cold["first"]
    yield Row(section, label, "with nothing compiled", "s", first, then, first / then)


def gpu_memory() -> Iterator[Row]:
    """The allocator's peaks; those under a limit with what it holds in reserve."""
    found = child("peaks", ROOT)
    section = "Memory on a GPU"
    for name, most in PEAKS.items():
        if "error" in found[name]:
            print(name, found[name]["error"], flush=True)
            continue
        peak = found[name]["reserved" if "limit" in name or "free" in name else "allocated"]
        yield Row(section, name, f"{most:g} GB", "GB", peak, most, peak / most, 1.0)


def gpu_agreement(size: int = SIDE, steps: int = 50) -> Iterator[Row]:
    """Other precisions against float32 after some steps, in units of what chance does.

    L-BFGS amplifies the last digit: runs from starts that differ by a millionth end apart too.
    """
    content = nst.load_image("astronaut", size)
    generator = torch.Generator().manual_seed(0)

    def run(precision: str, start: Tensor) -> nst.Result:
        options: dict[str, Any] = {"sizes": size, "num_steps": steps, "progress": False}
        return nst.style_transfer(
            content, "starry", init=start, device="cuda", precision=precision, **options
        )

    def nudge() -> Tensor:
        return (content + 1e-6 * torch.randn(content.shape, generator=generator)).clamp(0, 1)

    def distance(one: nst.Result, other: nst.Result) -> float:
        return (one.image - other.image).square().mean().sqrt().item()

    def lowest(result: nst.Result) -> float:
        return min(step["total"] for step in result.history)

    exact = run("float32", content)
    nudged = statistics.median(distance(run("float32", nudge()), exact) for _ in range(NUDGED))
    for precision, most in (("tf32", 1.25), ("bfloat16", 2.0)):
        other = run(precision, content)
        error, change = distance(other, exact), abs(lowest(other) / lowest(exact) - 1)
        label, section = f"{precision}, {size} px, {steps} steps", "Agreement with float32 on a GPU"
        row = ("", error, nudged, error / nudged, most)
        yield Row(section, f"{label}: picture", "float32, nudged", *row)
        yield Row(section, f"{label}: loss", "2 %", "", change, 0.02, change / 0.02, 1.0)


GPU = (gpu_evaluations, gpu_steps, gpu_runs, gpu_memory, gpu_agreement)


# What is measured in processes of their own; each returns what its parent reads as JSON.


def first_runs() -> dict[str, float]:
    """Seconds of the first and the second run, pictures and network included."""
    options: dict[str, Any] = {"device": "cuda", "progress": False}
    torch.zeros(1, device="cuda")  # the driver's own second counts for neither
    demo = wall_seconds(lambda: nst.style_transfer("rocket", "starry", **options))
    return {"first": demo(), "second": demo()}


def peak(work: Callable[[], int]) -> dict[str, Any]:
    """The most, in gigabytes, that tensors and the allocator took, but for what `work` returns."""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    began = time.perf_counter()
    try:
        before += work()
    except Exception:
        return {"error": traceback.format_exc()}
    most = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
    allocated, reserved = ((peak - before) / 1e9 for peak in most)
    seconds = time.perf_counter() - began
    return {"allocated": allocated, "reserved": reserved, "seconds": seconds}


def large_run(width: int, height: int, steps: int, free: int = 0, **options: Any) -> int:
    """A run with VGG-19 on a picture of that size; returns what was held to leave `free` bytes."""
    content = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    held = torch.cuda.mem_get_info()[0] - free if free else 0
    block = torch.empty(max(held, 0), dtype=torch.uint8, device="cuda")
    network = network_of("vgg19")
    options |= {"sizes": width, "num_steps": steps, "device": "cuda", "progress": False}
    result = nst.style_transfer(content, "starry", network=network, **options)
    assert result.reason == "finished", result.reason
    assert len(result.history) == steps + 1
    return block.numel()


def first_evaluation() -> int:
    """Of VGG-19 at 512×512, with all that it needs."""
    objective, start, _ = ready("tf32")
    with arithmetic("tf32"):
        objective.loss_and_gradient(start)
    return 0


CASES: dict[str, Callable[[], int]] = {
    f"first evaluation, vgg19, {SIDE}×{SIDE}": first_evaluation,
    "2304×1536, 20 steps": partial(large_run, 2304, 1536, 20),
    "4096×3072, limit 8GB": partial(large_run, 4096, 3072, 3, memory_limit="8GB"),
    "4096×3072, 12 GB free": partial(large_run, 4096, 3072, 3, free=12 * 10**9),
}
PEAKS = dict(zip(CASES, (1.3, 9.0, 8.0, 12.0), strict=True))


def peaks() -> dict[str, dict[str, Any]]:
    """Of each case; what went wrong with one does not keep the others from being measured."""
    return {name: peak(work) for name, work in CASES.items()}


def baseline(what: str) -> dict[str, float]:
    """What version 0.1 takes, by name; nothing where there is no copy of it."""
    return child(f"then_{what}", BASELINE) if BASELINE.is_dir() else {}


def then_evaluations(turns: int = 30) -> dict[str, float]:
    """As version 0.1 played an evaluation back."""
    from nst.graphs import Graph  # type: ignore

    found = {}
    for precision in EVALUATION:
        with arithmetic(precision):
            objective, start, _ = ready(precision)
            measure = device_seconds(partial(Graph(objective).loss_and_gradient, start))
            found[precision] = statistics.median(in_turn({"": measure}, turns)[""])
    return found


def then_steps(turns: int = 30) -> dict[str, float]:
    """As version 0.1 made a step."""
    found = {}
    for optimizer in ("lbfgs", "adam"):
        image = pictures(SIDE, SIDE)[0].cuda().requires_grad_()
        image.grad = 1e-3 * torch.randn(image.shape, device="cuda")
        step = make_optimizer(image, nst.make_settings(optimizer=optimizer)).step
        for _ in range(40):
            step()
        found[optimizer] = statistics.median(in_turn({"": device_seconds(step)}, turns)[""])
    return found


def then_runs() -> dict[str, float]:
    """As version 0.1 made a whole run, the second of its process."""
    network = network_of("vgg19").cuda()
    return {"run": [wall_seconds(partial(run, network))() for _ in range(2)][1]}


def child(what: str, folder: Path, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """What a function here returns in a process of its own, with the nst in `folder`."""
    code = f"import json, bench_gpu; print(json.dumps(bench_gpu.{what}()))"
    environment = dict(environment or os.environ)
    environment["PYTHONPATH"] = os.pathsep.join([str(folder), str(ROOT / "tools" / "bench")])
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=folder
    )
    if done.returncode:
        raise RuntimeError(f"{what} in {folder.name}:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])
