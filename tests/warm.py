"""Kernels that are forked, on Linux, from a process that has loaded what they need; see server."""

import gc
import multiprocessing
import os
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import server
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

ROOT = Path(__file__).parent.parent
OURS = ROOT / "tests", ROOT / "tools"  # which a reader's Python does not find


class Forked:
    """What LocalProvisioner asks of a process."""

    stdin = stdout = stderr = None

    def __init__(self, process):
        self.process, self.pid, self.kill = process, process.pid, process.kill
        self.terminate = process.terminate

    def poll(self):
        return self.process.exitcode

    def wait(self):
        self.process.join()
        return self.process.exitcode

    def send_signal(self, number):
        os.kill(self.pid, number)


class Provisioner(LocalProvisioner):
    """Forks a kernel where Jupyter would start a program."""

    async def launch_kernel(self, cmd, *, cwd=".", env, **_):
        options = cmd[cmd.index("-f") :]
        context = multiprocessing.get_context("forkserver")
        process = context.Process(target=be_a_kernel, args=(options, str(cwd), dict(env)))
        process.start()
        self.process, self.pid = Forked(process), process.pid
        return self.connection_info


def be_a_kernel(options, folder, environment):
    """In the new process."""
    assert "nst" not in sys.modules, "nst is not loaded anew"
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:] = [p for p in sys.path if not any(Path(p).is_relative_to(own) for own in OURS)]
    gc.set_threshold(20_000)
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    app.initialize([*options, f"--IPKernelApp.parent_handle={os.getppid()}"])  # ends with that one
    app.start()


def use(monkeypatch):
    """Let the kernels of this test begin so, where processes may be forked."""
    if not server.running():
        return
    factory, group = KernelProvisionerFactory.instance(), KernelProvisionerFactory.GROUP_NAME
    entry = EntryPoint("warm", f"{__name__}:Provisioner", group)
    monkeypatch.setitem(factory.provisioners, "warm", entry)
    monkeypatch.setattr(factory, "default_provisioner_name", "warm")
