"""CUDA graphs against plain evaluations: these need a GPU. The switches of precision do not."""

import pytest
import torch

import nst
from nst.devices import arithmetic, pick_precision
from nst.hardware.graphs import Graph

CUDA = torch.device("cuda")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


def test_the_default_precision_is_the_devices():
    assert pick_precision(None, torch.device("cpu")) == "float32"
    assert pick_precision(None, CUDA) == "tf32"
    assert pick_precision("bfloat16", torch.device("cpu")) == "bfloat16"


def test_the_switches_of_the_process_are_put_back():
    def switches():
        backends = torch.backends
        return (
            backends.cudnn.allow_tf32,
            backends.cuda.matmul.allow_tf32,
            backends.cudnn.benchmark,
        )

    before = switches()
    for precision, rounded in (("float32", False), ("tf32", True), ("bfloat16", True)):
        with pytest.raises(ZeroDivisionError), arithmetic(precision):
            assert switches() == (rounded, rounded, True)
            raise ZeroDivisionError
        assert switches() == before


@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
def test_a_graph_gives_what_it_recorded(picture, other, precision):
    network = nst.networks.fit_out(nst.load_network(), CUDA, precision)
    image, style = picture.to(CUDA), other.to(CUDA)
    objective = nst.Objective(network, None, [style], nst.make_settings(content_weight=0.0))
    graph = Graph(objective)
    with arithmetic(precision):
        for picture in (image, image.flip(-1), style, image * 0.5):  # two shapes
            terms, gradient = graph.loss_and_gradient(picture)
            terms = {name: term.clone() for name, term in terms.items()}
            expected_terms, expected = objective.loss_and_gradient(picture)
            torch.testing.assert_close(terms, expected_terms, rtol=1e-3, atol=1e-6)
            torch.testing.assert_close(
                gradient, expected, rtol=1e-2, atol=1e-3 * expected.abs().max()
            )
    assert len(graph.recordings) == 2


@needs_gpu
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_run_on_a_gpu_finds_the_loss_of_one_on_the_cpu(picture, other, optimizer):
    options = {"sizes": (40, 56), "num_steps": 40, "optimizer": optimizer, "progress": False}
    there = nst.style_transfer(picture, other, device="cuda", **options)
    here = nst.style_transfer(picture, other, device="cpu", **options)
    assert [r["number"] for r in there.history] == [r["number"] for r in here.history]
    first, second = (r.history[0]["total"] for r in (there, here))
    assert first == pytest.approx(second, rel=0.02)
    assert there.history[-1]["total"] == pytest.approx(here.history[-1]["total"], rel=0.2)
    assert not there.image.is_cuda


@needs_gpu
def test_no_step_waits_for_the_gpu(picture, other):
    """PyTorch raises at every such wait; Adam, whose own step has none."""
    torch.cuda.set_sync_debug_mode("default")
    network = nst.networks.fit_out(nst.load_network(), CUDA, "tf32")
    settings = nst.make_settings(optimizer="adam")
    objective = nst.Objective(network, picture.to(CUDA), [other.to(CUDA)], settings)
    graph, state = Graph(objective), nst.loop.State(picture.to(CUDA).clone())
    graph.loss_and_gradient(state.image)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            terms, _ = graph.loss_and_gradient(state.image)
            state.keep_best(nst.objective.total(terms))
            nst.hardware.graphs.Reading(torch.stack(list(terms.values())))
    finally:
        torch.cuda.set_sync_debug_mode("default")
