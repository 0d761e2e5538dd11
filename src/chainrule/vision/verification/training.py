"""Face verification: split identities, train an embedding on triplets, and evaluate it.

Notes: "Face verification", "One-shot learning", "Siamese network", "Triplet loss", "Face
verification and binary classification" (course 4, week 4).

    parts    = split_identities(identities, dev=0.2, test=0.2)     no identity in two sets
    trained  = train_embedding(network, X, identities, parts)      triplet cost, with a dev set
    results  = measure(trained.network, X, identities, parts)      threshold from the dev set

The dev identities are used to decide when training stops and to choose the threshold; the test
identities are not used for either.

`TripletCost` chooses triplets that are hard to train on, from the images of a step. They are
semi-hard, as in "FaceNet" (Schroff and others, 2015):

    J = mean over the pairs of anchor and positive of max(D_P − D_N + α, 0)

Every image is the anchor of a triplet with each other image of its identity as the positive. The
negative is the nearest one that is further away than the positive, or the furthest if there is
none; this choice is not differentiated. A pair is weighted by the product of its images' weights.

`train_pair_classifier` learns whether two embeddings show the same person, by logistic regression
on their difference:

    Z = W |f(x1) − f(x2)| + b        ŷ = sigmoid(Z)         the layer is `layers/face_embedding.py`
    D = 1 − ŷ                        a distance from 0 to 1

The embedding is not changed; W and b are learned from pairs of training images, half of them of
the same person. D is a `Distance` and can replace the squared distance. The learned parameters are
stored as (n + 1,) numbers, b followed by W.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from numpy.typing import ArrayLike

from chainrule.blocks.costs import logistic_cost, mean
from chainrule.blocks.distances import squared_distances
from chainrule.blocks.triplet import margin_loss
from chainrule.errors import DataError, OptionError
from chainrule.host.machine import check_memory
from chainrule.host.randomness import key_from_seed
from chainrule.layers.face_embedding import PairClassifier
from chainrule.layers.layer import Layer
from chainrule.optim.adam import adam
from chainrule.optim.schedules import exponential_decay
from chainrule.train.examples import Examples
from chainrule.train.fit import Fit, fit
from chainrule.train.loader import ByIdentity, rows_of_identities
from chainrule.train.outputs import network_outputs
from chainrule.vision.verification.scores import (
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

# The triplet cost, and the metric during training

Square = Float[Array, "m m"]


@dataclass(frozen=True)
class TripletCost:
    """The cost J of embeddings Z (n, m) with identities Y (1, m) and weights (1, m), for `fit`.

    Costs with the same margin share a compiled program. Squared distances of unit vectors are at
    most 4.
    """

    margin: float = 0.2

    def __post_init__(self):
        if not isinstance(self.margin, int | float) or not 0 < self.margin < 4:
            expected = "a number greater than 0 and less than 4, the largest squared distance"
            raise OptionError("TripletCost(margin=…)", expected, repr(self.margin), "margin=0.2")

    def __call__(
        self, Z: Float[Array, "n m"], Y: Float[Array, "1 m"], weights: Float[Array, "1 m"]
    ) -> Float[Array, ""]:
        """Return J, or 0 if no two images have the same identity."""
        D = squared_distances(Z, Z)
        positive, negative = pairs(Y, weights)
        D_N = jnp.take_along_axis(D, semi_hard(jax.lax.stop_gradient(D), negative), axis=1)
        counted = positive & negative.any(axis=1, keepdims=True)
        shares = jnp.where(counted, weights * weights.T, 0)
        none = shares.sum() == 0
        shares = jnp.where(none, jnp.ones_like(shares), shares)
        return jnp.where(none, 0, mean(margin_loss(D, D_N, self.margin), shares))


def pairs(
    Y: Float[Array, "1 m"], weights: Float[Array, "1 m"]
) -> tuple[Bool[Array, "m m"], Bool[Array, "m m"]]:
    """Return which images are positives and which negatives, one line for each anchor."""
    real = weights > 0
    same, both = Y == Y.T, real & real.T
    return same & both & ~jnp.eye(Y.shape[1], dtype=bool), ~same & both


def semi_hard(D: Square, negative: Bool[Array, "m m"]) -> Int[Array, "m m"]:
    """Return the index of the negative for each anchor (line) and each positive (column)."""
    far = jnp.where(negative, D, jnp.inf)
    order = jnp.argsort(far, axis=1)
    nearest_first = jnp.take_along_axis(far, order, axis=1)
    as_near = jax.vmap(lambda line, d: jnp.searchsorted(line, d, side="right"))(nearest_first, D)
    count = negative.sum(axis=1, keepdims=True, dtype=as_near.dtype)
    place = jnp.clip(jnp.minimum(as_near, count - 1), 0)
    return jnp.take_along_axis(order, place, axis=1)


def nearest_is_same(
    Z: Float[Array, "n m"], Y: Float[Array, "1 m"], weights: Float[Array, "1 m"]
) -> Float[Array, ""]:
    """Return the share of images whose nearest other image has the same identity, for `fit`."""
    D = squared_distances(Z, Z)
    others = (weights > 0) & ~jnp.eye(D.shape[0], dtype=bool)
    nearest = jnp.where(others, D, jnp.inf).argmin(axis=1)
    right = Y[:, nearest] == Y
    return (weights * right.astype(Z.dtype)).sum() / weights.sum()


# Splitting, training and evaluating

LEAST = 2
"""The minimum number of identities in a set, since pairs of different identities are needed."""
LEARNING_RATE = 0.001
FALLS_TO = 0.05
"""The final learning rate as a share of the initial one."""
MOST = 4000
"""The maximum number of images to compare pair by pair; if there are more, some are left out."""
PAIR_BYTES = 32
"""The memory of the cost for each pair of dev images."""


class IdentitySplit(NamedTuple):
    """The row numbers of the training, dev and test sets."""

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
) -> IdentitySplit:
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
    return IdentitySplit(*(_rows(groups, some) for some in np.split(order, ends)))


def train_embedding(
    network: Layer,
    X: np.ndarray,
    identities: np.ndarray,
    parts: IdentitySplit,
    *,
    epochs: int,
    margin: float = 0.2,
    order: ByIdentity | None = None,
    learning_rate: float = LEARNING_RATE,
    **options: Any,
) -> Fit:
    """Train on triplets of the training identities; X (m, …) are rows, options those of `fit`.

    The learning rate decays to a twentieth over the epochs. With a dev set, the epoch with
    the lowest triplet cost on it is kept; the metric is the share of images whose nearest other
    image shows the same person.
    """
    order = order or ByIdentity()
    check_identity_split(identities, parts)
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
    parts: IdentitySplit,
    distance: Distance = distances,
) -> dict[str, Verification]:
    """Evaluate the dev set, or without one the training set, and the test set.

    The threshold is the best one for the first of them.
    """
    check_identity_split(identities, parts)
    identities = np.asarray(identities).ravel()
    found: dict[str, Verification] = {}
    threshold = None
    for name in ("dev" if len(parts.dev) else "train", "test"):
        rows = getattr(parts, name)
        if len(rows):
            E = network_outputs(network, X[rows])
            found[name] = evaluate_embeddings(E, identities[rows], threshold, distance)
            threshold = found[name].threshold
    return found


def evaluate_embeddings(
    E: np.ndarray,
    identities: np.ndarray,
    threshold: float | None = None,
    distance: Distance = distances,
) -> Verification:
    """Evaluate the embeddings E (m, n) at this threshold; None uses the best one for them."""
    rows = sample_identities(identities)
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


def sample_identities(identities: np.ndarray, most: int = MOST) -> np.ndarray:
    """Return all rows, or those of randomly chosen identities with at most `most` rows in all.

    >>> sample_identities(np.repeat([1, 2, 3, 4], 3), most=7).size
    6
    """
    _, codes, counts = np.unique(identities, return_inverse=True, return_counts=True)
    order = np.random.default_rng(0).permutation(len(counts))
    fit = max(LEAST, int((np.cumsum(counts[order]) <= most).sum()))
    return np.flatnonzero(np.isin(codes, order[:fit]))


def check_identity_split(identities: np.ndarray, parts: IdentitySplit) -> None:
    """Refuse sets that share an identity: scores need people whom training has not seen."""
    identities = np.asarray(identities).ravel()
    known = set(identities[parts.train].tolist())
    for name, rows in (("dev", parts.dev), ("test", parts.test)):
        both = sorted(known & set(identities[rows].tolist()))
        if both:
            got = f"{len(both)} in both the {name} and the training set, such as {both[0]}"
            hint = "split_identities, which keeps them apart"
            raise DataError("the sets", "every identity in only one set", got, hint)
    shared = set(identities[parts.dev].tolist()) & set(identities[parts.test].tolist())
    if shared:
        got = f"{len(shared)} in both the dev and the test set, such as {min(shared)}"
        raise DataError("the sets", "every identity in only one set", got, "split_identities")


def _rows(groups: list[np.ndarray], some: np.ndarray) -> np.ndarray:
    """Return the sorted row numbers of these groups."""
    return np.sort(np.concatenate([groups[i] for i in some])) if len(some) else np.array([], int)


# A distance learned from pairs

MOST_PAIRS = 20_000
"""The maximum number of training pairs of the same person, and of pairs of different people."""
BATCH, STEPS, PAIR_LEARNING_RATE, PAIR_FALLS_TO = 256, 1000, 0.05, 0.05


def train_pair_classifier(E: np.ndarray, identities: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Return b and W (n + 1,) of logistic regression on pairs of the rows of E (m, n).

    Each coordinate is divided by its mean absolute difference, so that all have the same scale.
    """
    first, second, same = draw_pairs(identities, seed=seed)
    E = np.asarray(E, np.float32)
    scale = np.abs(E[first] - E[second]).mean(axis=0, keepdims=True)
    scale = np.where(scale > 0, scale, np.float32(1))
    examples = Examples(np.hstack([E[first], E[second]]) / np.tile(scale, (1, 2)), same[:, None])
    batch_size = min(BATCH, len(same))
    steps = -(-len(same) // batch_size)
    epochs = max(1, STEPS // steps)
    rate = exponential_decay(
        PAIR_LEARNING_RATE, PAIR_FALLS_TO ** (1 / epochs), steps_per_epoch=steps
    )
    start = PairClassifier(E.shape[1], key=key_from_seed(seed))
    options: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "seed": seed}
    learned: Any = fit(start, adam(rate), logistic_cost, examples, **options).network
    return np.append(np.asarray(learned.b), np.asarray(learned.W) / scale)


def draw_pairs(
    identities: np.ndarray, *, seed: int = 0, most: int = MOST_PAIRS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw pairs of rows; return both rows of each pair, and whether they show the same person.

    There are as many pairs of the same person as of different people, at most `most` of each. Pairs
    of the same person are all such pairs or a random sample; the others are drawn at random.
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


def pair_distance(E: np.ndarray, F: np.ndarray, *, classifier: ArrayLike) -> np.ndarray:
    """Return D (m, k) = 1 − ŷ from each row of E (m, n) to each row of F (k, n), in float64."""
    b, *W = np.asarray(classifier, np.float64)
    E, F = np.asarray(E, np.float64), np.asarray(F, np.float64)
    Z = np.stack([np.abs(e - F) @ W for e in E]) + b
    return np.exp(-np.logaddexp(0, Z))  # 1 − sigmoid(Z)


def distance_of(classifier: ArrayLike | None) -> Distance:
    """Return the learned distance, or ‖f(x1) − f(x2)‖² if `classifier` is None."""
    return distances if classifier is None else partial(pair_distance, classifier=classifier)
