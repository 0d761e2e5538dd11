"""The triplet cost: choose triplets from the images of a step, and measure a dev set.

Notes: "Triplet loss" (course 4, week 4): choose triplets that are hard to train on. Here they are
semi-hard, as in "FaceNet" (Schroff and others, 2015).

    J = mean over the pairs of anchor and positive of max(D_P − D_N + α, 0)

Every image is the anchor of a triplet with each other image of its identity as the positive. The
negative is the nearest one that is further away than the positive, or the furthest if there is
none; this choice is not differentiated. A pair is weighted by the product of its images' weights.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from chainrule.blocks.costs import mean
from chainrule.blocks.distances import squared_distances
from chainrule.blocks.triplet import margin_loss
from chainrule.errors import OptionError

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
