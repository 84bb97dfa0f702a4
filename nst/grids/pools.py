"""Where many runs are worked off: processes here, a Dask cluster, or any other executor."""

import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    as_completed,
)
from contextlib import contextmanager
from typing import Any

import psutil
import torch
from tqdm import tqdm

from nst.errors import SettingsError

Work = Callable[[Any], Any]
Outcome = tuple[int, Any]  # a task's number, and what the work returned or why it could not run


def work_off(
    work: Work, tasks: list[Any], executor: Executor | str | None = None
) -> Generator[Outcome, None, None]:
    """Do `work(task)` for every task; yields each one's number and result as they finish.

    Args:
        work: a function of a module; what it raises itself is yielded in the result's place, as
            is what befell its worker.
        tasks: anything that pickles.
        executor: any `concurrent.futures.Executor`, which divides the machine as its maker
            decided; "processes:2"; "dask://scheduler:8786"; None for as many processes as there
            are cores, at most one for each task, or a single one beside a GPU.

    Whoever stops asking ends it: what has not begun is cancelled, processes of ours are killed.

    Raises:
        SettingsError: there is no such executor.
    """
    if isinstance(executor, Executor):
        _check_forks(executor)
        yield from _submit_all(executor, work, dict(enumerate(tasks)))
        return
    kind, _, where = (executor or "processes:").partition(":")
    if kind == "dask" and where.startswith("//"):
        with _dask(where.removeprefix("//")) as cluster:
            yield from _submit_all(cluster, work, dict(enumerate(tasks)))
    elif kind == "processes" and (not where or (where.isdecimal() and int(where) > 0)):
        gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
        workers = int(where) if where else 1 if gpu else cores()
        yield from _in_processes(work, tasks, max(1, min(workers, len(tasks))))
    else:
        raise SettingsError(
            f"an executor is processes:2, dask://scheduler:8786, or one of concurrent.futures; "
            f"not {executor!r}"
        )


def _check_forks(executor: Executor) -> None:
    """Raise a SettingsError for copies of this process, where torch's threads would be missing."""
    context = getattr(executor, "_mp_context", None)
    forks = context is not None and context.get_start_method() == "fork"
    if forks and isinstance(executor, ProcessPoolExecutor):
        raise SettingsError(
            "forked processes hang in torch; give ProcessPoolExecutor(mp_context="
            "multiprocessing.get_context('spawn')), or executor='processes:2'"
        )


def cores() -> int:
    """The processor cores that this process may use."""
    from loky import cpu_count

    return int(cpu_count())


@contextmanager
def process_pool(workers: int, threads: int | None = None) -> Iterator[Executor]:
    """Fresh processes of so many threads each; by default they share all cores.

    Leaving kills them, busy or not. They are loky's, which, unlike the standard library's, need no
    `if __name__ == "__main__"` in the script that starts them.
    """
    from loky import ProcessPoolExecutor as Processes

    threads = threads or max(1, cores() // workers)
    # Libraries read the variable when they are loaded, torch also listens later.
    env = {"OMP_NUM_THREADS": str(threads)}
    begin = {"initializer": _begin, "initargs": (threads, os.getpid()), "env": env}
    try:
        pool = Processes(workers, **begin)
    except OSError as error:  # no room for its locks, or no files left to open
        raise SettingsError(
            f"no processes can be started ({error.strerror}); close what is open, or free /dev/shm"
        ) from error
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, kill_workers=True)


def _begin(threads: int, parent: int) -> None:
    """In a worker: its share of the cores. Ctrl-C is for the process that started it to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    torch.set_num_threads(threads)
    # The lock that bars make by themselves is a semaphore, which a killed process leaves behind.
    tqdm.set_lock(threading.RLock())


def _end_with(parent: int) -> None:
    """End this process soon after the one that started it, however that has ended."""
    # An orphan gets another parent; on Windows, where it does not, its parent's number is no one's.
    while os.getppid() == parent and psutil.pid_exists(parent):
        time.sleep(0.5)
    os._exit(1)


def _in_processes(work: Work, tasks: list[Any], workers: int) -> Iterator[Outcome]:
    """In processes of our own, which are replaced when one dies and takes the pool with it."""
    left = dict(enumerate(tasks))
    for _ in range(2):
        with process_pool(workers) as pool:
            for number, outcome in _submit_all(pool, work, left):
                if not isinstance(outcome, BrokenExecutor):
                    del left[number]
                    yield number, outcome
        if not left:
            return
    # One of these may kill any worker that it meets: alone, it takes no other with it.
    for number, task in left.items():
        with process_pool(1) as pool:
            yield from _submit_all(pool, work, {number: task})


def _submit_all(executor: Executor, work: Work, tasks: Mapping[int, Any]) -> Iterator[Outcome]:
    """Submit every task, and yield the outcomes as they come."""
    numbers = {_submit(executor, work, task): number for number, task in tasks.items()}
    try:
        for future in as_completed(list(numbers)):
            yield numbers.pop(future), _outcome(future)
    finally:
        for future in numbers:
            future.cancel()


def _submit(executor: Executor, work: Work, task: Any) -> Future[Any]:
    """The task's future; one that has failed already if the executor broke meanwhile."""
    try:
        return executor.submit(work, task)
    except BrokenExecutor as error:
        future: Future[Any] = Future()
        future.set_exception(error)
        return future


def _outcome(future: Future[Any]) -> Any:
    """What the future holds: a result, or the exception in its place."""
    try:
        return future.exception() or future.result()
    except CancelledError as error:
        return error


@contextmanager
def _dask(address: str) -> Iterator[Executor]:
    """The executor of the Dask cluster whose scheduler listens at `address` (host:port)."""
    try:
        from distributed import Client
    except ImportError as error:
        raise SettingsError("a Dask cluster needs Dask: pip install 'nst[cluster]'") from error
    try:
        client = Client(f"tcp://{address}", timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"no Dask scheduler answers at {address}; check the address and that it runs"
        ) from error
    with client:
        yield client.get_executor()
