"""The one way by which text becomes part of a page."""

import html


def safe(text: object) -> str:
    """The text as HTML that shows it and does nothing else, between tags and in quoted attributes.

    Whatever did not come from this package's own source goes through here on its way into an
    `ipywidgets.HTML`: names of files, layers and networks, errors, settings.
    """
    # Half a surrogate pair, as in a file's name that is no UTF-8, cannot be sent to a page.
    return html.escape(str(text).encode("utf-8", "replace").decode())
