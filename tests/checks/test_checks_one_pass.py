"""Self-checks of painting in one pass: right answers by other ways pass, mistakes get a name."""

import pytest
import torch
import torch.nn.functional as F

from nst import checks
from nst.checks.common import Mistake


def norm(x, scale, shift, axes=(2, 3), ddof=0, power=0.5):
    x, scale, shift = (v.numpy().astype(float) for v in (x, scale, shift))
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, ddof=ddof, keepdims=True)
    y = (x - mean) / variance**power
    return torch.from_numpy(y * scale[..., None, None] + shift[..., None, None])


def by_torch(x, scale, shift):
    """With torch's own function, which takes one scale for all pictures: one by one."""
    rows = zip(x, scale, shift, strict=True)
    return torch.cat([F.instance_norm(one[None], weight=g, bias=b) for one, g, b in rows])


def mixed(x, shares, scales, shifts):
    def rows(table):
        return torch.einsum("bs,sc->bc", shares, table)

    return norm(x, rows(scales), rows(shifts))


def adain(content, style):
    flat = style[0].flatten(1).numpy()
    rows = (torch.from_numpy(v[None]) for v in (flat.std(1), flat.mean(1)))
    return norm(content, *rows)


def backwards(content, style):
    scale = content.var((2, 3), correction=0) / style.std((2, 3), correction=0)
    return norm(content, scale, style.mean((2, 3)))


def step(painter, photographs, loss, optimizer, zero=True, times=1, number=torch.Tensor.item):
    for _ in range(times):
        if zero:
            optimizer.zero_grad()
        value = loss(painter(photographs), photographs)
        value.backward()
        optimizer.step()
    return number(value)


def late(painter, photographs, loss, optimizer):
    value = loss(painter(photographs), photographs)
    optimizer.step()
    optimizer.zero_grad()
    value.backward()
    return value.item()


RIGHT = {
    "instance_norm": [norm, by_torch],
    "conditional_norm": [mixed],
    "adain": [adain],
    "training_step": [step],
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers_pass(name, capsys):
    for answer in RIGHT[name]:
        getattr(checks, name)(answer)
        assert capsys.readouterr().out == f"✓ {name}\n"


@pytest.mark.parametrize(
    ("name", "wrong", "remark"),
    [
        ("instance_norm", lambda *a: norm(*a, axes=(0, 2, 3)), "whole batch"),
        ("instance_norm", lambda *a: norm(*a, axes=(1, 2, 3)), "all channels together"),
        ("instance_norm", lambda *a: norm(*a, power=1), "variance; divide by its root"),
        ("instance_norm", lambda *a: norm(*a, ddof=1), "N - 1"),
        ("instance_norm", lambda x, g, b: norm(x, b, g), "swapped"),
        ("instance_norm", lambda x, g, b: norm(x, g, b * 0), "shift is missing"),
        ("instance_norm", lambda x, g, b: None, "not a tensor"),
        ("conditional_norm", lambda x, s, g, b: mixed(x, s, b, g), "swapped"),
        ("conditional_norm", lambda x, s, g, b: norm(x, g[s.argmax(1)], b[s.argmax(1)]), "largest"),
        ("conditional_norm", lambda x, s, g, b: mixed(x, s[:1].repeat(2, 1), g, b), "first one's"),
        ("adain", lambda x, y: norm(y.repeat(2, 1, 1, 1), x.std((2, 3)), x.mean((2, 3))), "shape"),
        ("adain", lambda x, y: adain(x, y) - y.mean((2, 3), keepdim=True), "no means"),
        ("adain", lambda x, y: F.instance_norm(x), "only normalised"),
        ("adain", lambda x, y: norm(x, y.std((2, 3)), y.mean((2, 3)), ddof=1), "N - 1"),
        ("adain", lambda x, y: backwards(x, y), "deviations are swapped"),
        ("training_step", lambda *a: step(*a, zero=False), "add up"),
        ("training_step", lambda *a: step(*a, times=2), "two steps"),
        ("training_step", lambda *a: step(*a, number=lambda value: value), "return a number"),
        ("training_step", lambda *a: 2 * step(*a), "the number is not"),
        ("training_step", late, "comes before backward"),
        ("training_step", lambda p, x, f, o: step(lambda y: p(y).detach(), x, f, o), "no gradient"),
        ("training_step", lambda p, x, f, o: step(lambda y: y, x, f, o), "no gradient leads"),
        ("training_step", lambda p, x, f, o: f(p(x), x).item(), "have not moved"),
        ("training_step", lambda p, x, f, o: step(p, x.mul_(2), f, o), "changes the photographs"),
    ],
)
def test_usual_mistakes_are_named(name, wrong, remark):
    with pytest.raises(Mistake, match=remark):
        getattr(checks, name)(wrong)
