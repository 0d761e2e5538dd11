"""chainrule/train/scores*.py: scores by hand, and compared with scikit-learn on random input."""

import numpy as np
import pytest
from sklearn import metrics as sklearn
from sklearn.calibration import calibration_curve

from chainrule.data.labels import Labels
from chainrule.errors import DataError
from chainrule.runs.metrics import class_counts, f1, pr_auc, precision, recall, reliability, roc_auc
from chainrule.runs.preprocessing import Preprocessor
from chainrule.runs.scores import ClassificationResults, per_class, results_of_outputs, scores

SEEDS = pytest.mark.parametrize("seed", range(8))


def door_of(y) -> Preprocessor:
    y = np.array(y)
    labels = Labels.learn(y)
    return Preprocessor.learn(
        np.zeros((len(y), 1)) + np.arange(len(y))[:, None], labels.encode(y), labels
    )


TWO = door_of(["no", "yes", "no", "yes"])
THREE = door_of(["a", "b", "c"] * 2)
NUMBERS = door_of([10.0, 20.5, 30.0, 40.0])


def made(classes: int, seed: int, m: int = 60) -> tuple[np.ndarray, ...]:
    """Return Z, one-hot or 0/1 Y, codes and weights, with many ties and some weights of 0."""
    rng = np.random.default_rng(seed)
    y = np.append(np.arange(classes), rng.integers(0, classes, m - classes))
    Z = np.round(rng.standard_normal((m, classes)) + np.eye(classes)[y], 1)
    weights = rng.integers(0, 4, m) * rng.choice([0.5, 1.0], m)
    weights[:classes] = 1
    if classes == 2:
        return Z[:, 1:] - Z[:, :1], y[:, None].astype(float), y, weights
    return Z, np.eye(classes)[y], y, weights


# By hand


def test_precision_recall_and_f1_by_hand():
    counts = np.array(
        [[5.0, 1.0], [2.0, 4.0]]
    )  # 5 predicted as the second class, 4 of them correct; it has 6 examples
    assert precision(counts)[1] == 4 / 5
    assert recall(counts)[1] == pytest.approx(4 / 6)
    assert f1(counts)[1] == pytest.approx(2 / (5 / 4 + 6 / 4))


def test_f1_equals_the_harmonic_mean_of_the_notes():
    a, b = (2 / (1 / p + 1 / r) for p, r in ((0.95, 0.90), (0.98, 0.85)))
    assert a > b  # the notes' classifiers A and B: 92.4 % and 91.0 %
    assert (round(100 * a, 1), round(100 * b, 1)) == (92.4, 91.0)


def test_scores_of_two_classes_by_hand():
    Z, Y = np.array([[2.0], [1.0], [-1.0], [-2.0]]), np.array([[1.0], [0.0], [1.0], [0.0]])
    found = scores(TWO, Z, Y)
    assert next(iter(found)) == "accuracy"
    assert [found[k] for k in ("accuracy", "precision", "recall", "f1")] == [0.5] * 4
    assert found["roc_auc"] == 0.75  # one of the four pairs is in the wrong order
    assert found["pr_auc"] == pytest.approx((1 + 2 / 3) / 2)
    assert scores(TWO, Z, Y, np.array([1.0, 3.0, 1.0, 1.0]))["precision"] == 0.25


def test_regression_scores_are_in_the_targets_units():
    y = np.array([[10.0], [20.5], [30.0], [40.0]])
    Y = NUMBERS.outputs.apply(y)
    found = scores(NUMBERS, NUMBERS.outputs.apply(y + np.array([[1], [-1], [3], [1]])), Y)
    assert list(found) == ["r2", "rmse", "mae", "median_error"]
    assert found["rmse"] == pytest.approx(3**0.5)
    assert (found["mae"], found["median_error"]) == pytest.approx((1.5, 1.0), rel=1e-5)


