"""From a recipe to all that training needs: data read, split and scaled, the network made.

Nothing here is compiled, and everything that can be wrong with data or options is said here.
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
    """The parts as they were read, and as rows of numbers; the door between the two."""

    sources: dict[str, Source]
    parts: dict[str, Examples]
    door: Door
    duplicates: dict[tuple[str, str], int]


@dataclass(frozen=True)
class Prepared:
    """What `train_prepared` trains: the parts as rows, the door, the network at its start."""

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
        """All but what is trained."""
        return Data(self.sources, self.parts, self.door, self.duplicates)

    @property
    def digests(self) -> dict[str, str]:
        """The sha256 of the data, part by part."""
        return {name: part.digest for name, part in self.sources.items()}

    @property
    def optimizer(self) -> Optimizer:
        """With its learning rate, which may decay from epoch to epoch."""
        return self.recipe.descent.make(
            steps_per_epoch(len(self.sources["train"]), self.batch_size)
        )

    def penalty(self, *, always: bool = False) -> Penalty | None:
        """λ over the m of the training set; `always` one, so that λ can be raised on the way."""
        weights = self.parts["train"].weights
        m = len(self.parts["train"].X) if weights is None else float(np.sum(weights))
        return make_penalty(self.recipe.l2, self.recipe.l1, m, always=always)


def prepare(recipe: Recipe) -> Prepared:
    """Read, split, learn the door from the training part, make the network, check its size."""
    return prepare_network(recipe, prepare_data(recipe))


def prepare_data(recipe: Recipe) -> Data:
    """Read, split, learn the door from the training part."""
    sources, labels = read_and_split(recipe)
    if recipe.network is not None:
        sources = {name: as_pictures(part) for name, part in sources.items()}
        rows = isinstance(sources["train"].X, np.ndarray) and sources["train"].X.dtype != np.uint8
        return scaled(sources, labels, recipe.normalize or ("standard" if rows else None))
    return scaled(sources, labels, recipe.normalize)


def as_pictures(part: Source) -> Source:
    """Rows of numbers that fill a square, such as the bundled digits, as the pictures they are."""
    shape = None if part.is_table or part.X.ndim > 2 else square(part.X.shape[1])
    return part if shape is None else replace(part, X=part.X.reshape(-1, *shape))


def read_and_split(recipe: Recipe) -> tuple[dict[str, Source], Labels]:
    """The parts as they were read, and what their labels are."""
    sources = read_parts(recipe)
    source = sources["train"]
    with said_of(source):
        if source.is_table:  # a part of a mixed column may look like text alone
            note_columns(source.X)
        labels = Labels.learn(labelled(source), recipe.task, source.classes)
        if labels.task == "regression" and recipe.task is None:
            note_target(labelled(source))
        parts = split_parts(sources, recipe, labels)
    return trained_on(parts, recipe, labels), labels


def scaled(sources: dict[str, Source], labels: Labels, normalize: str | None) -> Data:
    """The parts as the network takes them, on the scale of their training part."""
    train = sources["train"]
    with said_of(train):
        door = Door.learn(train.X, labels.encode(labelled(train)), labels, normalize)
    parts = {name: examples(door, part) for name, part in sources.items()}
    duplicates = duplicates_across({name: part.X for name, part in sources.items()})
    return Data(sources, parts, door, duplicates)


def prepare_network(recipe: Recipe, data: Data) -> Prepared:
    """The network at its start, and for how long it is trained, on data that are ready."""
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
    """The source, and the dev and test parts that have a file of their own or come with it."""
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
    """Another source, read as the recipe's was: columns have the same roles, pictures the `shape`.

    The columns that only told how to split are no features here either, and need not be there.
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
    if pictures and rows.X.ndim == 3 and shape[2:] == (3,):  # grey pictures for a colour network
        return replace(rows, X=in_colour(rows.X))
    return rows


def split_parts(sources: dict[str, Source], recipe: Recipe, labels: Labels) -> dict[str, Source]:
    """Cut what is missing from the training source, unless the user wants none of it."""
    train = sources["train"]
    held_out = ("dev", "test")
    wanted = {name: name not in sources and getattr(recipe, name) != "none" for name in held_out}
    rows = split(
        len(train),
        classes=train.y if labels.task == "classification" else None,
        groups=train.groups,
        time=train.time,
        seed=recipe.seed,
        dev=wanted["dev"],
        test=wanted["test"],
    )
    held = {name: sources.get(name) for name in held_out}
    held |= {name: train.rows(getattr(rows, name)) for name in held_out if wanted[name]}
    parts = {"train": train.rows(rows.train)}
    return parts | {name: part for name, part in held.items() if part is not None}


def trained_on(parts: dict[str, Source], recipe: Recipe, labels: Labels) -> dict[str, Source]:
    """A second source joins the training part, and a train-dev part is set aside of both.

    Nothing of it depends on the dev and test parts, and they see nothing of it.
    """
    train = parts["train"]
    if recipe.extra is not None:
        extra = read_like(recipe, train.X.shape[1:], recipe.extra, part="train")
        with said_of(extra):
            labels.encode(labelled(extra))  # no class that the dev part cannot judge
        parts = parts | {"train": joined(train, extra)}
    if recipe.train_dev is False or (recipe.train_dev is None and recipe.extra is None):
        return parts
    classes = labels.task == "classification"
    count = split_sizes(max(len(parts["train"]), 5))[1]
    pair = set_aside(parts["train"], count, classes=classes, seed=recipe.seed)
    return {"train": pair[0], TRAIN_DEV: pair[1]} | {k: parts[k] for k in parts if k != "train"}


def examples(door: Door, part: Source) -> Examples:
    """The part as rows of numbers; what is wrong with it is said with its name."""
    if part.weights is not None and not part.weights.any():
        hint = "more rows, or no --weight"
        raise DataError(f"--weight, {part.name}", "a weight above 0 in each part", "none", hint)
    with said_of(part):
        return Examples(door.rows(part.X), door.targets(labelled(part)), part.weights)


@contextmanager
def said_of(source: Source) -> Iterator[None]:
    """What is wrong inside is said with the name of the source."""
    try:
        yield
    except ChainruleError as error:
        raise error.inside(source.name) from None


def labelled(part: Source) -> np.ndarray:
    """The labels, which this part must have."""
    if part.y is None:
        raise DataError(part.name, "labels", "none", "a file with labels, or --target")
    return part.y
