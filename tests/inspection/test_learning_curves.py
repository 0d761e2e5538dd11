"""chainrule/inspection/run_plots.py"""

import numpy as np
import pytest

from chainrule.inspection.run_plots import plot_learning_curves
from chainrule.strategy.learning_curves import LearningCurves, Outlook, Point

AHEAD = Outlook("Twice the data", "40 examples", 0.1, 0.07, 0.05, 0.09, 0.03, 0.01, 0.05, "yes")
SIZES = tuple(Point(str(n), n, 0.01 * n / 10, 1 / n, 0.5 / n, 2 / n) for n in (5, 10, 20))


@pytest.mark.parametrize("widths", [(), SIZES[:2]])
def test_points_and_the_forecast_for_twice_the_data(figure_of, widths):
    curves = LearningCurves("share", 2, SIZES, AHEAD, widths, None)
    left, *right = figure_of(plot_learning_curves, curves, "a run").axes
    assert len(right) == bool(widths)
    train, dev, ahead = left.lines[:3]
    np.testing.assert_allclose(train.get_ydata(), [0.005, 0.01, 0.02])
    np.testing.assert_allclose(dev.get_ydata(), [0.2, 0.1, 0.05])
    np.testing.assert_allclose(ahead.get_xydata(), [[20, 0.05], [40, 0.07]])
    assert ahead.get_label() == "twice the data: 0.07"
    assert [tick.get_text() for tick in left.get_xticklabels()] == ["5", "10", "20"]
    assert (left.get_ylabel(), left.get_xscale()) == ("error", "log")
