"""What a painter controls besides the weights: colours, and which style goes where."""

from nst.control.colours import COLOURS, transfer_colours
from nst.control.masks import load_mask

__all__ = ["COLOURS", "load_mask", "transfer_colours"]
