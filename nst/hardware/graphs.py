"""What keeps a GPU busy: evaluations recorded as CUDA graphs, and numbers that are read late."""

import torch
from torch import Tensor

from nst.objective import Objective


class Graph:
    """An objective whose evaluation is recorded as a CUDA graph, once for each shape.

    Played back, its few hundred kernels start without Python, which for small pictures takes longer
    than they do. The terms and the gradient lie in the graph's own memory: the next evaluation
    overwrites them. That memory is freed with the object.
    """

    def __init__(self, objective: Objective):
        self.objective = objective
        self.recordings: dict[torch.Size, Recording] = {}

    def loss_and_gradient(self, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """As `Objective.loss_and_gradient`."""
        if image.shape not in self.recordings:
            self.recordings[image.shape] = Recording(self.objective, image)
        return self.recordings[image.shape].play(image)


class Recording:
    """The graph of one shape, with the picture that it reads and the numbers that it writes."""

    def __init__(self, objective: Objective, image: Tensor):
        self.image = image.detach().clone()
        # Libraries set themselves up at first use, which must not be recorded; PyTorch asks for
        # another stream than the default for it.
        main, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(main)
        with torch.cuda.stream(side):
            for _ in range(3):
                objective.loss_and_gradient(self.image)
        main.wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.terms, self.gradient = objective.loss_and_gradient(self.image)

    def play(self, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Terms and gradient at `image`, without waiting for them."""
        self.image.copy_(image.detach())
        self.graph.replay()
        return self.terms, self.gradient


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
