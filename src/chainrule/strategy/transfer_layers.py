"""Reuse the layers of a trained network: a new head, frozen layers and trained layers.

Notes: "Transfer learning" (course 3, week 2): the last layer is replaced by a new one with random
weights; with few examples only this layer is trained, with many all layers are.

    new_head     new W[L], b[L] for the new task's outputs; W[1] … W[L−1] are reused
    cut          layers 1 … L − k, which are frozen, and the last k layers as a separate network
    joined       the two parts joined to one network

Frozen layers run in prediction mode, so batch norm uses its running averages. Dropout after the
last frozen layer belongs to the trained part, since its masks are drawn at each step. Layers are
those with weights; a residual block counts as one, since it cannot be cut.

The new data are preprocessed as the base's network expects it, with its columns and scale and with
new labels: the notes' first condition is that both tasks have the same kind of input x.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import equinox as eqx
import jax
import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.data.decoding import FULL, SUFFIXES
from chainrule.data.labels import Labels
from chainrule.data.load import TABLE_SUFFIXES
from chainrule.data.scaling import Normalizer
from chainrule.data.split import duplicates_across
from chainrule.data.streaming import repeat_grey_channel, stack_rows
from chainrule.errors import DataError, ShapeError, did_you_mean
from chainrule.formatting import count_of
from chainrule.layers.dropout import Dropout
from chainrule.layers.flatten import Flatten, Images
from chainrule.layers.layer import (
    Layer,
    count_parameters,
    layer_numbers,
    named_arrays,
    replace_arrays,
    split_parameters,
)
from chainrule.layers.sequential import Sequential
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.custom import with_outputs
from chainrule.models.deep_network import DeepNetwork, KeepProb
from chainrule.runs.networks import rebuild_network
from chainrule.runs.prepare import Data, examples, labels_of_set, read_and_split
from chainrule.runs.preprocessing import Preprocessor
from chainrule.runs.recipe import Recipe
from chainrule.train.examples import Examples
from chainrule.train.outputs import network_outputs
from chainrule.types import Key, Params

Network = DeepNetwork | ConvNetwork

RATE = 0.3
"""The factor r of pretrained layers: their learning rate is r · α."""


def new_head(
    base: Network,
    n_L: int,
    *,
    keep_prob: KeepProb = None,
    initializer: str | None = None,
    key: Key,
) -> Network:
    """Return the base's layers 1 … L − 1 and a new last layer with n_L outputs.

    `keep_prob` replaces the base's dropout; None leaves it as it is.
    """
    if isinstance(base, ConvNetwork):
        return _new_head_for_images(base, n_L, key)
    settings: dict[str, Any] = base.settings | {"sizes": (*base.sizes[:-1], n_L)}
    if keep_prob is not None:
        settings["keep_prob"] = keep_prob
    fresh = DeepNetwork(**settings, initializer=initializer, key=key)
    arrays, L = named_arrays(fresh), len(base.sizes) - 1
    own = {f"W{L}", f"b{L}", *(name for name in arrays if name.startswith("keep_prob"))}
    reused = {name: x for name, x in named_arrays(base).items() if name in arrays.keys() - own}
    return replace_arrays(fresh, arrays | reused)


def _new_head_for_images(base: ConvNetwork, n_L: int, key: Key) -> ConvNetwork:
    """Replace the last layer with weights by that of a new network of the same kind."""
    settings = {**base.settings, "n_L": n_L}
    if "layers" in settings:
        settings["layers"] = with_outputs(settings["layers"], n_L)
    fresh: Any = rebuild_network(settings, key=key)
    at = starts(base)[-1]
    layers = Sequential([*base.parts()[:at], *fresh.parts()[at:]])
    return eqx.tree_at(lambda network: network.layers, fresh, layers)


def starts(network: Layer) -> list[int]:
    """Return the index of the first part of each layer with weights.

    A residual block counts as one layer.
    """
    numbers = [0, *layer_numbers(network.parts())]
    return [i for i, (before, l) in enumerate(pairwise(numbers)) if l > before]


def depth(network: Layer) -> int:
    """Return the number of layers with weights; a residual block counts as one."""
    return len(starts(network))


def cut(network: Network, k: int) -> tuple[Sequential, Network]:
    """Split the network into the layers before the last k, and the last k.

    Images that pass from the first to the second are flattened in between.
    """
    parts, begins = network.parts(), starts(network)
    at = begins[-k] if k < len(begins) else 0
    while at and isinstance(parts[at - 1], Dropout):
        at -= 1
    shape = _images_after(network, at)
    if shape is None:
        return Sequential(parts[:at]), _with_layers(network, Sequential(parts[at:]))
    head = Sequential([Images(shape), *parts[at:]])
    return Sequential([*parts[:at], Flatten()]), _with_layers(network, head)


def joined(frozen: Sequential, head: Network) -> Network:
    """Join the two networks that `cut` returned."""
    first, *rest = head.parts()
    if isinstance(first, Images) and frozen.layers:
        return _with_layers(head, Sequential([*frozen.layers[:-1], *rest]))
    return _with_layers(head, Sequential([*frozen.layers, first, *rest]))


def _images_after(network: Network, at: int) -> tuple[int, int, int] | None:
    """Return the shape of the images after the first parts, None where they are flattened."""
    if at == 0 or not isinstance(network, ConvNetwork):
        return None
    X = jax.ShapeDtypeStruct((1, *network.shape), np.float32)
    A = jax.eval_shape(lambda layers, X: layers(X), Sequential(network.parts()[:at]), X)
    return A.shape[1:] if len(A.shape) == 4 else None


def activations(frozen: Sequential, parts: Mapping[str, Examples]) -> dict[str, Examples]:
    """Replace X of each set by A of the last frozen layer, computed once for all epochs."""
    X = stack_rows([part.X for part in parts.values()])
    ends = np.cumsum([len(part.X) for part in parts.values()])
    A = np.split(network_outputs(frozen, X), ends[:-1])  # pyright: ignore[reportArgumentType]
    return {name: parts[name]._replace(X=rows) for name, rows in zip(parts, A, strict=True)}


def rates(network: Network, rate: float = RATE) -> Params:
    """Return the learning rate factor of each array of θ: 1 in the last layer, else `rate`."""
    theta, _ = split_parameters(network)
    leaves, structure = jax.tree.flatten(theta)
    own = len(jax.tree.leaves(theta.parts()[starts(network)[-1] :]))
    factors = [rate] * (len(leaves) - own) + [1.0] * own
    return jax.tree.unflatten(structure, factors)


def parameters_of_last(network: Network, k: int) -> int:
    """Return the number of parameters of the last k layers."""
    return count_parameters(cut(network, k)[1])


def _with_layers(network: Network, layers: Sequential) -> Network:
    return eqx.tree_at(lambda one: one.layers, network, layers)


FROM_SCRATCH = "training from scratch, without --from"


def data_like(recipe: Recipe, base: Preprocessor) -> Data:
    """Read and split the recipe's data, and preprocess it as the base does.

    Raises ShapeError or DataError where the base takes other inputs.
    """
    where = f"--from {recipe.base}"
    sources, labels = read_and_split(with_image_size(recipe, base))
    sources = {name: fitting(where, base, source) for name, source in sources.items()}
    preprocessor = preprocessor_like(base, sources["train"], labels)
    parts = {name: examples(preprocessor, source) for name, source in sources.items()}
    duplicates = duplicates_across({name: source.X for name, source in sources.items()})
    return Data(sources, parts, preprocessor, duplicates)


def with_image_size(recipe: Recipe, base: Preprocessor) -> Recipe:
    """Set the image size to the base's, unless the recipe has one."""
    images = os.path.isdir(recipe.source) or recipe.source.lower().endswith(
        (*SUFFIXES, *TABLE_SUFFIXES)
    )
    if recipe.image_size or not images or len(base.shape) < 2:
        return recipe
    return replace(recipe, image_size=base.shape[:2])


