"""The self-checks of the problem sets name usual mistakes; the marking cannot be talked round.

That right answers pass is held by `test_assignments.py`: the solutions run through every check.
"""

import math

import pytest
import torch
from torch import nn

import nst
from nst.checks import marking, ps1, ps2, ps3, ps4, ps5
from nst.checks.common import Mistake
from nst.plots import falls, table


def products(x):
    return torch.einsum("chw,dhw->cd", x, x)


def loss(f, p):
    return (nst.gram_matrix(f) - nst.gram_matrix(p)).square().sum() / 4


def scaled(factor):
    return lambda x: factor(x) * products(x)


def opener(change=lambda x: x, size=None):
    def load(path, longest):
        return change(nst.load_image(path, size or longest))

    return load


def recorder(model, names, wanted, image, keep=lambda x: x, remove=True):
    seen, handles = {}, []
    for name, module in zip(names, model, strict=True):

        def hook(_module, _inputs, output, name=name):
            seen[name] = keep(output)

        handles.append(module.register_forward_hook(hook))
    model(image)
    for handle in handles:
        if remove:
            handle.remove()
    return {name: seen[name] for name in wanted}


def adam(objective, start, steps, rate=0.02, clear=True, clamp=True):
    image = start.clone().requires_grad_()
    optimizer, losses = torch.optim.Adam([image], lr=rate), []
    for _ in range(steps):
        if clear:
            optimizer.zero_grad()
        value = objective(image)
        value.backward()
        losses.append(value.item())
        optimizer.step()
    return image.detach().clamp(0, 1) if clamp else image, losses


def lbfgs(objective, start, steps, clamp=False, loop=False, **options):
    image = start.contiguous().clone().requires_grad_()
    options = {"tolerance_grad": 0, "tolerance_change": 0, "max_iter": steps} | options
    optimizer, losses = torch.optim.LBFGS([image], **options), []

    def closure():
        if clamp:
            image.data.clamp_(0, 1)
        optimizer.zero_grad()
        value = objective(image)
        value.backward()
        losses.append(value.item())
        return value

    for _ in range(steps if loop else 1):
        optimizer.step(closure)
    return image.detach().clamp(0, 1), losses


def design(**changes):
    plan = {
        "content": "cat",
        "style": "waves",
        "style_layers": ["relu1_1", "relu2_1", "relu4_1"],
        "sizes": 64,
        "num_steps": 20,
    }
    return lambda: plan | changes


def wrong_names(modules):
    return [f"conv{i}" for i, _ in enumerate(modules)]


JUDGE = ["relu2_2", "relu3_3", "relu4_3"]


def late(content, style, paint, start, weights):
    objectives = [lambda x: content(x) + w * style(x) for w in weights]  # noqa: B023
    images = [paint(objective, start) for objective in objectives]
    pairs = zip(weights, images, strict=True)
    return [{"weight": w, "content": float(content(x)), "style": float(style(x))} for w, x in pairs]


