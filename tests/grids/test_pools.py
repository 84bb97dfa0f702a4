"""Executors: processes that die, a Dask cluster that loses a worker, the machine's threads."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager

import loky
import numpy as np
import psutil
import pytest
import server

import nst
from nst.grids import pools
from nst.grids.experiments import grid

# Tasks are Python, and the work `eval`, which a worker has without importing anything.
DIE = "__import__('os')._exit(1)"
DIE_ONCE = "__import__('os').path.exists({0!r}) or (open({0!r}, 'w').close(), " + DIE + ")"


@pytest.fixture
def light(monkeypatch):
    """Processes that do not load torch; returns the sizes of the pools that were asked for."""
    sizes = []

    @contextmanager
    def process_pool(workers, _threads=None):
        sizes.append(workers)
        pool = loky.ProcessPoolExecutor(workers)
        try:
            yield pool
        finally:
            pool.shutdown(kill_workers=True)

    monkeypatch.setattr(pools, "process_pool", process_pool)
    return sizes


def test_results_and_errors_come_back_with_their_numbers(light):
    tasks = ["1 + 1", "1 / 0", "'a' * 3"]
    outcomes = dict(pools.work_off(eval, tasks, "processes:2"))
    assert (outcomes[0], outcomes[2]) == (2, "aaa")
    assert isinstance(outcomes[1], ZeroDivisionError)
    assert light == [2]


def test_a_worker_that_dies_is_replaced(light, tmp_path):
    tasks = ["1", DIE_ONCE.format(str(tmp_path / "dead")), "3", "4"]
    assert dict(pools.work_off(eval, tasks, "processes:2")) == {0: 1, 1: True, 2: 3, 3: 4}
    assert light == [2, 2]


def test_a_cell_that_kills_its_worker_takes_no_other_with_it(light):
    outcomes = dict(pools.work_off(eval, ["1", DIE, "3", "4"], "processes:2"))
    assert isinstance(outcomes.pop(1), BrokenExecutor)
    assert outcomes == {0: 1, 2: 3, 3: 4}
    assert light[:2] == [2, 2]
    assert set(light[2:]) == {1}


def test_whoever_stops_asking_kills_what_runs(light):
    sleep = "__import__('time').sleep(600)"
    outcomes = pools.work_off(eval, ["1", sleep, sleep, sleep], "processes:2")
    assert next(outcomes) == (0, 1)
    began = time.monotonic()
    outcomes.close()
    assert time.monotonic() - began < 300


def test_an_executor_that_breaks_fails_the_cells_that_are_left():
    class Breaking(ThreadPoolExecutor):
        def submit(self, work, task):
            if task == "2":
                raise BrokenExecutor("gone")
            return super().submit(work, task)

    with Breaking(1) as executor:
        outcomes = dict(pools.work_off(eval, ["1", "2"], executor))
    assert outcomes[0] == 1
    assert isinstance(outcomes[1], BrokenExecutor)


def test_cancelled_cells_are_outcomes_too():
    future = Future()
    future.cancel()
    future.set_running_or_notify_cancel()
    assert "Cancelled" in type(pools._outcome(future)).__name__


@pytest.mark.parametrize(
    ("cores", "asked", "tasks", "workers"),
    [(8, None, 3, 3), (8, None, 20, 8), (2, "processes:5", 20, 5), (2, "processes:5", 1, 1)],
)
def test_as_many_workers_as_cores_or_cells(light, monkeypatch, cores, asked, tasks, workers):
    monkeypatch.setattr(pools, "cores", lambda: cores)
    monkeypatch.setattr(pools.torch.cuda, "is_available", lambda: False)
    list(pools.work_off(eval, ["1"] * tasks, asked))
    assert light == [workers]


def test_workers_share_the_cores(monkeypatch):
    asked = []

    class Recorded(ThreadPoolExecutor):
        def __init__(self, workers, env, initargs, **_):
            asked.append((workers, env["OMP_NUM_THREADS"], initargs[0]))
            assert initargs[1:] == (os.getpid(),)
            super().__init__(1)

        def shutdown(self, kill_workers, **options):
            super().shutdown(**options)

    monkeypatch.setattr(loky, "ProcessPoolExecutor", Recorded)
    monkeypatch.setattr(pools, "cores", lambda: 5)
    for workers, threads in ((2, None), (8, None), (2, 1)):
        with pools.process_pool(workers, threads):
            pass
    assert asked == [(2, "2", 2), (8, "1", 1), (2, "1", 1)]


def test_a_real_worker_paints_what_this_process_paints(picture, other):
    settings = {"sizes": 32, "num_steps": 2, "init": "noise"}
    with pools.process_pool(1, 1) as pool:
        experiment = grid(content=picture, style=other, seed=[0, 1], executor=pool, **settings)
        threads = pool.submit(eval, "__import__('torch').get_num_threads()")
        assert threads.result() == 1
        spins = pool.submit(eval, "__import__('os').environ['GOMP_SPINCOUNT']")
        assert spins.result() == os.environ["GOMP_SPINCOUNT"]
    for cell in experiment.cells:
        result = nst.style_transfer(picture, other, seed=cell.settings.seed, **settings)
        assert np.array_equal(cell.picture, nst.postprocess_image(result.image))


def test_dask_is_asked_for_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(nst.SettingsError, match=r"pip install 'nst\[cluster\]'"):
        list(pools.work_off(eval, ["1"], "dask://localhost:1"))


def test_a_scheduler_that_is_not_there(monkeypatch):
    distributed = pytest.importorskip("distributed")

    def refuse(*_args, **_options):
        raise OSError("timed out")

    monkeypatch.setattr(distributed, "Client", refuse)
    with pytest.raises(nst.SettingsError, match="no Dask scheduler answers at localhost:1"):
        list(pools.work_off(eval, ["1"], "dask://localhost:1"))


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_dask_cluster_loses_a_worker_and_completes_the_grid(picture, other, tmp_path):
    distributed = pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    killed = []
    # Three are started, and a fresh one would load torch for two seconds.
    method = "forkserver" if server.running() else "spawn"

    def kill(address, process):
        """Once the other worker has finished a cell: kill the one that is given none to finish."""
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("cells/*.json")) and time.monotonic() < deadline:
            time.sleep(0.02)
        if client.processing()[address]:
            killed.append((address, len(list(tmp_path.glob("cells/*.json")))))
        os.kill(process, signal.SIGKILL)

    with (
        dask.config.set({"distributed.worker.multiprocessing-method": method}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        victim = next(iter(client.run(os.getpid).items()))
        os.kill(victim[1], signal.SIGSTOP)  # or it might finish what it has before it is killed
        killer = threading.Thread(target=kill, args=victim)
        killer.start()
        address = cluster.scheduler_address.replace("tcp://", "dask://")
        experiment = grid(
            content=picture, style=other, seed=range(5), init="noise", sizes=56, num_steps=5,
            folder=tmp_path, executor=address,
        )  # fmt: skip
        killer.join()
        assert killed[0][0] not in client.run(os.getpid)
    assert killed[0][1] < 5
    assert [(cell.reason, cell.error) for cell in experiment.cells] == [("finished", None)] * 5


PARENTS = """
import os, signal, sys, time
from nst.grids import pools
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup ignores, if the tests run under it
for _ in range(3):
    if not os.fork():
        break
