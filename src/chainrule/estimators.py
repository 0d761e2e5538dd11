"""NetworkClassifier and NetworkRegressor, networks with scikit-learn's interface.

Examples are rows at this interface; inside the network they are columns.

>>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array(["low", "low", "high", "high"])
>>> NetworkClassifier(hidden=(8,), epochs=200, learning_rate=0.05).fit(X, y).predict([[0.2], [2.9]])
array(['low', 'high'], dtype='<U4')
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from chainrule.errors import DataError, check_choice
from chainrule.network_estimator import NetworkEstimator
from chainrule.train.metrics import accuracy, exact_match, r2
from chainrule.train.outputs import probabilities


class NetworkClassifier(ClassifierMixin, NetworkEstimator):
    """An L-layer network for classification; `hidden=()` is logistic or softmax regression.

    hidden           number of units in each hidden layer
    network          an image network by name (lenet, convnet, resnet20, …), used instead of
                     `hidden`; X may be rows or images (m, n_H, n_W[, n_C]), and bytes are divided
                     by 255
    width            factor for the number of channels in `network`; None: 1, as in its paper
    image_shape      (n_H, n_W) or (n_H, n_W, n_C) of the images in rows of X; None: square images
    augment          random changes to the training images: "mirror,crop=4", "auto"; None: none
    activation       relu, leaky_relu, tanh, sigmoid or identity
    init             he, xavier, lecun, small or zeros; None: what the notes recommend
    optimizer        adam, momentum, rmsprop or gradient_descent
    learning_rate    α; "auto": 0.002 for adam, 0.001 for rmsprop, 0.1 for the other two
    beta             β of momentum, β1 of adam, β2 of rmsprop; None: the values in the notes
    decay            decay of α over the epochs, see `chainrule.train.optimizers`; None: no decay
    decay_rate       k of the decay
    clip_norm        maximal norm of the gradient; None: no clipping
    l2, l1           λ of λ/(2m) Σ‖W‖² and of λ/m Σ|W|, where m is the sum of the example weights
    keep_prob        probability of keeping a hidden unit in dropout, or one for each hidden layer;
                     1: no dropout
    batch_norm       normalise the hidden layers' Z over the batch
    batch_size       examples per step; "auto": all of up to 2,000 examples, otherwise 64 to 1024
    epochs           maximal number of epochs; "auto": about 2,000 steps with a dev set or without
                     hidden layers, otherwise fewer (m for classification, m/4 for regression); an
                     image network uses batches of 64, 10 to 300 epochs and a decaying α
    early_stopping   hold out a dev set and stop when its cost no longer improves; "auto": from 500
                     examples
    class_weight     None, "balanced" or {class: weight}
    random_state     seed of the initial weights, the dev set and the order of the batches

    y holds one class per row, or is (m, k) of 0 and 1 if each row may have several labels.
    After fit: network_ (columns in, Z[L] out), history_, classes_, n_iter_ (epochs).
    """

    _numeric = False
    classes_: Any

    @property
    def _metric(self) -> Callable:
        return exact_match if self.multilabel_ else accuracy

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def __init__(
        self,
        hidden: Sequence[int] = (64, 32),
        *,
        network: str | None = None,
        width: float | None = None,
        image_shape: Sequence[int] | None = None,
        augment: str | None = None,
        activation: str = "relu",
        init: str | None = None,
        optimizer: str = "adam",
        learning_rate: float | str = "auto",
        beta: float | None = None,
        decay: str | None = None,
        decay_rate: float | None = None,
        clip_norm: float | None = None,
        l2: float = 0.0,
        l1: float = 0.0,
        keep_prob: float | Sequence[float] = 1.0,
        batch_norm: bool = False,
        batch_size: int | str = "auto",
        epochs: int | str = "auto",
        early_stopping: bool | str = "auto",
        class_weight: Mapping | str | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ):
        self.hidden = hidden
        self.network = network
        self.width = width
        self.image_shape = image_shape
        self.augment = augment
        self.activation = activation
        self.init = init
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.beta = beta
        self.decay = decay
        self.decay_rate = decay_rate
        self.clip_norm = clip_norm
        self.l2 = l2
        self.l1 = l1
        self.keep_prob = keep_prob
        self.batch_norm = batch_norm
        self.batch_size = batch_size
        self.epochs = epochs
        self.early_stopping = early_stopping
        self.class_weight = class_weight
        self.random_state = random_state

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one epoch; the first call needs all `classes`, or rows of every class."""
        first = not hasattr(self, "network_")
        if first:
            self.classes_ = None if classes is None else np.unique(classes)
        return self._partial_fit(X, y, sample_weight, first)

    def predict_proba(self, X) -> np.ndarray:
        """Return the class probabilities (m, C), in the order of `classes_`.

        With several labels per row, return the probability of each label, (m, k).
        """
        A = probabilities(self._outputs(X), self.cost_)
        return A if self.cost_ == "softmax" or self.multilabel_ else np.hstack([1 - A, A])

    def predict(self, X) -> np.ndarray:
        """Return the most likely class of each row; with several labels, (m, k) of 0 and 1."""
        Z = self._outputs(X)
        if self.multilabel_:
            return (Z > 0).astype(int)
        index = (Z[:, 0] > 0).astype(int) if self.cost_ == "logistic" else Z.argmax(axis=1)
        return self.classes_[index]

    def fit(self, X, y, sample_weight=None):
        """Train from newly initialised weights on rows X (m, n_x) and their classes y (m,)."""
        self.classes_ = None
        return super().fit(X, y, sample_weight)

    def _check_target(self, y):
        check_classification_targets(y)
        self.multilabel_ = type_of_target(y) == "multilabel-indicator"
        return np.asarray(y) if self.multilabel_ else column_or_1d(y, warn=True)

    def _apply_class_weight(self, weights, y):
        if self.class_weight is None:
            return weights
        if not isinstance(self.class_weight, Mapping):
            check_choice("class_weight", self.class_weight, ["balanced"])
        return weights * compute_sample_weight(self.class_weight, y).astype(np.float32)

    def _learn_target(self, y, weights) -> None:
        if self.multilabel_:
            self.classes_, self.cost_ = np.arange(y.shape[1]), "logistic"
            return
        if self.classes_ is None:
            self.classes_ = unique_labels(y)
        if len(self.classes_) < 2:
            got = f"one class, {self.classes_.tolist()[0]!r}"
            raise DataError("y", "at least two classes", got, "rows of another class")
        self.cost_ = "logistic" if len(self.classes_) == 2 else "softmax"

    def _encode(self, y) -> np.ndarray:
        if self.multilabel_:
            return y.astype(np.float32)
        codes = np.clip(np.searchsorted(self.classes_, y), 0, len(self.classes_) - 1)
        unseen = self.classes_[codes] != y
        if unseen.any():
            known = ", ".join(map(repr, self.classes_[:10].tolist()))
            raise DataError(
                "y", f"the classes {known}", repr(y[unseen].tolist()[0]), "listing it in classes"
            )
        if self.cost_ == "logistic":
            return codes[:, None].astype(np.float32)
        return np.eye(len(self.classes_), dtype=np.float32)[codes]


