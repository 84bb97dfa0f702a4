"""Small pictures and networks for all tests; everything runs offline, on the CPU.

Torch is imported where it is used: the process that shares out the tests starts without it.
"""

import gc
import itertools
import os
import sys
from importlib.util import find_spec

# Before torch is loaded, and for all processes that tests start: one core is theirs.
os.environ["OMP_NUM_THREADS"] = os.environ["LOKY_MAX_CPU_COUNT"] = "1"
# Where no compiled files are kept, each of these processes would compile the package anew.
os.environ["PYTHONDONTWRITEBYTECODE"] = ""

import pytest
from xdist.scheduler import LoadScopeScheduling

# The engine's tests run where only that is installed; what these need more is named here.
NEED_MORE = {
    "browser": "nbformat",
    "grading": "nbgrader",
    "grids/test_pools.py": "loky",
    "test_assignments.py": "nbformat",
    "test_corpus.py": "imagecodecs",
    "test_distill.py": "pytorch_optimizer",
    "test_environment.py": "rattler",
    "test_notebooks.py": "nbformat",
    "test_readme.py": "ipywidgets",
    "test_serve.py": "nbformat",
    "test_texts.py": "nbformat",
    "widgets": "ipywidgets",
}
collect_ignore = [path for path, module in NEED_MORE.items() if find_spec(module) is None]
sys.dont_write_bytecode = False
# nbformat brings jsonschema, which builds the grammar of web addresses, a second in each process.
sys.modules.setdefault("rfc3987_syntax", None)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is imported stays: looking through all of it for garbage took a sixth of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000)  # new objects, after which it looks: tests make many that stay
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """A GPU computes the same, but not to the last digits: only tests made for it see it.

    Nor do the fixtures of a module or of all tests, which no fixture of a single test precedes.
    """
    import torch

    with pytest.MonkeyPatch.context() as patch:
        if not item.get_closest_marker("needs_gpu"):
            patch.setattr(torch.cuda, "is_available", lambda: False)
            patch.setenv("CUDA_VISIBLE_DEVICES", "")  # for processes that a test starts
        return (yield)


@pytest.fixture(autouse=True)
def _one_thread_and_no_downloads(monkeypatch, tmp_path_factory):
    """Pictures this small gain nothing from threads; a download in a test is a mistake."""
    import torch

    torch.set_num_threads(1)
    # Not made: to number a new folder, pytest looks through all that there are.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path_factory.getbasetemp() / f"torch{next(NUMBERS)}"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Long tests first, so that both processes end together; none on a GPU where there is none."""
    import torch

    has_gpu = torch.cuda.is_available()
    wanting = [item for item in items if item.get_closest_marker("needs_gpu")]
    if has_gpu and wanting:
        torch.cuda.init()  # before a test hides it
    for item in [] if has_gpu else wanting:
        item.add_marker(pytest.mark.skip(reason="needs an NVIDIA GPU"))
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


# What shares costly work, by how its ids begin: a fixture, or the process that others come from.
TOGETHER = (
    (  # of tests/server.py or the grader's own, which takes five seconds to start
        "tests/test_notebooks.py",
        *(f"tests/grading/test_{name}.py" for name in ("grading", "reading_handins", "runs")),
        "tests/test_assignments.py::test_a_right_and_a_wrong",
        "tests/grids/test_pools.py::test_a_dask_cluster",
        "tests/widgets/test_widgets_explorers.py::test_interrupting_the_kernel",
    ),
    ("tests/test_serve.py",),
    ("tests/test_corpus.py",),
    ("tests/test_texts.py",),
    ("tests/test_environment.py::test_importing",),
    ("tests/control/test_control.py",),
)


class Scheduling(LoadScopeScheduling):
    """Tests one by one to whichever process is free; those that share costly work in one go."""

    def _split_scope(self, nodeid):
        return next((group[0] for group in TOGETHER if nodeid.startswith(group)), nodeid)

    def mark_test_complete(self, node, item_index, duration=0):
        """Forget what is done: all that is known is counted after each test."""
        scope = self._split_scope(self.registered_collections[node][item_index])
        super().mark_test_complete(node, item_index, duration)
        if all(self.assigned_work[node][scope].values()):
            del self.assigned_work[node][scope]


def pytest_xdist_make_scheduler(config, log):
    """Called where there is more than one process."""
    return Scheduling(config, log)


NUMBERS = itertools.count()


@pytest.fixture(scope="session", autouse=True)
def download():
    """Torch's own download, kept before the first test is refused it."""
    import torch

    return torch.hub.download_url_to_file


def refuse(*_args, **_options):
    raise AssertionError("a test tried to download")


@pytest.fixture(scope="session")
def quarter():
    import nst

    return nst.load_network("vgg19_quarter")


@pytest.fixture
def picture():
    """A seeded picture (1, 3, 40, 56) with structure at several scales."""
    import torch

    generator = torch.Generator().manual_seed(1)
    grids = [torch.rand(1, 3, n, n, generator=generator) for n in (3, 9, 27)]
    octaves = [torch.nn.functional.interpolate(g, (40, 56), mode="bilinear") for g in grids]
    return torch.stack(octaves).mean(0).contiguous()


@pytest.fixture
def other():
    """A seeded picture of another size, (1, 3, 44, 36)."""
    import torch

    return torch.rand(1, 3, 44, 36, generator=torch.Generator().manual_seed(2))