@pytest.mark.parametrize(
    ("check", "arguments", "remark"),
    [
        (ps1.load_picture, [opener(lambda x: 255 * x)], "divide by 255"),
        (ps1.load_picture, [opener(lambda x: x[0])], "first axis"),
        (ps1.load_picture, [opener(lambda x: x.flip(1))], "BGR"),
        (ps1.load_picture, [opener(lambda x: x.mT)], "changed places"),
        (ps1.load_picture, [opener(lambda x: x.double())], "float64"),
        (ps1.load_picture, [opener(lambda x: x.permute(0, 2, 3, 1))], "permute"),
        (ps1.load_picture, [opener(size=80)], "the long side counts"),
        (ps1.normalise, [lambda x: x - 0.45], "the values are not"),
        (
            ps1.normalise,
            [lambda x: (x - x.mean((2, 3), True)) / x.std((2, 3), keepdim=True)],
            "own",
        ),
        (ps1.denormalise, [lambda x: x], "the values are not"),
        (ps1.layer_names, [wrong_names], "module 0 is conv1_1, and you call it conv0"),
        (ps1.record, [lambda *a: recorder(*a, remove=False)], "hooks are still there"),
        (ps1.record, [lambda *a: recorder(*a, keep=torch.Tensor.detach)], "no gradient"),
        (ps1.record_safely, [recorder], "a ReLU has overwritten"),
        (ps1.overwritten, [lambda *_: []], "Compare with a copy"),
        (ps1.what_it_sees, [lambda names: (1 + 2 * len(names), 1)], "should say"),
        (ps1.strongest, [lambda x, n: x.abs().mean((0, 2, 3)).topk(n).indices.tolist()], "-9"),
        (ps1.scaled_maps, [lambda x, c: x[0, c] / x[0, c].amax((1, 2), True)], "smallest is not 0"),
        (ps2.channel_products, [scaled(lambda x: 1 / x.numel())], "nothing is divided"),
        (ps2.channel_products, [lambda x: x.flatten(1).T @ x.flatten(1)], "positions"),
        (ps2.channel_products, [lambda x: products(x.detach())], "no gradient"),
        (ps2.own_tests, [lambda gram: True] * 4, "says True to a Gram matrix in which lower rows"),
        (ps2.own_tests, [lambda gram: False] * 4, "says False to a right"),
        (ps2.own_tests, [lambda gram: None] * 4, "True or False"),
        (ps2.paper_loss, [lambda f, p: 4 * loss(f, p)], "the 4 is missing"),
        (ps2.paper_factor, [lambda c: 4 / c**2], "upside down"),
        (ps2.style_distance, [lambda a, b, n: nst.style_loss(a, b, n[:1])], "first layer"),
        (ps2.nearest_pair, [lambda t: (0, 0)], "diagonal"),
        (ps2.nearest_pair, [lambda t: (3, 2)], "smaller number"),
        (ps3.numerical_gradient, [lambda f, x, h: 3 * x**2 + 3 * x * h + h * h], "one side"),
        (ps3.gradient_error, [lambda f, x: 0.0], "should be 1.0"),
        (ps3.gradient_error, [lambda f, x: None], "returns None"),
        (ps3.content_gradient, [lambda f, p: f - p], "equation 2"),
        (ps3.style_gradient, [lambda f, a: f], "the values are not"),
        (ps4.paint_adam, [lambda f, s, n, r: (s, [1.0] * n)], "not moved"),
        (ps4.paint_adam, [lambda *a: adam(*a, clear=False)], "cleared"),
        (ps4.paint_adam, [lambda *a: adam(*a, clamp=False)], "still asks for a gradient"),
        (ps4.paint_adam, [lambda *a: adam(*a)[0]], "pair"),
        (ps4.paint_lbfgs, [lambda *a: lbfgs(*a, clamp=True)], "clamped on the way"),
        (ps4.paint_lbfgs, [lambda *a: lbfgs(*a, tolerance_change=1e-9)], "ends early"),
        (ps4.paint_lbfgs, [lambda *a: lbfgs(*a, max_iter=1)], "not near its minimum"),
        (ps4.trade_off, [lambda *_: []], "0 rows"),
        (ps4.trade_off, [late], r"last weight.*default, such as name=name"),
        (ps4.diagnosis, [lambda: {"1": "c", "2": "g", "3": "e"}], 'texts, such as "1"'),
        (ps4.diagnosis, [lambda: {1: "c", 2: "c", 3: "e"}], "no two loops"),
        (ps4.diagnosis, [lambda: {1: "c", 2: "g"}], "keys are 1, 2, and should be"),
        (ps4.paint_lbfgs, [lambda *a: lbfgs(*a, max_iter=20, loop=True)], "asks for the loss 100"),
        (ps5.design, [design(sizes=[64]), JUDGE], r"sizes=\[64\] is a list, .* write sizes=64"),
        (ps1.record, [lambda *a: {"a": {}["conv1_1"]}], r"KeyError: 'conv1_1' .*default, such as"),
        (ps2.gram_matrix, [nst.gram_matrix], "write yours"),
        (ps4.make_objective, [lambda *_: None, "relu3_1", JUDGE], "have changed"),
        (ps5.design, [design(style_weight=[1, 2]), JUDGE], "more than the layers"),
        (ps5.design, [design(style_layers=["relu1_1", "relu2_2", "relu4_1"]), JUDGE], "judge"),
        (ps5.design, [design(rebalance=False), JUDGE], "rebalance is off"),
        (ps5.design, [design(style_wieght=3), JUDGE], "did you mean style_weight"),
        (ps5.design, [design(sizes=512), JUDGE], "64 to 128"),
        (ps5.judge, [lambda n, x, c, s: tuple(3 * v for v in marking.judge(x, c, s))], "the sum"),
        (ps5.rows, [lambda e, score: []], "0 rows"),
        (ps5.figure, [lambda rows: falls({"a": [1.0]})], "stands nowhere"),
    ],
)
def test_usual_mistakes_are_named(check, arguments, remark):
    with pytest.raises(Mistake, match=remark):
        check(*arguments)


RIGHT = [
    (ps1.load_picture, opener()),
    (ps1.record, recorder),
    (ps1.record_safely, lambda *a: recorder(*a, keep=torch.clone)),
    (ps2.channel_products, products),
    (ps2.paper_loss, loss),
    (ps4.paint_adam, adam),
    (ps4.paint_lbfgs, lbfgs),
    (ps5.design, design(), JUDGE),
]


def test_right_answers_agree_with_the_package():
    x, y = marking.random(2, 3, 4, 5), marking.random(2, 3, 4, 5, seed=1)
    close = torch.testing.assert_close
    close(torch.from_numpy(marking.gram(x)), nst.gram_matrix(x).double())
    assert math.isclose(marking.variation(x), nst.total_variation_loss(x).item(), rel_tol=1e-5)
    target = nst.gram_matrix(y[:1])
    f = x[:1].clone().requires_grad_()
    (gradient,) = torch.autograd.grad((nst.gram_matrix(f) - target).square().mean(), f)
    close(torch.from_numpy(marking.style_gradient(x[:1], target)), gradient.double())
    assert nst.load_network("vgg19_quarter").layer_names == sorted(
        marking.QUARTER, key=nst.load_network("vgg19_quarter").layer_names.index
    )


def test_adam_goes_where_torch_goes():
    bowl, start = marking.Bowl(), marking.random(1, 3, 4, 4, seed=2)
    wanted = adam(bowl, start, 12, 0.03)[0]
    torch.testing.assert_close(marking.adam(bowl, start, 12, 0.03), wanted, atol=1e-5, rtol=1e-4)


def test_names_of_chains():
    assert marking.chain_names("crcipa") == [
        "conv1_1",
        "relu1_1",
        "conv1_2",
        "relu1_2",
        "pool1",
        "pool2",
    ]
    kinds = [type(module) for module in marking.chain("crpa")]
    assert kinds == [nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.AvgPool2d]


def test_a_table_has_its_numbers_and_names():
    figure = table(torch.tensor([[0.0, 0.25], [0.25, 0.0]]), ["a", "b"])
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["0.00", "0.25", "0.25", "0.00"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert "a, b" in figure.alt


def test_falls_are_lines_on_a_logarithmic_scale():
    figure = falls({"Adam": [3.0, 2.0], "L-BFGS": [3.0, 1.0]})
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    assert [line.get_label() for line in axes.lines] == ["Adam", "L-BFGS"]
    assert list(axes.lines[1].get_ydata()) == [3, 1]
