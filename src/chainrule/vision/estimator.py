"""The base class of Detector, Segmenter and Verifier: their number of epochs and `fit` settings.

Each of them writes out its own `__init__`, whose signature scikit-learn reads.
"""

from abc import abstractmethod
from typing import Any, ClassVar, Literal, TypedDict, cast

import numpy as np
from sklearn.base import BaseEstimator

from chainrule.data.batches import steps_per_epoch
from chainrule.data.decoding import FULL
from chainrule.host.reading import Above0, Positive
from chainrule.models.conv_network import ConvNetwork
from chainrule.runs.defaults import OptimizerSettings, default_decay_for
from chainrule.runs.networks import PixelScale, as_image_array, as_images, learn_pixel_scale
from chainrule.train.fit import Fit
from chainrule.train.history import History


class Fitted(TypedDict, total=False):
    """The attributes of every fitted estimator that are saved; earlier versions had none."""

    pixel_scale_: Above0 | Literal["fractions", "binary", "as given"] | None
    white_: Positive


class VisionEstimator(BaseEstimator):
    """A network on images with scikit-learn's interface, trained by Adam with a decaying α."""

    STEPS: ClassVar[int]
    """The approximate number of training steps when `epochs` is "auto"."""
    pixel_scale_: PixelScale = None
    """How pixels are scaled, see `chainrule.runs.networks.PixelScale`."""
    white_: int = FULL
    """The value of white in image files with 16 bits, see `chainrule.data.decoding`."""
    network_: ConvNetwork
    history_: History

    def __init__(
        self, augment: str | None, epochs: int | str, learning_rate: float, random_state: int
    ):
        self.augment = augment
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.random_state = random_state

    def epochs_for(self, m: int) -> int:
        """Return the number of epochs that `fit` runs for m images."""
        if not isinstance(self.epochs, str):
            return self.epochs
        return max(10, self.STEPS // steps_per_epoch(m, min(self._images_per_step, m)))

    @property
    @abstractmethod
    def _images_per_step(self) -> int:
        """The number of images in a training step."""

    def _fit_settings(self, m: int) -> dict[str, Any]:
        """Return the arguments of `chainrule.train.fit.fit` that the parameters decide."""
        batch_size, epochs = self._images_per_step, self.epochs_for(m)
        decay = default_decay_for(epochs, kind="images")
        settings = OptimizerSettings(learning_rate=self.learning_rate, **decay)
        optimizer = settings.make(steps_per_epoch(m, min(batch_size, m)), epochs)
        length = {"epochs": epochs, "batch_size": batch_size}
        return {"optimizer": optimizer, **length, "seed": self.random_state}

    def _training_images(self, X: Any, **how: Any) -> np.ndarray:
        """Return the training images (m, n_H, n_W, n_C), and learn the scale of their pixels."""
        X = as_image_array(X, "X")
        self.pixel_scale_ = learn_pixel_scale(X, X.dtype)
        return self._images(X, "X", **how)

    def _images(self, X: Any, name: str, shape: Any = None, **how: Any) -> np.ndarray:
        """Return images (m, n_H, n_W, n_C), scaled as in training."""
        return as_images(X, name, shape, scale=self.pixel_scale_, **how)

    def _keep(self, fitted: Fit) -> None:
        """Store the trained network and its history in the estimator."""
        self.network_, self.history_ = cast(ConvNetwork, fitted.network), fitted.history
