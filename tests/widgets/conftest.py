"""Views without a browser, where it is not the browser that is tested."""

import ipywidgets
import pytest

OPEN = ipywidgets.Widget.open


@pytest.fixture(autouse=True)
def _nobody_looks(monkeypatch):
    """For a browser that is not there, each view would write down all its parts' states, often."""
    monkeypatch.setattr(ipywidgets.Widget, "open", lambda _: None)


@pytest.fixture
def looked_at(monkeypatch):
    """Views write to a browser, or would if there were one."""
    monkeypatch.setattr(ipywidgets.Widget, "open", OPEN)
