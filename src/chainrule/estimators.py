"""NetworkClassifier and NetworkRegressor, networks with scikit-learn's interface.

Examples are rows at this interface; inside the network they are columns.

>>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array(["low", "low", "high", "high"])
>>> NetworkClassifier(hidden=(8,), epochs=200, learning_rate=0.05).fit(X, y).predict([[0.2], [2.9]])
array(['low', 'high'], dtype='<U4')

The base class has the checks, `fit` and `partial_fit`, which implement scikit-learn's contract;
training itself is `chainrule.train.fit`.
"""

import warnings
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import equinox as eqx
import jax
import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from chainrule.choices import SEQUENCE_NETWORKS, SUMMARY
from chainrule.data.batches import WHOLE_SET, steps_per_epoch
from chainrule.data.scaling import Normalizer
from chainrule.data.sequences import Sequences
from chainrule.data.split import FOLDS, Fold, can_be_split, fold
from chainrule.data.vocabulary import Vocabulary, check_texts
from chainrule.errors import (
    DataError,
    DataWarning,
    OptionError,
    ShapeError,
    check_choice,
    check_integer,
)
from chainrule.formatting import count_of
from chainrule.host.compilation_cache import enable_compilation_cache
from chainrule.host.machine import check_process
from chainrule.host.randomness import key_from_seed, seed_of_member
from chainrule.models.deep_network import DeepNetwork, keep_probs
from chainrule.models.ensemble import Ensemble
from chainrule.models.sequence_network import SequenceNetwork
from chainrule.optim.optimizer import Optimizer
from chainrule.optim.schedules import CosineDecay
from chainrule.runs.defaults import (
    COSTS,
    FAST,
    NO_DECAY,
    OptimizerSettings,
    default_batch_size_for,
    default_decay_for,
    default_epochs_for,
    default_patience_for,
    judge_for,
    stops_early,
)
from chainrule.runs.encodings import STANDARD, Setting, choose_encoding
from chainrule.runs.metrics import calibration, members_calibration
from chainrule.runs.networks import (
    augmented,
    build_named,
    check_image_shape,
    given_network_options,
    learn_pixel_scale,
    resolve_image_shape,
    rows_of,
    scaled_pixels,
)
from chainrule.runs.options import AUTO, check_parameters
from chainrule.runs.preprocessing import as_sequences, as_texts, filled_steps
from chainrule.runs.recipe import (
    HIDDEN,
    HIDDEN_OF_SEQUENCES,
    Recipe,
    check_estimator_network,
)
from chainrule.train.examples import NEGLIGIBLE, Examples, merge_duplicates
from chainrule.train.fit import Fit, fit
from chainrule.train.members import MemberRows, fit_members
from chainrule.train.metrics import accuracy, exact_match, r2
from chainrule.train.outputs import (
    disagreement,
    member_outputs,
    network_outputs,
    probabilities,
)
from chainrule.train.step import Penalty, make_penalty

SEEDS = 2**32
COSINE = "cosine"
OF_MANY_EXAMPLES = (128, 64)
"""The number of units of each hidden layer by default for the classes of over 2,000 examples."""
USUAL_MEMBERS = 5
"""The number of members of an ensemble by default."""


