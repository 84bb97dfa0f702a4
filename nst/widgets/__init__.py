"""Interactive views, for JupyterLab and Voilà: `from nst import widgets`.

Not imported by `import nst`, since it loads ipywidgets. A view is an `ipywidgets.VBox` that takes
plain arguments: a notebook shows one with one line, as the last of a cell. Closing it
(`view.close()`, or its output in the notebook) stops its work.
"""

from nst.widgets.activations import ActivationExplorer
from nst.widgets.common import View
from nst.widgets.controls import Limits
from nst.widgets.gram import GramExplorer
from nst.widgets.picture import Picture
from nst.widgets.strip import TradeOffStrip
from nst.widgets.studio import TransferStudio
from nst.widgets.vote import BlindVote
from nst.widgets.work import Work

__all__ = [
    "ActivationExplorer",
    "BlindVote",
    "GramExplorer",
    "Limits",
    "Picture",
    "TradeOffStrip",
    "TransferStudio",
    "View",
    "Work",
]
