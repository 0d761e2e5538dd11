"""chainrule/inspection/plots.py"""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from chainrule.errors import DataError
from chainrule.inspection.plots import (
    activation_curves,
    confusion_matrix,
    cost_curve,
    decision_boundary,
    plot_costs,
    predicted_against_true,
)
from chainrule.train.history import Epoch, History

RNG = np.random.default_rng(0)
CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def history(costs, dev=None, best=None) -> History:
    dev = dev or [None] * len(costs)
    epochs = [Epoch(i, c, 1.0, i, dev[i - 1]) for i, c in enumerate(costs, 1)]
    return History(epochs, best)


PICTURES = {
    "cost_curve": lambda: cost_curve(history([3.0, 2.0, 1.0], [3.0, 1.5, 2.0], best=2)),
    "picture_of_costs": lambda: plot_costs({"a": [1.0], "b": [2.0, 1.0]}, "t", "J"),
    "confusion_matrix": lambda: confusion_matrix([0, 1, 1], [0, 1, 0], [0, 1]),
    "decision_boundary": lambda: decision_boundary(lambda X: X[:, 0] > 0.5, CORNERS, [0, 0, 1, 1]),
    "predicted_against_true": lambda: predicted_against_true([1.0, 2.0], [1.0, 3.0]),
    "activation_curves": activation_curves,
}


@pytest.fixture
def drawn(monkeypatch):
    """Return the axes that matplotlib was about to write."""
    figures, write = [], Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: (figures.append(self), write(self, *a, **k))[1]
    )

    def drawn(picture, *args, **settings):
        picture(*args, **settings)
        return figures[-1].axes

    return drawn


def legend(axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())
def test_a_plot_is_a_png_900_wide_and_reproducible(picture):
    png = picture()
    assert png.startswith(b"\x89PNG")
    assert b"Software" not in png  # nor its version
    assert int.from_bytes(png[16:20], "big") == 902
    assert picture() == png


def test_the_settings_of_the_user_are_ignored_and_restored():
    png = PICTURES["cost_curve"]()
    with matplotlib.rc_context({"font.size": 30, "savefig.transparent": True}):
        assert PICTURES["cost_curve"]() == png
        assert matplotlib.rcParams["font.size"] == 30


def test_cost_curve_marks_the_best_epoch(drawn):
    (axes,) = drawn(cost_curve, history([3.0, 2.0, 1.0], [3.0, 1.5, 2.0], best=2))
    assert legend(axes) == ["train", "dev", "best: epoch 2, 1.5"]
    assert axes.lines[0].get_ydata().tolist() == [3.0, 2.0, 1.0]
    assert axes.lines[1].get_ydata().tolist() == [3.0, 1.5, 2.0]
    assert axes.get_title("left") == "The cost goes from 3 to 1 in 3 epochs"
    assert axes.get_yscale() == "linear"


def test_cost_curve_without_a_dev_set(drawn):
    (axes,) = drawn(cost_curve, history([3.0, 2.0], best=2), title="digits")
    assert legend(axes) == ["train"]
    assert axes.get_title("left") == "digits: the cost goes from 3 to 2 in 2 epochs"


@pytest.mark.parametrize(
    ("costs", "scale"),
    [
        ([1.0, 0.02], "linear"),
        ([1.0, 0.005], "log"),
        ([1.0, 0.0], "linear"),
        ([1.0, -1.0], "linear"),
        ([float("inf"), 1.0], "linear"),
    ],
)
def test_more_than_two_decades_are_logarithmic(costs, scale, drawn):
    (axes,) = drawn(cost_curve, history(costs))
    assert axes.get_yscale() == scale


def test_logarithmic_labels_are_plain_numbers(drawn):
    (axes,) = drawn(cost_curve, history([1.0, 0.001]))
    assert {"1", "0.1", "0.01"} <= {label.get_text() for label in axes.get_yticklabels()}


def test_one_epoch_is_a_point_and_none_has_a_title(drawn):
    (axes,) = drawn(cost_curve, history([2.0]))
    assert axes.lines[0].get_marker() == "o"
    assert axes.get_title("left") == "The cost is 2 in the first epoch"
    (axes,) = drawn(cost_curve, History())
    assert axes.get_title("left") == "No epoch was completed"


def test_seven_cost_lines_are_distinguishable(drawn):
    (axes,) = drawn(plot_costs, {f"rate {i}": [2.0, 1.0] for i in range(7)}, "Rates", "J")
    assert legend(axes) == [f"rate {i}" for i in range(7)]
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == 7
    assert (axes.get_title("left"), axes.get_ylabel()) == ("Rates", "J")


def cells(axes) -> dict:
    """Return the numbers of a confusion matrix by (row, column)."""
    places = {text.get_text(): text.get_position() for text in axes.texts}
    return {(int(y), int(x)): text for text, (x, y) in places.items()}


