"""Self-checks: right answers written in another way pass, usual mistakes are named."""

from importlib import metadata

import pytest
import torch

from nst import checks
from nst.checks import stubs
from nst.checks.common import Mistake


def gram_of_rows(x):
    batch, channels, height, width = x.shape
    rows = x.reshape(batch, channels, height * width)
    return torch.bmm(rows, rows.transpose(1, 2)) / (channels * height * width)


def merged_gram(x):
    a, b, c, d = x.size()
    rows = x.view(a * b, c * d)
    return torch.mm(rows, rows.t()).div(a * b * c * d)


def looped_style(generated, style, layers):
    total = 0
    for name in layers:
        total = total + torch.nn.functional.mse_loss(
            gram_of_rows(generated[name]), gram_of_rows(style[name])
        )
    return total


def variation(x, wrap=False, reduce=torch.mean):
    down, right = torch.diff(x, dim=2), torch.diff(x, dim=3)
    if wrap:
        down, right = torch.roll(x, 1, 2) - x, torch.roll(x, 1, 3) - x
    return reduce(down**2) + reduce(right**2)


def unwritten(*_):
    raise NotImplementedError


RIGHT = [
    (checks.content_loss, torch.nn.functional.mse_loss),
    (checks.gram, gram_of_rows),
    (checks.style_loss, looped_style),
    (checks.total_variation, variation),
]


@pytest.mark.parametrize(
    ("check", "answer", "remark"),
    [
        (checks.content_loss, lambda a, b: ((a - b) ** 2).sum(), "sum of the squared"),
        (checks.content_loss, lambda a, b: 0.5 * ((a - b) ** 2).sum(), "equation 1"),
        (checks.content_loss, lambda a, b: ((a - b) ** 2).mean().item(), "no gradient"),
        (checks.content_loss, lambda a, b: None, "returns None"),
        (checks.content_loss, lambda a, b: 3 * ((a - b) ** 2).mean(), "factor: it is 3 times"),
        (checks.content_loss, lambda a, b: ((a - b) ** 2).mean() / 0, "not finite"),
        (checks.content_loss, lambda a, b: a @ b, "raises RuntimeError"),
        (checks.gram, merged_gram, "merged"),
        (checks.gram, lambda x: gram_of_rows(x) / x[0].numel(), "twice"),
        (checks.gram, lambda x: gram_of_rows(x) * x.shape[1], "H·W only"),
        (
            checks.gram,
            lambda x: gram_of_rows(x) * (x.shape[2] * x.shape[3]) ** 2,
            "in brackets",
        ),
        (checks.gram, lambda x: gram_of_rows(x)[0], "first axis"),
        (checks.gram, lambda x: gram_of_rows(x.detach()), "no gradient"),
        (checks.gram, lambda x: gram_of_rows(x.relu() + 1), "the values are not"),
        (checks.gram, lambda x: x.sum((2, 3)), "should be \\(1, 3, 3\\)"),
        (checks.style_loss, lambda a, b, n: looped_style(a, b, n) / len(n), "mean over the layers"),
        (checks.style_loss, lambda a, b, n: looped_style(a, b, n[-1:]), "last layer"),
        (checks.style_loss, lambda a, b, n: looped_style(a, b, list(a)), "every layer"),
        (
            checks.style_loss,
            lambda a, b, n: sum(((a[k] - b[k]) ** 2).mean() for k in n),
            "raises RuntimeError",
        ),
        (checks.total_variation, lambda x: variation(x, wrap=True), "wraps around"),
        (checks.total_variation, lambda x: variation(x, reduce=torch.sum), "sum"),
        (checks.total_variation, lambda x: torch.diff(x, dim=2).square().mean(), "vertical"),
    ],
)
def test_usual_mistakes_are_named(check, answer, remark):
    with pytest.raises(Mistake, match=remark):
        check(answer)


def test_what_is_not_written_yet_says_so_itself():
    with pytest.raises(NotImplementedError):
        checks.gram(unwritten)


def test_notebooks_show_the_sentence_alone():
    with pytest.raises(Mistake) as caught:
        checks.gram(merged_gram)
    (line,) = caught.value._render_traceback_()
    assert "merged" in line
    assert "File" not in line


def test_the_installation_is_described(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    checks.installation()
    text = capsys.readouterr().out
    assert f"torch        {torch.__version__.split('+')[0]}" in text
    assert "vgg19: not here yet; vgg19-dcbb9e9d.pth would go to" in text
    assert "✓" in text
    place = tmp_path / "hub" / "checkpoints"
    place.mkdir(parents=True)
    (place / "vgg19-dcbb9e9d.pth").touch()
    checks.installation()
    assert "vgg19: is here" in capsys.readouterr().out


def test_what_is_missing_is_named(capsys, monkeypatch):
    def version(name):
        if name == "ipywidgets":
            raise metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(metadata, "version", version)
    checks.installation()
    text = capsys.readouterr().out
    assert "ipywidgets is missing: pip install" in text
    assert "✓" not in text


def begun(features):
    rows = features[..., 0].flatten(1)
    return ... @ rows.mT


def test_what_still_has_its_dots_is_told_what_to_do(capsys):
    checks.gram(begun)
    said = capsys.readouterr().out
    assert said.startswith("○ begun: write your code where ... stands") and said.count("\n") == 1
    assert not stubs.unwritten(gram_of_rows)
    assert not stubs.unwritten(lambda image: image[..., 1:])
    assert not stubs.unwritten(torch.nn.functional.mse_loss)


def test_dots_in_brackets_are_an_index():
    def right(image):
        down, right = image[..., 1:, :] - image[..., :-1, :], torch.diff(image)
        return (down**2).mean() + (right**2).mean()

    assert not stubs.unwritten(right)
    checks.total_variation(right)


def test_claims_say_whether_they_hold_and_go_on(capsys):
    checks.claim("deeper is coarser", torch.tensor(3) > 2, "3 and 2")
    checks.claim("deeper is coarser", 1 > 2, "1 and 2")
    kept, broken = capsys.readouterr().out.splitlines()
    assert kept == "✓ as the text says: deeper is coarser"
    assert broken.startswith("✗ not with these settings: deeper is coarser; here 1 and 2 (the text")


def test_claims_about_what_did_not_run_are_left_out_with_a_word(capsys):
    assert checks.all_ran(["gram", "sliced"], ("sliced", "nearest", "gram"))
    assert not capsys.readouterr().out
    assert not checks.all_ran({"gram": 0, "sliced": 0, "nearest": 0}, ["gram"])
    assert "sliced, nearest, which was not run" in capsys.readouterr().out
