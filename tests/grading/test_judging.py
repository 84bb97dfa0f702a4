"""The judge's line to a student's process: what goes over it, and what forged frames do."""

import contextlib
import json
import os
import socket
import struct
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from answering import BY_HAND, HELD
from torch import nn

from nst.checks import marking
from nst.checks.common import Mistake, by_hand, lending
from nst_grading.judging import student, wire
from nst_grading.judging.judge import Judge, mentioned
from nst_grading.judging.values import Closed
from nst_grading.judging.withheld import kit, without

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")


def test_plain_values_come_back_as_they_were(asked):
    values = [None, True, 3, -0.5, float("inf"), "ü\n", [1, (2, "x")], {1: {"a": 2.0}}, {3}]
    assert list(asked.same(*values)) == values
    assert str(asked.same(-0.0)[0]) == "-0.0" and np.isnan(asked.same(float("nan"))[0])
    for x in [
        torch.arange(24.0).view(2, 3, 4).permute(2, 0, 1),
        torch.rand(3, 4, dtype=torch.float64)[1:, ::2],
        torch.ones(1, 3).expand(5, 3),
        torch.tensor(7),
        torch.empty(0, 3),
        torch.tensor([True, False]),
    ]:
        (found,) = asked.same(x)
        assert torch.equal(found, x) and found.dtype == x.dtype and found.shape == x.shape
        assert found.stride() == x.stride() or x.shape[0] == 2 or not x.numel()
    (found,) = asked.same(np.arange(6, dtype=np.int16).reshape(2, 3).T)
    assert found.dtype == np.int16 and found.tolist() == [[0, 3], [1, 4], [2, 5]]


def test_subclasses_come_as_what_they_are_of(asked):
    assert asked.pair() == (1.0, 2.0) and asked.stream() == [0, 1, 4]
    assert type(asked.sly()) is float and asked.sly() != 4 and asked.sly() - 1 == 2


def test_what_is_not_plain_stays_there_and_equals_nothing(asked):
    thing = asked.own()
    assert thing.size == 3 and not callable(thing)
    for use in (lambda: thing == 3, lambda: bool(thing), lambda: thing + 1):
        with pytest.raises(TypeError, match="there is a Own, not a plain value"):
            use()


def test_errors_keep_their_names_and_texts(asked):
    with pytest.raises(KeyError) as caught:
        asked.fails()
    assert caught.value.args == ("conv1_1",)


def test_an_error_of_a_notebooks_own_is_still_what_it_is_made_of(asked):
    with pytest.raises(ValueError, match="no style") as caught:
        asked.refuse("style")
    assert type(caught.value).__name__ == "StrangeError"
    with pytest.raises(ValueError, match="ascii"):
        asked.encode("é")
    assert marking.refused(function_of(asked.refuse), "style") == "f raises StrangeError: no style."
    with pytest.raises(Mistake, match="KeyError"):
        marking.refused(function_of(asked.fails))


@pytest.mark.parametrize("name", BY_HAND)
def test_a_gradient_by_hand_gets_no_help(asked, name):
    x = torch.tensor([1.0, -2.0])
    for taken in (BY_HAND[name], function_of(getattr(asked, name))):
        with pytest.raises(Mistake, match="by hand"):
            by_hand(taken)(x)
        assert torch.equal(taken(x), 2 * x), "elsewhere it does its work"
    assert torch.equal(by_hand(function_of(asked.twice))(x), 2 * x)


def function_of(function):
    """As a test takes it from a notebook."""
    return marking.Part(contextlib.ExitStack(), {}).function({"f": function}, "f")


def test_nobody_is_told_what_the_tests_call_their_functions(judge, asked):
    def telling_name(wanted):
        raise KeyError("another")

    def written_for_students():
        raise Mistake("Give it a picture.")

    assert "telling" not in " ".join(asked.words(telling_name))
    assert asked.words(telling_name)[:3] == asked.words(lambda: None)[:3]
    with pytest.raises(KeyError, match="does not take"):
        asked.again(lambda f: telling_name(1), 1)
    with pytest.raises(Exception, match="Give it a picture"):
        asked.again(lambda f: written_for_students(), 1)
    with pytest.raises(ValueError, match="no style"):
        asked.again(lambda f: asked.refuse("style"), 1)


