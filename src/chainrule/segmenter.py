"""A class for every pixel, in the manner of scikit-learn: images and masks in, masks out.

Notes: "Semantic segmentation", "U-Net" (course 4, week 3).
"""

from typing import Any, cast

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from chainrule.cache import keep_compiled_programs
from chainrule.data.augmentation import read_augmentation
from chainrule.data.batches import steps_per_epoch
from chainrule.data.mask_classes import IGNORED
from chainrule.errors import DataError, ShapeError, check_choice
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.unet import unet
from chainrule.network_estimator import check_whole
from chainrule.randomness import key_from_seed
from chainrule.train.examples import Examples
from chainrule.train.fit import Fit, fit
from chainrule.train.image_rows import as_images
from chainrule.train.optimizers import Descent
from chainrule.train.outputs import network_outputs, probabilities
from chainrule.train.schedule import usual_decay
from chainrule.train.segmentation import (
    MovingMasks,
    PixelAccuracy,
    PixelCost,
    balanced_weights,
    pixel_counts,
    pixel_scores,
)

BATCH = 16
STEPS = 3000
"""About so many steps, where nothing is said of epochs."""


class Segmenter(BaseEstimator):
    """A U-Net that says of every pixel what it belongs to.

    depth, width     how often U-Net halves its images; all its channels, times this (64 and on)
    keep_prob        of the channels at the bottom, in dropout; 1: all
    augment          changes to the pictures of each step, and to their masks along:
                     "mirror,crop=8,rotation=10", "auto"; None: none
    class_weight     "balanced": rare classes count more, by the root of how rare; None: all alike
    ignored          the label of pixels that are of no class
    batch_size       pictures a step sees
    epochs           passes; "auto": about 3,000 steps
    learning_rate    α of Adam, which falls to 4 % of it
    random_state     of the first weights, the changes and the order of the batches

    After fit: network_ (images in, Z out), history_, n_classes_, counts_ (pixels of each class).
    """

    network_: ConvNetwork
    n_classes_: int
    marks_: dict[str, Any]  # what masks in files have for each class, where it learned from files

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
        self.depth = depth
        self.width = width
        self.keep_prob = keep_prob
        self.augment = augment
        self.class_weight = class_weight
        self.ignored = ignored
        self.batch_size = batch_size
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        Y: Any,
        X_dev: Any = None,
        Y_dev: Any = None,
        *,
        n_classes: int | None = None,
        **how: Any,
    ) -> "Segmenter":
        """Train on images X (m, n_H, n_W[, n_C]) and masks Y (m, n_H, n_W) of whole numbers.

        Bytes are divided by 255. With a dev part the network of the epoch that was best there is
        kept. `n_classes` is how many there are, where Y may lack the last of them. `how` is for
        `chainrule.train.fit.fit`: watch, checkpoints.
        """
        self._check()
        X = as_images(X, "X")
        Y = as_masks(Y, X, self.ignored, "Y", n_classes)
        known = Y[self.ignored != Y].ravel().astype(np.intp)
        self.counts_ = np.bincount(known, minlength=n_classes or 0)
        self.n_classes_ = len(self.counts_)
        if self.n_classes_ < 2:
            hint = "masks of whole numbers from 0 on, one for each class"
            raise DataError("Y", "at least two classes", f"{self.n_classes_}", hint)
        dev = None
        if X_dev is not None:
            images = as_images(X_dev, "X_dev", X.shape[1:])
            masks = as_masks(Y_dev, images, self.ignored, "Y_dev", self.n_classes_)
            dev = Examples(images, masks)
        keep_compiled_programs()
        fitted = self._trained(Examples(X, Y), dev, **how)
        self.network_, self.history_ = cast(ConvNetwork, fitted.network), fitted.history
        return self

    def epochs_for(self, m: int) -> int:
        """How many passes over m pictures `fit` makes."""
        if not isinstance(self.epochs, str):
            return self.epochs
        return max(10, STEPS // steps_per_epoch(m, min(self.batch_size, m)))

    def _check(self) -> None:
        """Refuse what means nothing, before anything is trained."""
        if self.class_weight is not None:
            check_choice("class_weight", self.class_weight, ["balanced"])
        check_whole("batch_size", (self.batch_size,), str(BATCH))
        if self.epochs != "auto":
            check_whole("epochs", (self.epochs,), '"auto", or 100')

    def _trained(self, train: Examples, dev: Examples | None, **how: Any) -> Fit:
        network = unet(
            train.X.shape[1:],
            self.n_classes_,
            key=key_from_seed(self.random_state),
            depth=self.depth,
            width=self.width,
            keep_prob=self.keep_prob,
        )
        weights = balanced_weights(self.counts_) if self.class_weight else np.ones(self.n_classes_)
        a_pass = steps_per_epoch(len(train.X), min(self.batch_size, len(train.X)))
        epochs = self.epochs_for(len(train.X))
        augmentation = read_augmentation(self.augment or "none", train.X.shape[1:])
        return fit(
            network,
            Descent(learning_rate=self.learning_rate, **usual_decay(epochs)).make(a_pass),
            PixelCost(tuple(float(w) for w in weights), self.ignored),
            train,
            dev,
            epochs=epochs,
            batch_size=self.batch_size,
            metric=PixelAccuracy(self.ignored),
            seed=self.random_state,
            augment=MovingMasks(augmentation, ignored=self.ignored),
            **how,
        )

    def predict(self, X: Any) -> np.ndarray:
        """The most likely class of every pixel, (m, n_H, n_W)."""
        return self._outputs(X).argmax(axis=3)

    def predict_proba(self, X: Any) -> np.ndarray:
        """How likely each class is, (m, n_H, n_W, C)."""
        Z = self._outputs(X)
        return probabilities(Z.reshape(-1, Z.shape[3]), "softmax").reshape(Z.shape)

    def scores(self, X: Any, Y: Any) -> dict[str, float]:
        """The mean IoU and the share of pixels that are right."""
        return pixel_scores(self.pixel_counts(X, Y))

    def pixel_counts(self, X: Any, Y: Any) -> np.ndarray:
        """(C, C): how many pixels of the class in the row are said to be of that in the column."""
        check_is_fitted(self, "network_")
        images = as_images(X, "X", self.network_.shape)
        masks = as_masks(Y, images, self.ignored, "Y", self.n_classes_)
        return pixel_counts(masks, self.predict(images), self.n_classes_, self.ignored)

    def score(self, X: Any, Y: Any) -> float:
        """The mean IoU over the classes that occur."""
        return self.scores(X, Y)["mean_iou"]

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "network_")
        return network_outputs(self.network_, as_images(X, "X", self.network_.shape))


