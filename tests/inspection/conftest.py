"""Fixtures that give tests the figure of a plot."""

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def figure_of(monkeypatch):
    """Return the figure that a plot function was about to write."""
    figures, write = [], Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: (figures.append(self), write(self, *a, **k))[1]
    )

    def figure_of(picture, *args, **settings):
        assert picture(*args, **settings).startswith(b"\x89PNG")
        return figures[-1]

    return figure_of
