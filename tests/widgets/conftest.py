"""Views that a test has shown are closed after it."""

import ipywidgets
import pytest


@pytest.fixture(autouse=True)
def _closed_afterwards():
    """Jupyter's widgets are kept until they are closed, hundreds of them by each view."""
    yield
    ipywidgets.Widget.close_all()
