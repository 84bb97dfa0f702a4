"""How many threads a run takes where others use the cores too."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import torch

WINDOW = 0.3  # seconds from one look at the others to the next


@contextmanager
def shared_cores() -> Iterator[Callable[[], None]]:
    """Within it, what it yields is called between two steps: torch gets its share of the cores.

    Threads of which some have no core wait for each other at every layer of a network: on two
    cores, two runs of two threads keep 0.4 of their speed each, and of one thread 0.6. So a run
    takes as many threads as there are cores that no other program uses, at least one, and never
    more than the caller has set. Sums by another number of threads round differently: on a busy
    machine two runs of one seed differ as those of two machines do.
    """
    most = torch.get_num_threads()
    looked, before = time.perf_counter(), used_by_others()

    def take_share() -> None:
        nonlocal looked, before
        passed = time.perf_counter() - looked
        if most > 1 and passed > WINDOW:
            looked, now = looked + passed, used_by_others()
            threads = share(most, len(own_cores()), (now - before) / passed)
            before = now
            if threads != torch.get_num_threads():
                torch.set_num_threads(threads)

    try:
        yield take_share
    finally:
        torch.set_num_threads(most)


def share(most: int, cores: int, others: float) -> int:
    """Threads, at most so many, of a run beside others who keep that many of the cores busy."""
    return min(most, max(1, round(cores - others)))


def used_by_others() -> float:
    """Seconds that other programs have used on this process's cores, since some time or other.

    They do not grow where the system does not tell, or numbers its cores otherwise, as containers
    may.
    """
    try:
        times = psutil.cpu_times(percpu=True)
    except (OSError, RuntimeError):
        return 0.0
    own = own_cores()
    if max(own) >= len(times):
        return 0.0
    busy = sum(t.user + t.system + getattr(t, "nice", 0.0) for t in map(times.__getitem__, own))
    return busy - time.process_time()


def own_cores() -> list[int]:
    """The numbers of the cores on which this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
