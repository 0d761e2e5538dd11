"""chainrule/inspection/plots.py"""

import numpy as np
import pytest
from matplotlib.figure import Figure

from chainrule.errors import DataError, OptionError, ShapeError
from chainrule.inspection.plots import MOST_AVERAGES, plot_averages

NOTES = [10, 12, 14, 16, 18]


@pytest.fixture
def drawn(monkeypatch):
    """Return the lines of a plot by their labels."""
    figures, write = [], Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: (figures.append(self), write(self, *a, **k))[1]
    )

    def drawn(*args, **settings):
        assert plot_averages(*args, **settings).startswith(b"\x89PNG")
        (axes,) = figures[-1].axes
        return axes, {line.get_label(): line for line in axes.lines}

    return drawn


def test_the_series_and_its_averages(drawn):
    axes, lines = drawn(NOTES, [0.5, 0.9], title="five", name="warm")
    assert list(lines) == [
        *("warm", "β = 0.5", "β = 0.5, corrected", "β = 0.9", "β = 0.9, corrected"),
    ]
    assert lines["warm"].get_ydata().tolist() == NOTES
    assert lines["β = 0.5"].get_ydata().tolist() == [5, 8.5, 11.25, 13.625, 15.8125]
    assert lines["β = 0.5, corrected"].get_ydata()[0] == 10
    assert lines["β = 0.5"].get_xdata().tolist() == [1, 2, 3, 4, 5]
    assert (axes.get_title("left"), axes.get_ylabel()) == ("five", "warm")
    assert all(tick == round(tick) for tick in axes.get_xticks())


def test_one_colour_for_a_beta_and_dashes_where_it_starts_at_zero(drawn):
    _, lines = drawn(NOTES, [0.5, 0.9])
    plain, corrected = lines["β = 0.5"], lines["β = 0.5, corrected"]
    assert plain.get_color() == corrected.get_color() != lines["β = 0.9"].get_color()
    assert (plain.get_linestyle(), corrected.get_linestyle()) == ("--", "-")


def test_without_correction(drawn):
    _, lines = drawn(NOTES, [0.5], correction=False)
    assert list(lines) == ["value", "β = 0.5"]
    assert lines["β = 0.5"].get_linestyle() == "-"


def test_a_long_series_is_a_line_and_one_value_is_seen(drawn):
    _, lines = drawn(np.arange(MOST_AVERAGES + 1), [0.9])
    assert lines["value"].get_marker() == "None"
    _, lines = drawn([3.0], [0.9])
    assert lines["β = 0.9, corrected"].get_marker() == "o"


def test_many_betas_and_a_repeated_beta(drawn):
    _, lines = drawn(NOTES, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.7], correction=False)
    assert len(lines) == 8


# Words


def test_a_series_that_cannot_be_drawn_is_refused():
    with pytest.raises(ShapeError) as error:
        plot_averages(np.ones((5, 2)))
    assert (
        str(error.value)
        == "values: expected one series (n,); got (5, 2).\nTry one column of the array."
    )
    with pytest.raises(DataError, match="expected a finite number"):
        plot_averages([1, np.nan])
    with pytest.raises(OptionError, match="below 1; got 1"):
        plot_averages(NOTES, [1.0])
