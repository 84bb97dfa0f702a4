"""What keeps a GPU busy: work recorded as CUDA graphs, and numbers that are read late."""

from collections.abc import Callable
from typing import Generic, TypeVar, cast

import torch
from torch import Tensor

from nst.devices import side_stream

Found = TypeVar("Found")


class Recorded(Generic[Found]):
    """Work on a GPU that is recorded as a CUDA graph when it is done for the second time.

    Played back, its few hundred kernels start without Python, which for small pictures takes longer
    than they do. The work takes no arguments, decides nothing by the values of tensors, and keeps
    what it changes in place. What it returns lies in the graph's own memory: the next call
    overwrites it. That memory is freed with the object.
    """

    def __init__(self, work: Callable[[], Found]):
        self.work = work
        self.prepared, self.possible = False, True
        self.graph: torch.cuda.CUDAGraph | None = None
        self.found: Found | None = None

    def __call__(self) -> Found:
        """Do the work once more, without waiting for it."""
        if not self.prepared:
            self.prepared = True
            torch.cuda.empty_cache()  # which holds what one stream took, and serves no other
            return aside(self.work)
        if self.graph is None and self.possible:
            self.record()
        if self.graph is None:
            return self.work()
        self.graph.replay()
        return cast(Found, self.found)

    def record(self) -> None:
        """Record the work, which does not do it; where that cannot be, it is done as it is."""
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=recording_stream()):
                self.found = self.work()
        except Exception:  # such as too little memory for what the graph keeps to itself
            self.possible, self.found = False, None
            torch.cuda.empty_cache()
        else:
            self.graph = graph


def aside(work: Callable[[], Found]) -> Found:
    """Do the work on another stream than the current one, which waits for it.

    Libraries set themselves up at first use, which must not be recorded; PyTorch asks for another
    stream than the default for it.
    """
    main, side = torch.cuda.current_stream(), recording_stream()
    side.wait_stream(main)
    with torch.cuda.stream(side):
        found = work()
    main.wait_stream(side)
    return found


def recording_stream() -> torch.cuda.Stream:
    """The current GPU's, for all recordings."""
    return side_stream(torch.cuda.current_device(), "recording")


class Reading:
    """Numbers on their way from the device; a GPU goes on working meanwhile."""

    def __init__(self, numbers: Tensor):
        self.late = numbers.is_cuda  # other devices have no event to wait for
        self.numbers = numbers.to("cpu", non_blocking=self.late)  # into pinned memory
        self.arrival = torch.cuda.Event() if self.late else None
        if self.arrival:
            self.arrival.record()

    def read(self) -> list[float]:
        """The numbers, as soon as they are there."""
        if self.arrival:
            self.arrival.synchronize()
        return self.numbers.tolist()
