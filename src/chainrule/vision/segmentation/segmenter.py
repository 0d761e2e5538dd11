"""Segmenter, a semantic segmentation model with scikit-learn's interface: a class per pixel.

Notes: "Semantic segmentation", "U-Net" (course 4, week 3).
"""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from chainrule.data.augmentation import read_augmentation
from chainrule.errors import DataError, ShapeError
from chainrule.host.compilation_cache import enable_compilation_cache
from chainrule.host.randomness import key_from_seed
from chainrule.models.unet import unet
from chainrule.runs.networks import as_image_array
from chainrule.runs.options import check_parameters
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.outputs import network_outputs, probabilities
from chainrule.vision.estimator import VisionEstimator
from chainrule.vision.recipe import SegmentRecipe
from chainrule.vision.segmentation.cost import (
    AugmentMasks,
    PixelAccuracy,
    PixelCost,
    balanced_weights,
    pixel_counts,
    pixel_scores,
)
from chainrule.vision.segmentation.mask_classes import IGNORED

BATCH = 16


class Segmenter(VisionEstimator):
    """A U-Net that predicts the class of every pixel.

    depth            number of times the U-Net halves its images
    width            factor for the number of channels of every layer; with 1, the top level has 64
    keep_prob        probability of keeping a channel of the bottom level in dropout; 1: no dropout
    augment          random changes to the training images and their masks, such as
                     "mirror,crop=8,rotation=10" or "auto"; None: no augmentation
    class_weight     "balanced": weight a class by the inverse square root of its frequency; None:
                     all classes have the same weight
    ignored          label of the pixels that belong to no class
    batch_size       images per step
    epochs           number of epochs; "auto": about 3,000 steps
    learning_rate    initial α of Adam, which decays to 4 % of it
    random_state     seed of the initial weights, the augmentation and the order of the batches

    After fit: network_ (images in, Z out), history_, n_classes_, counts_ (pixels of each class).
    """

    STEPS = 3000
    n_classes_: int
    marks_: dict[str, Any]  # the value of each class in mask files, if it was trained from files

    def __init__(
        self,
        *,
        depth: int = 4,
        width: float = 0.25,
        keep_prob: float = 1.0,
        augment: str | None = "auto",
        class_weight: str | None = "balanced",
        ignored: int = IGNORED,
        batch_size: int = BATCH,
        epochs: int | str = "auto",
        learning_rate: float = 0.002,
        random_state: int = 0,
    ):
        super().__init__(augment, epochs, learning_rate, random_state)
        self.depth = depth
        self.width = width
        self.keep_prob = keep_prob
        self.class_weight = class_weight
        self.ignored = ignored
        self.batch_size = batch_size

    def fit(
        self,
        X: Any,
        Y: Any,
        X_dev: Any = None,
        Y_dev: Any = None,
        *,
        n_classes: int | None = None,
        **fit_options: Any,
    ) -> "Segmenter":
        """Train on images X (m, n_H, n_W[, n_C]) and masks Y (m, n_H, n_W) of whole numbers.

        Pixels are divided by their range, such as 255 for bytes. With a dev set, the network of the
        best epoch on it is kept. `n_classes` is the number of classes; it is needed only if the
        last classes do not occur in Y. `fit_options` are passed to `chainrule.train.fit.fit`:
        on_progress, checkpoints.
        """
        self._check()
        X = self._training_images(X)
        Y = as_masks(Y, X, self.ignored, "Y", n_classes)
        known = Y[self.ignored != Y].ravel().astype(np.intp)
        self.counts_ = np.bincount(known, minlength=n_classes or 0)
        self.n_classes_ = len(self.counts_)
        if self.n_classes_ < 2:
            hint = "masks with the whole numbers 0, 1, …, one for each class"
            raise DataError("Y", "at least two classes", f"{self.n_classes_}", hint)
        dev = None
        if X_dev is not None:
            images = self._images(X_dev, "X_dev", X.shape[1:])
            masks = as_masks(Y_dev, images, self.ignored, "Y_dev", self.n_classes_)
            dev = Examples(images, masks)
        enable_compilation_cache()
        self._train(Examples(X, Y), dev, **fit_options)
        return self

    @property
    def _images_per_step(self) -> int:
        return self.batch_size

    def _check(self) -> None:
        """Refuse invalid parameters before training starts."""
        check_parameters(self, SegmentRecipe)

    def _train(self, train: Examples, dev: Examples | None, **fit_options: Any) -> None:
        network = unet(
            train.X.shape[1:],
            self.n_classes_,
            key=key_from_seed(self.random_state),
            depth=self.depth,
            width=self.width,
            keep_prob=self.keep_prob,
        )
        weights = balanced_weights(self.counts_) if self.class_weight else np.ones(self.n_classes_)
        augmentation = read_augmentation(self.augment or "none", train.X.shape[1:])
        fitted = fit(
            network,
            cost=PixelCost(tuple(float(w) for w in weights), self.ignored),
            train=train,
            dev=dev,
            metric=PixelAccuracy(self.ignored),
            augment=AugmentMasks(augmentation, ignored=self.ignored),
            **self._fit_settings(len(train.X)),
            **fit_options,
        )
        self._keep(fitted)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most likely class of every pixel, (m, n_H, n_W)."""
        return self._outputs(X).argmax(axis=3)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the class probabilities of every pixel, (m, n_H, n_W, C)."""
        Z = self._outputs(X)
        return probabilities(Z.reshape(-1, Z.shape[3]), "softmax").reshape(Z.shape)

    def scores(self, X: Any, Y: Any) -> dict[str, float]:
        """Return the mean IoU and the pixel accuracy of the predicted masks."""
        return pixel_scores(self.pixel_counts(X, Y))

    def pixel_counts(self, X: Any, Y: Any) -> np.ndarray:
        """Return the confusion matrix of the pixels: true classes in rows, predicted in columns."""
        check_is_fitted(self, "network_")
        images = as_image_array(X, "X", self.network_.shape)
        masks = as_masks(Y, images, self.ignored, "Y", self.n_classes_)
        return pixel_counts(masks, self.predict(images), self.n_classes_, self.ignored)

    def score(self, X: Any, Y: Any) -> float:
        """Return the mean IoU over the classes that occur."""
        return self.scores(X, Y)["mean_iou"]

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "network_")
        return network_outputs(self.network_, self._images(X, "X", self.network_.shape))