class NetworkEstimator(BaseEstimator):
    """The base class of NetworkClassifier and NetworkRegressor: checks, fit and partial_fit."""

    _numeric: bool
    cost_: str
    normalizer_: Normalizer | None
    y_scale_: Any

    def __init__(
        self,
        hidden: Sequence[int] | str = "auto",
        *,
        network: str | None = None,
        bidirectional: bool = False,
        width: float | None = None,
        image_shape: Sequence[int] | None = None,
        augment: str | None = None,
        activation: str = "relu",
        init: str | None = None,
        optimizer: str = "adam",
        learning_rate: float | str | None = "auto",
        beta: float | None = None,
        decay: str | None = "auto",
        decay_rate: float | None = None,
        clip_norm: float | None = None,
        l2: float = 0.0,
        l1: float = 0.0,
        keep_prob: float | Sequence[float] = 1.0,
        batch_norm: bool = False,
        batch_size: int | str = "auto",
        epochs: int | str = "auto",
        early_stopping: bool | str = "auto",
        normalize: str = "auto",
        members: int | str = "auto",
        random_state: int | np.random.RandomState | None = 0,
    ):
        self.hidden = hidden
        self.network = network
        self.bidirectional = bidirectional
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
        self.normalize = normalize
        self.members = members
        self.random_state = random_state

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
    def _calibrate(self, examples: Examples, folds: Sequence[Fold]) -> None:
        """Learn on held-out examples how probabilities are calibrated."""

    @abstractmethod
    def _encode(self, y: np.ndarray) -> np.ndarray:
        """Encode y for the cost: Y (m, n_L), float32."""

    def fit(self, X, y, sample_weight=None):
        """Train from newly initialised weights on rows X (m, n_x) and y, (m,) or (m, k)."""
        X, y, weights = self._validate(X, y, sample_weight, reset=True)
        Y = self._encode(y)
        seed = self._seed()
        examples, folds = self._examples(X, Y, weights, seed)
        self.members_ = self._member_count(has_dev=bool(folds))
        self._begin(X, Y.shape[1], seed)
        m = len(folds[0].train) if folds else len(examples.X)
        batch_size = min(self._batch_size(len(examples.X)), m)
        epochs = self._epochs(m, batch_size, has_dev=bool(folds))
        optimizer = self._descent_with_decay(epochs).make(steps_per_epoch(m, batch_size), epochs)
        folds = folds[: self.members_]
        self._train(examples, folds, batch_size, epochs, seed, optimizer)
        self._calibrate(examples, folds)
        self.n_iter_ = len(self.history_.epochs)
        return self

    def _partial_fit(self, X, y, sample_weight, first: bool):
        """Train the network for one more epoch on these rows, by default with a constant α."""
        if self.decay == COSINE:
            expected = "a decay that does not depend on the number of epochs with partial_fit"
            raise OptionError("decay", expected, repr(self.decay), 'decay="exponential"')
        X, y, weights = self._validate(X, y, sample_weight, reset=first)
        Y = self._encode(y)
        if first:
            self.hidden_ = self._hidden_sizes(len(X))
            self.members_, self.encoding_costs_ = self._member_count(has_dev=False), {}
            self._learn_scale(X, weights, STANDARD if self.normalize == AUTO else self.normalize)
            self._begin(X, Y.shape[1], self._seed())
            self.n_iter_ = 0
        train = Examples(self._scaled(X), Y, weights)
        seed = (self.seed_ + self.n_iter_) % SEEDS
        batch_size = self._batch_size(len(X))
        descent = replace(self._descent, decay=self._descent.decay or NO_DECAY)
        optimizer: Any = descent.make(steps_per_epoch(len(X), batch_size), 1)
        state, update = with_constant_rate(self.optimizer_state_), optimizer.update
        if isinstance(state, list):  # that of each member
            optimizer = [Optimizer(lambda theta, one=one: one, update) for one in state]
        elif state is not None:
            optimizer = Optimizer(lambda theta: state, update)
        self._train(train, [], batch_size, 1, seed, optimizer)
        self._calibrate(train, [])
        self.n_iter_ += 1
        return self

    def _validate(self, X, y, sample_weight, *, reset: bool):
        """Return X, y and float32 weights, without the examples of negligible weight.

        X keeps its numbers as they are if it is scaled later, and is float32 otherwise. With
        `reset`, the target is learned from all of y: a class of weight 0 is a class too.
        """
        check_process()
        self._check_parameters()
        rows: Any = self._rows(X, reset=reset)
        dtype = self._input_dtype(reset=reset)
        found: Any = validate_data(
            self, rows, y, dtype=dtype, multi_output=True, y_numeric=self._numeric, reset=reset
        )
        X, y = self._divided(found[0], rows, reset=reset), self._check_target(_dense(found[1]))
        weights = _check_sample_weight(sample_weight, X, dtype=np.float32, ensure_non_negative=True)
        weights = self._apply_class_weight(weights, y)
        positive = weights > NEGLIGIBLE * weights.max()
        if not positive.any():
            expected = "at least one weight greater than 0"
            raise DataError("the weights", expected, "only zeros", "omitting them")
        if reset:
            self._learn_target(y, weights)
            if self._kind == "sequences":
                self.n_features_in_ = self.steps_[1]
            if self.network is None and not self._normalizes:
                warn_of_rounding(rows, X)
        if positive.all():
            return X, y, weights
        return X[positive], y[positive], weights[positive]

    @property
    def _normalizes(self) -> bool:
        """Whether training scales the inputs; image networks only divide their pixels."""
        texts = getattr(self, "vocabulary_", None) is not None
        return self._kind != "images" and self.normalize != "none" and not texts

    @property
    def _kind(self) -> str:
        """The kind of network on which the rules of the training schedule depend."""
        if self.network in SEQUENCE_NETWORKS:
            return "sequences"
        return "rows" if self.network is None else "images"

    def _input_dtype(self, *, reset: bool) -> Any:
        """Return the type of the validated inputs: numbers are scaled before they are rounded."""
        scaled = self._normalizes if reset else self.normalizer_ is not None
        return "numeric" if scaled else np.float32

    def _hidden_sizes(self, m: int) -> tuple[int, ...]:
        """Return the number of units of each hidden layer for m examples."""
        if self.network == SUMMARY:
            return ()
        if not isinstance(self.hidden, str):
            return tuple(map(int, self.hidden))
        if self._kind == "sequences":
            return HIDDEN_OF_SEQUENCES
        return OF_MANY_EXAMPLES if m > WHOLE_SET and not self._numeric else HIDDEN

    def _member_count(self, *, has_dev: bool) -> int:
        """Return the number of networks: by default several if each has a dev set of its own."""
        if self.members != AUTO:
            return int(self.members)
        return USUAL_MEMBERS if has_dev and self.network is None and self.hidden_ else 1

    def _learn_scale(self, X: np.ndarray, weights: Any, kind: str) -> None:
        """Learn how the inputs are scaled from the examples of the training set."""
        if self._kind == "sequences" and self._normalizes:
            sequences = self._unflattened(X)
            X, weights = sequences.values[sequences.real()], None
        self.normalizer_ = (
            Normalizer.learn(kind, X, self._names, weights) if self._normalizes else None
        )

    def _choose_encoding(self, examples: Examples, folds: Sequence[Fold], seed: int) -> str:
        """Return the encoding of the numbers: that of the user, or the best one on the folds."""
        self.encoding_costs_: dict[str, float] = {}
        if not self._normalizes or self.normalize != AUTO:
            return self.normalize
        if not self.hidden_ or self._kind == "sequences":
            return STANDARD
        n_L, seeds = examples.Y.shape[1], [seed_of_member(seed, k) for k in range(len(folds))]

        def network(n_x: int, k: int) -> DeepNetwork:
            return self._initial_network((n_x, *self.hidden_, n_L), seeds[k])

        def optimizer(steps: int, epochs: int) -> Optimizer:
            return self._descent_with_decay(epochs).make(steps, epochs)

        functions = COSTS[self.cost_], self._metric, judge_for(self.cost_, kind="rows")
        setting = Setting(network, optimizer, *functions, seeds)
        kind, self.encoding_costs_ = choose_encoding(examples, folds, setting, names=self._names)
        return kind

    def _scaled(self, X: np.ndarray) -> Any:
        """Return rows in float32, scaled as in training; rows of sequences become `Sequences`."""
        if self._kind == "sequences":
            return self._scaled_steps(self._unflattened(X))
        return X if self.normalizer_ is None else self.normalizer_.apply(X, self._names)

    @property
    def _names(self) -> Sequence[str] | None:
        """The names of the columns in training, for messages."""
        if self._kind == "sequences":
            return None
        return getattr(self, "feature_names_in_", None)

    def _sequences(self, X: Any) -> Sequences:
        """Return sequences of numbers, or of the ids of texts."""
        if self.vocabulary_ is not None:
            texts = as_texts(X)
            check_texts(texts, "X")
            return self.vocabulary_.encode(texts)
        found = as_sequences(X)
        if found.ndim != 3:
            hint = "X[None] if it is a single sequence"
            raise ShapeError("X", "(m, T, n_x), or a list of (T, n_x)", str(found.shape), hint)
        if np.isinf(found.values).any():
            raise DataError("X", "finite numbers", "infinity", "correcting these sequences")
        return found

    def _flattened(self, X: Any) -> np.ndarray:
        """Return sequences as rows, with the length of each in a last column."""
        texts = isinstance(next(iter(X), None), str)
        self.vocabulary_ = Vocabulary.learn(as_texts(X)) if texts else None
        found = filled_steps(self._sequences(X))
        self.steps_ = (found.shape[1], 1 if texts else found.shape[2])
        values = found.values.reshape(len(found), -1)
        return np.column_stack([values, found.lengths])

    def _unflattened(self, X: np.ndarray) -> Sequences:
        """Return the sequences of rows made by `_flattened`."""
        values, lengths = X[:, :-1], X[:, -1].astype(np.int32)
        if self.vocabulary_ is not None:
            return Sequences(values.astype(np.int32), lengths)
        return Sequences(values.reshape(len(X), *self.steps_), lengths)

    def _scaled_steps(self, X: Sequences) -> Sequences:
        """Return the inputs of a network for sequences, scaled as in training."""
        if self.vocabulary_ is not None:
            return X
        T, n_x = X.shape[1:]
        values = np.asarray(X.values, np.float32)
        if self.normalizer_ is not None:
            values = self.normalizer_.apply(X.values.reshape(-1, n_x)).reshape(len(X), T, n_x)
        return Sequences(np.where(X.real()[..., None], values, np.float32(0)), X.lengths)

    def _ready_sequences(self, X: Any) -> Sequences:
        """Return the inputs of the network for new sequences, after checking them."""
        found, n_x = self._sequences(X), self.steps_[1]
        if self.vocabulary_ is not None:
            return found
        if found.shape[2] != n_x:
            hint = "the numbers of each step with which the network was trained"
            hint = "X[None] if this is a single sequence" if found.shape[1:] == (n_x, 1) else hint
            raise ShapeError("X", f"(m, T, {n_x})", str(found.shape), hint)
        zeros = np.zeros((1, n_x))
        means = zeros[0] if self.normalizer_ is None else self.normalizer_.undo(zeros)[0]
        return self._scaled_steps(filled_steps(found, means))

    def _rows(self, X, *, reset: bool):
        """Reshape images or sequences to rows if a network for them is trained."""
        if self.network is None:
            return X
        if self._kind == "sequences":
            return self._flattened(X)
        rows, shape = rows_of(X)
        if reset:
            self.seen_shape_ = shape
        else:
            network: Any = self.network_
            check_image_shape(shape, self.seen_shape_ or network.shape)
        return rows

    def _divided(self, X: np.ndarray, given: Any, *, reset: bool) -> np.ndarray:
        """Scale the pixels of an image network as in training; `given` is the user's X."""
        if self._kind != "images":
            return X
        dtype = np.asarray(given).dtype
        if reset:
            self.pixel_scale_ = learn_pixel_scale(X, dtype)
        return scaled_pixels(X, self.pixel_scale_, "X", dtype)

    def _check_parameters(self) -> None:
        _check_hidden(self.hidden)
        if self.batch_size != AUTO:
            check_integer("batch_size", self.batch_size, hint='"auto", or 64')
        check_parameters(self, Recipe)
        self._descent.check()
        check_estimator_network(self)
        count = len(HIDDEN) if isinstance(self.hidden, str) else len(self.hidden)
        keep_probs("keep_prob", self.keep_prob, count if self.network is None else 1)
        if self._kind == "sequences" and not isinstance(self.keep_prob, int | float):
            expected = f'one number with network="{self.network}"'
            raise OptionError("keep_prob", expected, f"{list(self.keep_prob)}", "0.8")

    def _begin(self, X, n_outputs: int, seed: int) -> None:
        """Build the network with its initial weights."""
        enable_compilation_cache()
        self.seed_ = seed
        self.optimizer_state_ = None
        if self._kind == "images":
            shape = resolve_image_shape(self.image_shape, self.seen_shape_, X.shape[1])
            settings = {"key": key_from_seed(seed), "options": given_network_options(self)}
            network = build_named(str(self.network), shape, n_outputs, **settings)
            self.network_ = augmented(network, self.augment or "none", X)
            return
        n_x = self._input_count(X)
        sizes = (n_x, *self.hidden_, n_outputs)
        seeds = [seed_of_member(seed, k) for k in range(self.members_)]
        networks = [self._initial_network(sizes, seed) for seed in seeds]
        self.network_ = networks[0] if len(networks) == 1 else Ensemble.of(networks, self.cost_)

    def _input_count(self, X: Any) -> int:
        """Return the number of inputs per example, or per step; of texts, the number of ids."""
        if self._kind == "sequences":
            return self.steps_[1] if self.vocabulary_ is None else len(self.vocabulary_)
        return X.shape[1] if self.normalizer_ is None else self.normalizer_.n_inputs(X.shape[1])

    def _initial_network(self, sizes: Sequence[int], seed: int) -> Any:
        """Return a fully connected network, or one for sequences, with its initial weights."""
        if self._kind == "sequences":
            n_x, *hidden, n_L = sizes
            return SequenceNetwork(
                str(self.network),
                n_x,
                n_L,
                hidden=hidden,
                tokens=self.vocabulary_ is not None,
                bidirectional=self.bidirectional,
                keep_prob=cast(float, self.keep_prob),
                key=key_from_seed(seed),
            )
        network = DeepNetwork(
            sizes,
            activation=self.activation,
            initializer=self.init,
            keep_prob=self.keep_prob,
            batch_norm=self.batch_norm,
            key=key_from_seed(seed),
        )
        return with_small_outputs(network) if self._starts_small else network

    @property
    def _starts_small(self) -> bool:
        """Whether the initial network predicts nearly the mean of the target for every row."""
        return self._numeric and self.network is None and self.init is None

    def _train(
        self, examples: Examples, folds: Sequence[Fold], batch_size, epochs, seed, optimizer
    ) -> None:
        """Train on the examples, or each member on its fold of them."""
        m = len(folds[0].train) if folds else len(examples.X)
        options: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "seed": seed}
        options["patience"] = default_patience_for(m, batch_size, epochs, kind=self._kind)
        options["judge"] = judge_for(self.cost_, kind=self._kind)
        train_it = self._fit_members if isinstance(self.network_, Ensemble) else self._fit_one
        fitted = train_it(optimizer, examples, folds, metric=self._metric, **options)
        self.network_, self.history_ = fitted.network, fitted.history
        self.optimizer_state_ = fitted.state

    def _fit_one(self, optimizer, examples: Examples, folds: Sequence[Fold], **options: Any) -> Fit:
        """Train the network, with the dev set of the first fold if there is one."""
        train, dev = (examples.take(rows) for rows in folds[0]) if folds else (examples, None)
        options["penalty"] = self._penalty(train.weights)
        return fit(self.network_, optimizer, COSTS[self.cost_], train, dev, **options)

    def _fit_members(
        self, optimizer, examples: Examples, folds: Sequence[Fold], **options: Any
    ) -> Fit:
        """Train the members of the ensemble; with folds, each has its own training and dev set.

        The first member has the sets that a single network would have.
        """
        ensemble, weights = self.network_, np.asarray(examples.weights)
        assert isinstance(ensemble, Ensemble)
        optimizers = optimizer if isinstance(optimizer, list) else [optimizer] * self.members_
        penalties = [self._penalty(weights)] * self.members_
        if folds:
            penalties = [self._penalty(weights[own.train]) for own in folds]
        rows = [MemberRows(*own) for own in folds] or None
        options |= {"penalty": penalties, "rows": rows}
        return fit_members(ensemble, optimizers, COSTS[self.cost_], examples, **options)

    def _folds(self, Y: np.ndarray, seed: int, count: int) -> list[Fold]:
        """Return the training and dev rows of the first folds: those of member 0, 1, …"""
        strata = self._strata(Y)
        return [fold(len(Y), k, classes=strata, seed=seed) for k in range(count)]

    def _penalty(self, weights: Any) -> Penalty | None:
        return make_penalty(self.l2, self.l1, float(weights.sum()))

    def disagreement(self, X) -> np.ndarray:
        """Return how much the members disagree about each row: a standard deviation.

        It is that of the probability of the predicted class, (m,); with several labels per row that
        of the probability of each label, (m, k); in regression that of the prediction, in the units
        of the target. It is 0 with a single member.
        """
        rows = self._ready(X)
        Z_k = member_outputs(self.network_, rows)
        spread = disagreement(Z_k, self.cost_, getattr(self, "temperature_", 1.0))
        if self._numeric:
            spread = spread * self.y_scale_
        one = spread.ndim == 2 and spread.shape[1] == 1
        return spread[:, 0] if one else spread

    @property
    def _descent(self) -> OptimizerSettings:
        """The optimiser, its learning rate and the decay of that rate."""
        return OptimizerSettings(
            optimizer=self.optimizer,
            learning_rate=None if self.learning_rate == "auto" else self.learning_rate,
            beta=self.beta,
            decay=None if self.decay == AUTO else self.decay or NO_DECAY,
            decay_rate=self.decay_rate,
            clip_norm=self.clip_norm,
        )

    def _descent_with_decay(self, epochs: int) -> OptimizerSettings:
        """Return the descent, with the usual decay if none was specified."""
        if self._descent.decay is not None:
            return self._descent
        return replace(self._descent, **default_decay_for(epochs, kind=self._kind))

    def _batch_size(self, m: int) -> int:
        usual = default_batch_size_for(m, kind=self._kind)
        return usual if isinstance(self.batch_size, str) else min(self.batch_size, m)

    def _epochs(self, m: int, batch_size: int, *, has_dev: bool) -> int:
        """Return the number of epochs for m distinct examples, whatever their weights."""
        if not isinstance(self.epochs, str):
            return self.epochs
        guarded = has_dev or self.optimizer not in FAST
        return default_epochs_for(
            m,
            batch_size,
            self.cost_,
            self.hidden_,
            kind=self._kind,
            guarded=guarded,
            small_outputs=self._starts_small,
        )

    def _seed(self) -> int:
        """Return a seed from `random_state`: a whole number, a NumPy RandomState or None."""
        if isinstance(self.random_state, int | np.integer):
            if not 0 <= self.random_state < SEEDS:
                expected = "a whole number from 0 to 2³² − 1, a RandomState or None"
                raise OptionError("random_state", expected, repr(self.random_state), "0")
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31))

    def _examples(self, X, Y, weights, seed: int) -> tuple[Examples, list[Fold]]:
        """Return the distinct examples, and a fold for each member if early stopping is on.

        Equal examples are merged first, so that none is in both sets of a fold. How the inputs are
        scaled is learned from the training set of the first fold.
        """
        examples = merge_duplicates(Examples(X, Y, weights), sort=len(X) <= WHOLE_SET)
        self.hidden_ = self._hidden_sizes(len(examples.Y))
        possible = can_be_split(len(examples.Y), self._strata(examples.Y))
        count = FOLDS if isinstance(self.members, str) else max(FOLDS, self.members)
        folds = self._folds(examples.Y, seed, count) if possible else []
        kind = self._choose_encoding(examples, folds[:FOLDS], seed)
        folds = folds if self._stops_early(len(examples.Y), possible=possible) else []
        train = examples.take(folds[0].train) if folds else examples
        self._learn_scale(train.X, train.weights, kind)
        return examples._replace(X=self._scaled(examples.X)), folds

    def _stops_early(self, m: int, *, possible: bool) -> bool:
        """Return whether training stops early on m distinct examples, if they can be split."""
        wanted = self.early_stopping
        if wanted == AUTO:
            wanted = stops_early(m, self.hidden_, kind=self._kind)
        if wanted and not possible and self.early_stopping != AUTO:
            message = f"early_stopping: {count_of(m, 'distinct example')} cannot be split into a "
            message += "training and a dev set, so training does not stop early."
            warnings.warn(message, DataWarning, stacklevel=4)
        return bool(wanted) and possible

    def _strata(self, Y) -> np.ndarray | None:
        """Return the class of each example if the split should be stratified, or None."""
        if self._numeric or (self.cost_ == "logistic" and Y.shape[1] > 1):
            return None
        return Y[:, 0] if self.cost_ == "logistic" else Y.argmax(axis=1)

    def _outputs(self, X) -> np.ndarray:
        rows = self._ready(X)
        return network_outputs(self.network_, rows)

    def _ready(self, X) -> Any:
        """Return the inputs of the network for rows X, after checking both."""
        check_process()
        check_is_fitted(self, "network_")
        if self._kind == "sequences":
            return self._ready_sequences(X)
        given: Any = self._rows(X, reset=False)
        dtype = self._input_dtype(reset=False)
        rows: Any = validate_data(self, given, dtype=dtype, reset=False)
        return self._scaled(self._divided(rows, given, reset=False))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore an estimator; one of an earlier version neither scaled nor calibrated."""
        normalize = "none" if state.get("network") is None else AUTO
        earlier = {"normalize": normalize, "normalizer_": None, "members": 1, "temperature_": 1.0}
        earlier |= {"members_": state.get("members", 1), "hidden_": state.get("hidden", ())}
        earlier |= {"encoding_costs_": {}, "bidirectional": False}
        super().__setstate__(earlier | state)


def with_constant_rate(state: Any) -> Any:
    """Return the state of an optimiser with α0 in place of a cosine, which ends with the epochs."""

    def is_cosine(node: Any) -> bool:
        return isinstance(node, CosineDecay)

    return jax.tree.map(
        lambda node: node.learning_rate if is_cosine(node) else node, state, is_leaf=is_cosine
    )


def with_small_outputs(network: DeepNetwork) -> DeepNetwork:
    """Return the network with a tenth of the weights of its last layer.

    Otherwise random outputs are as large as a standardised target, and a short training does not
    unlearn them. They are not 0, since the first gradient of b would then be a rounding error,
    which Adam enlarges to a whole step.
    """

    def W(network: Any) -> Any:
        return network.parts()[-1].W

    return eqx.tree_at(W, network, jax.device_put(np.float32(0.1) * np.asarray(W(network))))


def _dense(y: Any) -> np.ndarray:
    """Return y as an array; the labels of many classes may be a sparse matrix."""
    return y.toarray() if issparse(y) else y


FINEST = 2.0**-12
"""The spread of a column, as a share of its size, below which float32 keeps few of its digits."""


def warn_of_rounding(rows: Any, X: np.ndarray) -> None:
    """Warn about columns that vary so little, compared with their size, that float32 loses digits.

    An example is a column of Julian dates of one night. Standardising, which computes in float64,
    keeps all digits.
    """
    size, spread = np.abs(X).max(axis=0), np.ptp(X, axis=0)
    columns = np.flatnonzero(spread < FINEST * size)
    if len(columns):
        cells: Any = (
            rows.iloc[:, columns] if hasattr(rows, "iloc") else np.asarray(rows)[:, columns]
        )
        columns = columns[np.ptp(np.asarray(cells, np.float64), axis=0) > 0]
    if len(columns):
        listed = ", ".join(map(str, columns[:5])) + (" …" if len(columns) > 5 else "")
        message = f"X: the values of column {listed} differ by less than {FINEST:.2g} of their size"
        hint = 'use normalize="auto"'
        warnings.warn(f"{message}, so float32 loses digits; {hint}.", DataWarning, stacklevel=4)


def _check_hidden(hidden: Any) -> None:
    if isinstance(hidden, str) and hidden == AUTO:
        return
    if isinstance(hidden, str) or not isinstance(hidden, Sequence | np.ndarray):
        hint = f"({hidden},)" if _is_number(hidden) else "(64, 32)"
        expected = "a tuple with the number of units of each hidden layer"
        raise OptionError("hidden", expected, repr(hidden), hint)
    for units in hidden:
        check_integer("hidden", units, hint="(64, 32), or () for no hidden layer")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


class NetworkClassifier(ClassifierMixin, NetworkEstimator):
    """An L-layer network for classification; `hidden=()` is logistic or softmax regression.

    hidden           number of units in each hidden layer; "auto": (64, 32), or (128, 64) for
                     classification with more than 2,000 examples
    network          an image network by name (lenet, convnet, resnet20, …), used instead of
                     `hidden`; X may be rows or images (m, n_H, n_W[, n_C]); pixels are divided by
                     their range in training, such as 255. Or a network for sequences: gru, lstm,
                     rnn, transformer, conv1d, or summary (a regression on statistics); X is then
                     (m, T, n_x), a list of arrays (T, n_x), `Sequences`, or a list of texts, and
                     `hidden` holds the units of each layer; steps at the end that are all nan pad
    bidirectional    whether rnn, lstm and gru run in both directions
    width            factor for the number of channels in `network`; None: 1, the width in its paper
    image_shape      (n_H, n_W) or (n_H, n_W, n_C) of the images in rows of X; None: square images
    augment          random changes to the training images, such as "mirror,crop=4" or "auto"; None:
                     no augmentation
    activation       relu, leaky_relu, tanh, sigmoid or identity
    init             he, xavier, lecun, small or zeros; None: what the notes recommend, and a
                     tenth of that for the last layer in regression, so that training starts near
                     the mean of y
    optimizer        adam, momentum, rmsprop or gradient_descent
    learning_rate    α; "auto": 0.002 for adam, 0.001 for rmsprop, 0.1 for the other two
    beta             β of momentum, β1 of adam, β2 of rmsprop; None: the values in the notes
    decay            decay of α over the epochs, see `chainrule.runs.defaults`; "auto": a cosine to
                     0, or exponential for an image network; None: no decay
    decay_rate       k of the decay
    clip_norm        maximal norm of the gradient; None: no clipping
    l2, l1           λ of λ/(2m) Σ‖W‖² and of λ/m Σ|W|, where m is the sum of the example weights
    keep_prob        probability of keeping a hidden unit in dropout, or one for each hidden layer;
                     1: no dropout
    batch_norm       normalise the hidden layers' Z over the batch
    batch_size       examples per step; "auto": the whole training set if it has up to 2,000
                     examples, otherwise 64 to 1024 examples
    epochs           maximal number of epochs; "auto": with a dev set about 2,000 steps on the whole
                     training set, or 6,000 on mini-batches; without one 2 m steps for
                     classification, m/3 for regression, and 4,000 without hidden layers; an image
                     network uses batches of 64 and 10 to 300 epochs
    early_stopping   hold out a fifth of the distinct examples as a dev set, or fewer of more than
                     10,000, and stop when its cost no longer improves; "auto": with hidden layers,
                     or from 500 examples, and for image networks from 500 examples
    normalize        standard: subtract the mean of each column and divide by its standard
                     deviation; robust: subtract the median, divide by the interquartile range and
                     clip smoothly at ±3; piecewise: robust, and the piecewise-linear encoding of
                     each column by quantile bins beside it; pixels: divide all columns by one
                     number, such as 255; none; "auto": standard, robust or piecewise, whichever
                     has the lowest cost in small trainings on held-out examples, and standard
                     without hidden layers or with fewer than 100 of them. Image networks divide
                     pixels themselves
    members          number of networks in an ensemble, whose predictions are averaged; each has its
                     own initial weights, order of the batches and dev set; "auto": 5 if training
                     stops early and there are hidden layers, otherwise 1
    class_weight     None, "balanced" or {class: weight}
    random_state     seed of the initial weights, the dev set and the order of the batches

    y holds one class per row, or is (m, k) of 0 and 1 if each row may have several labels.
    Mean and deviation, or quantiles, are computed in float64 from the training examples and their
    weights, without the dev set; `partial_fit` computes them from the rows of its first call.
    With early stopping, the epoch with the lowest dev cost after calibration is kept, and
    probabilities are those of Z / temperature_, if that lowers the log loss of the held-out
    examples by more than its noise; for an ensemble temperature_ is √T of that of its members.
    Equal examples count as one with the sum of their weights.
    After fit: network_ (columns in, Z[L] out), normalizer_ (converts columns to inputs, None if
    inputs are not scaled), encoding_costs_ (of each encoding that was compared), hidden_, members_,
    history_, classes_, n_iter_ (epochs).
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
        hidden: Sequence[int] | str = "auto",
        *,
        network: str | None = None,
        bidirectional: bool = False,
        width: float | None = None,
        image_shape: Sequence[int] | None = None,
        augment: str | None = None,
        activation: str = "relu",
        init: str | None = None,
        optimizer: str = "adam",
        learning_rate: float | str | None = "auto",
        beta: float | None = None,
        decay: str | None = "auto",
        decay_rate: float | None = None,
        clip_norm: float | None = None,
        l2: float = 0.0,
        l1: float = 0.0,
        keep_prob: float | Sequence[float] = 1.0,
        batch_norm: bool = False,
        batch_size: int | str = "auto",
        epochs: int | str = "auto",
        early_stopping: bool | str = "auto",
        normalize: str = "auto",
        members: int | str = "auto",
        class_weight: Mapping | str | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ):
        super().__init__(
            hidden,
            network=network,
            bidirectional=bidirectional,
            width=width,
            image_shape=image_shape,
            augment=augment,
            activation=activation,
            init=init,
            optimizer=optimizer,
            learning_rate=learning_rate,
            beta=beta,
            decay=decay,
            decay_rate=decay_rate,
            clip_norm=clip_norm,
            l2=l2,
            l1=l1,
            keep_prob=keep_prob,
            batch_norm=batch_norm,
            batch_size=batch_size,
            epochs=epochs,
            early_stopping=early_stopping,
            normalize=normalize,
            members=members,
            random_state=random_state,
        )
        self.class_weight = class_weight

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
        A = probabilities(self._outputs(X), self.cost_, self.temperature_)
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

    def _calibrate(self, examples, folds) -> None:
        """Learn the temperature on the held-out examples of the network, or of each member."""
        self.temperature_, found = 1.0, None
        if folds and self.members_ == 1:
            dev = examples.take(folds[0].dev)
            Z = network_outputs(self.network_, dev.X)
            found = calibration(Z, dev.Y, dev.weights, self.cost_)
        elif folds:
            Z_k = member_outputs(self.network_, examples.X)
            held_out = [own.dev for own in folds]
            found = members_calibration(Z_k, examples.Y, examples.weights, held_out, self.cost_)
        self.temperature_ = found.temperature if found else 1.0

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
                "y", f"the classes {known}", repr(y[unseen].tolist()[0]), "listing it in `classes`"
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

    def _calibrate(self, examples, folds) -> None:
        """Do nothing, since there are no probabilities."""

    def _learn_target(self, y, weights) -> None:
        self.y_mean_ = np.average(y, axis=0, weights=weights)
        spread = np.sqrt(np.average((y - self.y_mean_) ** 2, axis=0, weights=weights))
        self.y_scale_ = np.where(spread > 0, spread, 1.0)

    def _encode(self, y) -> np.ndarray:
        return ((y - self.y_mean_) / self.y_scale_).astype(np.float32)
