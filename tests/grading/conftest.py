"""The problem set of the grader's tests."""

import pytest


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """The source of a tiny problem set."""
    import tiny_set

    return tiny_set.make(tmp_path_factory.mktemp("sources"))