def test_confusion_matrix_by_hand(drawn):
    true, predicted = ["cat"] * 4 + ["dog"] * 2, ["cat"] * 3 + ["dog"] * 3
    (axes,) = drawn(confusion_matrix, true, predicted, ["cat", "dog"])
    assert cells(axes) == {(0, 0): "3", (0, 1): "1", (1, 1): "2"}
    assert axes.get_title("left") == "5 of 6 are right (83.3%)"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]
    assert axes.get_ylim() == (2, 0)  # the first class on top
    (axes,) = drawn(confusion_matrix, true, predicted, ["cat", "dog"], "dev")
    assert axes.get_title("left") == "dev: 5 of 6 are right (83.3%)"


def test_confusion_matrix_of_many_classes_has_no_numbers(drawn):
    y = np.arange(21)
    assert len(drawn(confusion_matrix, y[:20], y[:20], list(range(20)))[0].texts) == 20
    assert len(drawn(confusion_matrix, y, y, list(range(21)))[0].texts) == 0
    (axes,) = drawn(confusion_matrix, np.arange(100), np.arange(100), list(range(100)))
    words = [label.get_text() for label in axes.get_xticklabels()]
    assert words == [str(k) for k in range(0, 100, 3)]


def test_any_name_of_a_class_can_be_drawn(drawn):
    names = ["$5_$6", "两", "_hidden", "a name that is much too long for an axis"]
    (axes,) = drawn(confusion_matrix, names, names, names)
    assert [label.get_text() for label in axes.get_xticklabels()][:3] == names[:3]
    drawn(confusion_matrix, [], [], names)


def test_a_label_that_is_no_class_is_refused():
    with pytest.raises(DataError, match="expected labels that are among the 2 classes; got 'fox'"):
        confusion_matrix(["cat"], ["fox"], ["cat", "dog"])


def test_decision_boundary_runs_where_the_prediction_changes(drawn):
    seen = []

    def predict(rows):
        seen.append(rows)
        return np.where(rows[:, 0] > 0.7, "right", "left")

    (axes,) = drawn(decision_boundary, predict, CORNERS, ["left", "left", "right", "left"])
    assert axes.get_title("left") == "3 of 4 are right (75.0%)"
    assert legend(axes) == ["left", "right"]
    plane = np.concatenate([rows for rows in seen if len(rows) > len(CORNERS)])
    assert plane.min() < 0 < 1 < plane.max()
    left, right = (area for area in axes.collections if hasattr(area, "levels"))
    edge = max(path.vertices[:, 0].max() for path in left.get_paths())
    assert edge == pytest.approx(0.7, abs=0.01)
    assert right.get_paths()[0].vertices[:, 0].min() == pytest.approx(0.7, abs=0.01)
    assert all(points.get_zorder() > left.get_zorder() for points in axes.collections[1::2])


def test_decision_boundary_draws_some_of_many_points(drawn):
    X = RNG.normal(size=(5000, 2))
    (axes,) = drawn(decision_boundary, lambda X: X[:, 1] > 0, X, X[:, 1] > 0, names=("a", "b"))
    assert axes.get_title("left") == "5,000 of 5,000 are right (100.0%), 3,000 of them drawn"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("a", "b")


def test_decision_boundary_with_one_class_and_one_place(drawn):
    ones = np.ones((3, 2))
    (axes,) = drawn(decision_boundary, lambda X: np.zeros(len(X), int), ones, [0, 0, 0])
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 2), (0, 2))


def test_predicted_against_true_by_hand(drawn):
    (axes,) = drawn(predicted_against_true, [1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    assert axes.get_title("left") == "R² = 0.500 on 3 examples"  # 1 − 1/2
    assert axes.collections[0].get_offsets().tolist() == [[1, 1], [2, 2], [3, 4]]
    assert axes.get_xlim() == axes.get_ylim()
    (axes,) = drawn(predicted_against_true, [1.0, 1.0], [[1.0], [2.0]])
    assert axes.get_title("left") == "R² = 0.000 on 2 examples"
    (axes,) = drawn(predicted_against_true, [1.0], [2.0], "dev")
    assert axes.get_title("left") == "dev: R² = 0.000 on 1 example"


def test_activation_curves_show_the_blocks_and_their_slopes(drawn):
    panels = drawn(activation_curves)
    assert [axes.get_title("left") for axes in panels] == ["sigmoid", "tanh", "relu", "leaky_relu"]
    for axes in panels:
        curve, slope = axes.lines[:2]
        Z, A = curve.get_data()
        between = (slope.get_ydata()[1:] + slope.get_ydata()[:-1]) / 2
        np.testing.assert_allclose(between, np.diff(A) / np.diff(Z), atol=2e-4)


def test_matplotlib_is_imported_on_the_first_plot_only():
    program = "import sys, chainrule.inspection.plots; print('matplotlib' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert output.stdout.strip() == "False"