def test_gradients_flow_over_the_line(asked):
    x = torch.tensor([[1.0, -2.0]], requires_grad=True)
    total, others = asked.slopes(x)
    (found,) = torch.autograd.grad(total.sum() + (3 * others["twice"]).sum(), x)
    assert torch.equal(found, 3 * x.detach() ** 2 + 6) and not others["cut"].requires_grad
    target, start = torch.tensor([1.0, 3.0]), torch.zeros(2)
    found = asked.descend(lambda y: (y - target).square().sum(), start)
    assert torch.allclose(found, 0.488 * target)
    with torch.inference_mode():
        assert asked.mode() == (False, True)
    assert asked.mode() == (True, False)


@pytest.mark.long
def test_gradients_of_torch_func_flow_over_the_line(asked):
    x, target = torch.tensor([1.0, -2.0]), torch.tensor([3.0, 4.0])
    slope, value, scaled = asked.transformed(lambda y: (y - target).square().sum(), x)
    assert torch.equal(slope, 2 * (x - target)) and value == 40
    assert torch.equal(scaled, 12 * (3 * x - target))
    for name in ("forward", "mapped"):
        with pytest.raises(TypeError, match=r"use torch\.autograd\.grad"):
            getattr(asked, name)(lambda y: y.square().sum(), x)


def test_functions_go_both_ways_and_hold_for_one_test(judge, asked):
    assert asked.again(lambda f: f(f(1.0)), 2.0) == 5.0
    asked.keep(lambda x: 7)
    assert asked.use(1) == 7
    judge.begin("u")
    again = SimpleNamespace(**judge.ask({"do": "begin"}, [["use"]]))
    with pytest.raises(KeyError):
        again.use(1)


def test_any_value_may_stand_under_a_name_that_a_test_mentions(judge):
    judge.begin("v")
    found = judge.ask({"do": "begin"}, [[*HELD, "same"]])
    assert set(found) == {*HELD, "same"}
    assert found["sparse"].tolist() == [[1, 0], [0, 1]] and found["small"]["row"].tolist()[2] == 2
    assert found["same"](found["queue"]) == ([0, 1, 2],), "nobody has used it up before"
    for name in ("large", "meta"):
        with pytest.raises(ValueError, match="to hand over"):
            found["same"](found[name])
    assert found["same"](1) == (1,), "the line is still in order"


def test_what_the_other_end_would_not_take_is_not_sent(monkeypatch):
    monkeypatch.setattr(wire, "MOST_BYTES", 100)
    with pytest.raises(ValueError, match="too large"):
        wire.framed({"v": "x" * 50}, [bytes(50)])
    assert wire.framed({"v": "x"}, [bytes(50)]).endswith(bytes(50))


def test_a_cell_asks_for_what_it_does_not_bind_itself():
    cell = """
from nst.checks import marking as _marking
for _name in ("first", "not a name"):
    _part.function(globals(), _name)([row for row in rows], lambda x, y=one: x + y + two)
def inner(z):
    w = z
    return three(w)
"""
    builtin = {"globals"}
    asked = mentioned(cell) - {"_marking", "_name", "_part", "inner"}
    assert asked == {"first", "rows", "one", "two", "three"} | builtin


def test_threads_may_ask(judge, asked, monkeypatch):
    monkeypatch.setattr(judge, "deadline", time.monotonic() + 20)  # no test hangs
    assert asked.in_threads(lambda x: x * x, list(range(9))) == [x * x for x in range(9)]
    found = asked.nested_threads(lambda f, x: 10 * f(x + 1), lambda x: x * x, [1, 2, 3, 4])
    assert found == [10 * (x**2 + (x + 1) ** 2) for x in (1, 2, 3, 4)]
    asked.leave_thread(lambda x: asked.same(x)[0] + 1, 6)
    assert asked.same(3) == (3,) and asked.left() == 7


@pytest.mark.parametrize("name", ["scaled", "plain"])
def test_helpers_are_lent_to_whatever_is_called(asked, name):
    call = getattr(asked, name)
    with lending(call, {"factor": lambda x: 10 * x}):
        assert call(2) == 20
    assert call(2) == 6


