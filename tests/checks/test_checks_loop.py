"""Self-checks of the total loss and of the loop: right ones pass, usual mistakes are named."""

import pytest
import torch

import nst
from nst import checks
from nst.checks.common import Mistake


def gram(x):
    rows = x.flatten(2)
    return rows @ rows.mT / x[0].numel()


def total(image, generated, content, style, weights, order=(0, 1, 2), mean=False):
    """As a reader might write it."""
    first = sum(((generated[n] - content[n]) ** 2).mean() for n in content)
    second = sum(((gram(generated[n]) - gram(style[n])) ** 2).mean() for n in style)
    if mean:
        second = second / len(style)
    third = (torch.diff(image, dim=2) ** 2).mean() + (torch.diff(image, dim=3) ** 2).mean()
    alpha, beta, gamma = (weights[i] for i in order)
    return alpha * first + beta * second + gamma * third


def optimise(start, loss, network, num_steps, learning_rate, extra=0, **faults):
    """As a reader might write it, with the faults that are asked for."""
    if not faults.get("thaw"):
        network.requires_grad_(False)
    image = start if faults.get("in_place") else start.clone()
    image.requires_grad_()
    trained = list(network.parameters()) if faults.get("train") else []
    kind = torch.optim.SGD if faults.get("plain") else torch.optim.Adam
    optimizer = kind([image, *trained], lr=learning_rate)
    for _ in range(num_steps + extra):
        if faults.get("clamp"):
            with torch.no_grad():
                image.clamp_(0, 1)
        if not faults.get("remember"):
            optimizer.zero_grad()
        value = loss(image)
        (-value if faults.get("climb") else value).backward()
        if not faults.get("stand"):
            optimizer.step()
    if faults.get("outside"):
        return image.detach()
    return image.clamp(0, 1) if faults.get("attached") else image.detach().clamp(0, 1)


def keeping_the_best(start, loss, network, num_steps, learning_rate):
    network.requires_grad_(False)
    image, best, history = start.clone().requires_grad_(), None, []
    optimizer = torch.optim.Adam([image], lr=learning_rate)
    for number in range(num_steps + 1):
        value = loss(image)
        history.append(value.item())
        if value.item() == min(history):
            best = image.detach().clone()
        if number < num_steps:
            (image.grad,) = torch.autograd.grad(value, image)
            optimizer.step()
    return best.clamp(0, 1), history


def without_autograd(start, loss, network, num_steps, learning_rate):
    image = start.clone()
    optimizer = torch.optim.Adam([image], lr=learning_rate)
    loss(image).backward()
    optimizer.step()
    return image


@pytest.mark.parametrize("answer", [total])
def test_a_right_total_loss_passes(answer, capsys):
    checks.total_loss(answer)
    assert "✓" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "remark"),
    [
        (lambda *a: total(*a, order=(1, 0, 2)), "exchanged"),
        (lambda *a: total(*a[:4], (1, 1, 1)), "no weight"),
        (lambda *a: total(*a[:4], (1, *a[4][1:])), "content loss is not multiplied"),
        (lambda *a: total(*a[:4], (a[4][0], 0, a[4][2])), "style loss is missing"),
        (lambda *a: total(*a[:4], (*a[4][:2], 0)), "total variation is missing"),
        (lambda *a: total(*a, mean=True), "mean over the style layers"),
        (lambda *a: 3 * total(*a), "factor"),
        (lambda *a: total(*a).item(), "no gradient"),
        (lambda image, *a: total(image.detach(), *a).detach(), "no gradient"),
    ],
)
def test_mistakes_of_the_total_loss_are_named(answer, remark):
    with pytest.raises(Mistake, match=remark):
        checks.total_loss(answer)


@pytest.mark.parametrize("answer", [optimise, keeping_the_best])
def test_a_right_loop_passes(answer, capsys):
    checks.loop(answer)
    assert "✓" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("faults", "remark"),
    [
        ({"in_place": True}, "work on start.clone"),
        ({"thaw": True}, "requires_grad_\\(False\\)"),
        ({"thaw": True, "train": True}, "weights have changed"),
        ({"remember": True}, "zero_grad"),
        ({"clamp": True}, "behind the optimiser's back"),
        ({"climb": True}, "climbs"),
        ({"stand": True}, "has not moved"),
        ({"plain": True}, "gradient descent"),
        ({"extra": -1}, "7 steps, not 8"),
        ({"extra": 1}, "9 steps, not 8"),
        ({"outside": True}, "clamp the picture"),
    ],
)
def test_mistakes_of_the_loop_are_named(faults, remark):
    with pytest.raises(Mistake, match=remark):
        checks.loop(lambda *given: optimise(*given, **faults))


@pytest.mark.parametrize(
    ("answer", "remark"),
    [
        (without_autograd, "no gradient reaches the picture"),
        (lambda *_: None, "None"),
        (lambda start, *_: start.clone(), "never calls loss"),
        (lambda *a: optimise(*a[:4], 0.03, climb=True), "does not fall"),
        (lambda *a: optimise(*a[:3], 3, 0.1), "takes the loss 3 times"),
        (lambda *a: optimise(*a[:4], 0.03), "falls, but not as"),
    ],
)
def test_other_wrong_loops(answer, remark):
    with pytest.raises(Mistake, match=remark):
        checks.loop(answer)


def test_a_picture_with_a_graph_is_refused():
    def attached(start, loss, network, num_steps, learning_rate):
        return optimise(start, loss, network, num_steps, learning_rate, attached=True)

    with pytest.raises(Mistake, match="detach"):
        checks.loop(attached)


def test_what_is_not_written_yet_says_so_itself():
    def unwritten(*_):
        raise NotImplementedError

    for check in (checks.loop, checks.total_loss):
        with pytest.raises(NotImplementedError):
            check(unwritten)


def test_the_package_passes_its_own_check():
    """The right total loss is that of `Objective` with the article's settings."""
    checks.total_loss(
        lambda image, generated, content, style, weights: (
            weights[0] * sum(nst.content_loss(generated, content, name) for name in content)
            + weights[1] * nst.style_loss(generated, style, list(style))
            + weights[2] * nst.total_variation_loss(image)
        )
    )
