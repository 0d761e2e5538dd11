"""Estimate the share of wrong labels from the labels that contradict similar examples.

Notes: "Cleaning up incorrectly labeled data" (course 3, week 2).

    K      exp(−Σ aⱼ (xⱼ − x′ⱼ)² / (2s²)), s the median distance of the training rows
    G      (K + λI)⁻¹,  α = G Y
    f      Yᵢ − αᵢ / Gᵢᵢ: the prediction for example i from all other examples (kernel ridge
           regression, leave-one-out); the class shares are subtracted from Y and added back to f
    aⱼ     the mean of (∂f/∂xⱼ)²: the relevance of column j, estimated in two rounds
    sure   the quarter of the examples with the largest margin between the two best classes in f

Errors near a class boundary have a small margin, while wrong labels occur everywhere, so they are
as frequent in the sure quarter as in the whole sample. The share of contradictions in the sure
quarter therefore estimates the share of wrong labels. The estimate is trusted when it is at least
two fifths of the share of contradictions in the whole sample and f predicts clearly better than
always guessing the most frequent class; unless the error of f is less than half of that guess's,
the next quarter must also not contain significantly more contradictions (1.5 standard errors).
Labels that the columns cannot predict look the same as wrong labels, and labels that are wrong in
the same way everywhere are not detected.
"""

import numpy as np

from chainrule.data.streamed import thinned
from chainrule.strategy.findings import WRONG_LABELS, Finding, amount
from chainrule.strategy.part_errors import codes
from chainrule.strategy.shares import wilson
from chainrule.train.prepare import Data

SAMPLE = 700
FEWEST = 200
ROUNDS = 2
LAMBDA = 1.0
LAMBDAS = (0.1, 1.0, 5.0)
SURE = 4
"""One in this many examples is sure: those with the largest margins."""
AS_MANY = 0.4
NO_BETTER, LITTLE_BETTER = 0.8, 0.5
"""The error of f as a fraction of the error of guessing the most frequent class."""
CHANCE = 1.5
OR_UNKNOWN = ": these labels are wrong, or the columns cannot predict them"
DOUBT = ": no more than overlapping classes would explain"
MATTERS = 0.03


def contradictions(data: Data, *, dev_is_cleaner: bool = False) -> Finding | None:
    """Estimate the share of wrong training labels; None for regression and for few examples.

    Also None when f is hardly better than guessing the most frequent class, since contradictions
    mean nothing then. With `dev_is_cleaner` (the dev error is significantly below the training
    error, so the dev labels are better) the estimate is always trusted.
    """
    train = data.parts["train"]
    if data.door.labels.task == "regression" or len(train.X) < FEWEST:
        return None
    pick = np.random.default_rng(0).permutation(len(train.X))[:SAMPLE]
    y = codes(train.Y[pick])
    f = leave_one_out(thinned(train.X, pick).astype(np.float32), y)
    wrong = f.argmax(axis=1) != y
    ordered = np.sort(f, axis=1)
    order = np.argsort(ordered[:, -2] - ordered[:, -1], kind="stable")
    n = len(y) // SURE
    share, second = float(wrong[order[:n]].mean()), float(wrong[order[n : 2 * n]].mean())
    low, high = wilson(share, n)
    everywhere, guess = float(wrong.mean()), float(1 - np.bincount(y).max() / len(y))
    if everywhere >= NO_BETTER * guess and not dev_is_cleaner:
        return None
    trusted = dev_is_cleaner or _is_trusted(share, second, n, everywhere, guess)
    found = low > MATTERS and trusted
    words = f"{amount(share, 'share')} of the clear-cut training labels contradict similar examples"
    words += OR_UNKNOWN if found else DOUBT if low > MATTERS else ""
    return Finding(WRONG_LABELS, share, low, high, "share", found, words)


def _is_trusted(share: float, second: float, n: int, everywhere: float, guess: float) -> bool:
    """Return whether the contradictions look like wrong labels and not like overlapping classes.

    share, second   the share of contradictions in the sure quarter and in the next one, n each
    everywhere      the share of contradictions in the whole sample
    guess           the error of guessing the most frequent class
    """
    p = (share + second) / 2
    flat = second - share <= CHANCE * float(np.sqrt(2 * p * (1 - p) / n))
    predictable = flat or everywhere < LITTLE_BETTER * guess
    return predictable and share >= AS_MANY * everywhere


def leave_one_out(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return f (m, C), the leave-one-out predictions, with the λ that makes the fewest errors."""
    Y = np.eye(int(y.max()) + 1, dtype=X.dtype)[y]
    shares = Y.mean(axis=0)
    Y = Y - shares
    a = np.ones(X.shape[1], X.dtype)
    for _ in range(ROUNDS):
        K, s2 = kernel(X, a)
        alpha = np.linalg.solve(K + LAMBDA * np.eye(len(K), dtype=X.dtype), Y)
        a = relevance(X, K, alpha) * (a / s2) ** 2
        a = a / a.mean() if a.any() else np.ones_like(a)
    K, _ = kernel(X, a)
    predictions = [shares + left_out(K, Y, strength) for strength in LAMBDAS]
    return min(predictions, key=lambda f: float((f.argmax(axis=1) != y).mean()))


def kernel(X: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel matrix K (m, m) and s²."""
    scaled = X * np.sqrt(a)
    squares = (scaled**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * scaled @ scaled.T, 0)
    s2 = np.maximum(np.median(distances), 1e-6)
    return np.exp(-distances / (2 * s2)), s2


def relevance(X: np.ndarray, K: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return for each column Σ over examples and classes of (Σ αⱼ Kᵢⱼ (xⱼ − xᵢ))²."""
    total = np.zeros(X.shape[1], X.dtype)
    for column in alpha.T:
        weights = K * column
        total += ((weights @ X - weights.sum(axis=1, keepdims=True) * X) ** 2).sum(axis=0)
    return total


def left_out(K: np.ndarray, Y: np.ndarray, strength: float) -> np.ndarray:
    """Return the predictions (m, C), each made without the example's own label."""
    G = np.linalg.inv(K + strength * np.eye(len(K), dtype=K.dtype))
    return Y - G @ Y / np.diag(G)[:, None]
