"""Prepare a training from its recipe: read, split and scale the data, and build the network.

Nothing is compiled here, and all problems with data or options are reported here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chainrule.data.batches import steps_per_epoch
from chainrule.data.duplicates import duplicates_across
from chainrule.data.labels import Labels
from chainrule.data.oddities import note_columns, note_target
from chainrule.data.pictures import SUFFIXES
from chainrule.data.source import Source
from chainrule.data.sources import TABLES, load
from chainrule.data.split import split, split_sizes
from chainrule.data.streamed import in_colour
from chainrule.data.two_worlds import TRAIN_DEV, joined, set_aside
from chainrule.errors import ChainruleError, DataError
from chainrule.layers.layer import Layer
from chainrule.optim.optimizer import Optimizer
from chainrule.train.door import Door
from chainrule.train.examples import Examples
from chainrule.train.networks import build
from chainrule.train.outputs import CHUNK
from chainrule.train.penalty import Penalty, make_penalty
from chainrule.train.pixels import square
from chainrule.train.recipe import Recipe
from chainrule.train.room import check_images_memory, check_network_memory
from chainrule.train.schedule import batch_size_of, epochs_of, patience_of, with_decay


class Data(NamedTuple):
    """The training, dev and test sets, raw and as preprocessed rows, and the preprocessor."""

    sources: dict[str, Source]
    parts: dict[str, Examples]
    door: Door
    duplicates: dict[tuple[str, str], int]


@dataclass(frozen=True)
class Prepared:
    """Everything that `train_prepared` needs: the data, the initial network and the schedule."""

    recipe: Recipe
    sources: dict[str, Source]
    parts: dict[str, Examples]
    door: Door
    network: Layer
    batch_size: int
    epochs: int
    patience: int | None
    duplicates: dict[tuple[str, str], int]

    @property
    def data(self) -> Data:
        """The data and the preprocessor, without the network."""
        return Data(self.sources, self.parts, self.door, self.duplicates)

    @property
    def digests(self) -> dict[str, str]:
        """The sha256 of each set of the data."""
        return {name: part.digest for name, part in self.sources.items()}

    @property
    def optimizer(self) -> Optimizer:
        """The optimiser, with a learning rate that may decay from epoch to epoch."""
        return self.recipe.descent.make(
            steps_per_epoch(len(self.sources["train"]), self.batch_size)
        )

    def penalty(self, *, always: bool = False) -> Penalty | None:
        """Return the penalty; `always` gives one even for λ = 0, so that λ can be raised later."""
        weights = self.parts["train"].weights
        m = len(self.parts["train"].X) if weights is None else float(np.sum(weights))
        return make_penalty(self.recipe.l2, self.recipe.l1, m, always=always)


def prepare(recipe: Recipe) -> Prepared:
    """Read and split the data, fit the preprocessor, build the network and check its size."""
    return prepare_network(recipe, prepare_data(recipe))


def prepare_data(recipe: Recipe) -> Data:
    """Read and split the data, and fit the preprocessor on the training set."""
    sources, labels = read_and_split(recipe)
    if recipe.network is not None:
        sources = {name: as_pictures(part) for name, part in sources.items()}
        rows = isinstance(sources["train"].X, np.ndarray) and sources["train"].X.dtype != np.uint8
        return scaled(sources, labels, recipe.normalize or ("standard" if rows else None))
    return scaled(sources, labels, recipe.normalize)


def as_pictures(part: Source) -> Source:
    """Reshape rows of numbers that fill a square, such as the bundled digits, to images."""
    shape = None if part.is_table or part.X.ndim > 2 else square(part.X.shape[1])
    return part if shape is None else replace(part, X=part.X.reshape(-1, *shape))


def read_and_split(recipe: Recipe) -> tuple[dict[str, Source], Labels]:
    """Read the data and split it; return the sets and the description of their labels."""
    sources = read_parts(recipe)
    source = sources["train"]
    with said_of(source):
        if source.is_table:  # before the split: a subset of a mixed column may look like pure text
            note_columns(source.X)
        labels = Labels.learn(labelled(source), recipe.task, source.classes)
        if labels.task == "regression" and recipe.task is None:
            note_target(labelled(source))
        parts = split_parts(sources, recipe, labels)
    return trained_on(parts, recipe, labels), labels


def scaled(sources: dict[str, Source], labels: Labels, normalize: str | None) -> Data:
    """Fit the preprocessor on the training set, and apply it to all sets."""
    train = sources["train"]
    with said_of(train):
        door = Door.learn(train.X, labels.encode(labelled(train)), labels, normalize)
    parts = {name: examples(door, part) for name, part in sources.items()}
    duplicates = duplicates_across({name: part.X for name, part in sources.items()})
    return Data(sources, parts, door, duplicates)


def prepare_network(recipe: Recipe, data: Data) -> Prepared:
    """Build the initial network and choose its training schedule for prepared data."""
    m, has_dev = len(data.sources["train"]), "dev" in data.parts
    batch_size = batch_size_of(recipe, m)
    if recipe.network is None:
        recipe = replace(recipe, hidden=recipe.layers)
        sizes = (data.door.n_x, *recipe.layers, data.door.labels.n_outputs)
        check_network_memory(sizes, max(batch_size, min(m, CHUNK)))
    network = build(recipe, data.door, data.parts["train"].X)
    if recipe.network is not None:
        check_images_memory(network, data.door.n_x, batch_size)
    return Prepared(
        with_decay(recipe, m, batch_size),
        data.sources,
        data.parts,
        data.door,
        network,
        batch_size,
        epochs_of(recipe, m, batch_size, data.door.cost, has_dev=has_dev),
        patience_of(recipe, m, batch_size, has_dev=has_dev),
        data.duplicates,
    )


def read_parts(recipe: Recipe) -> dict[str, Source]:
    """Read the data set, and dev and test sets that come with it or have their own files."""
    columns = {k: getattr(recipe, k) for k in ("target", "group", "time", "weight", "images")}
    skip = bool(recipe.skip_unreadable)
    train = load(recipe.source, **columns, image_size=recipe.image_size, skip_unreadable=skip)
    given = dict(train.parts)
    for name in ("dev", "test"):
        file = getattr(recipe, name)
        if file == "none":
            given.pop(name, None)
        elif file is not None:
            given[name] = read_like(recipe, train.X.shape[1:], file, part=name)
    return {"train": replace(train, parts={}), **given}


def read_like(
    recipe: Recipe,
    shape: tuple[int, ...],
    source: str,
    *,
    part: str,
    target: str | None = None,
    labelled: bool = True,
    skip_unreadable: bool | None = None,
) -> Source:
    """Read another data set like the recipe's: same column roles, images resized to `shape`.

    Columns that only decide the split are not features here either, and may be missing.
    """
    columns: dict[str, str | None] = {"target": target}
    is_table = source.lower().endswith(TABLES)
    if is_table:
        columns = {"target": target or recipe.target, "weight": recipe.weight}
        columns |= {"images": recipe.images}
    pictures = Path(source).is_dir() or source.lower().endswith(SUFFIXES)
    pictures = pictures or (is_table and len(shape) > 1)
    size = (shape[0], shape[1]) if pictures and len(shape) > 1 else None
    skip = recipe.skip_unreadable if skip_unreadable is None else skip_unreadable
    rows = load(
        source,
        **columns,
        part=part,
        labelled=labelled,
        image_size=size,
        skip_unreadable=bool(skip) and pictures,
    )
    if rows.is_table:
        unused = [name for name in (recipe.group, recipe.time) if name in rows.X]
        return replace(rows, X=rows.X.drop(columns=unused))
    if pictures and rows.X.ndim == 3 and shape[2:] == (3,):  # grey images, colour network
        return replace(rows, X=in_colour(rows.X))
    return rows


def split_parts(sources: dict[str, Source], recipe: Recipe, labels: Labels) -> dict[str, Source]:
    """Split missing dev and test sets off the training data, unless the user wants none."""
    train = sources["train"]
    held_out = ("dev", "test")
    missing = {name: name not in sources and getattr(recipe, name) != "none" for name in held_out}
    rows = split(
        len(train),
        classes=train.y if labels.task == "classification" else None,
        groups=train.groups,
        time=train.time,
        seed=recipe.seed,
        dev=missing["dev"],
        test=missing["test"],
    )
    held = {name: sources.get(name) for name in held_out}
    held |= {name: train.rows(getattr(rows, name)) for name in held_out if missing[name]}
    parts = {"train": train.rows(rows.train)}
    return parts | {name: part for name, part in held.items() if part is not None}


def trained_on(parts: dict[str, Source], recipe: Recipe, labels: Labels) -> dict[str, Source]:
    """Add the extra training data to the training set, and set a train-dev set aside.

    The dev and test sets are not changed, and do not affect the result.
    """
    train = parts["train"]
    if recipe.extra is not None:
        extra = read_like(recipe, train.X.shape[1:], recipe.extra, part="train")
        with said_of(extra):
            labels.encode(labelled(extra))  # refuse classes that the dev set does not have
        parts = parts | {"train": joined(train, extra)}
    if recipe.train_dev is False or (recipe.train_dev is None and recipe.extra is None):
        return parts
    classes = labels.task == "classification"
    count = split_sizes(max(len(parts["train"]), 5))[1]
    pair = set_aside(parts["train"], count, classes=classes, seed=recipe.seed)
    return {"train": pair[0], TRAIN_DEV: pair[1]} | {k: parts[k] for k in parts if k != "train"}


def examples(door: Door, part: Source) -> Examples:
    """Convert a set to rows of numbers; errors mention its name."""
    if part.weights is not None and not part.weights.any():
        hint = "more rows, or no --weight"
        expected = "a weight greater than 0 in each set"
        raise DataError(f"--weight, {part.name}", expected, "none", hint)
    with said_of(part):
        return Examples(door.rows(part.X), door.targets(labelled(part)), part.weights)


@contextmanager
def said_of(source: Source) -> Iterator[None]:
    """Add the name of the data set to errors raised inside the block."""
    try:
        yield
    except ChainruleError as error:
        raise error.inside(source.name) from None


def labelled(part: Source) -> np.ndarray:
    """Return the labels of a set, and refuse a set without labels."""
    if part.y is None:
        raise DataError(part.name, "labels", "none", "a file with labels, or --target")
    return part.y
