"""Semantic segmentation: the cost, the augmentation of images with masks, and the scores.

Notes: "Semantic segmentation" (course 4, week 3).

    J         Σ v L / Σ v over all pixels, with L = −Σ Y log softmax(Z) for each pixel
    v         the weight of the example times that of the pixel's class; 0 for ignored pixels
    balanced  √(median share / share) for each class; the mean weight over all pixels is 1

Z is (m, n_H, n_W, C), Y (m, n_H, n_W) of whole numbers. Without weights the network would neglect a
class with few pixels; without the square root it would predict that class everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from chainrule.blocks.costs import softmax_cost
from chainrule.data.augmentation import Augmentation, augment_with_masks
from chainrule.layers.augment import Augment
from chainrule.runs.metrics import accuracy, class_counts, intersection_over_union
from chainrule.train.step import Batch
from chainrule.types import Key
from chainrule.vision.segmentation.mask_classes import IGNORED

Scores = Float[Array, "m n_H n_W C"]
Labels = Int[Array, "m n_H n_W"]
Weights = Float[Array, "1 m"]


@dataclass(frozen=True)
class PixelCost:
    """The cost J of Z and Y, with a weight for each class and a label for ignored pixels."""

    class_weights: tuple[float, ...]
    ignored: int = IGNORED

    def __call__(self, Z: Scores, Y: Labels, weights: Weights) -> Float[Array, ""]:
        """Return the weighted mean of the loss over the pixels that are not ignored."""
        Y = Y.astype(jnp.int32)
        one_hot = jax.nn.one_hot(Y, len(self.class_weights), dtype=Z.dtype)
        v = one_hot @ jnp.asarray(self.class_weights, Z.dtype) * weights[0][:, None, None]
        v = v * jnp.not_equal(Y, self.ignored).astype(Z.dtype)
        return softmax_cost(Z, one_hot, v[..., None], axis=-1)


@dataclass(frozen=True)
class PixelAccuracy:
    """The share of pixels whose most likely class is the true one, without ignored pixels."""

    ignored: int = IGNORED

    def __call__(self, Z: Scores, Y: Labels, weights: Weights) -> Float[Array, ""]:
        """Return the share of correct pixels, from 0 to 1."""
        Y = Y.astype(jnp.int32)
        v = jnp.not_equal(Y, self.ignored).astype(Z.dtype) * weights[0][:, None, None]
        right = (Z.argmax(axis=3).astype(jnp.int32) == Y).astype(Z.dtype)
        return (v * right).sum() / v.sum()


class AugmentMasks(eqx.Module):
    """An augmenter that changes images and their masks together."""

    changes: Augment
    ignored: int = eqx.field(static=True)

    def __init__(self, augmentation: Augmentation | str, *, ignored: int = IGNORED):
        self.changes, self.ignored = Augment(augmentation), ignored

    def __call__(self, batch: Batch, *, key: Key) -> Batch:
        """Return the batch with images and masks transformed in the same way."""
        how = {"padding": self.changes.padding, "directions": self.changes.directions}
        X, Y = augment_with_masks(
            batch.X, batch.Y, self.changes.strengths, key=key, beyond=self.ignored, **how
        )
        return batch._replace(X=X, Y=Y)


def balanced_weights(counts: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the weight of each class from its pixel count; 0 for a class without pixels.

    >>> balanced_weights([900, 100]).round(3).tolist()
    [0.833, 2.5]
    """
    counts = np.asarray(counts, float)
    present = counts > 0
    quotient = np.median(counts[present]) / np.where(present, counts, 1)
    weights = np.where(present, np.sqrt(quotient), 0)
    return weights * counts.sum() / (weights @ counts)


def pixel_counts(
    Y: np.ndarray, predicted: np.ndarray, n_C: int, ignored: int = IGNORED
) -> np.ndarray:
    """Return the confusion matrix (C, C) of pixels: true classes in rows, predicted in columns."""
    known = ignored != Y
    y, z = Y[known].astype(np.intp), predicted[known].astype(np.intp)
    return class_counts(y, z, np.ones(len(y)), n_C)


def pixel_scores(counts: np.ndarray) -> dict[str, float]:
    """Return the mean IoU over the classes that occur, and the share of correct pixels."""
    mean = float(np.nanmean(class_scores(counts)))
    return {"mean_iou": mean, "pixel_accuracy": float(accuracy(counts))}


def class_scores(counts: np.ndarray) -> np.ndarray:
    """Return the IoU of each class; nan for a class that does not occur.

    >>> class_scores(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])).tolist()
    [0.75, 0.8, nan]
    """
    return np.where(counts.sum(axis=1) > 0, intersection_over_union(counts), np.nan)
