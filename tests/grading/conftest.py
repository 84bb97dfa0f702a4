"""The problem set of the grader's tests, and a judge with a process that answers it."""

import pytest


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """The source of a tiny problem set."""
    import tiny_set

    return tiny_set.make(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def judge():
    """A judge with another process that answers it."""
    import answering

    with answering.judging() as made:
        yield made


@pytest.fixture
def asked(judge):
    """The other process's functions, for one test."""
    import answering

    return answering.asked_of(judge)