def as_masks(Y: Any, X: np.ndarray, ignored: int, name: str, n_C: int | None = None) -> np.ndarray:
    """Masks (m, n_H, n_W) of bytes or int32, whole numbers from 0 on; of n_C classes if known."""
    Y = np.asarray(Y)
    if Y.shape != X.shape[:3]:
        hint = "a mask of the size of each image"
        raise ShapeError(name, f"masks {X.shape[:3]}", str(Y.shape), hint)
    if not np.issubdtype(Y.dtype, np.integer):
        raise DataError(name, "whole numbers", str(Y.dtype), f"{name}.astype(np.uint8)")
    known = ignored != Y
    if not known.any(axis=(1, 2)).all():
        hint = "leaving those images out"
        got = f"{int((~known.any(axis=(1, 2))).sum())} masks of nothing but {ignored}"
        raise DataError(name, "a pixel that counts in every mask", got, hint)
    values = np.unique(Y[known])
    most = 254 if n_C is None else n_C - 1
    if values[0] < 0 or values[-1] > most:
        odd = values[(values < 0) | (values > most)]
        hint = f"ignored={odd[0]}, if it is of no class"
        raise DataError(name, f"classes from 0 to {most}", f"{odd[0]}", hint)
    return Y if Y.dtype == np.uint8 else Y.astype(np.int32)
