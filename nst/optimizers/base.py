"""What the three optimisers have from torch."""

from inspect import unwrap

import torch


class Optimizer(torch.optim.Optimizer):
    """Torch's optimiser; its wrapped methods load torch's compiler first, which takes seconds."""

    add_param_group = unwrap(torch.optim.Optimizer.add_param_group)
    state_dict = unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = unwrap(torch.optim.Optimizer.load_state_dict)
    zero_grad = unwrap(torch.optim.Optimizer.zero_grad)
