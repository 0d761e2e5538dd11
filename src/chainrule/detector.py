"""Objects in pictures, in the manner of scikit-learn: images and boxes in, boxes out.

Notes: "YOLO algorithm", "Anchor boxes", "Non-max suppression" (course 4, week 3).
"""

from collections.abc import Sequence
from typing import Any, cast

import jax.numpy as jnp
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from chainrule.blocks.boxes import anchor_boxes
from chainrule.cache import keep_compiled_programs
from chainrule.data.augmentation import read_augmentation
from chainrule.data.batches import steps_per_epoch
from chainrule.errors import DataError, OptionError, ShapeError, check_choice
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.published import load_published
from chainrule.models.published_pixels import of_pixels
from chainrule.models.yolo import BODIES, STRIDE, STRIDES, anchors_of, with_body, yolo
from chainrule.network_estimator import check_whole
from chainrule.randomness import key_from_seed
from chainrule.train.augment_boxes import AugmentBoxes, usual_changes
from chainrule.train.average_precision import Objects, best_threshold
from chainrule.train.detection import OVERLAP, detect, objects_of, score_detector
from chainrule.train.detection_cost import DetectionCost, MeanOverlap
from chainrule.train.detection_labels import NONE
from chainrule.train.examples import Examples
from chainrule.train.fit import Fit, fit
from chainrule.train.image_rows import as_images
from chainrule.train.optimizers import Descent
from chainrule.train.schedule import usual_decay

BATCH, ANCHORS = 16, 5
STEPS = 2000
"""About so many steps, where nothing is said of epochs."""


