"""A run needs none of torch's switches as the caller has set them, and leaves them as they were."""

from contextlib import contextmanager

import pytest
import torch

import nst

RUN = {"sizes": 32, "num_steps": 3, "device": "cpu", "progress": False}


@contextmanager
def default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def default_device():
    torch.set_default_device("meta")  # tensors made there hold nothing
    try:
        yield
    finally:
        torch.set_default_device(None)


MODES = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "default dtype": default_dtype,
    "default device": default_device,
    "deterministic": deterministic,
}


def state():
    return (
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.get_num_threads(),
    )


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    result = nst.style_transfer("astronaut", "starry", **RUN)
    result.save(folder)
    return result.image, nst.resume(folder, 5, device="cpu", progress=False).image, folder


@pytest.mark.parametrize("mode", MODES)
def test_a_run_is_the_same_in_every_mode(mode, usual):
    with MODES[mode]():
        before = state()
        result = nst.style_transfer("astronaut", "starry", **RUN)
        again = nst.resume(usual[2], 5, device="cpu", progress=False)
        assert state() == before
    assert torch.equal(result.image, usual[0])
    assert torch.equal(again.image, usual[1])
    result.image.requires_grad_()  # an ordinary tensor


@pytest.mark.parametrize("mode", MODES)
def test_networks_and_tensors_made_in_a_mode_are_ordinary(mode, usual, quarter):
    with MODES[mode]():
        network = nst.load_network()
        picture = nst.load_image("astronaut", 32)
        features = nst.extract_features(network, picture.cpu(), ["relu3_1"])["relu3_1"]
        result = nst.style_transfer(picture, "starry", network=network, **RUN)
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    expected = nst.extract_features(quarter, nst.load_image("astronaut", 32), ["relu3_1"])
    assert torch.equal(features, expected["relu3_1"])
    assert torch.equal(result.image, usual[0])


def test_a_mode_is_put_back_after_an_error():
    with default_dtype(), torch.no_grad():
        before = state()
        with pytest.raises(nst.ImageError):
            nst.style_transfer("no such picture", "starry", **RUN)
        assert state() == before
