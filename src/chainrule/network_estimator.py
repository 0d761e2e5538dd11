"""The base class of the classifier and the regressor: checks, `fit` and `partial_fit`.

The estimators implement scikit-learn's contract; training itself is `chainrule.train.fit`.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from chainrule.cache import keep_compiled_programs
from chainrule.data.batches import steps_per_epoch
from chainrule.data.split import split
from chainrule.errors import DataError, OptionError, check_choice
from chainrule.models.deep_network import ACTIVATIONS, INITIALIZERS, DeepNetwork, keep_probs
from chainrule.optim.optimizer import Optimizer
from chainrule.randomness import key_from_seed
from chainrule.train.defaults import COSTS, EARLY_STOPPING_FROM, FAST
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.image_rows import check_alike, image_shape, rows_of
from chainrule.train.network_options import check_named
from chainrule.train.networks import augmented, build_named, options_said
from chainrule.train.optimizers import Descent
from chainrule.train.outputs import network_outputs
from chainrule.train.penalty import check_strength, make_penalty
from chainrule.train.schedule import usual_batch_size, usual_decay, usual_epochs, usual_patience

SEEDS = 2**32


class NetworkEstimator(BaseEstimator):
    """The base class of NetworkClassifier and NetworkRegressor: checks, fit and partial_fit."""

    _numeric: bool
    cost_: str
    hidden: Any
    network: Any
    width: Any
    image_shape: Any
    augment: Any
    activation: Any
    init: Any
    optimizer: Any
    learning_rate: Any
    beta: Any
    decay: Any
    decay_rate: Any
    clip_norm: Any
    l2: Any
    l1: Any
    keep_prob: Any
    batch_norm: Any
    batch_size: Any
    epochs: Any
    early_stopping: Any
    random_state: Any

    @property
    @abstractmethod
    def _metric(self) -> Callable:
        """The metric that is computed on the dev set in addition to the cost."""

    @abstractmethod
    def _check_target(self, y: np.ndarray) -> np.ndarray:
        """Check y and return it as an array of classes (m,) or of numbers (m, k)."""

    @abstractmethod
    def _apply_class_weight(self, weights: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Multiply the weight of each example by the weight of its class."""

    @abstractmethod
    def _learn_target(self, y: np.ndarray, weights: np.ndarray) -> None:
        """Learn the classes, or the mean and the scale of a numeric target."""

    @abstractmethod
    def _encode(self, y: np.ndarray) -> np.ndarray:
        """Encode y for the cost: Y (m, n_L), float32."""

    def fit(self, X, y, sample_weight=None):
        """Train from newly initialised weights on rows X (m, n_x) and y, (m,) or (m, k)."""
        X, y, weights = self._validate(X, y, sample_weight, reset=True)
        self._learn_target(y, weights)
        Y = self._encode(y)
        seed = self._seed()
        self._begin(X, Y.shape[1], seed)
        batch_size = self._batch_size(len(X))
        train, dev = self._split(X, Y, weights, seed)
        if batch_size >= len(train.X):
            train = merge_duplicates(train)
            batch_size = len(train.X)
        epochs = self._epochs(len(train.X), batch_size, has_dev=dev is not None)
        self._train(train, dev, batch_size, epochs, seed, state=None)
        self.n_iter_ = len(self.history_.epochs)
        return self

    def _partial_fit(self, X, y, sample_weight, first: bool):
        """Train the network for one more epoch on these rows."""
        X, y, weights = self._validate(X, y, sample_weight, reset=first)
        if first:
            self._learn_target(y, weights)
        Y = self._encode(y)
        if first:
            self._begin(X, Y.shape[1], self._seed())
            self.n_iter_ = 0
        train = Examples(X, Y, weights)
        seed = (self.seed_ + self.n_iter_) % SEEDS
        self._train(train, None, self._batch_size(len(X)), 1, seed, state=self.optimizer_state_)
        self.n_iter_ += 1
        return self

    def _validate(self, X, y, sample_weight, *, reset: bool):
        """Return X as float32, y and float32 weights, without the examples of weight 0."""
        self._check_parameters()
        X = self._rows(X, reset=reset)
        found: Any = validate_data(
            self, X, y, dtype=np.float32, multi_output=True, y_numeric=self._numeric, reset=reset
        )
        X, y = found[0], self._check_target(found[1])
        weights = _check_sample_weight(sample_weight, X, dtype=np.float32, ensure_non_negative=True)
        weights = self._apply_class_weight(weights, y)
        positive = weights > 0
        if not positive.any():
            raise DataError("the weights", "at least one above 0", "only zeros", "omitting them")
        if positive.all():
            return X, y, weights
        return X[positive], y[positive], weights[positive]

    def _rows(self, X, *, reset: bool):
        """Reshape images to rows if an image network is trained."""
        if self.network is None:
            return X
        rows, shape = rows_of(X)
        if reset:
            self.seen_shape_ = shape
        else:
            network: Any = self.network_
            check_alike(shape, self.seen_shape_ or network.shape)
        return rows

    def _check_parameters(self) -> None:
        self._descent.check(rate='0.002, or "auto"')
        check_strength("l2", self.l2)
        check_strength("l1", self.l1)
        check_choice("batch_norm", self.batch_norm, [True, False])
        check_choice("activation", self.activation, ACTIVATIONS)
        if self.init is not None:
            check_choice("init", self.init, INITIALIZERS)
        check_choice("early_stopping", self.early_stopping, [True, False, "auto"])
        _check_hidden(self.hidden)
        check_named(self)
        keep_probs("keep_prob", self.keep_prob, len(self.hidden) if self.network is None else 1)
        for name in ("batch_size", "epochs"):
            value = getattr(self, name)
            if value != "auto":
                check_whole(name, (value,), '"auto", or 64')

    def _begin(self, X, n_outputs: int, seed: int) -> None:
        """Build the network with its initial weights."""
        keep_compiled_programs()
        self.seed_ = seed
        self.optimizer_state_ = None
        if self.network is not None:
            shape = image_shape(self.image_shape, self.seen_shape_, X.shape[1])
            settings = {"key": key_from_seed(seed), "options": options_said(self)}
            network = build_named(self.network, shape, n_outputs, **settings)
            self.network_ = augmented(network, self.augment or "none", X)
            return
        self.network_ = DeepNetwork(
            (X.shape[1], *self.hidden, n_outputs),
            activation=self.activation,
            initializer=self.init,
            keep_prob=self.keep_prob,
            batch_norm=self.batch_norm,
            key=key_from_seed(seed),
        )

    def _train(self, train, dev, batch_size, epochs, seed, *, state) -> None:
        steps = steps_per_epoch(len(train.X), batch_size)
        optimizer = self._descent_with_decay(epochs).make(steps)
        if state is not None:
            optimizer = Optimizer(lambda theta: state, optimizer.update)
        fitted = fit(
            self.network_,
            optimizer,
            COSTS[self.cost_],
            train,
            dev,
            epochs=epochs,
            batch_size=batch_size,
            metric=self._metric,
            patience=usual_patience(len(train.X), batch_size, images=self.network is not None),
            penalty=make_penalty(self.l2, self.l1, float(train.weights.sum())),
            seed=seed,
        )
        self.network_, self.history_ = fitted.network, fitted.history
        self.optimizer_state_ = fitted.state

    @property
    def _descent(self) -> Descent:
        """The optimiser, its learning rate and the decay of that rate."""
        return Descent(
            optimizer=self.optimizer,
            learning_rate=None if self.learning_rate == "auto" else self.learning_rate,
            beta=self.beta,
            decay=self.decay,
            decay_rate=self.decay_rate,
            clip_norm=self.clip_norm,
        )

    def _descent_with_decay(self, epochs: int) -> Descent:
        """Return the descent, with the usual decay for an image network if none was specified."""
        if self.network is None or self.decay is not None:
            return self._descent
        return replace(self._descent, **usual_decay(epochs))

    def _batch_size(self, m: int) -> int:
        usual = usual_batch_size(m, images=self.network is not None)
        return usual if self.batch_size == "auto" else min(self.batch_size, m)

    def _epochs(self, m: int, batch_size: int, *, has_dev: bool) -> int:
        """Return the number of epochs for m distinct examples, whatever their weights."""
        if self.epochs != "auto":
            return self.epochs
        guarded = has_dev or self.optimizer not in FAST
        images = self.network is not None
        return usual_epochs(m, batch_size, self.cost_, self.hidden, images=images, guarded=guarded)

    def _seed(self) -> int:
        """Return a seed from `random_state`: a whole number, a NumPy RandomState or None."""
        if isinstance(self.random_state, int | np.integer):
            if not 0 <= self.random_state < SEEDS:
                expected = "a whole number from 0 to 2³² − 1, a RandomState or None"
                raise OptionError("random_state", expected, repr(self.random_state), "0")
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31))

    def _split(self, X, Y, weights, seed: int) -> tuple[Examples, Examples | None]:
        """Return the training set, and a dev set if early stopping is on."""
        early_stopping = self.early_stopping
        if early_stopping == "auto":
            early_stopping = len(X) >= EARLY_STOPPING_FROM
        if not early_stopping:
            return Examples(X, Y, weights), None
        rows = split(len(X), classes=self._strata(Y), seed=seed, test=False)
        train, dev = (Examples(X[i], Y[i], weights[i]) for i in (rows.train, rows.dev))
        return train, dev

    def _strata(self, Y) -> np.ndarray | None:
        """Return the class of each example if the split should be stratified, or None."""
        if self._numeric or (self.cost_ == "logistic" and Y.shape[1] > 1):
            return None
        return Y[:, 0] if self.cost_ == "logistic" else Y.argmax(axis=1)

    def _outputs(self, X) -> np.ndarray:
        check_is_fitted(self, "network_")
        rows: Any = validate_data(self, self._rows(X, reset=False), dtype=np.float32, reset=False)
        return network_outputs(self.network_, rows)


def merge_duplicates(examples: Examples) -> Examples:
    """Sort the rows and merge duplicate rows into one, with the sum of their weights.

    A repeated row and a row of weight 2 then give exactly the same result.
    """
    n_x = examples.X.shape[1]
    rows, group = np.unique(np.hstack([examples.X, examples.Y]), axis=0, return_inverse=True)
    weights = np.bincount(group.reshape(-1), examples.weights).astype(np.float32)
    return Examples(np.ascontiguousarray(rows[:, :n_x]), rows[:, n_x:], weights)


def _check_hidden(hidden: Any) -> None:
    if isinstance(hidden, str) or not isinstance(hidden, Sequence | np.ndarray):
        hint = f"({hidden},)" if _is_number(hidden) else "(64, 32)"
        expected = "a tuple with the number of units of each hidden layer"
        raise OptionError("hidden", expected, repr(hidden), hint)
    check_whole("hidden", hidden, "(64, 32), or () for no hidden layer")


def check_whole(name: str, values: Any, hint: str) -> None:
    """Refuse values that are not whole numbers of at least 1."""
    for value in values:
        if not (_is_number(value) and isinstance(value, int | np.integer) and value >= 1):
            raise OptionError(name, "a whole number of at least 1", repr(value), hint)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
