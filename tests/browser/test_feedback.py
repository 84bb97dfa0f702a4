"""The grader's pages in a browser: whatever students write, nothing runs and nothing is loaded."""

import nbformat
import pytest

pytest.importorskip("nbgrader")
from nst_grading.marks.manual import criteria
from nst_grading.marks.tables import Table
from nst_grading.pages import Task, write
from nst_grading.report import Report

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5E"
    "rkJggg=="
)
HOSTILE = [
    "<img src=x onerror=hit()>",
    "\"><script>hit()</script><b x='",
    "'><svg onload=hit()>",
    "[click](javascript:hit())",
    "![x](http://127.0.0.1:9/x.png)",
    "<a href='javascript:hit()' id=hit>x</a>",
    "</pre></div><iframe srcdoc='<script>parent.hit()</script>'></iframe>",
    "<style>@import 'http://127.0.0.1:9/x.css';body{display:none}</style>",
    "<link rel=stylesheet href=http://127.0.0.1:9/x.css><base href=http://127.0.0.1:9/>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
    "<form action=http://127.0.0.1:9/><button autofocus onfocus=hit()>x</button></form>",
    "`` ` ``<details open ontoggle=hit()>x",
    "$<img src=x onerror=hit()>$ \\(<img src=x onerror=hit()>\\)",
    "https://127.0.0.1:9/auto <http://127.0.0.1:9/angle>",
    "[x]: javascript:hit()\n\n[x] | [x][x]",
    "<!--><img src=x onerror=hit()>-->",
    "&lt;script&gt;hit()&lt;/script&gt; \x00\x1b[31m\u202e",
    ">" * 3000 + "deep",
    '=HYPERLINK("http://127.0.0.1:9/")',
]
SECRETS = "three pictures", "HIDDEN TESTS", "MARK SCHEME", "a point for nothing"


def hostile_notebook(text):
    """An executed notebook in which everything a student can set is `text`."""
    code = nbformat.v4.new_code_cell(text)
    bundle = {"text/html": text, "text/plain": text, "image/svg+xml": text, "text/markdown": text}
    bundle |= {"application/javascript": "hit()", "text/latex": text}
    picture = {"image/png": PIXEL, "text/plain": text}
    sizes = {"image/png": {"width": f'1" onload="hit()" x="{text}', "height": text, "alt": text}}
    code.outputs = [
        nbformat.v4.new_output("display_data", bundle, metadata={"a": text}),
        nbformat.v4.new_output("display_data", picture, metadata=sizes),
        nbformat.v4.new_output("display_data", {"image/png": f'x" onerror="hit()" {text}'}),
        nbformat.v4.new_output("stream", name="stdout", text=text),
        nbformat.v4.new_output("error", ename=text, evalue=text, traceback=[text]),
    ]
    code.metadata.update(mine=text)
    test = nbformat.v4.new_code_cell(
        "### BEGIN HIDDEN TESTS\nassert 'three pictures'\n### END HIDDEN TESTS"
    )
    data = {"schema_version": 3, "grade": True, "solution": False, "locked": True, "task": False}
    test.metadata["nbgrader"] = data | {"grade_id": "part", "points": 2}
    words = nbformat.v4.new_markdown_cell(text, attachments={text: {"image/svg+xml": text}})
    words.metadata["nbgrader"] = data | {"grade_id": "words", "points": 1, "locked": False}
    words.metadata["nbgrader"]["solution"] = True
    cells = [code, nbformat.v4.new_markdown_cell(text), nbformat.v4.new_raw_cell(text), test, words]
    return nbformat.v4.new_notebook(cells=cells, metadata={"title": text, "authors": [text]})


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """All pages about a class of hostile students."""
    folder = tmp_path_factory.mktemp("class")
    source = folder / "set" / "set.ipynb"
    source.parent.mkdir()
    scheme = "=== BEGIN MARK SCHEME ===\n1 point: a point for nothing\n=== END MARK SCHEME ==="
    model = hostile_notebook("x = 1")
    model.cells[-1].source += scheme
    nbformat.write(model, source)
    reports = {}
    for text in HOSTILE:
        student = text
        report = Report(student, {"part": 0.0, "words": None}, {"part": 2.0, "words": 1.0})
        report.messages, report.remarks = {"part": text}, [text]
        report.comments, report.late = {"part": [text]}, text
        report.notebook = hostile_notebook(text)
        report.notebook.cells[0].metadata.update(collapsed=text, name=text, tags=text)
        reports[student] = report
    reports["refused"] = Report("refused").refuse(" ".join(HOSTILE))
    exercises, schemes = criteria(source)
    write(reports, Task(source, folder / "out", exercises, schemes), Table(["student"]))
    return sorted((folder / "out").rglob("*.html"))


def test_nothing_runs_nothing_is_loaded_and_no_link_is_live(chromium, pages, shot):
    assert len(pages) == len(HOSTILE) + 1 + 3
    context = chromium.new_context()
    asked, said = [], []
    context.on("request", lambda request: asked.append(request.url))
    context.add_init_script(
        "window.hits = 0; window.hit = () => window.hits++; window.refused = [];"
        "document.addEventListener('securitypolicyviolation', e => refused.push(e.blockedURI));"
    )
    for path in pages:
        page = context.new_page()
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("console", lambda message: said.append(message.text))
        page.goto(path.as_uri())
        page.wait_for_timeout(100)
        assert page.evaluate("window.hits") == 0, path
        assert page.evaluate("window.refused") == [], f"{path}: the policy had to step in"
        names = page.evaluate(
            "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes])"
            ".map(a => a.name + '=' + a.value.slice(0, 11))"
        )
        allowed = ("alt=", "src=data:image/", "class=out", "class=test", "class=pairs", "lang=en")
        head = ("charset=", "http-equiv=Content-Sec", "content=", "name=referrer", "name=viewport")
        assert not [name for name in names if not name.startswith((*allowed, *head))], path
        kinds = set(page.evaluate("[...document.querySelectorAll('*')].map(e => e.localName)"))
        assert not kinds & {"script", "a", "iframe", "form", "svg", "link", "base", "object"}, path
        text = path.read_text(encoding="utf-8")
        secrets = SECRETS[:3] if path.name == "answers.html" else SECRETS
        assert not [secret for secret in secrets if secret in text], path
        page.close()
    assert {url for url in asked if not url.startswith(("file:", "data:"))} == set()
    assert said == []
    page = context.new_page()
    page.goto(next(p for p in pages if p.name == "summary.html").as_uri())
    assert HOSTILE[0] in page.inner_text("body") and HOSTILE[3] in page.inner_text("body")
    shot(page, "summary")
    context.close()


def test_the_policy_would_stop_what_escaping_had_missed(chromium, pages):
    context = chromium.new_context()
    page = context.new_page()
    page.add_init_script("window.hits = 0; window.hit = () => window.hits++")
    page.goto(pages[0].as_uri())
    page.evaluate(
        "document.body.innerHTML += '<img src=x onerror=hit()>"
        '<a id=link href="javascript:hit()">x</a>\''
    )
    page.click("#link")
    page.wait_for_timeout(300)
    assert page.evaluate("window.hits") == 0
    context.close()
