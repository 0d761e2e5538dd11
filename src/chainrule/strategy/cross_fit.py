"""Cross-fitting: predict each example with networks that were not trained on it.

    fold k is predicted by the mean probabilities of a few networks,
        trained on all other folds but one, which is used for early stopping

No network that predicts an example has seen its label. The networks of a fold are trained
together, and all folds have the same size, so they share one compiled program (`fit_many`).
"""

from typing import Any

import numpy as np

from chainrule.data.batches import default_batch_size, steps_per_epoch
from chainrule.data.source import Source
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.adam import adam
from chainrule.randomness import key_from_seed
from chainrule.search.folds import fold_rows
from chainrule.train.defaults import COSTS, HIDDEN, LEARNING_RATES, default_epochs
from chainrule.train.door import Door
from chainrule.train.examples import Examples
from chainrule.train.many import Candidate, fit_many
from chainrule.train.outputs import network_outputs

FOLDS, NETWORKS = 5, 4
PATIENCE, PATIENCE_STEPS = 8, 50
SMALL_BATCH = 64
"""Small batches and few epochs: twenty networks are trained, and none needs to be the best."""


def cross_fitted(
    rows: Examples, y: np.ndarray, door: Door, *, groups: Any = None, seed: int = 0
) -> np.ndarray:
    """Return probabilities (m, C) from networks that saw neither the example nor its group."""
    source = Source("the data", rows.X, y, groups=groups)
    folds = [held_out for _, held_out in fold_rows(source, FOLDS, stratify=True, seed=seed)]
    found = np.zeros((len(y), len(door.labels.classes)))
    for k, held_out in enumerate(folds):
        stopping = folds[(k + 1) % FOLDS]
        others = np.sort(
            np.concatenate([f for f in folds if f is not held_out and f is not stopping])
        )
        for network in _networks(_some(rows, others), _some(rows, stopping), door, seed + k):
            found[held_out] += (
                door.probabilities(network_outputs(network, rows.X[held_out])) / NETWORKS
            )
    return found


def _some(rows: Examples, index: np.ndarray) -> Examples:
    weights = None if rows.weights is None else rows.weights[index]
    return Examples(rows.X[index], rows.Y[index], weights)


def _networks(train: Examples, dev: Examples, door: Door, seed: int) -> list:
    """Train a few networks that differ only in their initial weights."""
    m, sizes = len(train.X), (door.n_x, *HIDDEN, door.labels.n_outputs)
    batch_size = min(m, max(SMALL_BATCH, default_batch_size(m) if m > 10**4 else 0))
    steps = steps_per_epoch(m, batch_size)
    candidates = [
        Candidate(
            DeepNetwork(sizes, key=key_from_seed(NETWORKS * seed + i)),
            adam(LEARNING_RATES["adam"]),
        )
        for i in range(NETWORKS)
    ]
    trained = fit_many(
        candidates,
        COSTS[door.cost],
        train,
        dev,
        epochs=default_epochs(steps),
        batch_size=batch_size,
        patience=max(PATIENCE, PATIENCE_STEPS // steps),
        seed=seed,
    )
    return [one.network for one in trained]