else:
    for _ in range(3):
        os.wait()
    sys.exit()
with pools.process_pool(1) as pool:
    print(os.getpid(), pool.submit(eval, "__import__('os').getpid()").result(), flush=True)
    pool.submit(exec, "while True: pass")
    time.sleep(600)
"""


def runs(process):
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_workers_end_with_the_process_that_started_them():
    """And let go of its output, for which `nst … | tee log` waits."""
    signals = (signal.SIGTERM, signal.SIGKILL, signal.SIGHUP)
    command = [sys.executable, "-c", PARENTS]  # three, forked from one that has loaded nst
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    pairs = [map(int, first.stdout.readline().split()) for _ in signals]
    parents, workers = zip(*pairs, strict=True)
    assert all(map(runs, workers))
    for parent, number in zip(parents, signals, strict=True):
        os.kill(parent, number)
    first.communicate(timeout=30)
    deadline = time.monotonic() + 5
    while any(map(runs, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(runs, workers))


@pytest.mark.parametrize("orphaned", [True, False])
def test_a_worker_sees_that_its_parent_has_gone(monkeypatch, orphaned):
    """Also where its number stays that of its parent, as on Windows."""
    parent, ended = subprocess.Popen([sys.executable, "-S", "-c", ""]), []
    parent.wait()
    monkeypatch.setattr(pools.os, "getppid", lambda: 1 if orphaned else parent.pid)
    monkeypatch.setattr(pools.os, "_exit", ended.append)
    pools._end_with(parent.pid)
    assert ended == [1]


def test_a_pool_of_forks_is_refused():
    context = multiprocessing.get_context("fork")
    with (
        ProcessPoolExecutor(1, mp_context=context) as executor,
        pytest.raises(nst.SettingsError, match="forked processes hang"),
    ):
        list(pools.work_off(eval, ["1"], executor))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE])
def test_no_room_for_processes_is_one_sentence(monkeypatch, number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(loky, "ProcessPoolExecutor", refuse)
    with pytest.raises(nst.SettingsError, match="no processes can be started"):
        list(pools.work_off(eval, ["1"], "processes:1"))