def preprocessor_like(base: Preprocessor, train: Dataset, labels: Labels) -> Preprocessor:
    """Return a preprocessor with the base's columns and scale, and the new task's labels."""
    kind = "standard" if labels.task == "regression" else "none"
    outputs = Normalizer.learn(kind, labels.encode(labels_of_set(train)))
    own = {"labels": labels, "outputs": outputs, "white": train.white or FULL}
    return replace(base, threshold=0.5, **own)  # with the base's columns and scale


def fitting(where: str, base: Preprocessor, source: Dataset) -> Dataset:
    """Check that the data set fits the base; grey images become RGB where the base takes RGB."""
    if source.is_table or base.columns is not None:
        _check_table(where, base, source)
        return source
    shape = source.X.shape[1:]
    if shape == base.shape[:2] and base.shape[2:] == (3,):
        return replace(source, X=repeat_grey_channel(source.X))
    if shape not in (base.shape, (base.n_numbers,)):
        grey = shape == (*base.shape, 3)
        hint = "grey images" if grey else f"{_sides(base.shape)}, or {FROM_SCRATCH}"
        expected = f"{_inputs(base.shape)}, as the base expects"
        raise ShapeError(where, expected, f"{_inputs(shape)} in {source.name}", hint)
    return source


def _check_table(where: str, base: Preprocessor, source: Dataset) -> None:
    """Raise DataError unless the base took a table and the data set has its columns."""
    if not source.is_table or base.columns is None:
        table = f"a table of {count_of(source.X.shape[1], 'column')}"
        expected, got = f"{_inputs(base.shape)} without column names, as the base expects", table
        if base.columns is not None:
            expected = f"a table with the base's {count_of(len(base.columns.columns), 'column')}"
            got = _inputs(source.X.shape[1:])
        raise DataError(where, expected, f"{got} in {source.name}", FROM_SCRATCH)
    wanted, given = [column.name for column in base.columns.columns], list(map(str, source.X))
    missing = [name for name in wanted if name not in given]
    if missing:
        listed = ", ".join(map(repr, missing[:5])) + (", …" if len(missing) > 5 else "")
        others = [name for name in given if name not in wanted]
        hint = did_you_mean(missing[0], others) if others else FROM_SCRATCH
        expected = f"a table with the base's {count_of(len(wanted), 'column')}"
        raise DataError(where, expected, f"{source.name} without {listed}", hint)


def _inputs(shape: tuple[int, ...]) -> str:
    """Describe a shape, such as "784 inputs (28×28)" or "3,072 inputs (32×32 in colour)"."""
    return f"{count_of(int(np.prod(shape)), 'input')}" + (
        f" ({_sides(shape)})" if len(shape) > 1 else ""
    )


def _sides(shape: tuple[int, ...]) -> str:
    colour = " in colour" if shape[2:] == (3,) else ""
    if len(shape) < 2:
        return f"rows of {count_of(int(np.prod(shape)), 'number')}"
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
