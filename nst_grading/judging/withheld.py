"""The copy of the kit that a submission gets: without what its exercises ask for."""

from __future__ import annotations

import ast
import compileall
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import nbformat
import numpy as np
from nbgrader.utils import is_solution

import nst

# What exercises ask for, and what in the package would do it: functions of modules, or all.
LOSSES = {"losses": "content_loss style_loss squared_distance SquaredDistance total_variation_loss"}
GRAM = {"losses": "*", "statistics.moments": "*"}
LOOPS = dict.fromkeys(("loop", "transfer", "optimizers", "optimizers.plain"), "*")
LOOPS |= {"optimizers.lbfgs": "*", "optimizers.bounds": "*", "optimizers.guess": "*"}
PASSES = {
    "painters.networks": "normalise mixed",
    "painters.painting": "shares_of",
    "painters.training": "Training losses relative",
    "judges": "content_changed",
    "objective": "*",
}
FILES = {"images": "load_image open_image preprocess_image to_tensor upright decoded fit fitted"}
WITHHELD: dict[str, dict[str, str]] = {
    "load_picture": FILES,
    "judge": {"judges": "*"},
    "what_it_sees": {"features": "layer_table _vgg_table _measured_table"},
    "strongest": {"features": "channel_order"},
    **dict.fromkeys(("channel_products", "gram_matrix", "paper_loss", "style_distance"), GRAM),
    **dict.fromkeys(("content_loss", "style_loss", "total_variation", "content_gradient"), LOSSES),
    "make_objective": {"objective": "*"},
    **dict.fromkeys(("instance_norm", "adain", "shares_of", "conditional_norm"), PASSES),
    **dict.fromkeys(("share", "painting_loss", "train"), PASSES),
    **dict.fromkeys(("paint_adam", "paint_lbfgs", "fixed_1", "fixed_2", "fixed_3"), LOOPS),
}
QUIET = '''\
"""Self-checks say nothing while a notebook is graded: what it is worth is found out elsewhere."""

MODULES = %r


class Mistake(AssertionError):
    """What a self-check raises."""


def __getattr__(name):
    if name.startswith("__") or name in MODULES:
        raise AttributeError(name)
    return lambda *arguments, **options: None
'''
# Given cells call these with what is known before; the answers are kept, their making is not.
RECORDED = {
    "load_image": """
def load_image(source, size=512, device=None):
    kept = np.load(Path(__file__).with_name("samples.npz"))
    if f"{source} {size}" not in kept:
        raise ImageError("While this set is graded nst.load_image has samples only: write yours.")
    pixels = torch.from_numpy(kept[f"{source} {size}"])
    return (pixels.permute(2, 0, 1).float() / 255)[None].contiguous()
""",
    "layer_table": """
def layer_table(network):
    import json, pathlib
    rows = pathlib.Path(__file__).with_name("rows.json").read_text()
    return [Layer(*row) for row in json.loads(rows)]
""",
}


def kit(source: Path, folder: Path) -> Path:
    """Make the package's copy for a problem set, `folder / "nst"`; returns its path.

    Args:
        source: the problem set's notebook, with solutions.
        folder: an empty one.
    """
    notebook = nbformat.read(source, as_version=4)
    copy = folder / "nst"
    shutil.copytree(Path(nst.__file__).parent, copy)
    shutil.rmtree(copy / "checks" / "marking", ignore_errors=True)
    checks = list((copy / "checks").glob("*.py"))
    for path in checks:
        path.write_text(QUIET % [path.stem for path in checks], encoding="utf-8")
    for module, names in withheld(asked(notebook)).items():
        path = copy.joinpath(*module.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        path.write_text(without(path.read_text(encoding="utf-8"), names), encoding="utf-8")
        record(copy, names, notebook)
        for old in path.parent.glob(f"__pycache__/{path.stem}.*"):
            old.unlink()
    for old in (copy / "checks").glob("__pycache__/*"):
        old.unlink()
    compileall.compile_dir(copy, quiet=2)
    return copy


def asked(notebook: nbformat.NotebookNode) -> set[str]:
    """The functions that the exercises ask for."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and is_solution(cell)]
    nodes = [node for cell in cells for node in ast.parse(cell.source).body]
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


def withheld(functions: Iterable[str]) -> dict[str, set[str]]:
    """What is withheld where these are asked for: names, or "*" for all, by module."""
    found: dict[str, set[str]] = {}
    for name in functions:
        for module, names in WITHHELD.get(name, {}).items():
            found.setdefault(module, set()).update(names.split())
    return found


def without(source: str, names: set[str]) -> str:
    """A module's source, with functions and methods that only raise."""
    tree = ast.parse(source)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and (
            "*" in names or node.name in names
        ):
            for inner in ast.walk(node):
                if isinstance(inner, ast.FunctionDef):
                    inner.body = ast.parse(f"raise RuntimeError({RAISED % node.name!r})").body
    kept = [RECORDED[name] for name in sorted(names & set(RECORDED))]
    return "\n".join([ast.unparse(tree), *kept])


RAISED = "the package's %s is not here while this set is graded: write yours"


def record(copy: Path, names: set[str], notebook: nbformat.NotebookNode) -> None:
    """Keep what given cells ask of functions that are withheld."""
    if "load_image" in names:
        given = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
        sizes = set(map(int, re.findall(r"load_image\([^()]*size=(\d+)", given)))
        samples = [name for group in nst.sample_names().values() for name in group]
        pictures = {f"{n} {size}": nst.load_image(n, size=size) for n in samples for size in sizes}
        arrays = {
            key: (255 * x[0].permute(1, 2, 0)).round().byte().numpy() for key, x in pictures.items()
        }
        np.savez(copy / "samples.npz", **arrays)  # type: ignore[arg-type]
    if "layer_table" in names:
        rows = [list(row) for row in nst.layer_table(nst.load_network("vgg19_quarter"))]
        (copy / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
