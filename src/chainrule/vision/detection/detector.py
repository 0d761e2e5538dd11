"""Detector, an object detector with scikit-learn's interface: it learns and predicts boxes.

Notes: "YOLO algorithm", "Anchor boxes", "Non-max suppression" (course 4, week 3).
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from sklearn.utils.validation import check_is_fitted

from chainrule.blocks.boxes import anchor_boxes
from chainrule.data.augmentation import read_augmentation
from chainrule.errors import DataError, OptionError, ShapeError
from chainrule.formatting import count_of
from chainrule.host.compilation_cache import enable_compilation_cache
from chainrule.host.randomness import key_from_seed
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.pretrained import load_published, with_pixel_input
from chainrule.models.yolo import STRIDE, anchors_of, with_body, yolo
from chainrule.runs.options import check_parameters
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.vision.detection.boxes import (
    OVERLAP,
    Objects,
    best_threshold,
    detect,
    objects_of,
    score_detector,
)
from chainrule.vision.detection.cost import (
    IGNORED,
    NONE,
    AugmentBoxes,
    DetectionCost,
    MeanIoU,
    default_box_augmentation,
)
from chainrule.vision.estimator import VisionEstimator
from chainrule.vision.recipe import DetectRecipe

BATCH, ANCHORS = 16, 5


class Detector(VisionEstimator):
    """A YOLO object detector: a grid over the image, with one box per anchor in each cell.

    backbone         small (trained from scratch), resnet18 or mobilenet_v2
    base             published weights of the backbone: a safetensors file or a name; None: random
                     initial weights
    stride           side of a grid cell, in pixels
    width            factor for the number of channels of every layer
    anchors          number of anchors; their sizes come from the training boxes, by k-means on IoU
    augment          random changes to the training images and their boxes, such as "mirror,crop=8"
                     or "auto"; None: no augmentation
    iou_threshold    IoU above which two boxes of one class count as the same object
    batch_size       images per step
    epochs           number of epochs; "auto": about 2,000 steps
    learning_rate    initial α of Adam, which decays to 4 % of it
    random_state     seed of the initial weights, the anchors, the augmentation and the batch order

    After fit: network_ (images in, Z out), history_, n_classes_, threshold_ (the score threshold
    with the best F1 on the dev set, or on the training set if there is no dev set).
    """

    STEPS = 2000
    threshold_: float

    def __init__(
        self,
        *,
        backbone: str = "small",
        base: str | None = None,
        stride: int = STRIDE,
        width: float = 1.0,
        anchors: int = ANCHORS,
        augment: str | None = "auto",
        iou_threshold: float = OVERLAP,
        batch_size: int = BATCH,
        epochs: int | str = "auto",
        learning_rate: float = 0.002,
        random_state: int = 0,
    ):
        super().__init__(augment, epochs, learning_rate, random_state)
        self.backbone = backbone
        self.base = base
        self.stride = stride
        self.width = width
        self.anchors = anchors
        self.iou_threshold = iou_threshold
        self.batch_size = batch_size

    def fit(
        self, X: Any, Y: Any, X_dev: Any = None, Y_dev: Any = None, **fit_options: Any
    ) -> "Detector":
        """Train on images X (m, n_H, n_W[, n_C]) and their objects Y.

        Y is a list of `Objects` (boxes as corners x1, y1, x2, y2, relative to the image size;
        classes 0, 1, …), or an array (m, N, 5) of class and corners, with class −1 for padding. An
        ignored region of class c, in which nothing is learned or scored, has the class −1000 − c.
        With a dev set, the network of the best epoch on it is kept. `fit_options` are passed to
        `chainrule.train.fit.fit`: on_progress, checkpoints.
        """
        self._check()
        X = self._training_images(X, bytes_stay=True)
        Y = as_objects(Y, len(X), "Y")
        self.n_classes_ = int(Y[..., 0].max()) + 1
        if self.n_classes_ < 1:
            raise DataError("Y", "an object in at least one image", "none", "adding its boxes")
        dev = None
        if X_dev is not None:
            images = self._images(X_dev, "X_dev", X.shape[1:], bytes_stay=True)
            dev = Examples(images, as_objects(Y_dev, len(images), "Y_dev", self.n_classes_))
        enable_compilation_cache()
        self._train(Examples(X, Y), dev, **fit_options)
        chosen = dev or Examples(X, Y)
        detections = detect(self.network_, chosen.X, iou_threshold=self.iou_threshold)
        self.threshold_ = best_threshold(detections, objects_of(chosen.Y), self.n_classes_)
        return self

    @property
    def _images_per_step(self) -> int:
        return self.batch_size

    def _check(self) -> None:
        """Refuse invalid parameters before training starts."""
        check_parameters(self, DetectRecipe)
        if self.base is not None and self.backbone == "small":
            hint = 'backbone="resnet18", or "mobilenet_v2"'
            expected = "a backbone for which published weights exist"
            raise OptionError("base", expected, repr(self.backbone), hint)

    def _start(self, train: Examples) -> ConvNetwork:
        """Build the network with its initial weights and anchors."""
        shape = train.X.shape[1:]
        boxes = train.Y[train.Y[..., 0] >= 0][:, 1:]
        if len(boxes) < self.anchors:
            expected = f"at least {count_of(self.anchors, 'object')}, one for each anchor"
            raise DataError("Y", expected, f"{len(boxes)}", f"anchors={max(1, len(boxes))}")
        sizes = jnp.asarray(boxes[:, 2:] - boxes[:, :2])
        key = key_from_seed(self.random_state)
        anchors = np.asarray(anchor_boxes(sizes, self.anchors, key=key)).tolist()
        options = {"body": self.backbone, "stride": self.stride, "width": self.width}
        network = yolo(shape, self.n_classes_, anchors=anchors, key=key, **options)
        if self.base is None:
            return network
        return with_body(network, with_pixel_input(load_published(self.base, image_size=shape[:2])))

    def _train(self, train: Examples, dev: Examples | None, **fit_options: Any) -> None:
        network = self._start(train)
        shape, anchors = network.shape, anchors_of(network)
        usual = default_box_augmentation(shape) if self.augment == "auto" else self.augment
        augmentation = read_augmentation(usual or "none", shape)
        fitted = fit(
            network,
            cost=DetectionCost(anchors, self.n_classes_, regions=_has_regions(train, dev)),
            train=train,
            dev=dev,
            metric=MeanIoU(anchors, self.n_classes_),
            augment=AugmentBoxes(augmentation, shape=shape),
            **self._fit_settings(len(train.X)),
            **fit_options,
        )
        self._keep(fitted)

    def predict(self, X: Any, *, score_threshold: float | None = None) -> list[Objects]:
        """Return the objects found in each image, by descending score.

        Only objects with a score of at least `score_threshold` are returned; None: threshold_.
        """
        check_is_fitted(self, "network_")
        threshold = self.threshold_ if score_threshold is None else score_threshold
        images = self._images(X, "X", self.network_.shape, bytes_stay=True)
        thresholds: dict[str, Any] = {"iou_threshold": self.iou_threshold}
        thresholds["score_threshold"] = threshold
        return detect(self.network_, images, **thresholds)

    def scores(self, X: Any, Y: Any) -> dict[str, Any]:
        """Return the mAP at an IoU of 0.5 and over 0.5:0.95, and the AP at 0.5 of each class.

        The precision and the recall at threshold_ are returned as well.
        """
        check_is_fitted(self, "network_")
        images = self._images(X, "X", self.network_.shape, bytes_stay=True)
        Y = as_objects(Y, len(images), "Y", self.n_classes_)
        thresholds = {"iou_threshold": self.iou_threshold, "score_threshold": self.threshold_}
        return score_detector(self.network_, images, Y, **thresholds)

    def score(self, X: Any, Y: Any) -> float:
        """Return the mAP at an IoU of 0.5."""
        return self.scores(X, Y)["map_50"]


def _has_regions(train: Examples, dev: Examples | None) -> bool:
    """Return whether there is an ignored region in a set."""
    return any((one.Y[..., 0] <= IGNORED).any() for one in (train, dev) if one is not None)


def as_objects(Y: Any, m: int, name: str, n_C: int | None = None) -> np.ndarray:
    """Convert Y, padded labels or a list of `Objects`, to a checked array (m, N, 5) of float32.

    The classes must be below n_C unless it is None.
    """
    Y = padded(Y) if isinstance(Y, Sequence) else np.asarray(Y, np.float32)
    if Y.ndim != 3 or Y.shape[2] != 5 or len(Y) != m:
        expected = f"the objects of {count_of(m, 'image')}: a list of Objects, or ({m}, N, 5)"
        raise ShapeError(name, expected, str(Y.shape), "Annotations.padded()")
    is_object = Y[..., 0] != NONE
    objects = Y[is_object]
    classes = np.where(objects[:, 0] <= IGNORED, IGNORED - objects[:, 0], objects[:, 0])
    if (classes < 0).any() or (classes % 1 != 0).any():
        hint = "np.unique(classes, return_inverse=True)"
        raise DataError(name, "classes 0, 1, …", "other values", hint)
    if n_C is not None and (classes >= n_C).any():
        expected, got = f"classes below {n_C}, as in training", f"{int(classes.max())}"
        raise DataError(name, expected, got, "the same classes in all sets")
    x1, y1, x2, y2 = objects[:, 1:].T
    valid = (x1 >= 0) & (x1 < x2) & (x2 <= 1) & (y1 >= 0) & (y1 < y2) & (y2 <= 1)
    if not valid.all():
        first = int(np.argwhere(is_object)[~valid][0, 0])
        got = f"{int((~valid).sum())} invalid boxes, the first in image {first}"
        expected = "0 ≤ x1 < x2 ≤ 1 and 0 ≤ y1 < y2 ≤ 1, relative to the image size"
        hint = "chainrule.blocks.boxes.relative, which converts boxes in pixels"
        raise DataError(name, expected, got, hint)
    return Y


def padded(objects: Sequence[Any]) -> np.ndarray:
    """Pad the (boxes, classes) of each image to one array (m, N, 5), N the maximal count."""
    most = max((len(one[0]) for one in objects), default=0)
    Y = np.zeros((len(objects), max(1, most), 5), np.float32)
    Y[..., 0] = NONE
    for y, (boxes, classes, *_) in zip(Y, objects, strict=True):
        n = len(boxes)
        y[:n, 0], y[:n, 1:] = np.asarray(classes), np.reshape(boxes, (n, 4))
    return Y
