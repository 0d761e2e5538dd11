"""Verifier, a model with scikit-learn's interface that decides whether two images show one person.

Notes: "Face verification", "One-shot learning", "Siamese network" (course 4, week 4).
"""

from typing import Any, cast

import numpy as np
from sklearn.utils.validation import check_is_fitted

from chainrule.errors import DataError, OptionError, ShapeError
from chainrule.host.compilation_cache import enable_compilation_cache
from chainrule.host.randomness import key_from_seed
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.zoo import build
from chainrule.runs.networks import augmented
from chainrule.runs.options import check_parameters
from chainrule.train.loader import ByIdentity
from chainrule.train.outputs import network_outputs
from chainrule.vision.estimator import VisionEstimator
from chainrule.vision.recipe import VerifyRecipe
from chainrule.vision.verification.gallery import Gallery
from chainrule.vision.verification.identities import encode_identities
from chainrule.vision.verification.training import (
    IdentitySplit,
    Verification,
    distance_of,
    evaluate_embeddings,
    split_identities,
    train_embedding,
    train_pair_classifier,
)

ENOUGH = 10
"""The number of identities from which some are held out as a dev set if none is given."""


class Verifier(VisionEstimator):
    """A network whose embeddings are close for images of one person and far apart for others.

    network             "embedding" or "embedding_resnet20"
    embedding_size      dimension of an embedding
    width               factor for the number of channels of the network
    mirror_invariant    give an image and its mirror image the same embedding, which suits faces
    margin              α of the triplet cost
    people_per_batch    identities per step
    photos_per_person   images of each identity per step
    augment             random changes to the training images, such as "mirror,crop=8" or "auto";
                        None: no augmentation
    dev_share           share of ten or more identities to hold out if no dev set is given
    similarity          how two images are compared: "distance", D = ‖f(x1) − f(x2)‖², or
                        "logistic", D = 1 − sigmoid(W |f(x1) − f(x2)| + b), learned from pairs
    epochs              number of epochs; "auto": about 1,000 steps
    learning_rate       initial α of Adam, which decays to a twentieth
    random_state        seed of the initial weights, the augmentation, the batches and the dev set

    After fit: network_ (images in, embeddings out), threshold_ (the largest D of two images that
    count as the same person), history_, likeness_ (b and W, or None), identities_ (of training).
    """

    STEPS = 1000
    threshold_: float

    def __init__(
        self,
        *,
        network: str = "embedding",
        embedding_size: int = 64,
        width: float = 0.5,
        mirror_invariant: bool = False,
        margin: float = 0.2,
        people_per_batch: int = 16,
        photos_per_person: int = 4,
        augment: str | None = "auto",
        dev_share: float = 0.2,
        similarity: str = "distance",
        epochs: int | str = "auto",
        learning_rate: float = 0.002,
        random_state: int = 0,
    ):
        super().__init__(augment, epochs, learning_rate, random_state)
        self.network = network
        self.embedding_size = embedding_size
        self.width = width
        self.mirror_invariant = mirror_invariant
        self.margin = margin
        self.people_per_batch = people_per_batch
        self.photos_per_person = photos_per_person
        self.dev_share = dev_share
        self.similarity = similarity

    def fit(
        self,
        X: Any,
        identities: Any,
        X_dev: Any = None,
        identities_dev: Any = None,
        **fit_options: Any,
    ) -> "Verifier":
        """Train on images X (m, n_H, n_W[, n_C]) and the identity of each, any labels (m,).

        Pixels are divided by their range, such as 255 for bytes. The dev set contains people other
        than those of the training set and determines the best epoch and the threshold; if none is
        given, some people are held out, see `dev_share`. `fit_options` are passed to
        `chainrule.train.fit.fit`: on_progress, checkpoints.
        """
        self._check()
        given, X = X, self._training_images(X, bytes_stay=True)
        names, codes = encode_identities(identities, len(X), "identities")
        epochs = self.epochs_for(len(X))
        if X_dev is None:
            dev = self.dev_share if len(names) >= ENOUGH else 0
            parts = split_identities(codes, dev=dev, test=0, seed=self.random_state)
        else:
            given_dev = X_dev
            X_dev = self._images(X_dev, "X_dev", X.shape[1:], bytes_stay=True)
            strangers, others = encode_identities(identities_dev, len(X_dev), "identities_dev")
            check_strangers(names, strangers)
            rows = np.arange(len(X) + len(X_dev))
            parts = IdentitySplit(rows[: len(X)], rows[len(X) :], np.array([], int))
            if X.dtype != X_dev.dtype:  # bytes, and numbers from 0 to 1
                X, X_dev = self._images(given, "X"), self._images(given_dev, "X_dev")
            X = np.concatenate([X, X_dev])
            codes = np.concatenate([codes, len(names) + others])
        self.identities_ = names[np.unique(codes[parts.train])]
        self._train(X, codes, parts, epochs, **fit_options)
        return self

    @property
    def _images_per_step(self) -> int:
        return self.people_per_batch * self.photos_per_person

    def _check(self) -> None:
        """Refuse invalid parameters before training starts."""
        check_parameters(self, VerifyRecipe)
        if not 0 <= self.dev_share < 1:
            got, hint = repr(self.dev_share), "0.2, or 0 to train on all people"
            raise OptionError("dev_share", "a number of at least 0 and less than 1", got, hint)

    def _train(
        self,
        X: np.ndarray,
        codes: np.ndarray,
        parts: IdentitySplit,
        epochs: int,
        **fit_options: Any,
    ) -> None:
        """Train the network, then the similarity of its embeddings, then choose the threshold."""
        enable_compilation_cache()
        key = key_from_seed(self.random_state)
        order = ByIdentity(self.people_per_batch, self.photos_per_person)
        options = {"width": self.width, "mirrored": self.mirror_invariant}
        start = build(self.network, X.shape[1:], int(self.embedding_size), key=key, options=options)
        fitted = train_embedding(
            augmented(start, self.augment or "none", X[parts.train[:1000]]),
            X,
            codes,
            parts,
            epochs=epochs,
            margin=self.margin,
            order=order,
            learning_rate=self.learning_rate,
            seed=self.random_state,
            **fit_options,
        )
        self.network_, self.history_ = cast(ConvNetwork, fitted.network), fitted.history
        self.likeness_ = None
        if self.similarity == "logistic":
            E = network_outputs(self.network_, X[parts.train])
            self.likeness_ = train_pair_classifier(E, codes[parts.train], seed=self.random_state)
        rows = parts.dev if len(parts.dev) else parts.train
        self.threshold_ = self._measure(X[rows], codes[rows]).threshold

    def _measure(self, X: np.ndarray, codes: np.ndarray, tau: float | None = None) -> Verification:
        E = network_outputs(self.network_, X)
        return evaluate_embeddings(E, codes, tau, distance_of(self.likeness_))

    def embed(self, X: Any) -> np.ndarray:
        """Return the embeddings (m, n) of the images, each of length one."""
        check_is_fitted(self, "network_")
        images = self._images(X, "X", self.network_.shape, bytes_stay=True)
        return network_outputs(self.network_, images)

    def distances(self, X1: Any, X2: Any) -> np.ndarray:
        """Return the dissimilarity D (m,) of each image of X1 and the image of X2 in its row."""
        E, F = self.embed(X1), self.embed(X2)
        if len(E) != len(F):
            hint = "np.repeat(X1, len(X2), axis=0), to compare one with many"
            raise ShapeError("X2", f"as many images as X1, {len(E)}", str(len(F)), hint)
        D = distance_of(self.likeness_)
        return np.array([D(e[None], f[None])[0, 0] for e, f in zip(E, F, strict=True)])

    def verify(self, X1: Any, X2: Any) -> np.ndarray:
        """Return whether each pair of images shows the same person, (m,): D ≤ threshold_."""
        return self.threshold_ >= self.distances(X1, X2)

    def scores(self, X: Any, identities: Any) -> dict[str, float]:
        """Return the scores over all pairs of images, preferably of people not seen in training.

        equal_error_rate  the error rate where false acceptances and false rejections are equal
        auc               the area under the ROC curve
        accuracy          balanced accuracy at threshold_ over pairs of the same or different people
        one_shot, ways    accuracy of finding one of `ways` people from one image of each
        """
        check_is_fitted(self, "network_")
        X = self._images(X, "X", self.network_.shape, bytes_stay=True)
        _, codes = encode_identities(identities, len(X), "identities")
        scores = self._measure(X, codes, self.threshold_)._asdict()
        return {name: value for name, value in scores.items() if value is not None}

    def score(self, X: Any, identities: Any) -> float:
        """Return the balanced accuracy at threshold_ over pairs of the same or different people."""
        return self.scores(X, identities)["accuracy"]

    def gallery(self) -> Gallery:
        """Return an empty gallery, in which people can be enrolled, verified and identified."""
        check_is_fitted(self, "network_")
        learned = None if self.likeness_ is None else np.asarray(self.likeness_)
        scale: dict[str, Any] = {"pixel_scale": self.pixel_scale_, "white": self.white_}
        return Gallery(self.network_, self.threshold_, pair_classifier=learned, **scale)


def check_strangers(names: np.ndarray, strangers: np.ndarray) -> None:
    """Refuse a dev set with people of the training set."""
    both = np.intersect1d(names, strangers)
    if len(both):
        got = f"{len(both)} from the training set, such as {both[0]}"
        hint = "splitting by people instead of by images, so that no person occurs in two sets"
        raise DataError("identities_dev", "people who are not in the training set", got, hint)
