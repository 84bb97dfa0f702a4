"""A frozen network's layers, each beside the plain PyTorch that it equals.

`layers` holds them: they pass over memory less often, and keep less of it. `in_pytorch` has what
they do otherwise than PyTorch's own, `in_triton` the same max pooling in fewer passes over a GPU's
memory.
"""
