"""Right answers rewritten mechanically: another hand, the same points.

`CODE` are ways to write the same functions, `FILES` ways in which the same notebook may be saved.
"""

import ast
import json

import nbformat

# What stands at the end of a cell whose functions hand back the same in another type.
NUMPY = """
import functools as _functools

import numpy as _np
import torch as _torch


def _back(value):
    if isinstance(value, _torch.Tensor) and not value.requires_grad:
        return _torch.from_numpy(_np.array(value.detach().numpy()))
    if isinstance(value, dict):
        return {key: _back(inner) for key, inner in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_back, value))
    kinds = {float: _np.float64, int: _np.int64, bool: _np.bool_}
    return kinds.get(type(value), lambda value: value)(value)
"""
SUBCLASSES = """
import collections as _collections
import functools as _functools


class _List(list):
    pass


class _Text(str):
    pass


class _Float(float):
    pass


def _back(value):
    if isinstance(value, dict):
        return _collections.OrderedDict((key, _back(inner)) for key, inner in value.items())
    if type(value) is tuple and value:
        names = [f"field_{i}" for i in range(len(value))]
        return _collections.namedtuple("Record", names)(*map(_back, value))
    if type(value) is list:
        return _List(map(_back, value))
    kinds = {str: _Text, float: _Float}
    return kinds.get(type(value), lambda value: value)(value)
"""
WRAPPED = """

def _wrapped(function):
    @_functools.wraps(function)
    def wrapper(*arguments, **named):
        return _back(function(*arguments, **named))

    return wrapper


{names}
"""
CLASS = """

class _{name}:
    def __init__(self, function=_function_{name}):
        self.function = function

    def __call__(self, *arguments, **named):
        return self.function(*arguments, **named)


{name} = _{name}()
"""


def functions(tree):
    """The functions that a cell defines for all to call."""
    return [node for node in tree.body if isinstance(node, ast.FunctionDef)]


def renamed(source):
    """Every local name is another; functions keep theirs, and so do arguments with defaults."""
    tree = ast.parse(source)
    named = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    for function in functions(tree):
        given = [*function.args.args, *function.args.kwonlyargs]
        count = len(function.args.defaults) + len(function.args.kwonlyargs)
        named |= {argument.arg for argument in given[len(given) - count :]}
        own = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                own.add(node.id)
            elif isinstance(node, ast.FunctionDef) and node is not function:
                own.add(node.name)
        own -= named
        for node in ast.walk(function):
            for field in ("id", "arg", "name"):
                if getattr(node, field, None) in own and not isinstance(node, ast.keyword):
                    setattr(node, field, f"own_{getattr(node, field)}")
    return ast.unparse(tree)


class _Einsum(ast.NodeTransformer):
    def visit_BinOp(self, node):
        self.generic_visit(node)
        if not isinstance(node.op, ast.MatMult):
            return node
        call = ast.parse("torch.einsum('...ij,...jk->...ik', 1, 1)").body[0].value
        call.args[1:] = [node.left, node.right]
        return call


def einsum(source):
    """Einstein's sums in place of products of matrices."""
    return ast.unparse(ast.fix_missing_locations(_Einsum().visit(ast.parse(source))))


def extra(source):
    """Every function takes more, which has defaults."""
    tree = ast.parse(source)
    for function in functions(tree):
        arguments = function.args
        if not arguments.vararg:
            arguments.args.append(ast.arg("verbose"))
            arguments.defaults.append(ast.Constant(False))
        arguments.kwonlyargs.append(ast.arg("device"))
        arguments.kw_defaults.append(ast.Constant(None))
    return ast.unparse(ast.fix_missing_locations(tree))


def classes(source):
    """Every function is an object that can be called."""
    tree, made = ast.parse(source), []
    for function in functions(tree):
        made.append(CLASS.format(name=function.name))
        function.name = f"_function_{function.name}"
    return ast.unparse(tree) + "".join(made)


def wrapped(source, prelude):
    """Every function's answers in other types."""
    names = "\n".join(f"{f.name} = _wrapped({f.name})" for f in functions(ast.parse(source)))
    return prelude + source + WRAPPED.format(names=names)


CODE = {
    "renamed": renamed,
    "einsum": einsum,
    "extra": extra,
    "classes": classes,
    "numpy": lambda source: wrapped(source, NUMPY),
    "subclasses": lambda source: wrapped(source, SUBCLASSES),
    "all": lambda source: wrapped(classes(extra(einsum(renamed(source)))), SUBCLASSES),
}


def rewritten(notebook, way, is_answer):
    """The notebook's answers in another hand; it is changed."""
    for cell in filter(is_answer, notebook.cells):
        try:
            ast.parse(cell.source)
        except SyntaxError:  # magics
            continue
        cell.source = CODE[way](cell.source)
    return notebook


CHATTER = """
print("x" * 99 + "\\n" * 30_000)
for _ in range(30):
    print("0123456789" * 10_000)
"""
PLOT = """
%matplotlib inline
import matplotlib.pyplot as plt

plt.plot([1, 2], [3, 4])
plt.show()
"""
PIP = "!pip install --quiet nst\n%pip list --quiet > /dev/null\n"


def added(source, kind="code"):
    """A cell of the student's own."""
    return getattr(nbformat.v4, f"new_{kind}_cell")(source)


def from_colab(notebook, is_answer):
    """Saved by Colab with a byte-order mark; three MB are printed, every answer stands twice."""
    cells = []
    for cell in notebook.cells:
        cell.metadata |= {"id": "aB3dEf", "colab": {"base_uri": "https://localhost:8080/"}}
        cells += [cell, added(cell.source)] if is_answer(cell) else [cell]
    notebook.cells = [cells[0], added(CHATTER), *cells[1:]]
    notebook.metadata |= {"colab": {"provenance": [], "gpuType": "T4"}, "accelerator": "GPU"}
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    data = json.loads(nbformat.writes(notebook)) | {"nbformat_minor": 0}
    for cell in data["cells"]:
        del cell["id"]  # as before version 4.5
    return b"\xef\xbb\xbf" + json.dumps(data).encode()


def from_vscode(notebook, is_answer):
    """Saved by VS Code on Windows, for conda's kernel; installs, plots; its texts are deleted."""
    kept = [c for c in notebook.cells if c.cell_type == "code" or "nbgrader" in c.metadata]
    for cell in kept:
        cell.source = cell.source.replace("\n", "\r\n")
        cell.metadata["vscode"] = {"languageId": "python"}
    notebook.cells = [added(PIP), added(PLOT), *kept]
    notebook.metadata |= {"vscode": {"interpreter": {"hash": "31f2aee4e71d21fb"}}}
    notebook.metadata.kernelspec = {"name": "conda-env-nst-py", "display_name": "Python [conda]"}
    notebook.metadata.language_info = {"name": "python", "version": "3.10.14"}
    return nbformat.writes(notebook).replace("\n", "\r\n").encode()


FILES = {"colab": (from_colab, "all"), "vscode": (from_vscode, "numpy")}  # with one of CODE each
