"""chainrule/inspection/example_plots.py"""

import numpy as np
import pytest

from chainrule.inspection.example_plots import Paths, plot_paths

pytestmark = pytest.mark.usefixtures("float32_world")

WALKS = {"one": [[2.0, 1.0], [1.0, 0.5], [0.0, 0.0]], "other": [[2.0, 1.0], [0.0, 1.0]]}


def valley(w1, w2):
    return w1**2 + 2 * w2**2


def test_each_panel_has_its_walks_over_its_contours(figure_of):
    panels = {"left": Paths(valley, WALKS), "right": Paths(valley, {"one": WALKS["one"]})}
    left, right = figure_of(plot_paths, panels, "Ways", ("w", "b")).axes
    one, other, start = left.lines
    assert one.get_xydata().tolist() == WALKS["one"]
    assert other.get_xydata().tolist() == WALKS["other"]
    assert start.get_xydata().tolist() == [[2.0, 1.0]]
    assert (left.get_title("left"), right.get_title("left")) == ("left", "right")
    assert (left.get_xlabel(), left.get_ylabel()) == ("w", "b")
    assert len(right.lines) == 2


def test_both_axes_have_one_scale_and_hold_every_place(figure_of):
    (axes,) = figure_of(plot_paths, {"": Paths(valley, WALKS)}).axes
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert axes.get_aspect() == 1
    assert left < 0 < 2 < right
    assert low < 0 < 1 < high
    assert right - left == pytest.approx(high - low, rel=1e-5)


def test_it_is_darkest_where_the_cost_is_lowest(figure_of):
    (axes,) = figure_of(plot_paths, {"": Paths(valley, WALKS)}).axes
    levels = axes.collections[0].levels
    assert levels[0] == pytest.approx(0, abs=1e-3)
    assert (np.diff(levels) > 0).all()


def test_panels_of_one_cost_show_the_same_part_of_it(figure_of):
    def other(w1, w2):
        return w1**2 + w2**2

    panels = {
        "far": Paths(valley, WALKS),
        "near": Paths(valley, {"a": [[0.1, 0.0], [0.0, 0.0]]}),
        "other": Paths(other, {"a": [[0.1, 0.0], [0.0, 0.0]]}),
    }
    far, near, another = figure_of(plot_paths, panels).axes
    assert near.get_xlim() == far.get_xlim() != another.get_xlim()


def test_a_legend_only_where_there_are_several_walks(figure_of):
    panels = {"two": Paths(valley, WALKS), "one": Paths(valley, {"one": WALKS["one"]})}
    two, one = figure_of(plot_paths, panels).axes
    assert [text.get_text() for text in two.get_legend().get_texts()] == ["one", "other"]
    assert one.get_legend() is None


@pytest.mark.parametrize(("n", "columns", "empty"), [(1, 1, 0), (4, 2, 0), (5, 3, 1)])
def test_rows_of_three_or_two_by_two_and_no_empty_panel(figure_of, n, columns, empty):
    panels = {f"panel {i}": Paths(valley, WALKS) for i in range(n)}
    axes = figure_of(plot_paths, panels).axes
    assert [one.get_visible() for one in axes] == [True] * n + [False] * empty
    assert axes[0].get_gridspec().ncols == columns


def test_the_same_walks_give_the_same_bytes():
    one, other = (plot_paths({"": Paths(valley, WALKS)}) for _ in range(2))
    assert one == other
