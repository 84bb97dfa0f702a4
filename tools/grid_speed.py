"""How much faster two workers are than one: python tools/grid_speed.py [repeats] [steps]."""

import statistics
import sys
import time

from nst import grid
from nst.pools import process_pool


def grid_speed(repeats: int = 5, steps: int = 60, size: int = 256) -> dict[str, float]:
    """Median seconds of a grid of eight runs by one worker and by two, and their ratio.

    Every worker has one thread. The two are taken in turn, and the time in which a worker starts
    (it loads torch) counts.
    """
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(repeats):
        for workers in seconds:
            began = time.perf_counter()
            with process_pool(workers, threads=1) as pool:
                experiment = grid(
                    content="astronaut",
                    style=["starry", "waves"],
                    content_weight=[0.5, 1.0, 2.0, 4.0],
                    sizes=size,
                    num_steps=steps,
                    executor=pool,
                    device="cpu",
                )
            seconds[workers].append(time.perf_counter() - began)
            print(f"{workers} workers: {seconds[workers][-1]:.1f} s", file=sys.stderr)
            assert all(cell.picture for cell in experiment.cells), experiment
    ratios = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
    medians = {f"workers_{n}": statistics.median(times) for n, times in seconds.items()}
    return medians | {"ratio": statistics.median(ratios)}


if __name__ == "__main__":
    for name, value in grid_speed(*map(int, sys.argv[1:])).items():
        print(f"{name:12}{value:8.2f}")
