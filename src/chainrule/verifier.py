"""Who is who, in the manner of scikit-learn: images and whose they are in, a yes or no out.

Notes: "Face verification", "One-shot learning", "Siamese network" (course 4, week 4).
"""

from typing import Any, cast

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from chainrule.cache import keep_compiled_programs
from chainrule.data.identities import numbered
from chainrule.errors import DataError, OptionError, ShapeError, check_choice
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.zoo import EMBEDDINGS, build
from chainrule.network_estimator import check_whole
from chainrule.randomness import key_from_seed
from chainrule.train.image_rows import as_images
from chainrule.train.networks import augmented
from chainrule.train.outputs import network_outputs
from chainrule.train.verification import (
    IdentityParts,
    Verification,
    measured,
    split_identities,
    train_embedding,
)
from chainrule.train.verification_gallery import Gallery
from chainrule.train.verification_likeness import distance_of, train_likeness
from chainrule.train.verification_order import ByIdentity

SIMILARITIES = ("distance", "logistic")
STEPS = 1000
"""About so many steps, where nothing is said of epochs."""
ENOUGH = 10
"""From so many identities on some of them are set aside, where no dev part is given."""


class Verifier(BaseEstimator):
    """A network that puts images of one person near each other, and others far away.

    network          "embedding", or "embedding_resnet20"
    n                how many numbers an embedding has
    width            of the network: all its channels times this
    mirrored         an image and its mirror image are the same to it: for faces
    margin           α of the triplet cost
    people, photos   identities that a step sees, and images of each
    augment          changes to the pictures of each step: "mirror,crop=8", "auto"; None: none
    dev_share        of ten or more identities, set aside as dev where no such part is given
    similarity       what says how unlike two images are: "distance", D = ‖f(x1) − f(x2)‖², or
                     "logistic", D = 1 − sigmoid(W |f(x1) − f(x2)| + b), learned from pairs
    epochs           passes; "auto": about 1,000 steps
    learning_rate    α of Adam, which falls to a twentieth
    random_state     of the first weights, the changes, the steps, and who is set aside

    After fit: network_ (images in, embeddings out), threshold_ (D up to which two are the same),
    history_, likeness_ (b and W, or None), identities_ (those trained on).
    """

    network_: ConvNetwork
    threshold_: float

    def __init__(
        self,
        *,
        network: str = "embedding",
        n: int = 64,
        width: float = 0.5,
        mirrored: bool = False,
        margin: float = 0.2,
        people: int = 16,
        photos: int = 4,
        augment: str | None = "auto",
        dev_share: float = 0.2,
        similarity: str = "distance",
        epochs: int | str = "auto",
        learning_rate: float = 0.002,
        random_state: int = 0,
    ):
        self.network = network
        self.n = n
        self.width = width
        self.mirrored = mirrored
        self.margin = margin
        self.people = people
        self.photos = photos
        self.augment = augment
        self.dev_share = dev_share
        self.similarity = similarity
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(
        self, X: Any, identities: Any, X_dev: Any = None, identities_dev: Any = None, **how: Any
    ) -> "Verifier":
        """Train on images X (m, n_H, n_W[, n_C]) and whose each is, (m,) of any label.

        Bytes are divided by 255. The dev part, of people who are not trained on, says which epoch
        is best and where the threshold lies; without one some are set aside, see `dev_share`.
        `how` is for `chainrule.train.fit.fit`: watch, checkpoints.
        """
        self._check()
        X = as_images(X, "X", bytes_stay=True)
        names, codes = numbered(identities, len(X), "identities")
        epochs = self.epochs_for(len(X))
        if X_dev is None:
            dev = self.dev_share if len(names) >= ENOUGH else 0
            parts = split_identities(codes, dev=dev, test=0, seed=self.random_state)
        else:
            X_dev = as_images(X_dev, "X_dev", X.shape[1:], bytes_stay=True)
            strangers, others = numbered(identities_dev, len(X_dev), "identities_dev")
            check_strangers(names, strangers)
            rows = np.arange(len(X) + len(X_dev))
            parts = IdentityParts(rows[: len(X)], rows[len(X) :], np.array([], int))
            if X.dtype != X_dev.dtype:  # bytes and shares of 255
                X, X_dev = as_images(X, "X"), as_images(X_dev, "X_dev")
            X = np.concatenate([X, X_dev])
            codes = np.concatenate([codes, len(names) + others])
        self.identities_ = names[np.unique(codes[parts.train])]
        self._train(X, codes, parts, epochs, **how)
        return self

    def epochs_for(self, m: int) -> int:
        """How many passes over m images `fit` makes."""
        if not isinstance(self.epochs, str):
            return self.epochs
        return max(10, STEPS // -(-m // (self.people * self.photos)))

    def _check(self) -> None:
        """Refuse what means nothing, before anything is trained."""
        check_choice("network", self.network, EMBEDDINGS)
        check_choice("similarity", self.similarity, SIMILARITIES)
        check_whole("n", (self.n,), "64")
        if not 0 <= self.dev_share < 1:
            got, hint = repr(self.dev_share), "0.2, or 0 to train on all"
            raise OptionError("dev_share", "a share from 0 to below 1", got, hint)
        if self.epochs != "auto":
            check_whole("epochs", (self.epochs,), '"auto", or 40')

    def _train(
        self, X: np.ndarray, codes: np.ndarray, parts: IdentityParts, epochs: int, **how: Any
    ) -> None:
        """The network, then what is learned of its embeddings, then the threshold."""
        keep_compiled_programs()
        key, order = key_from_seed(self.random_state), ByIdentity(self.people, self.photos)
        options = {"width": self.width, "mirrored": self.mirrored}
        start = build(self.network, X.shape[1:], int(self.n), key=key, options=options)
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
            **how,
        )
        self.network_, self.history_ = cast(ConvNetwork, fitted.network), fitted.history
        self.likeness_ = None
        if self.similarity == "logistic":
            E = network_outputs(self.network_, X[parts.train])
            self.likeness_ = train_likeness(E, codes[parts.train], seed=self.random_state)
        judged = parts.dev if len(parts.dev) else parts.train
        self.threshold_ = self._measured(X[judged], codes[judged]).threshold

    def _measured(self, X: np.ndarray, codes: np.ndarray, tau: float | None = None) -> Verification:
        E = network_outputs(self.network_, X)
        return measured(E, codes, tau, distance_of(self.likeness_))

    def embed(self, X: Any) -> np.ndarray:
        """Embeddings (m, n), each of length one."""
        check_is_fitted(self, "network_")
        images = as_images(X, "X", self.network_.shape, bytes_stay=True)
        return network_outputs(self.network_, images)

    def distances(self, X1: Any, X2: Any) -> np.ndarray:
        """D (m,) of the first image of X1 to the first of X2, of the second to the second, …."""
        E, F = self.embed(X1), self.embed(X2)
        if len(E) != len(F):
            hint = "np.repeat(X1, len(X2), axis=0), to compare one with many"
            raise ShapeError("X2", f"as many images as X1, {len(E)}", str(len(F)), hint)
        D = distance_of(self.likeness_)
        return np.array([D(e[None], f[None])[0, 0] for e, f in zip(E, F, strict=True)])

    def verify(self, X1: Any, X2: Any) -> np.ndarray:
        """Are they of the same person? (m,) of yes and no: D ≤ threshold_."""
        return self.threshold_ >= self.distances(X1, X2)

    def scores(self, X: Any, identities: Any) -> dict[str, float]:
        """Of people, who are best strangers: the shares of errors among all pairs of their images.

        equal_error_rate  where as many strangers are let in as people are kept out
        auc               the area under the ROC curve
        accuracy          right answers at threshold_, pairs of one person and of two counted alike
        one_shot, ways    right answers where one of so many people is to be found from one image
        """
        check_is_fitted(self, "network_")
        X = as_images(X, "X", self.network_.shape, bytes_stay=True)
        _, codes = numbered(identities, len(X), "identities")
        found = self._measured(X, codes, self.threshold_)._asdict()
        return {name: value for name, value in found.items() if value is not None}

    def score(self, X: Any, identities: Any) -> float:
        """Right answers at threshold_: pairs of one person and of two counted alike."""
        return self.scores(X, identities)["accuracy"]

    def gallery(self) -> Gallery:
        """A gallery in which nobody is known yet: enrol, verify, identify, save."""
        check_is_fitted(self, "network_")
        learned = None if self.likeness_ is None else np.asarray(self.likeness_)
        return Gallery(self.network_, self.threshold_, likeness=learned)


def check_strangers(names: np.ndarray, strangers: np.ndarray) -> None:
    """Refuse people of dev whom training knows."""
    both = np.intersect1d(names, strangers)
    if len(both):
        got = f"{len(both)} who are trained on, such as {both[0]}"
        hint = "parts that share nobody: split by people, not by images"
        raise DataError("identities_dev", "people whom training does not see", got, hint)