def test_calibrated_probabilities_have_no_calibration_error():
    p, came = np.array([0.72, 0.78, 0.75, 0.75, 0.12]), np.array([1, 1, 1, 0, 0])
    curve = reliability(p, came, np.ones(5))
    np.testing.assert_allclose(curve.share, [0.2, 0.8])
    np.testing.assert_allclose(curve.p, [0.12, 0.75])
    np.testing.assert_allclose(curve.rate, [0, 0.75])


def test_the_threshold_decides():
    Z, Y = np.log([[1 / 4], [1 / 2], [1.0], [4.0]]), np.array([[0.0], [1.0], [1.0], [1.0]])
    low = Preprocessor(**{**vars(TWO), "threshold": 0.3})  # p: 0.2, 0.33, 0.5, 0.8
    assert scores(TWO, Z, Y)["recall"] == pytest.approx(1 / 3)
    assert scores(low, Z, Y)["recall"] == scores(low, Z, Y)["accuracy"] == 1
    assert scores(low, Z, Y)["roc_auc"] == scores(TWO, Z, Y)["roc_auc"]
    assert low.answers(Z).tolist() == ["no", "yes", "yes", "yes"]


def test_each_class_by_its_name():
    Z, Y = np.eye(3)[[0, 0, 1, 1]], np.eye(3)[[0, 1, 1, 1]]
    found = per_class(THREE, Z, Y)
    assert found["a"] == {
        "precision": 0.5,
        "recall": 1.0,
        "f1": pytest.approx(2 / 3),
        "examples": 1,
    }
    assert found["c"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "examples": 0}
    assert per_class(NUMBERS, np.zeros((2, 1)), np.zeros((2, 1))) == {}


# scikit-learn's numbers, with weights and ties


@SEEDS
@pytest.mark.parametrize("classes", [2, 3])
def test_counts_equal_scikit_learn(classes, seed):
    Z, Y, y, w = made(classes, seed)
    preprocessor = {2: TWO, 3: THREE}[classes]
    found, rows = scores(preprocessor, Z, Y, w), results_of_outputs(preprocessor, Z, Y, w)
    said = preprocessor.predicted_classes(Z)
    want = sklearn.confusion_matrix(y, said, sample_weight=w)
    np.testing.assert_allclose(rows.counts / rows.counts.sum(), want / want.sum())
    assert found["accuracy"] == pytest.approx(sklearn.accuracy_score(y, said, sample_weight=w))
    for average in ("macro", "weighted") + (("binary",) if classes == 2 else ()):
        for name in ("precision", "recall", "f1"):
            key = name if average == "binary" else f"{average}_{name}"
            score = getattr(sklearn, f"{name}_score")
            if key in found:
                want = score(y, said, sample_weight=w, average=average)
                assert found[key] == pytest.approx(want), key


@SEEDS
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("weighted", [True, False])
def test_areas_and_losses_equal_scikit_learn(classes, weighted, seed):
    Z, Y, y, w = made(classes, seed)
    w = w if weighted else np.ones(len(w))
    preprocessor = {2: TWO, 3: THREE}[classes]
    found, A = scores(preprocessor, Z, Y, w), preprocessor.probabilities(Z)
    p = A[:, 1] if classes == 2 else A
    roc = sklearn.roc_auc_score(y, p, sample_weight=w, multi_class="ovr")
    assert found["roc_auc"] == pytest.approx(roc, abs=1e-12)
    pr = sklearn.average_precision_score(y, p, sample_weight=w)
    assert found["pr_auc"] == pytest.approx(pr, abs=1e-12)
    assert found["log_loss"] == pytest.approx(sklearn.log_loss(y, A, sample_weight=w))
    brier = sklearn.brier_score_loss(y, p, sample_weight=w)
    assert found["brier"] == pytest.approx(brier)


@SEEDS
def test_reliability_equals_scikit_learn(seed):
    Z, _, y, _ = made(2, seed)
    p = TWO.probabilities(Z)[:, 1]
    rate, said = calibration_curve(y, p, n_bins=10)
    curve = reliability(p, y, np.ones(len(y)))
    np.testing.assert_allclose((curve.p, curve.rate), (said, rate))


