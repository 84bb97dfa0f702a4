"""A run's share of the cores: of a model of a machine, and as a run takes it."""

from types import SimpleNamespace

import psutil
import pytest
import torch

import nst
from nst.hardware import cores


def used(runs, machine):
    """Cores that each program gets: all threads alike, of a machine that shares fairly."""
    return [threads * min(1, machine / sum(runs)) for threads in runs]


@pytest.mark.parametrize("machine", [2, 3, 4, 8, 16, 64])
@pytest.mark.parametrize("number", [1, 2, 3, 5, 8])
def test_runs_soon_have_as_many_threads_as_there_are_cores(machine, number):
    """Each begins with all cores, and one after the other they look at what the others use."""
    runs = [machine] * number
    for look in range(10 * number):
        shares, one = used(runs, machine), look % number
        runs[one] = cores.share(machine, machine, sum(shares) - shares[one])
    assert sum(runs) <= max(machine + number / 2, number)  # each may round up by half a core
    assert sum(runs) >= machine - number / 2
    assert cores.share(machine, machine, 0) == machine  # once the others have ended


@pytest.mark.parametrize(
    ("most", "machine", "others", "threads"),
    [(2, 2, 0.4, 2), (2, 2, 1, 1), (2, 2, 2, 1), (4, 16, 8, 4), (16, 16, 3.2, 13), (1, 8, 0, 1)],
)  # fmt: skip
def test_share(most, machine, others, threads):
    assert cores.share(most, machine, others) == threads


class Machine:
    """Two cores, of which others use `busy`, and a clock that a step moves by a second."""

    def __init__(self, monkeypatch):
        self.now = self.own = self.others = self.busy = 0.0
        clock = SimpleNamespace(perf_counter=lambda: self.now, process_time=lambda: self.own)
        monkeypatch.setattr(cores, "time", clock)
        monkeypatch.setattr(cores, "own_cores", lambda: [0, 2])
        monkeypatch.setattr(psutil, "cpu_times", self.cpu_times)
        torch.set_num_threads(2)

    def cpu_times(self, percpu):
        assert percpu
        half = (self.others + self.own) / 2
        mine = SimpleNamespace(user=half / 2, system=half / 4, nice=half / 4, idle=99.0)
        return [mine, SimpleNamespace(user=1e3 * self.now, system=0.0, idle=0.0), mine]

    def pass_by(self, seconds=1.0):
        self.now += seconds
        self.others += self.busy * seconds
        self.own += min(torch.get_num_threads(), 2 - self.busy) * seconds


def test_threads_follow_the_others_and_are_put_back(monkeypatch):
    machine, seen = Machine(monkeypatch), []
    with pytest.raises(KeyError), cores.shared_cores() as take_share:
        for busy in (0.0, 1.0, 1.0, 0.0, 2.0):
            machine.busy = busy
            machine.pass_by()
            take_share()
            seen.append(torch.get_num_threads())
        raise KeyError
    assert seen == [2, 1, 1, 2, 1]
    assert torch.get_num_threads() == 2


def test_looks_are_seldom(monkeypatch):
    machine = Machine(monkeypatch)
    with cores.shared_cores() as take_share:
        machine.busy = 1.0
        machine.pass_by(cores.WINDOW / 2)
        monkeypatch.setattr(psutil, "cpu_times", None)  # not asked
        take_share()
    assert torch.get_num_threads() == 2


def test_a_caller_who_set_one_thread_keeps_it(monkeypatch):
    machine = Machine(monkeypatch)
    torch.set_num_threads(1)
    with cores.shared_cores() as take_share:
        machine.pass_by()
        take_share()
        assert torch.get_num_threads() == 1


@pytest.mark.parametrize("error", [PermissionError, FileNotFoundError, NotImplementedError])
def test_where_the_system_does_not_tell_threads_stay(monkeypatch, error):
    def refuse(percpu):
        raise error

    machine = Machine(monkeypatch)
    monkeypatch.setattr(psutil, "cpu_times", refuse)
    with cores.shared_cores() as take_share:
        machine.pass_by()
        take_share()
        assert torch.get_num_threads() == 2


def test_where_cores_are_numbered_otherwise_threads_stay(monkeypatch):
    """A container may list two cores, of a machine whose numbers its processes keep."""
    machine = Machine(monkeypatch)
    monkeypatch.setattr(cores, "own_cores", lambda: [1, 3])
    with cores.shared_cores() as take_share:
        machine.busy = 2.0
        machine.pass_by()
        take_share()
        assert torch.get_num_threads() == 2


def test_a_run_takes_its_share(monkeypatch, picture, other):
    machine, seen = Machine(monkeypatch), []
    machine.busy = 1.0

    def watch(step):
        machine.pass_by()
        seen.append(torch.get_num_threads())

    nst.style_transfer(picture, other, sizes=40, num_steps=3, progress=False, callback=watch)
    assert seen == [2, 1, 1, 1]
    assert torch.get_num_threads() == 2


def test_others_use_no_more_than_all_together():
    """On the machine at hand, by the system's own count of what was not idle."""
    found = cores.used_by_others()
    assert 0 <= found <= sum(sum(times) - times.idle for times in psutil.cpu_times(percpu=True))
    assert cores.own_cores() == sorted(set(cores.own_cores()))
