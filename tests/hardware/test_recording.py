"""Whether a step can be recorded, seen on the CPU: its operations are noted and done again.

As a CUDA graph does, that reads and writes the same memory each time, and knows no Python.
"""

import importlib
from typing import ClassVar

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import nst
from nst.hardware.graphs import Recorded


class Tape(TorchDispatchMode):
    """Notes operations with the tensors that they read and wrote."""

    def __init__(self):
        super().__init__()
        self.notes = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        self.notes.append((function, args, kwargs or {}, found))
        return found

    def replay(self):
        for function, args, kwargs, found in self.notes:
            again = function(*args, **kwargs)
            for old, new in zip(tree_leaves(found), tree_leaves(again), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class OnTape(Recorded):
    """As the real one: the first call is made as it is, the second noted, all others replayed."""

    tapes: ClassVar = []

    def __call__(self):
        if not self.prepared:
            self.prepared = True
            return self.work()
        with torch.no_grad():
            if self.found is None:
                self.tape = Tape()
                self.tapes.append(self.tape)
                with torch.enable_grad(), self.tape:
                    self.found = self.work()
            else:
                self.tape.replay()
        return self.found


class Reading:
    late = False

    def __init__(self, numbers):
        self.numbers = numbers.tolist()

    def read(self):
        return self.numbers


def convolution_relu(x, layer, pooled):
    y = layer(x).relu()
    return torch.nn.functional.max_pool2d(y, 2) if pooled else y


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """The CPU takes all ways that a GPU takes, but for the kernels that it does not have."""
    monkeypatch.setattr(torch.Tensor, "is_cuda", property(lambda tensor: True))
    monkeypatch.setattr("nst.devices.SMALL", 0)  # there is no second stream
    monkeypatch.setattr("nst.networks.vgg.convolution_relu", convolution_relu)
    monkeypatch.setattr("nst.networks.vgg.max_pool", lambda x: torch.nn.functional.max_pool2d(x, 2))
    monkeypatch.setattr("nst.loop.Reading", Reading)
    monkeypatch.setattr("nst.runs.job.plan_for_gpu", lambda *_: nst.hardware.memory.Plan(None, 5))
    monkeypatch.setattr("nst.hardware.scales.torch.cuda.is_current_stream_capturing", lambda: True)
    adam = importlib.import_module("torch.optim.adam")
    monkeypatch.setattr(adam, "_get_capturable_supported_devices", lambda *_: ["cpu"])
    monkeypatch.setattr(OnTape, "tapes", [])


OPTIONS = [
    {},
    {"optimizer": "lbfgs-plain"},
    {"optimizer": "adam", "learning_rate_decay": (0.5, 2)},
    {"average": 0.8},
    {"precision": "tf32"},  # whose first two pictures are evaluated by another network
    {"precision": "tf32", "optimizer": "lbfgs-plain"},
    {"bounds": "closure"},
    {"bounds": "end", "learning_rate_decay": (0.5, 2)},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_a_step_can_be_played_back(picture, other, options, as_on_a_gpu, monkeypatch):
    """Twelve steps with a history of five, so that the oldest of them are overwritten."""
    settings = {"sizes": 40, "num_steps": 12, "progress": False, **options}

    class AsItIs(OnTape):
        def __call__(self):
            return self.work()

    runs = []
    for kind in (OnTape, AsItIs):
        monkeypatch.setattr("nst.loop.Recorded", kind)
        runs.append(nst.style_transfer(picture, other, device="cpu", **settings))
    assert len(OnTape.tapes) == 1
    played, made = ([step["total"] for step in run.history] for run in runs)
    assert len(set(played)) == 13
    assert played == pytest.approx(made, rel=1e-6)
    torch.testing.assert_close(runs[0].image, runs[1].image)
