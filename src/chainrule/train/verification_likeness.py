"""Learn whether two embeddings show the same person, by logistic regression on their difference.

Notes: "Face verification and binary classification" (course 4, week 4).

    Z = W |f(x1) − f(x2)| + b        ŷ = sigmoid(Z)         the layer is `layers/likeness.py`
    D = 1 − ŷ                        a distance from 0 to 1

The embedding is not changed; W and b are learned from pairs of training images, half of one person
and half of two. D is a `Distance` and can replace the squared distance. The learned parameters are
stored as (n + 1,) numbers, b followed by W.
"""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule.blocks.costs import logistic_cost
from chainrule.layers.likeness import Likeness
from chainrule.optim.adam import adam
from chainrule.optim.schedules import exponential_decay
from chainrule.randomness import key_from_seed
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.verification_scores import Distance, distances

MOST = 20_000
"""The most training pairs of one person, and likewise of two."""
BATCH, STEPS, LEARNING_RATE, FALLS_TO = 256, 1000, 0.05, 0.05


def train_likeness(E: np.ndarray, identities: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Return b and W (n + 1,) of logistic regression on pairs of the rows of E (m, n).

    Each coordinate is divided by its mean absolute difference, so that all have the same scale.
    """
    first, second, same = drawn_pairs(identities, seed=seed)
    E = np.asarray(E, np.float32)
    scale = np.abs(E[first] - E[second]).mean(axis=0, keepdims=True)
    scale = np.where(scale > 0, scale, np.float32(1))
    examples = Examples(np.hstack([E[first], E[second]]) / np.tile(scale, (1, 2)), same[:, None])
    batch_size = min(BATCH, len(same))
    steps = -(-len(same) // batch_size)
    epochs = max(1, STEPS // steps)
    rate = exponential_decay(LEARNING_RATE, FALLS_TO ** (1 / epochs), steps_per_epoch=steps)
    start = Likeness(E.shape[1], key=key_from_seed(seed))
    options: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "seed": seed}
    learned: Any = fit(start, adam(rate), logistic_cost, examples, **options).network
    return np.append(np.asarray(learned.b), np.asarray(learned.W) / scale)


def drawn_pairs(
    identities: np.ndarray, *, seed: int = 0, most: int = MOST
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw pairs of rows; return both rows of each pair, and whether they show one person.

    There are equally many pairs of one person and of two, at most `most` of each. Those of one
    person are all such pairs or a random choice of them; those of two are drawn at random.
    """
    rng = np.random.default_rng(seed)
    _, codes, counts = np.unique(identities, return_inverse=True, return_counts=True)
    rows, ends = np.argsort(codes, kind="stable"), np.cumsum(counts)
    starts = zip(counts, ends - counts, strict=True)
    within = [np.array(np.triu_indices(n, 1)) + start for n, start in starts]
    same = rng.permutation(np.concatenate(within, axis=1), axis=1)[:, :most]
    first = rng.integers(len(rows), size=same.shape[1])
    whose = codes[rows[first]]
    further = rng.integers(len(rows) - counts[whose])  # places after the rows of this identity
    different = np.stack([first, (ends[whose] + further) % len(rows)])
    sides = rows[np.concatenate([same, different], axis=1)]
    return sides[0], sides[1], np.repeat([True, False], same.shape[1])


def unlikeness(E: np.ndarray, F: np.ndarray, *, likeness: ArrayLike) -> np.ndarray:
    """Return D (m, k) = 1 − ŷ from each row of E (m, n) to each row of F (k, n), in float64."""
    b, *W = np.asarray(likeness, np.float64)
    E, F = np.asarray(E, np.float64), np.asarray(F, np.float64)
    Z = np.stack([np.abs(e - F) @ W for e in E]) + b
    return np.exp(-np.logaddexp(0, Z))  # 1 − sigmoid(Z)


def distance_of(likeness: ArrayLike | None) -> Distance:
    """Return the learned distance, or ‖f(x1) − f(x2)‖² if `likeness` is None."""
    return distances if likeness is None else partial(unlikeness, likeness=likeness)
