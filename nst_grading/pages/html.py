"""Pages that run nothing and load nothing, whatever students have written.

All text is escaped. Markdown of students is rendered, and then only the tags below are left of it:
no links, no styles, no pictures but those that are in the page. Besides, each page forbids the
browser scripts, forms and every address by a Content-Security-Policy.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from functools import lru_cache
from typing import Any

STYLE = """
body{max-width:60em;margin:2em auto;padding:0 1em;font:16px/1.5 sans-serif}
body{color:#111;background:#fff}
table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.3em .8em;text-align:left}
td{overflow-wrap:anywhere;vertical-align:top}
pre{background:#f5f5f5;padding:.6em .8em;white-space:pre-wrap;overflow-wrap:anywhere}
pre.out{background:none;border-left:3px solid #bbb}
.test{border:1px solid #888;padding:0 1em;margin:1em 0}.pairs td{width:50%}
img{max-width:100%}
"""
POLICY = (
    "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'"
)
TAGS = {
    *("blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img"),
    *("li", "ol", "p", "pre", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr"),
    "ul",
}
ANCHOR = re.compile(r'<a class="anchor-link"[^>]*>[^<]*</a>')  # beside each heading
LONGEST = 50_000  # characters of Markdown; beyond, its source is shown
PICTURE = re.compile(r"data:image/(png|jpeg|gif);base64,[A-Za-z0-9+/=\s]+")
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def page(title: str, body: str) -> str:
    """A page; the body is HTML that this module has made, the title is text."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="referrer" content="no-referrer">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head>"
        f"<body>\n{body}\n</body></html>\n"
    )


def text(value: object) -> str:
    """Any text as HTML that shows it, in an element or in an attribute."""
    return html.escape(CONTROLS.sub("\N{REPLACEMENT CHARACTER}", str(value)))


def name(value: str) -> str:
    """A student's name; its direction of writing does not spread to what follows."""
    return f"<bdi>{text(value)}</bdi>"


def table(header: list[str], rows: list[list[str]]) -> str:
    """A table; the cells are HTML already."""
    head = "".join(f"<th>{cell}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>\n" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"


@lru_cache(10_000)  # most of a class's cells are the problem set's own
def markdown(source: str) -> str:
    """A student's Markdown, rendered as far as it is harmless."""
    if len(source) > LONGEST:
        return f"<pre>{text(source)}</pre>"
    import bleach
    from nbconvert.filters import markdown2html

    try:
        made: Any = ANCHOR.sub("", markdown2html(CONTROLS.sub("", source)))
        return str(bleach.clean(made, TAGS, {"img": harmless}, {"data"}, strip=True))
    except Exception:  # such as RecursionError in what is nested too deep
        return f"<pre>{text(source)}</pre>"


def harmless(_tag: str, attribute: str, value: str) -> bool:
    """Which attributes of pictures stay."""
    return attribute == "alt" or (attribute == "src" and bool(PICTURE.fullmatch(value)))


def literal(value: str) -> str:
    """Any text as Markdown that shows it."""
    line = " ".join(CONTROLS.sub("", value).split())
    return re.sub(r"([\\`*_{}\[\]<>#|$~&!])", r"\\\1", line)
