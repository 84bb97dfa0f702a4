"""In what precision a part of the work is computed."""

import torch
from torch import Tensor


def rounding(like: Tensor, precision: str) -> torch.autocast:
    """Within it, convolutions and matrix products on that tensor's device use `precision`.

    That is "bfloat16" or "float32". Only what goes forward belongs in it: on the way back each
    operation takes the precision that it had.
    """
    return torch.autocast(like.device.type, torch.bfloat16, enabled=precision == "bfloat16")
