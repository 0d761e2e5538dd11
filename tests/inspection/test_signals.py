"""chainrule/inspection/run_plots.py: the health of the signal as a plot and as a table."""

from unittest.mock import Mock

from chainrule.inspection.run_plots import _set_scale, plot_signals, signal_table
from chainrule.train.history import History

SIGNAL = {"A": 0.5, "dA": 1e-7, "W": 3.0, "dW": 0.25, "update": 0.002}


def history(*layers):
    return History(signals=[{"epoch": e, "signal": list(layers)} for e in (0, 1, 2, 4)])


def test_the_table_is_of_the_last_measurement():
    found = history(SIGNAL | {"dead": 0.25}, SIGNAL | {"saturated": 0.5}, SIGNAL)
    assert signal_table(found).splitlines() == [
        "the signal after epoch 4 (A, dA: root mean square; W, dW: norm)",
        "l     A[l]    dA[l]     W[l]    dW[l]   update  flat",
        "1  5.0e-01  1.0e-07  3.0e+00  2.5e-01  2.0e-03  25% dead",
        "2  5.0e-01  1.0e-07  3.0e+00  2.5e-01  2.0e-03  50% saturated",
        "3  5.0e-01  1.0e-07  3.0e+00  2.5e-01  2.0e-03",
    ]
    assert signal_table(History()) == ""


def test_the_plot_is_a_png_for_any_measurements():
    cases = (
        history(SIGNAL, SIGNAL),
        history(*[SIGNAL | {"dead": 0.1}] * 40),
        history(SIGNAL | {"dA": 0.0, "update": 0.0}),
        history({"A": 0.0, "dA": 0.0}, SIGNAL),
    )
    pictures = [plot_signals(case) for case in cases]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert len(set(pictures)) == len(pictures)
    assert plot_signals(cases[0]) == pictures[0]


def test_sizes_within_a_power_of_ten_have_a_linear_scale():
    class Axes:
        def __init__(self):
            self.yaxis, self.scale = Mock(), "linear"

        def set_yscale(self, scale):
            self.scale = scale

    for sizes, scale in (([1.02, 1.28], "linear"), ([0.9e-3, 1.1e-2], "log"), ([], "linear")):
        axes = Axes()
        _set_scale(axes, sizes)
        assert axes.scale == scale
