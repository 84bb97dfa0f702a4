"""The course as pages for a browser, which need no network: make html, make site.

    python tools/pages.py html FOLDER      each notebook as one file, pictures and all
    python tools/pages.py site FOLDER      a site with contents, search, previous and next

Both show what the notebooks hold, as it was last executed. Formulas become MathML, which browsers
lay out by themselves.
"""

import argparse
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import nbconvert.exporters.html
import nbformat
from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer
from sphinx.application import Sphinx

from notebooks import FOLDER, notebooks

# What the notebooks link to besides each other, and its name among the pages.
TEXTS = {"assignments/TEACHING.md": "teaching", "../nst/weights/README.md": "network"}
SETTINGS = {
    "project": "nst",
    "html_title": "How neural style transfer works",
    "html_theme": "furo",
    "html_show_sphinx": False,
    "html_show_copyright": False,
    "html_show_sourcelink": False,
    "html_copy_source": False,
    "extensions": ["myst_nb", "pages"],
    "html_math_renderer": "mathml",
    "myst_enable_extensions": ["amsmath", "dollarmath", "html_image"],
    "myst_heading_anchors": 3,
    "nb_execution_mode": "off",
}
# What exporter and theme leave to be wished: no icon that is not there, links and prompts that can
# be seen, names of landmarks, no headings without words, and scrolling by keyboard.
REPAIRS = {
    "</head>": '<link rel="icon" href="data:,"><style>'
    ".jp-RenderedHTMLCommon a:any-link { text-decoration: underline !important } "
    ".jp-InputPrompt, .jp-OutputPrompt { color: #595959 !important; opacity: 1 !important } "
    ".jp-InputArea-editor, body:not([data-theme]) .highlight, body[data-theme=light] .highlight "
    "{ background: white !important } "
    "@media not all and (prefers-color-scheme: dark) "
    "{ body[data-theme=auto] .highlight { background: white !important } }"
    "</style></head>",
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="Pages">',
    '<aside class="toc-drawer': '<aside aria-label="On this page" class="toc-drawer',
    '<th class="head"><p></p></th>': "<td></td>",
    "<th></th>": "<td></td>",
    '<div id="search-results">': '<h1>Search</h1><div id="search-results">',
    "<pre>": '<pre tabindex="0">',
    '<div class="math-wrapper docutils container">': '<div class="math-wrapper" tabindex="0">',
}


def gather(folder: Path) -> list[Path]:
    """Copy the course into a folder, as notebooks that link to each other; returns their paths."""
    shutil.copytree(FOLDER / "pictures", folder / "pictures")
    found = {path.stem: nbformat.read(path, as_version=4) for path in notebooks()}
    for path, name in TEXTS.items():
        text = (FOLDER / path).read_text(encoding="utf-8")
        cells = [nbformat.v4.new_markdown_cell(text)]
        found[name] = nbformat.v4.new_notebook(cells=cells, metadata=found["index"].metadata)
    for name, notebook in found.items():
        for cell in notebook.cells if name not in TEXTS.values() else []:
            for path, other in TEXTS.items():
                cell.source = cell.source.replace(f"]({path}", f"]({other}.ipynb")
        headings = re.findall(r"^# (.+)", notebook.cells[0].source, re.MULTILINE)
        notebook.metadata["title"] = headings[0]
        nbformat.write(notebook, folder / f"{name}.ipynb")
    return sorted(folder.glob("*.ipynb"))


def repair(folder: Path) -> None:
    """Apply `REPAIRS` to all pages."""
    for path in folder.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        for wrong, right in REPAIRS.items():
            text = text.replace(wrong, right)
        path.write_text(text, encoding="utf-8")


def mathml(formula: str, display: bool) -> str:
    """A formula in LaTeX as MathML."""
    return str(convert(formula, display="block" if display else "inline"))


class Renderer(IPythonRenderer):
    """nbconvert's, whose formulas wait for a script from afar."""

    def block_math(self, body: str) -> str:
        """Between $$ and $$."""
        return mathml(body, display=True)

    def inline_math(self, body: str) -> str:
        """Between $ and $."""
        return mathml(body, display=False)

    def latex_environment(self, name: str, body: str) -> str:
        """Such as an align outside of any dollars."""
        return mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", display=True)


def as_on_github(anchor: re.Match[str]) -> str:
    """A heading's anchor as texts name it: nbconvert keeps capitals and stops."""
    return anchor[1] + re.sub(r"[^\w-]", "", anchor[2].lower())


def write_html(folder: Path) -> None:
    """Write each page as a file of its own; links lead to the other pages."""
    nbconvert.exporters.html.IPythonRenderer = Renderer  # type: ignore[misc]
    afar = {name: "" for name in HTMLExporter.class_trait_names() if name.endswith("_url")}
    exporter = HTMLExporter(embed_images=True, **afar)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as copy:
        for path in gather(Path(copy)):
            body, _ = exporter.from_filename(str(path), {"metadata": {"path": copy}})
            body = re.sub(r'href="([\w./-]+)\.ipynb', r'href="\1.html', body)
            body = re.sub(r'(<h\d id="|href="#)([^"]+)', as_on_github, body)
            (folder / f"{path.stem}.html").write_text(body, encoding="utf-8")


def write_site(folder: Path) -> None:
    """Write the site; raises what Sphinx does for a link that leads nowhere."""
    with tempfile.TemporaryDirectory() as copy, tempfile.TemporaryDirectory() as scratch:
        names = [path.stem for path in gather(Path(copy))]
        index = nbformat.read(Path(copy) / "index.ipynb", as_version=4)
        parts = [name for name in names if name not in ("index", *TEXTS.values())]
        toctree = ["```{toctree}", ":hidden:", "", *parts, *TEXTS.values(), "```"]
        index.cells.append(nbformat.v4.new_markdown_cell("\n".join(toctree)))
        nbformat.write(index, Path(copy) / "index.ipynb")
        settings: dict[str, Any] = SETTINGS
        Sphinx(
            copy,
            None,
            folder,
            scratch,
            "html",
            confoverrides=settings,
            status=None,
            warningiserror=True,
        ).build()


def setup(app: Sphinx) -> None:
    """As an extension of Sphinx: formulas by `mathml`."""

    def write(display: bool) -> Any:
        def visit(translator: Any, node: Any) -> None:
            translator.body.append(mathml(node.astext(), display))
            raise SkipNode

        return visit

    app.add_html_math_renderer("mathml", (write(False), None), (write(True), None))


def main() -> None:
    """Parse the arguments and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("form", choices=["html", "site"])
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    (write_html if args.form == "html" else write_site)(args.folder)
    repair(args.folder)
    print(args.folder / "index.html")


if __name__ == "__main__":
    main()
