"""What the graded parts are made of: attempts, helpers, gradients by hand, answers that pretend."""

import importlib

import pytest
import torch

import nst
from nst.checks import Mistake, marking


def loop(x):
    total = 0.0
    for y in range(x.shape[2]):
        total = total + x[:, :, y].sum()
    return total


def test_loops_over_pixels_are_counted():
    with marking.part("08_speed_and_size") as part:
        small, large = [torch.rand(1, 3, 4, 4)], [torch.rand(1, 3, 64, 64)]
        part.no_loop(nst.gram_matrix, small, large)
        with pytest.raises(Mistake, match="loops in Python"):
            part.no_loop(loop, small, large)
        part.no_loop(loop, small, large, 16)  # a loop over rows, where that is allowed
        with pytest.raises(Mistake, match="loops in Python"):
            part.no_loop(lambda x: [v * v for v in x.flatten().tolist()], small, large)


def test_mistakes_say_where_the_course_explains_them():
    with (
        pytest.raises(
            Mistake, match=r"^wrong\. One value .* Explained in 03_gram_matrices\.ipynb, “Toy”"
        ),
        marking.part("03_gram_matrices", "Toy") as part,
    ):
        part.equal(torch.zeros(2), [0, 1], "wrong.")
    with pytest.raises(NotImplementedError), marking.part("03_gram_matrices"):
        raise NotImplementedError


class Anything:
    shape = (2,)

    def __eq__(self, other):
        return True


class Tricky(torch.Tensor):
    pass


@pytest.mark.parametrize(
    "answer", [Anything(), None, True, "0", torch.zeros(2).as_subclass(Tricky), torch.ones(2)]
)
def test_what_equals_everything_equals_nothing(answer):
    with pytest.raises(Mistake), marking.part("03_gram_matrices") as part:
        part.equal(answer, torch.zeros(2), "wrong.")


def test_a_part_resets_what_a_notebook_has_switched(capsys):
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad(), marking.part("03_gram_matrices") as part:
            print("noise")
            assert torch.zeros(1).dtype == torch.float32
            part.gradient(torch.Tensor.square, torch.tensor([1.0, 2.0]))
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert capsys.readouterr().out == ""


def test_reloading_undoes_what_was_overwritten():
    marking.near = marking.answers.near = marking.Part.equal = lambda *_: True
    marking.parts.numbers = marking.answers.numbers = lambda _: []
    fresh = importlib.reload(marking)
    with pytest.raises(Mistake), fresh.part("03_gram_matrices") as part:
        part.equal(torch.zeros(2), [0, 1], "wrong.")
    assert not fresh.near(torch.zeros(2), torch.ones(2))


def helper(x):
    return x


def caller(x):
    return helper(x)


def wider(x, *, more=0):
    return x + more


def caller_of_more(x):
    return wider(x, more=5)


class Caller:
    def __call__(self, x):
        return helper(x)


called = Caller()


def tries(name, wanted, **lent):
    """The answers of a part's attempts, which ask for one answer."""
    seen = []
    for attempt in marking.attempts("03_gram_matrices", **lent):
        with attempt as part:
            seen.append(part.function(globals(), name)(1))
            part.true(seen[-1] == wanted, "wrong.")
    return seen


@pytest.mark.parametrize("name", ["caller", "called"])
def test_ones_own_helper_comes_first_and_a_right_one_only_if_that_fails(name):
    assert tries(name, 1, helper=lambda x: x + 1) == [1]
    assert tries(name, 2, helper=lambda x: x + 1) == [1, 2]
    assert globals()[name](1) == 1  # and it is given back
    with pytest.raises(Mistake, match="wrong"):
        tries(name, 3, helper=lambda x: x + 1)


def test_a_helper_that_does_more_serves_where_a_right_one_does_not_know_the_call():
    assert tries("caller_of_more", 6, wider=lambda x: x) == [6]
    with pytest.raises(Mistake, match="wrong"):
        tries("caller_of_more", 7, wider=lambda x: x)  # TypeError with the right one: its own again


def test_a_right_helper_is_lent_where_there_is_none():
    space = {"__name__": "__main__"}
    exec("def user(x):\n    return missing(x)", space)
    for attempt in marking.attempts("03_gram_matrices", missing=lambda x: x + 1):
        with attempt as part:
            part.true(part.function(space, "user")(1) == 2, "wrong.")
    assert "missing" not in space


def test_autograd_does_nothing_where_a_gradient_is_written_by_hand():
    x = torch.ones(2)

    def asks(x):
        with torch.enable_grad():
            y = x.clone().requires_grad_()
            return torch.autograd.grad(y.square().sum(), y)[0]

    with marking.part("02_content") as part:
        assert part.by_hand(lambda x: 2 * x)(x).requires_grad_().sum() == 4
        for function in (asks, part.function({"asks": asks}, "asks")):
            with pytest.raises(Mistake, match="by hand"):
                part.by_hand(function)(x)


def test_the_packages_own_function_is_no_answer():
    with pytest.raises(Mistake, match="write yours"), marking.part("03_gram_matrices") as part:
        part.function({"gram_matrix": nst.gram_matrix}, "gram_matrix")


def test_a_label_in_several_lines_is_still_that_label():
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().bar(["relu5_1\n4_1", "relu1_1"], [0.5, 0.7])
    assert {"relu5_1 4_1", "relu1_1"} <= set(marking.Drawn(figure).text.splitlines())
