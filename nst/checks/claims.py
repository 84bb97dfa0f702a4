"""Claims: what a text says of results, held against the results of this run."""

from collections.abc import Iterable

KEPT, BROKEN = "✓ as the text says", "✗ not with these settings"
SPEAKS = "the text speaks of the SIZE and the pictures that this notebook came with"


def claim(says: str, holds: object, found: str = "") -> None:
    """Print whether what the text says holds in this run; never raises, so that a notebook goes on.

    `says` is the statement in a few words, `holds` whether it is true here, `found` what was found
    instead, or by which numbers it was judged.
    """
    seen = f"{says}; here {found}" if found else says
    print(f"{KEPT}: {says}" if holds else f"{BROKEN}: {seen} ({SPEAKS})")


def all_ran(wanted: Iterable[str], ran: Iterable[str]) -> bool:
    """Whether all that the text compares was run; if not, prints what is missing.

    For claims about a list that a reader may shorten.
    """
    there = set(ran)
    missing = [name for name in wanted if name not in there]
    if missing:
        print(f"{BROKEN}: the text compares them with {', '.join(missing)}, which was not run")
    return not missing
