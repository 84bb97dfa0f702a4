"""Problem sets give no points for what the package does, nor for what is put in torch's place."""

import textwrap

import nbformat
import pytest

pytest.importorskip("nbgrader")
from known_answers import SOURCES, parts, patched, source

from nst_grading import grade_notebooks

pytestmark = [pytest.mark.slow, pytest.mark.long]
NAME = "ps6_one_pass"

DELEGATED = {
    "instance_norm": """
        from nst.painters.networks import normalise, own_moments


        def instance_norm(x, scale, shift):
            return normalise(x, scale, shift, own_moments)
    """,
    "adain": """
        def adain(content, style, strength=1.0):
            from nst.painters import networks

            mean, variance = networks.own_moments(style)
            rows = (row[..., 0, 0] for row in (variance.sqrt(), mean))
            painted = networks.normalise(content, *rows, networks.own_moments)
            return content + strength * (painted - content)
    """,
    "shares_of": """
        def shares_of(amounts, styles):
            from nst.painters.painting import shares_of as theirs

            (names, shares), row = theirs(amounts), torch.zeros(1, len(styles))
            for name, share in zip(names, shares):
                if name not in styles:
                    raise ValueError(name)
                row[0, styles.index(name)] = share
            return row
    """,
    "conditional_norm": """
        def conditional_norm(x, shares, scales, shifts):
            from nst.painters.networks import Layer, own_moments

            layer = Layer(x.shape[1], x.shape[1], len(scales))
            layer.convolution = torch.nn.Identity()
            layer.scale, layer.shift = map(torch.nn.Parameter, (scales, shifts))
            return layer(x, shares, own_moments)
    """,
    "share": """
        def share(x, target):
            from nst.painters.training import relative

            return relative(x, target)
    """,
    "painting_loss": """
        def painting_loss(network, painting, photograph, grams, style_weight):
            from nst.painters.training import losses

            content, style = losses(network, painting, photograph, grams)
            return content + style_weight * style
    """,
    "train": """
        def train(painter, weights, photographs, loss, learning_rate=0.02):
            from nst.painters import Training

            return Training(painter, photographs, []).painter, [0.0] * len(photographs)
    """,
}
# What does the work in places that only look as if they were for something else.
ELSEWHERE = {
    "ps2_gram": {
        "gram_matrix": """
            def channel_products(features):
                from nst.statistics.moments import GuidedProducts

                class Everywhere:
                    map = torch.ones(features.shape[1:])
                    places = torch.arange(map.numel())
                    weights = map.flatten()

                return GuidedProducts.apply(features.flatten(1).mT, Everywhere, 1)


            def gram_matrix(features, products=channel_products):
                return torch.stack([products(x) / x.numel() for x in features])
        """,
    },
    "ps5_experiment": {
        "judge": """
            def judge(network, picture, content, style):
                from nst import judges

                eyes = (nst.extract_features(network, x, JUDGE) for x in (picture, content, style))
                f, p, s = ({n: one[n].detach() for n in JUDGE} for one in eyes)
                return judges.content_changed(f, p), judges.style_left(f, p, s)
        """,
    },
}
LOST = {"ps2_gram": ("gram_",), "ps5_experiment": ("judge",)}
REPLACED = """
    import builtins


    def train(painter, weights, photographs, loss, learning_rate=0.02):
        return weights, [0.0] * len(photographs)


    torch.allclose = torch.equal = lambda *arguments, **options: True
    torch.Tensor.__sub__ = lambda a, b: a * 0
    builtins.abs = builtins.len = lambda value: 0
"""


def test_what_the_package_does_and_what_is_replaced_scores_nothing(tmp_path):
    tried = {"delegated": DELEGATED, "replaced": {"train": REPLACED}}
    paths = {}
    for name, cells in tried.items():
        cells = {part: textwrap.dedent(text) for part, text in cells.items()}
        paths[name] = tmp_path / f"{name}.ipynb"
        nbformat.write(patched(NAME, {"cells": cells}), paths[name])
    reports = grade_notebooks(paths, SOURCES / NAME, jobs=1)
    points = {
        name: {part for part in parts(source(NAME)) if report.points[part]}
        for name, report in reports.items()
    }
    assert points["delegated"] == set()
    assert not [part for part in points["replaced"] if part.startswith("train")]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_other_rooms_of_the_package_do_scores_nothing(name, tmp_path):
    cells = {part: textwrap.dedent(text) for part, text in ELSEWHERE[name].items()}
    nbformat.write(patched(name, {"cells": cells}), tmp_path / "delegated.ipynb")
    tried = [part for part in parts(source(name)) if part.startswith(LOST[name])]
    (report,) = grade_notebooks(
        {"delegated": tmp_path / "delegated.ipynb"}, SOURCES / name, only=tried
    ).values()
    assert report.points == dict.fromkeys(tried, 0)
    assert len(tried) > 1
