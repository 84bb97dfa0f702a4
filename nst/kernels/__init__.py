"""What a GPU does faster with kernels of its own, each beside the plain PyTorch that it equals.

`layers` holds the network's layers; where there is no NVIDIA GPU, or no Triton, they are PyTorch's
own. `in_triton` holds the kernels that PyTorch has not.
"""
