"""Prepare a training run from its recipe: read, split and scale the data, and build the network.

Nothing is compiled here, and all problems with data or options are reported here.

Options of the schedule that the recipe leaves open (batch size, epochs, early stopping, learning
rate decay) depend on the number of examples m and on the kind of network: a convolutional network
takes fewer steps, since they are slow, with a decaying learning rate.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import numpy as np

from chainrule.choices import SUMMARY
from chainrule.data.batches import steps_per_epoch
from chainrule.data.cells import warn_integer_target
from chainrule.data.columns import ColumnOptions, settled
from chainrule.data.dataset import Dataset
from chainrule.data.decoding import FULL, SUFFIXES
from chainrule.data.extra import TRAIN_DEV, add_extra_data, split_train_dev
from chainrule.data.labels import Labels, one_hot_as_classes, one_hot_codes
from chainrule.data.load import TABLE_SUFFIXES, load
from chainrule.data.sequences import Sequences
from chainrule.data.split import (
    can_be_split,
    duplicate_rows,
    duplicates_across,
    fold,
    split,
    split_sizes,
)
from chainrule.data.streaming import is_streamed, repeat_grey_channel
from chainrule.errors import ChainruleError, DataError, OptionError, check_choice
from chainrule.layers.layer import Layer
from chainrule.optim.optimizer import Optimizer
from chainrule.runs.defaults import (
    COSTS,
    FAST,
    METRICS,
    default_batch_size_for,
    default_decay_for,
    default_epochs_for,
    default_patience_for,
    judge_for,
    stops_early,
)
from chainrule.runs.networks import build
from chainrule.runs.preprocessing import Preprocessor, are_texts, square
from chainrule.runs.recipe import Recipe, read_class_weight
from chainrule.train.examples import Examples
from chainrule.train.members import MemberRows
from chainrule.train.memory import check_training_memory
from chainrule.train.step import Penalty, make_penalty, row_of


def batch_size_of(recipe: Recipe, m: int) -> int:
    """Return the batch size of the recipe (0 is the whole set), or the default."""
    usual = default_batch_size_for(m, kind=recipe.schedule)
    return min(m if recipe.batch_size == 0 else recipe.batch_size or usual, m)


def epochs_of(recipe: Recipe, m: int, batch_size: int, cost: str, *, has_dev: bool) -> int:
    """Return the epochs of the recipe, or the default for m examples."""
    if recipe.epochs is not None:
        return recipe.epochs
    guarded = has_dev or recipe.optimizer not in FAST
    return default_epochs_for(
        m,
        batch_size,
        cost,
        recipe.hidden_sizes,
        kind=recipe.schedule,
        guarded=guarded,
        version=recipe.defaults,
    )


def patience_of(
    recipe: Recipe, m: int, batch_size: int, epochs: int, *, has_dev: bool
) -> int | None:
    """Return the epochs without improvement after which training stops; None for never."""
    check_early_stopping(recipe, has_dev=has_dev)
    of: dict[str, Any] = {"kind": recipe.schedule, "version": recipe.defaults}
    wanted = recipe.early_stopping
    if wanted is None:
        wanted = stops_early(m, recipe.hidden_sizes, **of)
    return default_patience_for(m, batch_size, epochs, **of) if wanted and has_dev else None


def check_early_stopping(recipe: Recipe, *, has_dev: bool) -> None:
    """Refuse early stopping without a dev set."""
    if recipe.early_stopping and not has_dev:
        hint = "leaving out --early-stopping or --dev none"
        raise OptionError("--early-stopping", "a dev set", "none", hint)


def with_decay(recipe: Recipe, epochs: int) -> Recipe:
    """Add the default decay of the learning rate to a recipe, unless it sets one."""
    if recipe.decay is not None:
        return recipe
    of: dict[str, Any] = {"kind": recipe.schedule, "version": recipe.defaults}
    return replace(recipe, **default_decay_for(epochs, **of))


def without_decay(recipe: Recipe, epochs: int) -> Recipe:
    """Remove a decay that `with_decay` added, since k may depend on the number of epochs."""
    plain = replace(recipe, decay=None, decay_rate=None)
    return plain if with_decay(plain, epochs) == recipe else recipe


class Data(NamedTuple):
    """The training, dev and test sets, raw and as preprocessed rows, and the preprocessor."""

    sources: dict[str, Dataset]
    parts: dict[str, Examples]
    preprocessor: Preprocessor
    duplicates: dict[tuple[str, str], int]


@dataclass(frozen=True)
class Prepared:
    """Everything that a training run needs: the data, the initial network and the schedule.

    `rows` has the training and dev rows of each member of an ensemble, if it has no dev set.
    """

    recipe: Recipe
    sources: dict[str, Dataset]
    parts: dict[str, Examples]
    preprocessor: Preprocessor
    network: Layer
    batch_size: int
    epochs: int
    patience: int | None
    duplicates: dict[tuple[str, str], int]
    rows: tuple[MemberRows, ...] = field(default=(), kw_only=True)

    @property
    def m(self) -> int:
        """The number of examples that each network is trained on."""
        return len(self.rows[0].train) if self.rows else len(self.sources["train"])

    @property
    def data(self) -> Data:
        """The data and the preprocessor, without the network."""
        return Data(self.sources, self.parts, self.preprocessor, self.duplicates)

    @property
    def digests(self) -> dict[str, str]:
        """The sha256 of each set of the data."""
        return {name: part.digest for name, part in self.sources.items()}

    @property
    def facts(self) -> dict[str, Any]:
        """Return nothing: the recipe is enough to resume the training."""
        return {}

    @property
    def optimizer(self) -> Optimizer:
        """The optimiser, with a learning rate that may decay from epoch to epoch."""
        return self.recipe.descent.make(steps_per_epoch(self.m, self.batch_size), self.epochs)

    @property
    def judge(self) -> Callable | None:
        """The dev cost by which training stops early; None for the cost itself."""
        of: dict[str, Any] = {"kind": self.recipe.schedule, "version": self.recipe.defaults}
        return judge_for(self.preprocessor.cost, **of)

    def check_memory(self) -> None:
        """Refuse a training that does not fit into memory, as `fit` does when it begins."""
        row = row_of(self.parts["train"].X)
        has_dev = "dev" in self.parts or bool(self.rows)
        check_training_memory(self.network, self.optimizer, row, self.batch_size, has_dev=has_dev)

    @cached_property
    def class_weights(self) -> np.ndarray | None:
        """The weight of each class in training, or None if all are 1."""
        text = self.recipe.class_weight
        return None if text is None else class_weights(text, self.preprocessor.labels, self.parts)

    def weighted(self, name: str) -> Examples:
        """Return a set as training sees it: with the weights of the classes."""
        return self.with_class_weights(self.parts[name])

    def with_class_weights(self, part: Examples) -> Examples:
        """Return examples with their weights times those of their classes."""
        return part if self.class_weights is None else times_weights(part, self.class_weights)

    def penalty(self, *, always: bool = False, rows: np.ndarray | None = None) -> Penalty | None:
        """Return the penalty for all training examples, or for some rows of them.

        `always` gives one even for λ = 0, so that λ can be raised later.
        """
        weights = self.weighted("train").weights
        if weights is None:
            m = len(self.parts["train"].X) if rows is None else len(rows)
        else:
            m = float(np.sum(weights if rows is None else weights[rows]))
        return make_penalty(self.recipe.l2, self.recipe.l1, m, always=always)

    def fit_arguments(self, *, changing: bool = False) -> dict[str, Any]:
        """Return the arguments of `fit`; with `changing` λ can be raised during training."""
        own: dict[str, Any] = {}
        if self.rows:
            own["rows"] = self.rows
            own["penalty"] = [self.penalty(always=changing, rows=one.train) for one in self.rows]
        return {
            "network": self.network,
            "optimizer": self.optimizer,
            "cost": COSTS[self.preprocessor.cost],
            "train": self.weighted("train"),
            "dev": self.weighted("dev") if "dev" in self.parts else None,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "metric": METRICS[self.preprocessor.metric],
            "patience": self.patience,
            "penalty": self.penalty(always=changing),
            "seed": self.recipe.seed,
            "short_last_batch": self.recipe.short_last_batch,
            "judge": self.judge,
            **own,
        }


def prepare(recipe: Recipe) -> Prepared:
    """Read and split the data, fit the preprocessor and build the network."""
    return prepare_network(recipe, prepare_data(recipe))


def prepare_data(recipe: Recipe) -> Data:
    """Read and split the data, and fit the preprocessor on the training set."""
    sources, labels = read_and_split(recipe)
    normalize = recipe.normalize
    recipe = for_data(recipe, sources["train"])
    if recipe.schedule == "images":
        sources = {name: as_pictures(part) for name, part in sources.items()}
        rows = isinstance(sources["train"].X, np.ndarray) and sources["train"].X.dtype != np.uint8
        normalize = normalize or ("standard" if rows else None)
    return preprocess_sets(sources, labels, normalize, recipe.column_options)


def for_data(recipe: Recipe, train: Dataset) -> Recipe:
    """Return the recipe with the network for sequences that its options mean, if any.

    Raises OptionError if the network is not one for this kind of data.
    """
    sequences = is_sequences(train.X)
    if sequences and recipe.network is None:
        network = SUMMARY if recipe.hidden == () else "gru"
        return replace(recipe, network=network, hidden=recipe.hidden or None)
    if recipe.network is not None and recipe.reads_sequences != sequences:
        got = "sequences" if sequences else "rows or images"
        expected = "sequences or texts" if recipe.reads_sequences else "rows or images"
        hint = "--network gru" if sequences else "--sequence, --text, or another network"
        raise OptionError(f"--network {recipe.network}", expected, got, hint)
    return recipe


def is_sequences(X: Any) -> bool:
    """Return whether the examples are sequences of numbers, or texts."""
    return isinstance(X, Sequences) or are_texts(X)


def as_pictures(part: Dataset) -> Dataset:
    """Reshape rows of n² numbers, such as the built-in data set digits, to n by n images."""
    shape = None if part.is_table or part.X.ndim > 2 else square(part.X.shape[1])
    return part if shape is None else replace(part, X=part.X.reshape(-1, *shape))


def read_and_split(recipe: Recipe) -> tuple[dict[str, Dataset], Labels]:
    """Read the data and split it; return the sets and the description of their labels."""
    sources = read_parts(recipe)
    source = sources["train"]
    with naming_dataset(source):
        if source.is_table:  # before the split: a part of a mixed column may look like pure text
            source = replace(source, X=settled(source.X, recipe.column_options))
            sources |= {"train": source}
        if recipe.task != "regression" and one_hot_codes(labels_of_set(source)) is not None:
            sources = {name: one_hot_as_classes(part) for name, part in sources.items()}
            source = sources["train"]
        labels = Labels.learn(labels_of_set(source), recipe.task, source.classes)
        if labels.task == "regression" and recipe.task is None:
            warn_integer_target(labels_of_set(source))
        parts = split_parts(sources, recipe, labels)
    return add_extra_training_data(parts, recipe, labels), labels


def preprocess_sets(
    sources: dict[str, Dataset],
    labels: Labels,
    normalize: str | None,
    options: ColumnOptions | None = None,
) -> Data:
    """Fit the preprocessor on the training set, and apply it to all sets."""
    train = sources["train"]
    with naming_dataset(train):
        Y = labels.encode(labels_of_set(train))
        preprocessor = Preprocessor.learn(
            train.X, Y, labels, normalize, train.white, options, train.step_names
        )
    if options is not None and options.strict:
        for part in sources.values():
            with naming_dataset(part):
                preprocessor.check_cells(part.X)
    parts = {name: examples(preprocessor, part) for name, part in sources.items()}
    duplicates = duplicates_across({name: part.X for name, part in sources.items()})
    return Data(sources, parts, preprocessor, duplicates)


def prepare_network(recipe: Recipe, data: Data) -> Prepared:
    """Build the initial network and choose its training schedule for prepared data."""
    rows = rows_of_members(recipe, data)
    m, has_dev = len(data.sources["train"]), "dev" in data.parts or bool(rows)
    m = len(rows[0].train) if rows else m
    batch_size = batch_size_of(recipe, m)
    recipe = for_data(recipe, data.sources["train"])
    if recipe.schedule != "images":
        recipe = replace(recipe, hidden=recipe.hidden_sizes or (None if recipe.network else ()))
    network = build(recipe, data.preprocessor, data.parts["train"].X)
    epochs = epochs_of(recipe, m, batch_size, data.preprocessor.cost, has_dev=has_dev)
    if recipe.class_weight is not None:
        class_weights(recipe.class_weight, data.preprocessor.labels, data.parts)
    return Prepared(
        with_decay(recipe, epochs),
        data.sources,
        data.parts,
        data.preprocessor,
        network,
        batch_size,
        epochs,
        patience_of(recipe, m, batch_size, epochs, has_dev=has_dev),
        data.duplicates,
        rows=rows,
    )


def rows_of_members(recipe: Recipe, data: Data) -> tuple[MemberRows, ...]:
    """Return the training and dev rows of each member of an ensemble that has no dev set.

    They are empty if it has one, or if the rows should not be divided at random.
    """
    train = data.parts["train"]
    whole = recipe.early_stopping is False or not recipe.divides_at_random
    if recipe.member_count == 1 or "dev" in data.parts or whole or is_streamed(train.X):
        return ()
    if train.weighted() is not train:  # the members of an ensemble have rows that count
        return ()
    classes = strata_of(data.preprocessor, train)
    if not can_be_split(len(train.X), classes):
        return ()
    folds = (
        fold(len(train.X), k, classes=classes, seed=recipe.seed) for k in range(recipe.member_count)
    )
    return tuple(MemberRows(one.train, one.dev) for one in folds)


def strata_of(preprocessor: Preprocessor, part: Examples) -> np.ndarray | None:
    """Return the class of each example, by which folds are stratified; None for regression."""
    return None if preprocessor.labels.task == "regression" else class_codes(part.Y)


def class_codes(Y: np.ndarray) -> np.ndarray:
    """Return the index of the class (m,) of each target in Y (m, n_L)."""
    return (Y[:, 0] > 0.5).astype(np.intp) if Y.shape[1] == 1 else Y.argmax(axis=1)


def class_weights(text: str, labels: Labels, parts: Mapping[str, Examples]) -> np.ndarray:
    """Return the weight of each class in training, as --class-weight describes it.

    Balanced weights are Σ w / (C Σ w of the class) on the training set.
    """
    where, names = "--class-weight", list(labels.names)
    if labels.task == "regression":
        raise OptionError(where, "classes", "a number to predict", "leaving it out")
    named = read_class_weight(where, text)
    if named is None:
        _, Y, weights = parts["train"]
        sums = np.bincount(class_codes(Y), weights, minlength=len(names))
        return np.where(sums > 0, sums.sum() / (len(names) * np.where(sums > 0, sums, 1)), 1.0)
    for name in named:
        check_choice(where, name, names)
    return np.array([named.get(name, 1.0) for name in names])


def times_weights(part: Examples, by_class: np.ndarray) -> Examples:
    """Return examples with their weights times those of their classes."""
    weights = by_class[class_codes(part.Y)]
    return part._replace(weights=weights if part.weights is None else weights * part.weights)


def read_parts(recipe: Recipe) -> dict[str, Dataset]:
    """Read the data set, and dev and test sets that come with it or have their own files."""
    names = ("target", "group", "time", "weight", "images", "sequence", "text")
    columns = {k: getattr(recipe, k) for k in names}
    columns["sequences"] = recipe.reads_sequences
    skip = bool(recipe.skip_unreadable)
    options = {"image_size": recipe.image_size, "skip_unreadable": skip, "task": recipe.task}
    train = load(recipe.source, **columns, **options, options=recipe.column_options, training=True)
    texts = texts_of(train)
    given = dict(train.parts)
    for name in ("dev", "test"):
        file = getattr(recipe, name)
        if file == "none":
            given.pop(name, None)
        elif file is not None:
            like = {"part": name, "texts": texts, "white": train.white or FULL}
            given[name] = read_like(recipe, train.X.shape[1:], file, **like)
    return {"train": replace(train, parts={}), **given}


def texts_of(dataset: Dataset) -> list[str]:
    """Return the columns of text, the target included, which other files must have as text too."""
    if not dataset.is_table:
        return []
    types = zip(dataset.X.columns.tolist(), dataset.X.dtypes.tolist(), strict=True)
    texts = [name for name, dtype in types if dtype.kind not in "biuf"]
    labels = [] if dataset.y is None or dataset.y.dtype.kind in "biuf" else [dataset.target]
    return [str(name) for name in (*texts, *labels)]


def read_like(
    recipe: Recipe,
    shape: tuple[int, ...],
    source: str,
    *,
    part: str,
    target: str | None = None,
    texts: Sequence[str] = (),
    labelled: bool = True,
    skip_unreadable: bool | None = None,
    white: int = FULL,
    step_names: Sequence[str] | None = None,
) -> Dataset:
    """Read another data set in the form of the recipe's data set.

    Its columns have the same roles, and images are resized to `shape`. `texts` are the columns that
    are text in the training set, including the target; `white` is the value of white in image files
    with 16 bits, and `step_names` are the columns of a step. Columns that only determine the split
    are not features here either, and may be missing.
    """
    columns: dict[str, str | None] = {"target": target}
    is_table = source.lower().endswith(TABLE_SUFFIXES)
    columns["sequences"] = recipe.reads_sequences  # pyright: ignore[reportArgumentType]
    if is_table:
        columns |= {"target": target or recipe.target, "weight": recipe.weight}
        columns |= {"images": recipe.images, "sequence": recipe.sequence, "text": recipe.text}
        columns |= {"time": recipe.time} if recipe.sequence else {}
    pictures = os.path.isdir(source) or source.lower().endswith(SUFFIXES)
    pictures = pictures or (is_table and len(shape) > 1)
    size = (shape[0], shape[1]) if pictures and len(shape) > 1 else None
    skip = recipe.skip_unreadable if skip_unreadable is None else skip_unreadable
    rows = load(
        source,
        **columns,  # pyright: ignore[reportArgumentType]
        task=recipe.task,
        options=recipe.column_options,
        texts=[target if name == recipe.target and target else name for name in texts],
        part=part,
        labelled=labelled,
        image_size=size,
        skip_unreadable=bool(skip) and pictures,
        white=white,
        step_names=step_names if recipe.sequence else None,
    )
    if rows.is_table:
        unused = [name for name in (recipe.group, recipe.time) if name in rows.X]
        return replace(rows, X=rows.X.drop(columns=unused))
    if pictures and rows.X.ndim == 3 and shape[2:] == (3,):  # grey images, colour network
        return replace(rows, X=repeat_grey_channel(rows.X))
    return rows


class Splittable(Protocol):
    """A set of examples from which rows can be picked."""

    def __len__(self) -> int: ...

    def rows(self, index: np.ndarray, /) -> Self: ...


S = TypeVar("S", bound=Splittable)
HELD_OUT = ("dev", "test")


def split_off(sources: Mapping[str, S], recipe: Any, cut: Callable[..., Any]) -> dict[str, S]:
    """Split missing dev and test sets off the training set, unless the recipe says "none".

    `cut(dev=…, test=…)` returns the rows of `train`, `dev` and `test`; the argument of a set is
    True if it is missing.
    """
    train = sources["train"]
    missing = {name: name not in sources and getattr(recipe, name) != "none" for name in HELD_OUT}
    rows = cut(**missing)
    made = {name: train.rows(getattr(rows, name)) for name in HELD_OUT if missing[name]}
    found = {**sources, "train": train.rows(rows.train), **made} if made else sources
    return {name: found[name] for name in ("train", *HELD_OUT) if name in found}


def split_parts(sources: dict[str, Dataset], recipe: Recipe, labels: Labels) -> dict[str, Dataset]:
    """Split missing dev and test sets off by classes, groups or time."""
    train = sources["train"]
    cut = partial(
        split,
        len(train),
        classes=train.y if labels.task == "classification" else None,
        groups=train.groups,
        time=train.time,
        duplicates=duplicate_rows(train.X) if recipe.group_duplicates else None,
        seed=recipe.seed,
    )
    return split_off(sources, recipe, cut)


def add_extra_training_data(
    parts: dict[str, Dataset], recipe: Recipe, labels: Labels
) -> dict[str, Dataset]:
    """Add the extra training data to the training set, and set a train-dev set aside.

    The dev and test sets are not changed, and do not affect the result.
    """
    train = parts["train"]
    if recipe.extra is not None:
        like = {"part": "train", "texts": texts_of(train), "white": train.white or FULL}
        extra = read_like(recipe, train.X.shape[1:], recipe.extra, **like)
        extra = one_hot_as_classes(extra) if labels.task == "classification" else extra
        with naming_dataset(extra):
            labels.encode(labels_of_set(extra))  # refuse classes that the dev set does not have
        parts = parts | {"train": add_extra_data(train, extra)}
    if recipe.train_dev is False or (recipe.train_dev is None and recipe.extra is None):
        return parts
    classes = labels.task == "classification"
    count = split_sizes(max(len(parts["train"]), 5))[1]
    pair = split_train_dev(parts["train"], count, classes=classes, seed=recipe.seed)
    return {"train": pair[0], TRAIN_DEV: pair[1]} | {k: parts[k] for k in parts if k != "train"}


def examples(preprocessor: Preprocessor, part: Dataset) -> Examples:
    """Convert a set to rows of numbers; errors mention its name."""
    if part.weights is not None and not part.weights.any():
        hint = "more rows, or no --weight"
        expected = "at least one weight greater than 0 in each set"
        raise DataError(f"--weight, {part.name}", expected, "none", hint)
    with naming_dataset(part):
        return Examples(
            preprocessor.rows(part.X), preprocessor.targets(labels_of_set(part)), part.weights
        )


@contextmanager
def naming_dataset(source: Dataset) -> Iterator[None]:
    """Add the name of the data set to errors raised inside the block."""
    try:
        yield
    except ChainruleError as error:
        raise error.inside(source.name) from None


def labels_of_set(part: Dataset) -> np.ndarray:
    """Return the labels of a set, and refuse a set without labels."""
    if part.y is None:
        raise DataError(part.name, "labels", "none", "a file with labels, or --target")
    return part.y