class Detector(BaseEstimator):
    """YOLO: a grid over the picture, and in each cell a box for each anchor.

    body             small (from scratch), resnet18 or mobilenet_v2
    base             published weights of such a body: a file of safetensors or a name; None: drawn
    stride           pixels of the side of a cell
    width            all channels, times this
    anchors          how many; their sizes are found among the boxes of training, by k-means on IoU
    augment          changes to the pictures of each step, and to their boxes along:
                     "mirror,crop=8", "auto"; None: none
    overlap          two boxes of one class with a higher IoU are one object
    batch_size       pictures a step sees
    epochs           passes; "auto": about 2,000 steps
    learning_rate    α of Adam, which falls to 4 % of it
    random_state     of the first weights, the anchors, the changes, the order of the batches

    After fit: network_ (images in, Z out), history_, n_classes_, threshold_ (the score from which
    a box is said: that of the best F1 on dev, or on train without dev).
    """

    network_: ConvNetwork
    threshold_: float

    def __init__(
        self,
        *,
        body: str = "small",
        base: str | None = None,
        stride: int = STRIDE,
        width: float = 1.0,
        anchors: int = ANCHORS,
        augment: str | None = "auto",
        overlap: float = OVERLAP,
        batch_size: int = BATCH,
        epochs: int | str = "auto",
        learning_rate: float = 0.002,
        random_state: int = 0,
    ):
        self.body = body
        self.base = base
        self.stride = stride
        self.width = width
        self.anchors = anchors
        self.augment = augment
        self.overlap = overlap
        self.batch_size = batch_size
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(self, X: Any, Y: Any, X_dev: Any = None, Y_dev: Any = None, **how: Any) -> "Detector":
        """Train on images X (m, n_H, n_W[, n_C]) and their objects Y.

        Y is a list of `Objects` (boxes as corners x1, y1, x2, y2, shares of the picture; classes
        from 0 on), or (m, N, 5): class and corners, −1 where there is none. With a dev part the
        network of the epoch that was best there is kept. `how` is for `chainrule.train.fit.fit`:
        watch, checkpoints.
        """
        self._check()
        X = as_images(X, "X", bytes_stay=True)
        Y = as_objects(Y, len(X), "Y")
        self.n_classes_ = int(Y[..., 0].max()) + 1
        if self.n_classes_ < 1:
            raise DataError("Y", "an object in at least one picture", "none", "its boxes")
        dev = None
        if X_dev is not None:
            images = as_images(X_dev, "X_dev", X.shape[1:], bytes_stay=True)
            dev = Examples(images, as_objects(Y_dev, len(images), "Y_dev", self.n_classes_))
        keep_compiled_programs()
        fitted = self._trained(Examples(X, Y), dev, **how)
        self.network_, self.history_ = cast(ConvNetwork, fitted.network), fitted.history
        chosen = dev or Examples(X, Y)
        said = detect(self.network_, chosen.X, iou_threshold=self.overlap)
        self.threshold_ = best_threshold(said, objects_of(chosen.Y), self.n_classes_)
        return self

    def epochs_for(self, m: int) -> int:
        """How many passes over m pictures `fit` makes."""
        if not isinstance(self.epochs, str):
            return self.epochs
        return max(10, STEPS // steps_per_epoch(m, min(self.batch_size, m)))

    def _check(self) -> None:
        """Refuse what means nothing, before anything is trained."""
        check_choice("body", self.body, BODIES)
        check_choice("stride", self.stride, STRIDES)
        check_whole("anchors", (self.anchors,), str(ANCHORS))
        check_whole("batch_size", (self.batch_size,), str(BATCH))
        if self.epochs != "auto":
            check_whole("epochs", (self.epochs,), '"auto", or 100')
        if not 0 < self.overlap < 1:
            expected = "an IoU between 0 and 1"
            raise OptionError("overlap", expected, repr(self.overlap), f"{OVERLAP:g}")
        if self.base is not None and self.body == "small":
            hint = 'body="resnet18", or "mobilenet_v2"'
            raise OptionError("base", "a body that others have trained", "small", hint)

    def _start(self, train: Examples) -> ConvNetwork:
        """The network before its first step."""
        shape = train.X.shape[1:]
        there = train.Y[train.Y[..., 0] >= 0][:, 1:]
        if len(there) < self.anchors:
            expected, got = f"{self.anchors} objects or more, one an anchor", f"{len(there)}"
            raise DataError("Y", expected, got, f"anchors={max(1, len(there))}")
        sizes = jnp.asarray(there[:, 2:] - there[:, :2])
        key = key_from_seed(self.random_state)
        anchors = np.asarray(anchor_boxes(sizes, self.anchors, key=key)).tolist()
        how = {"body": self.body, "stride": self.stride, "width": self.width}
        network = yolo(shape, self.n_classes_, anchors=anchors, key=key, **how)
        if self.base is None:
            return network
        return with_body(network, of_pixels(load_published(self.base, image_size=shape[:2])))

    def _trained(self, train: Examples, dev: Examples | None, **how: Any) -> Fit:
        network = self._start(train)
        shape, said = network.shape, (anchors_of(network), self.n_classes_)
        a_pass = steps_per_epoch(len(train.X), min(self.batch_size, len(train.X)))
        epochs = self.epochs_for(len(train.X))
        usual = usual_changes(shape) if self.augment == "auto" else self.augment
        augmentation = read_augmentation(usual or "none", shape)
        return fit(
            network,
            Descent(learning_rate=self.learning_rate, **usual_decay(epochs)).make(a_pass),
            DetectionCost(*said),
            train,
            dev,
            epochs=epochs,
            batch_size=self.batch_size,
            metric=MeanOverlap(*said),
            seed=self.random_state,
            augment=AugmentBoxes(augmentation, shape=shape),
            **how,
        )

    def predict(self, X: Any, *, score: float | None = None) -> list[Objects]:
        """The objects of each picture, best first; their scores at least `score`, or threshold_."""
        check_is_fitted(self, "network_")
        least = self.threshold_ if score is None else score
        images = as_images(X, "X", self.network_.shape, bytes_stay=True)
        return detect(self.network_, images, iou_threshold=self.overlap, score_threshold=least)

    def scores(self, X: Any, Y: Any) -> dict[str, Any]:
        """mAP at an IoU of 0.5 and over 0.5:0.95, the AP at 0.5 of each class.

        And at threshold_: the share of boxes that are right, and of objects that are found.
        """
        check_is_fitted(self, "network_")
        images = as_images(X, "X", self.network_.shape, bytes_stay=True)
        Y = as_objects(Y, len(images), "Y", self.n_classes_)
        how = {"iou_threshold": self.overlap, "said_from": self.threshold_}
        return score_detector(self.network_, images, Y, **how)

    def score(self, X: Any, Y: Any) -> float:
        """mAP at an IoU of 0.5."""
        return self.scores(X, Y)["map_50"]


def as_objects(Y: Any, m: int, name: str, n_C: int | None = None) -> np.ndarray:
    """Y (m, N, 5) float32 of padded labels or a list of `Objects`; classes below n_C, if known."""
    Y = padded(Y) if isinstance(Y, Sequence) else np.asarray(Y, np.float32)
    if Y.ndim != 3 or Y.shape[2] != 5 or len(Y) != m:
        expected = f"the objects of {m} pictures: a list of Objects, or ({m}, N, 5)"
        raise ShapeError(name, expected, str(Y.shape), "Annotations.padded()")
    there = Y[..., 0] != NONE
    own = Y[there]
    classes = own[:, 0]
    if (classes < 0).any() or (classes % 1 != 0).any():
        raise DataError(name, "classes 0, 1, …", "others among them", "np.unique's inverse")
    if n_C is not None and (classes >= n_C).any():
        expected, got = f"classes below {n_C}, those of training", f"{int(classes.max())}"
        raise DataError(name, expected, got, "the same classes in all parts")
    x1, y1, x2, y2 = own[:, 1:].T
    sound = (x1 >= 0) & (x1 < x2) & (x2 <= 1) & (y1 >= 0) & (y1 < y2) & (y2 <= 1)
    if not sound.all():
        first = int(np.argwhere(there)[~sound][0, 0])
        got = f"{int((~sound).sum())} others, the first in picture {first}"
        expected = "0 ≤ x1 < x2 ≤ 1 and 0 ≤ y1 < y2 ≤ 1, shares of the picture"
        raise DataError(name, expected, got, "blocks/boxes.py: relative, where they are in pixels")
    return Y


def padded(objects: Sequence[Any]) -> np.ndarray:
    """(m, N, 5) of (boxes, classes) of each picture, N the most there are."""
    most = max((len(one[0]) for one in objects), default=0)
    Y = np.zeros((len(objects), max(1, most), 5), np.float32)
    Y[..., 0] = NONE
    for y, (boxes, classes, *_) in zip(Y, objects, strict=True):
        n = len(boxes)
        y[:n, 0], y[:n, 1:] = np.asarray(classes), np.reshape(boxes, (n, 4))
    return Y
