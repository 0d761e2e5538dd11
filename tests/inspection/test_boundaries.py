"""chainrule/inspection/example_plots.py"""

import numpy as np
import pytest

from chainrule.inspection.example_plots import plot_boundaries

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
RIGHT = np.array([0, 0, 1, 1])


def by_x1(rows):
    """Predict 0 on the left and 1 on the right."""
    assert rows.shape[1] == 2
    assert rows.dtype == np.float32
    return np.clip(rows[:, 0], 0, 1)


def undecided(rows):
    return np.full(len(rows), 0.3)


def test_a_panel_for_each_network_with_its_examples(figure_of):
    networks = {"sure": by_x1, "not sure": undecided}
    sure, not_sure, bar = figure_of(plot_boundaries, networks, CORNERS, RIGHT, "Two").axes
    assert (sure.get_title("left"), not_sure.get_title("left")) == ("sure", "not sure")
    assert bar.get_ylabel() == "A, the probability of the orange class"
    points = [c.get_offsets().tolist() for c in sure.collections if len(c.get_offsets()) == 2]
    assert points == [CORNERS[:2].tolist(), CORNERS[2:].tolist()]


def test_the_line_is_where_a_is_a_half(figure_of):
    networks = {"sure": by_x1, "not sure": undecided}
    sure, not_sure, _ = figure_of(plot_boundaries, networks, CORNERS, RIGHT).axes
    (line,) = [c for c in sure.collections if list(getattr(c, "levels", [])) == [0.5]]
    np.testing.assert_allclose(line.get_paths()[0].vertices[:, 0], 0.5, atol=1e-5)
    assert not any(list(getattr(c, "levels", [])) == [0.5] for c in not_sure.collections)


@pytest.mark.parametrize(("n", "columns", "empty"), [(1, 1, 0), (4, 2, 0), (5, 3, 1)])
def test_rows_of_three_or_two_by_two_and_no_empty_panel(figure_of, n, columns, empty):
    networks = {f"network {i}": by_x1 for i in range(n)}
    *panels, bar = figure_of(plot_boundaries, networks, CORNERS, RIGHT).axes
    assert [axes.get_visible() for axes in panels] == [True] * n + [False] * empty
    assert panels[0].get_gridspec().ncols == columns
    assert bar.get_visible()


def test_the_same_networks_give_the_same_bytes():
    one, other = (plot_boundaries({"a": by_x1}, CORNERS, RIGHT) for _ in range(2))
    assert one == other
