"""Face verification: split identities, train an embedding on triplets, and evaluate it.

Notes: "Face verification", "One-shot learning", "Siamese network" (course 4, week 4).

    parts    = split_identities(identities, dev=0.2, test=0.2)     no identity in two sets
    trained  = train_embedding(network, X, identities, parts)      triplet cost, with a dev set
    results  = measure(trained.network, X, identities, parts)      threshold from the dev set

The dev identities decide when training stops and which threshold is best; the test identities
decide neither.
"""

from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import DataError, OptionError
from chainrule.layers.layer import Layer
from chainrule.memory import check_memory
from chainrule.optim.adam import adam
from chainrule.optim.schedules import exponential_decay
from chainrule.train.examples import Examples
from chainrule.train.fit import Fit, fit
from chainrule.train.outputs import network_outputs
from chainrule.train.verification_cost import TripletCost, nearest_is_same
from chainrule.train.verification_order import ByIdentity, rows_of_identities
from chainrule.train.verification_scores import (
    Distance,
    best_threshold,
    distances,
    equal_error_rate,
    one_shot_of,
    pairs_of,
    roc,
    verification_accuracy,
    ways_of,
)

LEAST = 2
"""The fewest identities of a set, since pairs of different identities are needed."""
LEARNING_RATE = 0.001
FALLS_TO = 0.05
"""The final learning rate as a share of the initial one."""
MOST = 4000
"""The most images of which all pairs are compared; beyond it, only some identities are used."""
PAIR_BYTES = 32
"""The memory of the cost for each pair of dev images."""


class IdentityParts(NamedTuple):
    """The rows of the training, dev and test sets."""

    train: np.ndarray
    dev: np.ndarray
    test: np.ndarray


class Verification(NamedTuple):
    """The scores of a set, over pairs of images, and the threshold that was used.

    `one_shot` is the accuracy of recognising one of `ways` people from one image of each; None for
    a set with too few people.
    """

    equal_error_rate: float
    auc: float
    accuracy: float
    threshold: float
    one_shot: float | None = None
    ways: int | None = None


def split_identities(
    identities: np.ndarray, *, dev: float = 0.2, test: float = 0.2, seed: int = 0
) -> IdentityParts:
    """Assign whole identities to the sets; `dev` and `test` are shares, and 0 omits the set."""
    for name, share in (("dev", dev), ("test", test)):
        if not 0 <= share < 1:
            expected = "a share of the identities, at least 0 and less than 1"
            raise OptionError(f"split_identities({name}=…)", expected, repr(share), f"{name}=0.2")
    groups = rows_of_identities(identities)
    sizes = [max(LEAST, round(share * len(groups))) if share else 0 for share in (dev, test)]
    if len(groups) - sum(sizes) < LEAST:
        expected = (
            f"at least {LEAST} for training, besides {sizes[0]} for dev and {sizes[1]} for test"
        )
        got = f"{len(groups)} in all"
        hint = "smaller dev and test sets, or more identities"
        raise DataError("the identities", expected, got, hint)
    order = np.random.default_rng(seed).permutation(len(groups))
    ends = np.cumsum([len(groups) - sum(sizes), sizes[0]])
    return IdentityParts(*(_rows(groups, some) for some in np.split(order, ends)))


def train_embedding(
    network: Layer,
    X: np.ndarray,
    identities: np.ndarray,
    parts: IdentityParts,
    *,
    epochs: int,
    margin: float = 0.2,
    order: ByIdentity | None = None,
    learning_rate: float = LEARNING_RATE,
    **options: Any,
) -> Fit:
    """Train on triplets of the training identities; X (m, …) are rows, options those of `fit`.

    The learning rate decays to a twentieth over the epochs. With a dev set its triplet cost decides
    which epoch was best; the metric is the share of images whose nearest other image is the same
    person.
    """
    order = order or ByIdentity()
    check_parts(identities, parts)
    check_memory("the dev identities", PAIR_BYTES * len(parts.dev) ** 2, "fewer dev identities")
    Y = np.asarray(identities).reshape(-1, 1)
    train, dev = (Examples(X[rows], Y[rows]) for rows in (parts.train, parts.dev))
    draw = order.of(train.Y)
    rate = exponential_decay(
        learning_rate, FALLS_TO ** (1 / epochs), steps_per_epoch=draw.steps_per_epoch
    )
    return fit(
        network,
        adam(rate),
        TripletCost(margin),
        train,
        dev if len(parts.dev) else None,
        epochs=epochs,
        metric=nearest_is_same,
        order=order,
        **options,
    )


def measure(
    network: Layer,
    X: np.ndarray,
    identities: np.ndarray,
    parts: IdentityParts,
    distance: Distance = distances,
) -> dict[str, Verification]:
    """Evaluate the dev set, or without one the training set, and the test set.

    The threshold is the best one for the first of them.
    """
    check_parts(identities, parts)
    identities = np.asarray(identities).ravel()
    found: dict[str, Verification] = {}
    threshold = None
    for name in ("dev" if len(parts.dev) else "train", "test"):
        rows = getattr(parts, name)
        if len(rows):
            E = network_outputs(network, X[rows])
            found[name] = measured(E, identities[rows], threshold, distance)
            threshold = found[name].threshold
    return found


def measured(
    E: np.ndarray,
    identities: np.ndarray,
    threshold: float | None = None,
    distance: Distance = distances,
) -> Verification:
    """Evaluate the embeddings E (m, n) at this threshold; None uses the best one for them."""
    rows = some_of(identities)
    E, identities = E[rows], np.asarray(identities).ravel()[rows]
    pairs = pairs_of(E, identities, distance)
    curve = roc(pairs)
    threshold = best_threshold(curve) if threshold is None else threshold
    k = ways_of(identities)
    return Verification(
        equal_error_rate(curve),
        curve.auc,
        verification_accuracy(pairs, threshold),
        threshold,
        None if k is None else one_shot_of(E, identities, k, distance=distance),
        k,
    )


def some_of(identities: np.ndarray, most: int = MOST) -> np.ndarray:
    """Return all rows, or those of randomly chosen identities with at most `most` rows in all.

    >>> some_of(np.repeat([1, 2, 3, 4], 3), most=7).size
    6
    """
    _, codes, counts = np.unique(identities, return_inverse=True, return_counts=True)
    order = np.random.default_rng(0).permutation(len(counts))
    fit = max(LEAST, int((np.cumsum(counts[order]) <= most).sum()))
    return np.flatnonzero(np.isin(codes, order[:fit]))


def check_parts(identities: np.ndarray, parts: IdentityParts) -> None:
    """Refuse sets that share an identity: scores need people whom training has not seen."""
    identities = np.asarray(identities).ravel()
    known = set(identities[parts.train].tolist())
    for name, rows in (("dev", parts.dev), ("test", parts.test)):
        both = sorted(known & set(identities[rows].tolist()))
        if both:
            got = f"{len(both)} of {name} also in training, such as {both[0]}"
            hint = "split_identities, which keeps them apart"
            raise DataError("the sets", "every identity in only one set", got, hint)
    shared = set(identities[parts.dev].tolist()) & set(identities[parts.test].tolist())
    if shared:
        got = f"{len(shared)} of dev also in test, such as {min(shared)}"
        raise DataError("the sets", "every identity in only one set", got, "split_identities")


def _rows(groups: list[np.ndarray], some: np.ndarray) -> np.ndarray:
    """Return all rows of these groups, sorted."""
    return np.sort(np.concatenate([groups[i] for i in some])) if len(some) else np.array([], int)
