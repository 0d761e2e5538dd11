"""Who is who from embeddings: identities split, a network trained on triplets, and measured.

Notes: "Face verification", "One-shot learning", "Siamese network" (course 4, week 4).

    parts    = split_identities(identities, dev=0.2, test=0.2)     no identity in two parts
    trained  = train_embedding(network, X, identities, parts)      the triplet cost, a dev part
    results  = measure(trained.network, X, identities, parts)      the threshold is the dev part's

The dev identities say when training ends and which threshold is best, the test identities neither.
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
"""Identities of a part: with one alone there is nobody to mistake it for."""
LEARNING_RATE = 0.001
FALLS_TO = 0.05
"""Of the rate, over the whole training."""
MOST = 4000
"""Images of which all pairs are measured; of more, those of some identities."""
PAIR_BYTES = 32
"""What the cost takes for each two images of dev."""


class IdentityParts(NamedTuple):
    """The rows of each part."""

    train: np.ndarray
    dev: np.ndarray
    test: np.ndarray


class Verification(NamedTuple):
    """What a part says: shares of pairs, and the threshold that was used.

    `one_shot` is the share of right answers where one of `ways` people is to be found from one
    image of each; None of a part with fewer people than that.
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
    """Whole identities to each part, `dev` and `test` of them by share; 0 for no such part."""
    for name, share in (("dev", dev), ("test", test)):
        if not 0 <= share < 1:
            expected = "a share of the identities, from 0 to below 1"
            raise OptionError(f"split_identities({name}=…)", expected, repr(share), f"{name}=0.2")
    groups = rows_of_identities(identities)
    sizes = [max(LEAST, round(share * len(groups))) if share else 0 for share in (dev, test)]
    if len(groups) - sum(sizes) < LEAST:
        expected = f"{LEAST} or more in training, beside {sizes[0]} of dev and {sizes[1]} of test"
        got = f"{len(groups)} in all"
        raise DataError("the identities", expected, got, "smaller parts, or more identities")
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
    """Train on the triplets of the training identities, X (m, …) rows; options are those of `fit`.

    The rate falls to a twentieth over the epochs. Where there is a dev part its triplet cost says
    which epoch was best, and the metric is the share whose nearest other image is the same person.
    """
    order = order or ByIdentity()
    check_parts(identities, parts)
    check_memory("the dev identities", PAIR_BYTES * len(parts.dev) ** 2, "fewer of them")
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
    """Every part that is there, at the threshold that is best on dev, or without dev on train."""
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
    """What the rows of E (m, n) say, at this threshold; None: at the best for them."""
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
    """All rows, or those of so many identities, drawn, as have at most so many together.

    >>> some_of(np.repeat([1, 2, 3, 4], 3), most=7).size
    6
    """
    _, codes, counts = np.unique(identities, return_inverse=True, return_counts=True)
    order = np.random.default_rng(0).permutation(len(counts))
    fit = max(LEAST, int((np.cumsum(counts[order]) <= most).sum()))
    return np.flatnonzero(np.isin(codes, order[:fit]))


def check_parts(identities: np.ndarray, parts: IdentityParts) -> None:
    """Refuse parts that share an identity: a network that has met a person is no stranger."""
    identities = np.asarray(identities).ravel()
    known = set(identities[parts.train].tolist())
    for name, rows in (("dev", parts.dev), ("test", parts.test)):
        both = sorted(known & set(identities[rows].tolist()))
        if both:
            got = f"{len(both)} of {name} in training too, such as {both[0]}"
            hint = "split_identities, which keeps them apart"
            raise DataError("the parts", "every identity in one part", got, hint)
    shared = set(identities[parts.dev].tolist()) & set(identities[parts.test].tolist())
    if shared:
        got = f"{len(shared)} of dev in test too, such as {min(shared)}"
        raise DataError("the parts", "every identity in one part", got, "split_identities")


def _rows(groups: list[np.ndarray], some: np.ndarray) -> np.ndarray:
    """All the rows of these groups, in their order."""
    return np.sort(np.concatenate([groups[i] for i in some])) if len(some) else np.array([], int)
