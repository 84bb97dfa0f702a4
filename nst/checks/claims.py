"""Claims: what a text says of results, held against the results of this run."""

KEPT, BROKEN = "✓ as the text says", "✗ not with these settings"
SPEAKS = "the text speaks of the SIZE and the pictures that this notebook came with"


def claim(says: str, holds: object, found: str = "") -> None:
    """Print whether what the text says holds in this run; never raises, so that a notebook goes on.

    `says` is the statement in a few words, `holds` whether it is true here, `found` what was found
    instead, or by which numbers it was judged.
    """
    seen = f"{says}; here {found}" if found else says
    print(f"{KEPT}: {says}" if holds else f"{BROKEN}: {seen} ({SPEAKS})")
