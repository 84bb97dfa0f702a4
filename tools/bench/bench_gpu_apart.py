"""What is measured on an NVIDIA GPU in processes of their own, and what that shares with the rest.

Each function that `child` calls returns what its parent reads as JSON. Those called `then_…` know
version 0.1, a copy of which lies in the folder that `NST_BASELINE` names (.gpubase by default).
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from bench_measure import in_turn, network_of, pictures
from bench_references import STANDARD, pytorch_tutorial
from torch import Tensor

import nst
from nst.devices import arithmetic
from nst.networks import fit_out
from nst.optimizers import make_optimizer

ROOT = Path(__file__).resolve().parents[2]
BASELINE = Path(os.environ.get("NST_BASELINE", ROOT / ".gpubase")).resolve()
SIDE = 512
PATIENCE = 40  # seconds that a process of its own may take, its start among them


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


def run(network: nst.networks.Network, steps: int = 300) -> nst.Result:
    """A whole run at 512×512, as a user starts it."""
    _, content, style = pictures(SIDE, SIDE)
    options: dict[str, Any] = {"sizes": SIDE, "num_steps": steps, "progress": False}
    return nst.style_transfer(content, style, network=network, device="cuda", **options)


def first_runs() -> dict[str, float]:
    """Seconds of the first and the second run, pictures and network included."""
    options: dict[str, Any] = {"device": "cuda", "progress": False}
    torch.zeros(1, device="cuda")  # the driver's own second counts for neither
    demo = wall_seconds(lambda: nst.style_transfer("rocket", "starry", **options))
    return {"first": demo(), "second": demo()}


def peak_of(name: str) -> dict[str, float]:
    """The most, in gigabytes, that tensors and the allocator took, but for what the case holds."""
    torch.cuda.init()
    torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    before = PEAKS[name][1]()
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


PEAKS: dict[str, tuple[float, Callable[[], int]]] = {  # gigabytes, and what takes them
    f"first evaluation, vgg19, {SIDE}×{SIDE}": (1.3, first_evaluation),
    "2304×1536, 20 steps": (9.0, partial(large_run, 2304, 1536, 20)),
    "4096×3072, limit 8GB": (8.0, partial(large_run, 4096, 3072, 3, memory_limit="8GB")),
    "4096×3072, 12 GB free": (12.0, partial(large_run, 4096, 3072, 3, free=12 * 10**9)),
}


def baseline(what: str) -> dict[str, float]:
    """What version 0.1 takes, by name; nothing where there is no copy of it."""
    return child(f"then_{what}", BASELINE) if BASELINE.is_dir() else {}


def then_evaluations(turns: int = 30) -> dict[str, float]:
    """As version 0.1 played an evaluation back."""
    from nst.graphs import Graph  # type: ignore

    found = {}
    for precision in ("tf32", "bfloat16"):
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


def measured(call: str, folder: Path) -> dict[str, Any]:
    """As `child`; nothing, and a line that says why, where that fails or takes too long."""
    began = time.perf_counter()
    try:
        found = child(call, folder)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        found = {}
    spent = time.perf_counter() - began
    print(f"{call} in {folder.name}: {spent:.0f} s, {found}", file=sys.stderr, flush=True)
    return found


def child(call: str, folder: Path) -> dict[str, Any]:
    """What a function here returns in a process of its own, with the nst in `folder`."""
    call = call if call.endswith(")") else f"{call}()"
    code = f"import json, bench_gpu_apart; print(json.dumps(bench_gpu_apart.{call}))"
    paths = os.pathsep.join([str(folder), str(ROOT / "tools" / "bench")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=PATIENCE,
    )
    if done.returncode:
        raise RuntimeError(f"{call} in {folder.name}:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])
