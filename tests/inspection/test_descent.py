"""chainrule/inspection/example_plots.py"""

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

from chainrule.inspection.example_plots import cost_bowl, cost_over_weight

pytestmark = pytest.mark.usefixtures("float32_world")


@pytest.fixture
def drawn(monkeypatch):
    """Return the axes of a plot."""
    figures, write = [], Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: (figures.append(self), write(self, *a, **k))[1]
    )

    def drawn(picture, *args):
        assert picture(*args).startswith(b"\x89PNG")
        return figures[-1].axes

    return drawn


def parabola(w):
    return (w - 1) ** 2 + 2


def valley(w, b):
    return w**2 + 2 * b**2 + 1


def test_a_cost_over_its_weight_with_the_points_of_a_walk(drawn):
    (axes,) = drawn(cost_over_weight, {"J": parabola}, (-1.0, 3.0), {"from 3": [3.0, 2.0, 1.5]})
    line, walk = axes.lines
    assert line.get_xdata()[[0, -1]].tolist() == [-1.0, 3.0]
    np.testing.assert_allclose(line.get_ydata(), parabola(line.get_xdata()), rtol=1e-6)
    assert walk.get_xdata().tolist() == [3.0, 2.0, 1.5]
    assert np.asarray(walk.get_ydata()).tolist() == [6.0, 3.0, 2.25]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["from 3"]


def test_a_panel_for_each_cost(drawn):
    left, right = drawn(cost_over_weight, {"one": parabola, "two": jnp.abs}, (-1.0, 1.0))
    assert (left.get_title("left"), right.get_title("left")) == ("one", "two")
    assert right.lines[0].get_ydata().min() == pytest.approx(0, abs=1e-6)
    assert left.get_legend() is None


def test_the_bowl_is_lowest_where_the_cost_is(drawn):
    walk = np.array([[2.0, 1.0], [1.0, 0.5], [0.0, 0.0]])
    axes, bar = drawn(cost_bowl, valley, walk, (-2.0, 2.0), (-1.0, 1.0), "a valley")
    assert axes.get_title("left") == "a valley"
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), walk)
    assert axes.lines[1].get_xydata().tolist() == [[2.0, 1.0]]
    assert axes.lines[2].get_xydata().tolist() == [[0.0, 0.0]]
    assert bar.get_ylim() == pytest.approx((1.0, 7.0))


def test_the_same_walk_gives_the_same_bytes():
    picture = [cost_bowl(valley, [[1.0, 1.0]], (-2.0, 2.0), (-1.0, 1.0)) for _ in range(2)]
    assert picture[0] == picture[1]