class NetworkRegressor(RegressorMixin, NetworkEstimator):
    """An L-layer network for regression; `hidden=()` is linear regression.

    The parameters are those of NetworkClassifier. The target is standardised to mean 0 and variance
    1 for training, and predictions are scaled back; y may have several columns.
    """

    _numeric = True
    cost_ = "squared"

    @property
    def _metric(self) -> Callable:
        return r2

    def __init__(
        self,
        hidden: Sequence[int] = (64, 32),
        *,
        network: str | None = None,
        width: float | None = None,
        image_shape: Sequence[int] | None = None,
        augment: str | None = None,
        activation: str = "relu",
        init: str | None = None,
        optimizer: str = "adam",
        learning_rate: float | str = "auto",
        beta: float | None = None,
        decay: str | None = None,
        decay_rate: float | None = None,
        clip_norm: float | None = None,
        l2: float = 0.0,
        l1: float = 0.0,
        keep_prob: float | Sequence[float] = 1.0,
        batch_norm: bool = False,
        batch_size: int | str = "auto",
        epochs: int | str = "auto",
        early_stopping: bool | str = "auto",
        random_state: int | np.random.RandomState | None = 0,
    ):
        self.hidden = hidden
        self.network = network
        self.width = width
        self.image_shape = image_shape
        self.augment = augment
        self.activation = activation
        self.init = init
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.beta = beta
        self.decay = decay
        self.decay_rate = decay_rate
        self.clip_norm = clip_norm
        self.l2 = l2
        self.l1 = l1
        self.keep_prob = keep_prob
        self.batch_norm = batch_norm
        self.batch_size = batch_size
        self.epochs = epochs
        self.early_stopping = early_stopping
        self.random_state = random_state

    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch; the target is standardised by the rows of the first call."""
        return self._partial_fit(X, y, sample_weight, not hasattr(self, "network_"))

    def predict(self, X) -> np.ndarray:
        """Return the predictions, (m,) or (m, k), in the units of the target."""
        predictions = self._outputs(X) * self.y_scale_ + self.y_mean_
        return predictions[:, 0] if self.one_column_ else predictions

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _check_target(self, y):
        self.one_column_ = y.ndim == 1
        return y.reshape(len(y), -1).astype(np.float64)

    def _apply_class_weight(self, weights, y):
        return weights

    def _learn_target(self, y, weights) -> None:
        self.y_mean_ = np.average(y, axis=0, weights=weights)
        spread = np.sqrt(np.average((y - self.y_mean_) ** 2, axis=0, weights=weights))
        self.y_scale_ = np.where(spread > 0, spread, 1.0)

    def _encode(self, y) -> np.ndarray:
        return ((y - self.y_mean_) / self.y_scale_).astype(np.float32)
