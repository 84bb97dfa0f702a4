"""Submissions whose code is nearly the same, to be looked at by a person; it proves nothing.

Code is cut into tokens; names, numbers and texts count as such, not as what they are, so that
renaming hides nothing, and neither do comments or line breaks. Runs of tokens are compared as in
Schleimer, Wilkerson and Aiken, "Winnowing: local algorithms for document fingerprinting" (2003),
all of them rather than a selection. The fewer students share a run, the more it weighs.
"""

from __future__ import annotations

import io
import itertools
import keyword
import math
import tokenize
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nst_grading.pages.html import name, page, table, text
from nst_grading.report import Report

RUN = 10  # tokens
FEWEST = 40  # runs; shorter code is alike by chance
LEAST = 0.8  # share in common, by weight, from which on a pair is shown
MOST_PAIRS, MOST_SHOWN = 60, 20
SKIPPED = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER}
MODEL = "(the model solution)"


def written(cells: Sequence[Mapping[str, Any]]) -> str:
    """The code that a student writes: in the cells that ask for it."""
    return "\n\n".join(
        cell["source"]
        for cell in cells
        if cell["cell_type"] == "code" and cell["metadata"].get("nbgrader", {}).get("solution")
    )


def runs(code: str) -> set[tuple[str, ...]]:
    """The runs of tokens in a code; of code that does not parse, those before the fault."""
    kinds = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type in SKIPPED:
                continue
            plain = token.type in (tokenize.NAME, tokenize.NUMBER, tokenize.STRING)
            own = plain and not keyword.iskeyword(token.string)
            kinds.append(tokenize.tok_name[token.type] if own else token.string.strip())
    except (tokenize.TokenError, SyntaxError):
        pass
    return {tuple(kinds[i : i + RUN]) for i in range(len(kinds) - RUN + 1)}


def pairs(codes: Mapping[str, str]) -> list[tuple[float, str, str]]:
    """Pairs of students and how much their codes have in common, from 0 to 1, the most first."""
    found = {student: runs(code) for student, code in codes.items()}
    found = {student: own for student, own in found.items() if len(own) >= FEWEST}
    often = Counter(run for own in found.values() for run in own)
    weights = {run: math.log((len(found) + 1) / n) for run, n in often.items()}
    total = {student: sum(weights[run] for run in own) for student, own in found.items()}
    made = []
    for first, second in itertools.combinations(found, 2):
        both = sum(weights[run] for run in found[first] & found[second])
        share = both / (total[first] + total[second] - both)
        if share >= LEAST:
            made.append((share, first, second))
    return sorted(made, reverse=True)[:MOST_PAIRS]


def alike(reports: Mapping[str, Report], model: Sequence[Mapping[str, Any]], title: str) -> str:
    """The page: pairs, and the code of the first ones side by side."""
    notebooks = {student: report.notebook for student, report in reports.items()}
    codes = {s: written(n["cells"]) for s, n in notebooks.items() if n}
    found = pairs(codes | {MODEL: written(model)})
    body = [f"<h1>{text(title)}: nearly the same code</h1>", f"<p>{ABOUT}</p>"]
    rows = [[f"{share:.0%}", name(first), name(second)] for share, first, second in found]
    body.append(table(["in common", "", ""], rows) if rows else "<p>There is none.</p>")
    codes[MODEL] = written(model)
    for _, first, second in found[:MOST_SHOWN]:
        sides = [f"<pre>{text(codes[who])}</pre>" for who in (first, second)]
        body.append(f'<div class="pairs">{table([name(first), name(second)], [sides])}</div>')
    return page(f"{title}: nearly the same code", "\n".join(body))


ABOUT = (
    "Names, numbers, texts and comments are not compared; what few students write weighs more than "
    "what most do. Short exercises have few good answers, so this is a reason to ask, and no proof."
)
