"""A frozen network's layers, each beside the plain PyTorch that it equals.

`layers` holds them: they pass over memory less often, and keep less of it. `in_triton` has the
kernels for a GPU that PyTorch lacks, `in_pytorch` one of them for CPUs, and for a GPU without
Triton.
"""
