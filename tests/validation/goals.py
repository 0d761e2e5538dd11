"""Validate chosen thresholds and confidence intervals on outputs whose true scores are known.

`python -m tests.validation.goals` uses one feature, x, normal around −1 and 1 for the two classes,
and as outputs Z the true log odds, so that every predicted probability is right. A threshold chosen
on a few examples is scored on 200,000 others; a confidence interval is right if it contains the
score of those.
"""

import time
from dataclasses import replace

import numpy as np

from chainrule.data.labels import Labels
from chainrule.runs.preprocessing import Preprocessor
from chainrule.runs.scores import results_of_outputs, scores
from chainrule.strategy.goal import goal_for
from chainrule.strategy.threshold import best_threshold
from chainrule.strategy.uncertainty import gain, interval

METRICS = ("accuracy", "precision", "recall", "f1", "roc_auc", "pr_auc", "log_loss", "brier")
TRIALS = 300
MANY = 200_000

rng = np.random.default_rng(0)


def preprocessor_of(classes: int) -> Preprocessor:
    """Return a preprocessor with one input and this number of classes."""
    y = np.array([f"class {i}" for i in range(classes)] * 2)
    labels = Labels.learn(y)
    return Preprocessor.learn(np.arange(len(y), dtype=float)[:, None], labels.encode(y), labels)


TWO, TEN = preprocessor_of(2), preprocessor_of(10)


def drawn(m: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw Z and Y (m, 1) with this share of the second class, at least two examples of each."""
    y = (rng.random(m) < share).astype(float)
    y[:4] = 0, 1, 0, 1
    Z = 2 * rng.normal(2 * y - 1) + np.log(share / (1 - share))
    return Z[:, None], y[:, None]


def thresholds() -> None:
    """Print the score on new examples with a chosen threshold, and with 0.5."""
    Z_later, Y_later = drawn(MANY, 0.1)
    print("score on new examples, a tenth of the class; the threshold is chosen on m examples\n")
    print(f"{'':10} {'at 0.5':>8} {'m = 100':>8} {'300':>8} {'1000':>8}")
    for text in ("f1", "accuracy"):
        goal = goal_for(text, TWO)
        found = [goal.value(scores(TWO, Z_later, Y_later))]
        for m in (100, 300, 1000):
            later = []
            for _ in range(TRIALS // 3):
                chosen = best_threshold(
                    results_of_outputs(TWO, *drawn(m, 0.1)), goal, TWO.labels.names
                )
                moved = replace(TWO, threshold=chosen)
                later.append(goal.value(scores(moved, Z_later[:20_000], Y_later[:20_000])))
            found.append(np.mean(later))
        print(f"{text:10} " + " ".join(f"{value:8.4f}" for value in found))


def coverage() -> None:
    """Print the share of the 95 % confidence intervals that contain the true score."""
    truth = scores(TWO, *drawn(MANY, 0.3))
    print(f"\nshare of {TRIALS} intervals that contain the true score\n")
    print(f"{'':10} {'m = 100':>8} {'400':>8}")
    for metric in METRICS:
        goal, shares = goal_for(metric, TWO), []
        for m in (100, 400):
            ends = [interval(goal, TWO, *drawn(m, 0.3)) for _ in range(TRIALS)]
            shares.append(np.mean([one.low <= truth[metric] <= one.high for one in ends]))
        print(f"{metric:10} " + " ".join(f"{share:8.1%}" for share in shares))


def times() -> None:
    """Print the median time of all scores and of a gain: 10,000 examples of ten classes."""
    Y = np.eye(10, dtype=np.float32)[rng.integers(0, 10, 10_000)]
    Z = rng.standard_normal(Y.shape).astype(np.float32) + 2 * Y
    print("\nmilliseconds for 10,000 examples of ten classes\n")
    print(f"all scores       {milliseconds(lambda: scores(TEN, Z, Y)):6.1f}")
    for text in ("accuracy", "macro_f1", "log_loss", "roc_auc"):
        goal = goal_for(text, TEN)
        print(f"gain, {text:10} {milliseconds(lambda goal=goal: gain(goal, TEN, Z, -Z, Y)):6.1f}")


def milliseconds(function) -> float:
    """Return the median duration of eleven calls."""
    seconds = []
    for _ in range(11):
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return 1000 * float(np.median(seconds))


if __name__ == "__main__":
    thresholds()
    coverage()
    times()