def test_what_a_call_leaves_behind_is_seen(asked):
    model, x = marking.model("ci"), marking.random(1, 3, 4, 4)
    wanted = model[1](model[0](x + 1))
    assert torch.allclose(asked.leave(model, x), wanted)
    assert torch.equal(x, marking.random(1, 3, 4, 4) + 1)
    assert model[0]._forward_hooks and model[1].inplace is False
    network = marking.Tiny()
    inner = asked.ask(network, marking.random(1, 3, 4, 4))
    assert not network.weight.requires_grad and network.calls == 0
    scale = torch.tensor(2.0, requires_grad=True)
    value = inner(scale)
    value.backward()
    assert network.calls == 1 and torch.allclose(scale.grad, value.detach() / 2)


def frame(text, rest=b""):
    return struct.pack(">IQ", len(text), len(rest)) + text + rest


GOOD = {"to": "f1", "sizes": [], "out": []}
TENSOR = {"k": "tensor", "dtype": "float32", "size": [4], "stride": [1], "b": 0, "grad": False}
FORGED = {
    "no frame": b"points: 30 of 30",
    "longer than all": struct.pack(">IQ", 9, 2**60),
    "no JSON": frame(b"{"),
    "deep": frame(b"[" * 10**5),
    "a list": frame(b"[]"),
    "sizes": frame(json.dumps({**GOOD, "sizes": [-1, 1]}).encode()),
    "another object": frame(json.dumps({**GOOD, "v": {"k": "yours", "ref": "r99"}}).encode()),
    "no such buffer": frame(json.dumps({**GOOD, "v": TENSOR}).encode()),
    "beyond its buffer": frame(json.dumps({**GOOD, "sizes": [4], "v": TENSOR}).encode(), b"1234"),
    "huge": frame(
        json.dumps({**GOOD, "sizes": [4], "v": TENSOR | {"size": [10**9], "stride": [0]}}).encode(),
        b"1234",
    ),
    "pickles": frame(
        json.dumps(
            {**GOOD, "sizes": [8], "v": {"k": "array", "dtype": "O", "shape": [1], "b": 0}}
        ).encode(),
        b"12345678",
    ),
    "changed": frame(json.dumps({**GOOD, "v": 1, "changed": {"k": "list", "v": [9]}}).encode()),
    "an unknown kind": frame(json.dumps({**GOOD, "v": {"k": "code", "v": "1"}}).encode()),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_frames_end_the_test(name):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        end = Judge(ours, 5, lambda: 0.0)
        end.begin("f")
        theirs.sendall(FORGED[name])
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(Closed):
            end.ask({"do": "begin"}, [[]])


def test_a_question_to_the_judge_gets_no_more_than_a_call():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        end, other = Judge(ours, 5, lambda: 0.0), student.Student(theirs)
        end.begin("j")
        for do in ("get", "see", "put", "begin", "eval"):
            asks = {"do": do, "ref": "r0", "name": "__globals__", "id": do, "v": []}
            other.send(asks, [])
            said, buffers = end.receive()
            end.reply(said, buffers)
            assert other.receive()[0]["error"]["name"] == "PermissionError"


@pytest.mark.long
def test_the_kit_holds_no_answer(tmp_path):
    from test_assignments import SOURCES

    copy = kit(SOURCES / "ps2_gram" / "ps2_gram.ipynb", tmp_path)
    losses = (copy / "losses.py").read_text()
    assert "write yours" in losses and "mT" not in losses and "bmm" not in losses
    assert not (copy / "checks" / "marking").exists()
    assert "einsum" not in (copy / "checks" / "ps2.py").read_text()
    assert (
        "def gram_matrix"
        not in without("def gram_matrix(x):\n    return x @ x.mT", {"*"}).split("raise")[1]
    )


def test_a_gradient_must_be_that_of_the_values():
    class Ones(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return marking.gram_tensor(x)

        @staticmethod
        def backward(ctx, slope):
            return torch.ones(1, 2, 3, 4)

    x = marking.random(1, 2, 3, 4)
    with marking.part("x") as part:
        part.gradient(marking.gram_tensor, x)
        part.gradient(lambda y: nn.functional.relu(y - 0.5), x)
    with (
        pytest.raises(marking.parts.Mistake, match="not that of the values"),
        marking.part("x") as part,
    ):
        part.gradient(Ones.apply, x)


def test_a_list_of_verdicts_is_no_test():
    rights = {str(n): lambda x: x for n in range(6)}
    turns = iter([True] * 6 + [False, True] * 20)
    with pytest.raises(marking.parts.Mistake), marking.part("x") as part:
        part.accepts(lambda _: next(turns), rights)
        part.rejects(lambda _: next(turns), {str(n): lambda x: x for n in range(10)})