def as_masks(Y: Any, X: np.ndarray, ignored: int, name: str, n_C: int | None = None) -> np.ndarray:
    """Convert masks to a checked array (m, n_H, n_W) of bytes or int32.

    The classes are 0 to n_C − 1, or 0 to 254 if n_C is None; `ignored` marks the other pixels.
    """
    Y = np.asarray(Y)
    if Y.shape != X.shape[:3]:
        hint = "a mask of the same size for each image"
        raise ShapeError(name, f"masks of shape {X.shape[:3]}", str(Y.shape), hint)
    if not np.issubdtype(Y.dtype, np.integer):
        raise DataError(name, "whole numbers", str(Y.dtype), f"{name}.astype(np.uint8)")
    known = ignored != Y
    if not known.any(axis=(1, 2)).all():
        hint = "leaving those images out"
        got = f"{int((~known.any(axis=(1, 2))).sum())} masks with no value other than {ignored}"
        raise DataError(name, "at least one pixel with a class in every mask", got, hint)
    values = np.unique(Y[known])
    last = 254 if n_C is None else n_C - 1
    if values[0] < 0 or values[-1] > last:
        invalid = values[(values < 0) | (values > last)]
        hint = f"ignored={invalid[0]}, if that value is not a class"
        raise DataError(name, f"classes from 0 to {last}", f"{invalid[0]}", hint)
    return Y if Y.dtype == np.uint8 else Y.astype(np.int32)
