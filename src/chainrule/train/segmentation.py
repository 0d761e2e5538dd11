"""A class for every pixel: the cost, what training does to pictures and masks, how good it is.

Notes: "Semantic segmentation" (course 4, week 3).

    J         Σ v L / Σ v over all pixels, L = −Σ Y log softmax(Z) of one
    v         the example's weight times that of the pixel's class; 0 where it is ignored
    balanced  √(median share / share) of a class among the pixels, its mean over them 1

Z is (m, n_H, n_W, C), Y (m, n_H, n_W) of whole numbers. A class of few pixels would be given up
without weights; with the whole quotient, and no root, it would be seen everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from chainrule.blocks.costs import softmax_cost
from chainrule.data.augment import augment_marked
from chainrule.data.augmentation import Augmentation
from chainrule.data.mask_classes import IGNORED
from chainrule.layers.augment import Augment
from chainrule.train.scores_classes import accuracy, class_counts, intersection_over_union
from chainrule.train.step import Batch
from chainrule.types import Key


@dataclass(frozen=True)
class PixelCost:
    """J of Z and Y; the weight of each class, and the label that counts for nothing."""

    class_weights: tuple[float, ...]
    ignored: int = IGNORED

    def __call__(
        self,
        Z: Float[Array, "m n_H n_W C"],
        Y: Int[Array, "m n_H n_W"],
        weights: Float[Array, "1 m"],
    ) -> Float[Array, ""]:
        """The mean over the pixels that count."""
        Y = Y.astype(jnp.int32)
        wanted = jax.nn.one_hot(Y, len(self.class_weights), dtype=Z.dtype)
        v = wanted @ jnp.asarray(self.class_weights, Z.dtype) * weights[0][:, None, None]
        v = v * jnp.not_equal(Y, self.ignored).astype(Z.dtype)
        return softmax_cost(Z, wanted, v[..., None], axis=-1)


@dataclass(frozen=True)
class PixelAccuracy:
    """The share of pixels whose most likely class is the right one, those ignored left out."""

    ignored: int = IGNORED

    def __call__(
        self,
        Z: Float[Array, "m n_H n_W C"],
        Y: Int[Array, "m n_H n_W"],
        weights: Float[Array, "1 m"],
    ) -> Float[Array, ""]:
        """From 0 to 1."""
        Y = Y.astype(jnp.int32)
        v = jnp.not_equal(Y, self.ignored).astype(Z.dtype) * weights[0][:, None, None]
        right = (Z.argmax(axis=3).astype(jnp.int32) == Y).astype(Z.dtype)
        return (v * right).sum() / v.sum()


class MovingMasks(eqx.Module):
    """What training does to pictures, and to the masks that belong to them."""

    changes: Augment
    ignored: int = eqx.field(static=True)

    def __init__(self, augmentation: Augmentation | str, *, ignored: int = IGNORED):
        self.changes, self.ignored = Augment(augmentation), ignored

    def __call__(self, batch: Batch, *, key: Key) -> Batch:
        """Pictures and masks, changed alike."""
        how = {"padding": self.changes.padding, "directions": self.changes.directions}
        X, Y = augment_marked(
            batch.X, batch.Y, self.changes.strengths, key=key, beyond=self.ignored, **how
        )
        return batch._replace(X=X, Y=Y)


def balanced_weights(counts: Sequence[float] | np.ndarray) -> np.ndarray:
    """The weight of each class from the number of its pixels; 0 of one that has none.

    >>> balanced_weights([900, 100]).round(3).tolist()
    [0.833, 2.5]
    """
    counts = np.asarray(counts, float)
    there = counts > 0
    quotient = np.median(counts[there]) / np.where(there, counts, 1)
    weights = np.where(there, np.sqrt(quotient), 0)
    return weights * counts.sum() / (weights @ counts)


def pixel_counts(Y: np.ndarray, said: np.ndarray, n_C: int, ignored: int = IGNORED) -> np.ndarray:
    """(C, C): how many pixels of the class in the row were said to be of that in the column."""
    known = ignored != Y
    y, said = Y[known].astype(np.intp), said[known].astype(np.intp)
    return class_counts(y, said, np.ones(len(y)), n_C)


def pixel_scores(counts: np.ndarray) -> dict[str, float]:
    """The mean IoU over the classes that occur, and the share of pixels that are right."""
    mean = float(np.nanmean(class_scores(counts)))
    return {"mean_iou": mean, "pixel_accuracy": float(accuracy(counts))}


def class_scores(counts: np.ndarray) -> np.ndarray:
    """The IoU of each class, nan of one that does not occur.

    >>> class_scores(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])).tolist()
    [0.75, 0.8, nan]
    """
    return np.where(counts.sum(axis=1) > 0, intersection_over_union(counts), np.nan)
