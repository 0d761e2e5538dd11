"""Preprocess the new data as the base's network expects it: its columns and scale, new labels.

Notes: "Transfer learning" (course 3, week 2): the first condition is that both tasks have the same
kind of input x.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from chainrule.data.duplicates import duplicates_across
from chainrule.data.labels import Labels
from chainrule.data.normalize import Normalizer
from chainrule.data.pictures import SUFFIXES
from chainrule.data.source import Source
from chainrule.data.sources import TABLES
from chainrule.data.streamed import in_colour
from chainrule.errors import DataError, ShapeError, did_you_mean
from chainrule.train.door import Door
from chainrule.train.prepare import Data, examples, labelled, read_and_split
from chainrule.train.recipe import Recipe

FROM_SCRATCH = "training from scratch, without --from"


def data_like(recipe: Recipe, base: Door) -> Data:
    """Read and split the recipe's data, and preprocess it as the base does.

    Raises ShapeError or DataError where the base takes other inputs.
    """
    where = f"--from {recipe.base}"
    sources, labels = read_and_split(with_image_size(recipe, base))
    sources = {name: fitting(where, base, source) for name, source in sources.items()}
    door = preprocessor_like(base, sources["train"], labels)
    parts = {name: examples(door, source) for name, source in sources.items()}
    duplicates = duplicates_across({name: source.X for name, source in sources.items()})
    return Data(sources, parts, door, duplicates)


def with_image_size(recipe: Recipe, base: Door) -> Recipe:
    """Set the image size to the base's, unless the recipe has one."""
    images = Path(recipe.source).is_dir() or recipe.source.lower().endswith((*SUFFIXES, *TABLES))
    if recipe.image_size or not images or len(base.shape) < 2:
        return recipe
    return replace(recipe, image_size=base.shape[:2])


def preprocessor_like(base: Door, train: Source, labels: Labels) -> Door:
    """Return a preprocessor with the base's columns and scale, and the new task's labels."""
    kind = "standard" if labels.task == "regression" else "none"
    outputs = Normalizer.learn(kind, labels.encode(labelled(train)))
    return Door(base.columns, base.inputs, labels, outputs, base.shape)


def fitting(where: str, base: Door, source: Source) -> Source:
    """Check that the data set fits the base; grey images become RGB where the base takes RGB."""
    if source.is_table or base.columns is not None:
        _check_table(where, base, source)
        return source
    shape = source.X.shape[1:]
    if shape == base.shape[:2] and base.shape[2:] == (3,):
        return replace(source, X=in_colour(source.X))
    if shape not in (base.shape, (base.n_x,)):
        grey = shape == (*base.shape, 3)
        hint = "grey images" if grey else f"{_sides(base.shape)}, or {FROM_SCRATCH}"
        expected = f"{_inputs(base.shape)}, as the base takes"
        raise ShapeError(where, expected, f"{_inputs(shape)} in {source.name}", hint)
    return source


def _check_table(where: str, base: Door, source: Source) -> None:
    """Raise DataError unless the base took a table and the data set has its columns."""
    if not source.is_table or base.columns is None:
        table = f"a table of {source.X.shape[1]} columns"
        expected, got = f"{_inputs(base.shape)} without column names, as the base takes", table
        if base.columns is not None:
            expected = f"a table with the base's {len(base.columns.columns)} columns"
            got = _inputs(source.X.shape[1:])
        raise DataError(where, expected, f"{got} in {source.name}", FROM_SCRATCH)
    wanted, given = [column.name for column in base.columns.columns], list(map(str, source.X))
    missing = [name for name in wanted if name not in given]
    if missing:
        listed = ", ".join(map(repr, missing[:5])) + (", …" if len(missing) > 5 else "")
        others = [name for name in given if name not in wanted]
        hint = did_you_mean(missing[0], others) if others else FROM_SCRATCH
        expected = f"a table with the base's {len(wanted)} columns"
        raise DataError(where, expected, f"{source.name} without {listed}", hint)


def _inputs(shape: tuple[int, ...]) -> str:
    """Describe a shape, such as "784 inputs (28×28)" or "3,072 inputs (32×32 in colour)"."""
    return f"{int(np.prod(shape)):,} inputs" + (f" ({_sides(shape)})" if len(shape) > 1 else "")


def _sides(shape: tuple[int, ...]) -> str:
    colour = " in colour" if shape[2:] == (3,) else ""
    if len(shape) < 2:
        return f"rows of {int(np.prod(shape)):,} numbers"
    return "×".join(map(str, shape[:2])) + colour


def distance(old: Mapping[str, np.ndarray], X: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the shift of each input's mean, in standard deviations of `old`, and the ratio of σ.

    `old` has the "mean" and the "deviation" of each input of the base. The deviation of an input
    counts as at least a tenth of the usual one.
    """
    deviation = old["deviation"]
    usual = np.sqrt(np.mean(deviation**2))
    shift = np.abs(X.mean(axis=0) - old["mean"]) / np.maximum(deviation, 0.1 * usual)
    return shift, float(np.sqrt(np.mean(X.var(axis=0))) / usual)
