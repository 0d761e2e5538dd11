"""chainrule/inspection/example_plots.py"""

import numpy as np
import pytest

from chainrule.inspection.example_plots import plot_curves

X = [1.0, 10.0, 100.0]
PANELS = {"left": {"a": (X, X), "b": (X, [3.0, np.inf, 1.0])}, "right": {"b": (X, X)}}


def words(legend) -> list[str]:
    return [text.get_text() for text in legend.get_texts()]


def test_a_line_for_each_name_without_what_is_not_finite(figure_of):
    left, right = figure_of(plot_curves, PANELS).axes
    a, b = left.lines
    assert a.get_xydata().tolist() == [[x, x] for x in X]
    assert b.get_xydata().tolist() == [[1, 3], [100, 1]]
    assert (left.get_title("left"), right.get_title("left")) == ("left", "right")


def test_a_name_keeps_its_colour_and_stands_in_the_legend_once(figure_of):
    figure = figure_of(plot_curves, PANELS)
    left, right = figure.axes
    assert left.lines[1].get_color() == right.lines[0].get_color() != left.lines[0].get_color()
    assert words(figure.legends[0]) == ["a", "b"]


@pytest.mark.parametrize("log", ["", "x", "y", "xy"])
def test_the_requested_axes_are_logarithmic(figure_of, log):
    axes = figure_of(plot_curves, PANELS, log=log).axes[0]
    scales = [axis.get_scale() == "log" for axis in (axes.xaxis, axes.yaxis)]
    assert scales == ["x" in log, "y" in log]


def test_titles_and_labels(figure_of):
    figure = figure_of(plot_curves, PANELS, title="All", xlabel="λ", ylabel="cost")
    left, right = figure.axes
    assert figure.get_suptitle() == "All"
    assert (left.get_xlabel(), left.get_ylabel(), right.get_ylabel()) == ("λ", "cost", "")


def test_a_long_line_has_no_markers_and_the_seventh_is_dashed(figure_of):
    curves = {f"line {i}": (range(50), range(50)) for i in range(7)}
    *_, sixth, seventh = figure_of(plot_curves, {"": curves}).axes[0].lines
    assert sixth.get_marker() == seventh.get_marker() == ""
    assert (sixth.get_linestyle(), seventh.get_linestyle()) == ("-", "--")


def test_whole_numbers_get_no_ticks_between_them(figure_of):
    epochs, rates = (
        figure_of(plot_curves, {"": {"a": (x, [1.0, 2.0, 3.0])}}).axes[0].get_xticks()
        for x in ([1, 2, 3], [1.0, 2.0, 3.0])
    )
    assert (epochs == epochs.round()).all()
    assert (rates != rates.round()).any()


def test_the_same_lines_give_the_same_bytes():
    assert plot_curves(PANELS) == plot_curves(PANELS)
