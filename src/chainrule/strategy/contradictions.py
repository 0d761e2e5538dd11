"""Labels that their neighbours contradict: an estimate of how many are wrong.

Notes: "Cleaning up incorrectly labeled data" (course 3, week 2).

    K      exp(−Σ aⱼ (xⱼ − x′ⱼ)² / (2s²)), s the median distance of the training rows
    G      (K + λI)⁻¹,  α = G Y
    f      Yᵢ − αᵢ / Gᵢᵢ: what the other examples say of example i (kernel ridge, leave one out);
           Y without the shares of the classes, which are added to f again
    aⱼ     the mean of (∂f/∂xⱼ)²: columns that move nothing are left out, twice
    sure   the quarter of the examples in which f is furthest from doubt

Errors at the border between classes are in doubt, wrong labels are anywhere: of the sure quarter
they contradict as many as of all. So the share of contradictions among the sure estimates the
share of wrong labels. It is believed where it is two fifths of that among all, or more, and the
others tell an example better than a guess does: where they are wrong half as often as a guess, the
next quarter must also contradict no more than chance allows (1.5 standard errors). What cannot be
known from the columns looks the same, and labels wrong in the same way everywhere are not seen.
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
"""One in so many is sure."""
AS_MANY = 0.4
NO_BETTER, LITTLE_BETTER = 0.8, 0.5
"""Of the error of a guess: the error of what the other examples say."""
CHANCE = 1.5
OR_UNKNOWN = ": they are wrong, or nothing in the columns tells them"
DOUBT = ": as many as doubt between the classes makes"
MATTERS = 0.03


def contradictions(data: Data, *, dev_is_cleaner: bool = False) -> Finding | None:
    """How many of the training labels are wrong; None of numbers, and of few examples.

    None too where the others are no better than a guess: what they contradict says nothing then.
    A dev part that is surely better than the training part has better labels: then every share
    that is there is believed.
    """
    train = data.parts["train"]
    if data.door.labels.task == "regression" or len(train.X) < FEWEST:
        return None
    pick = np.random.default_rng(0).permutation(len(train.X))[:SAMPLE]
    y = codes(train.Y[pick])
    said = by_the_others(thinned(train.X, pick).astype(np.float32), y)
    wrong = said.argmax(axis=1) != y
    ordered = np.sort(said, axis=1)
    order = np.argsort(ordered[:, -2] - ordered[:, -1], kind="stable")
    n = len(y) // SURE
    share, second = float(wrong[order[:n]].mean()), float(wrong[order[n : 2 * n]].mean())
    low, high = wilson(share, n)
    everywhere, guess = float(wrong.mean()), float(1 - np.bincount(y).max() / len(y))
    if everywhere >= NO_BETTER * guess and not dev_is_cleaner:
        return None
    believed = dev_is_cleaner or _believed(share, second, n, everywhere, guess)
    found = low > MATTERS and believed
    of = amount(share, "share")
    words = f"{of} of the training labels that should be clear contradict their neighbours"
    words += OR_UNKNOWN if found else DOUBT if low > MATTERS else ""
    return Finding(WRONG_LABELS, share, low, high, "share", found, words)


def _believed(share: float, second: float, n: int, everywhere: float, guess: float) -> bool:
    """Whether the sure n contradict as wrong labels do, and not as doubt does."""
    p = (share + second) / 2
    flat = second - share <= CHANCE * float(np.sqrt(2 * p * (1 - p) / n))
    told = flat or everywhere < LITTLE_BETTER * guess
    return told and share >= AS_MANY * everywhere


def by_the_others(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(m, C): what all other examples say of each, by the λ with the fewest errors."""
    Y = np.eye(int(y.max()) + 1, dtype=X.dtype)[y]
    shares = Y.mean(axis=0)
    Y = Y - shares
    a = np.ones(X.shape[1], X.dtype)
    for _ in range(ROUNDS):
        K, s2 = kernel(X, a)
        alpha = np.linalg.solve(K + LAMBDA * np.eye(len(K), dtype=X.dtype), Y)
        a = moves(X, K, alpha) * (a / s2) ** 2
        a = a / a.mean() if a.any() else np.ones_like(a)
    K, _ = kernel(X, a)
    said = [shares + left_out(K, Y, strength) for strength in LAMBDAS]
    return min(said, key=lambda f: float((f.argmax(axis=1) != y).mean()))


def kernel(X: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """K (m, m) and s²."""
    scaled = X * np.sqrt(a)
    squares = (scaled**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * scaled @ scaled.T, 0)
    s2 = np.maximum(np.median(distances), 1e-6)
    return np.exp(-distances / (2 * s2)), s2


def moves(X: np.ndarray, K: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Of each column, Σ over examples and classes of (Σ αⱼ Kᵢⱼ (xⱼ − xᵢ))²."""
    total = np.zeros(X.shape[1], X.dtype)
    for column in alpha.T:
        weights = K * column
        total += ((weights @ X - weights.sum(axis=1, keepdims=True) * X) ** 2).sum(axis=0)
    return total


def left_out(K: np.ndarray, Y: np.ndarray, strength: float) -> np.ndarray:
    """f (m, C), each example left out of what is said of it."""
    G = np.linalg.inv(K + strength * np.eye(len(K), dtype=K.dtype))
    return Y - G @ Y / np.diag(G)[:, None]