@SEEDS
@pytest.mark.parametrize("k", [1, 2])
def test_regression_scores_equal_scikit_learn(k, seed):
    rng = np.random.default_rng(seed)
    y, z, w = rng.normal(5, 2, (30, k)), rng.normal(5, 2, (30, k)), rng.integers(0, 4, 30) + 0.0
    labels = Labels("regression", (), (), k)
    preprocessor = Preprocessor.learn(np.arange(30.0)[:, None], y, labels)
    found = scores(preprocessor, preprocessor.outputs.apply(z), preprocessor.outputs.apply(y), w)
    want = {
        "r2": sklearn.r2_score,
        "rmse": sklearn.root_mean_squared_error,
        "mae": sklearn.mean_absolute_error,
        "median_error": sklearn.median_absolute_error,
    }
    for name, score in want.items():
        assert found[name] == pytest.approx(score(y, z, sample_weight=w), rel=1e-5), name


# Properties


@pytest.mark.parametrize("classes", [2, 3])
def test_a_weight_equals_repeating_the_example(classes):
    Z, Y, _, w = made(classes, 0)
    times = (2 * w).astype(int)
    preprocessor = {2: TWO, 3: THREE}[classes]
    repeated = scores(preprocessor, np.repeat(Z, times, axis=0), np.repeat(Y, times, axis=0))
    assert scores(preprocessor, Z, Y, w) == pytest.approx(repeated)


def test_an_absent_class_or_a_single_class_has_no_area():
    Z = np.eye(3)[[0, 1, 2, 0]]
    some = scores(THREE, Z, np.eye(3)[[0, 1, 1, 0]])
    assert some["roc_auc"] == pytest.approx((1 + 0.75) / 2)
    assert some["macro_recall"] == pytest.approx(
        (1 + 0.5 + 0) / 3
    )  # c is predicted and does not occur
    alone = scores(THREE, Z, np.eye(3)[[0, 0, 0, 0]])
    assert "roc_auc" not in alone
    assert "pr_auc" not in alone
    assert alone["accuracy"] == 0.5


def test_a_class_that_is_never_predicted_has_precision_0():
    counts = class_counts(np.array([0, 1]), np.array([0, 0]), np.ones(2), 2)
    assert precision(counts).tolist() == [0.5, 0]
    assert f1(counts)[1] == recall(counts)[1] == 0


def test_saturated_outputs_stay_finite():
    found = scores(TWO, np.array([[1e4], [-1e4]]), np.array([[0.0], [1.0]]))
    assert found["log_loss"] == pytest.approx(-np.log(np.finfo(float).eps))
    assert found["accuracy"] == found["roc_auc"] == 0
    beyond = scores(THREE, np.full((2, 3), np.inf), np.eye(3)[:2])
    assert "accuracy" in beyond
    assert "log_loss" not in beyond


@SEEDS
def test_equal_weights_give_the_same_areas_as_counting(seed):
    Z, Y, _, _ = made(3, seed)
    rows = results_of_outputs(THREE, Z, Y)
    assert isinstance(rows, ClassificationResults)
    for c in range(3):
        fast, (rank, place) = rows.area_ranking(c), rows.ranking(c)
        assert len(fast.values) < len(rank.values)
        assert roc_auc(fast) == pytest.approx(roc_auc(rank), abs=1e-13)
        assert pr_auc(fast) == pytest.approx(pr_auc(rank), abs=1e-13)
        np.testing.assert_array_equal(rank.values[place], rows.A[:, c])


def test_one_ranking_serves_two_classes():
    Z, Y, _, w = made(2, 0)
    rows = results_of_outputs(TWO, Z, Y, w)
    assert isinstance(rows, ClassificationResults)
    assert rows.ranked == [1]


# Error messages


def test_weights_that_are_all_0_are_refused():
    with pytest.raises(DataError) as error:
        scores(TWO, np.zeros((2, 1)), np.zeros((2, 1)), np.zeros(2))
    assert (
        str(error.value)
        == "scores: expected at least one example with a weight greater than 0; got only zeros."
    )
