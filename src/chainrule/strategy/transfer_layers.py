"""Reuse the layers of a trained network: a new head, frozen layers and trained layers.

Notes: "Transfer learning" (course 3, week 2): the last layer is replaced by a new one with random
weights; with few examples only this layer is trained, with many all layers are.

    new_head     new W[L], b[L] for the new task's outputs; W[1] … W[L−1] are reused
    cut          layers 1 … L − k, frozen, and the last k as a network of their own
    joined       the two parts joined again

Frozen layers run in prediction mode, so batch norm uses its running averages. Dropout after the
last frozen layer belongs to the trained part, since its masks are drawn at each step. Layers are
those with weights; a residual block counts as one, since it cannot be cut.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import equinox as eqx
import jax
import numpy as np

from chainrule.data.streamed import stacked
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
from chainrule.models.deep_network import DeepNetwork, KeepProb
from chainrule.train.examples import Examples
from chainrule.train.networks import rebuilt
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
    fresh: Any = rebuilt({**base.settings, "n_L": n_L}, key=key)
    at = starts(base)[-1]
    layers = Sequential([*base.parts()[:at], *fresh.parts()[at:]])
    return eqx.tree_at(lambda network: network.layers, fresh, layers)


def starts(network: Layer) -> list[int]:
    """Return the index of the part at which each layer with weights begins.

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
    """Join again the two networks that `cut` returned."""
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
    X = stacked([part.X for part in parts.values()])
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
