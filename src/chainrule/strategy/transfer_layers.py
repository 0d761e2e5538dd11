"""The layers of a trained network taken over: a fresh head, what is frozen, what trains.

Notes: "Transfer learning" (course 3, week 2): the last layer and its weights go, a new one comes
with random weights; with few examples it alone is trained, with many all layers are.

    new_head     W[L], b[L] fresh, for the new task's outputs; W[1] … W[L−1] as they were
    cut          layers 1 … L − k as they predict, and the last k as a network of their own
    joined       the two together again

Frozen layers predict, so batch norm there uses its running averages. Dropout that follows the last
frozen layer belongs to what is trained, as its masks are drawn anew at each step.
"""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np

from chainrule.data.streamed import stacked
from chainrule.layers.dropout import Dropout
from chainrule.layers.layer import (
    count_parameters,
    layer_numbers,
    named_arrays,
    replace_arrays,
    split_parameters,
)
from chainrule.layers.sequential import Sequential
from chainrule.models.deep_network import DeepNetwork, KeepProb
from chainrule.train.examples import Examples
from chainrule.train.outputs import network_outputs
from chainrule.types import Key, Params

RATE = 0.3
"""r of layers that were trained before: their learning rate is r · α."""


def new_head(
    base: DeepNetwork,
    n_L: int,
    *,
    keep_prob: KeepProb = None,
    initializer: str | None = None,
    key: Key,
) -> DeepNetwork:
    """The base's layers 1 … L − 1 and a fresh last one with n_L outputs.

    `keep_prob` replaces the base's dropout; None leaves it as it is.
    """
    settings: dict[str, Any] = base.settings | {"sizes": (*base.sizes[:-1], n_L)}
    if keep_prob is not None:
        settings["keep_prob"] = keep_prob
    fresh = DeepNetwork(**settings, initializer=initializer, key=key)
    arrays, L = named_arrays(fresh), len(base.sizes) - 1
    own = {f"W{L}", f"b{L}", *(name for name in arrays if name.startswith("keep_prob"))}
    taken = {name: x for name, x in named_arrays(base).items() if name in arrays.keys() - own}
    return replace_arrays(fresh, arrays | taken)


def cut(network: DeepNetwork, k: int) -> tuple[Sequential, DeepNetwork]:
    """What comes before the last k layers, and these."""
    parts = network.parts()
    numbers = layer_numbers(parts)
    at = sum(number <= numbers[-1] - k for number in numbers)
    while at and isinstance(parts[at - 1], Dropout):
        at -= 1
    return Sequential(parts[:at]), _with_layers(network, Sequential(parts[at:]))


def joined(frozen: Sequential, head: DeepNetwork) -> DeepNetwork:
    """The network that `cut` took apart."""
    return _with_layers(head, Sequential([*frozen.layers, *head.parts()]))


def activations(frozen: Sequential, parts: Mapping[str, Examples]) -> dict[str, Examples]:
    """Each part with A of the last frozen layer in place of X: computed once for all epochs."""
    X = stacked([part.X for part in parts.values()])
    ends = np.cumsum([len(part.X) for part in parts.values()])
    A = np.split(network_outputs(frozen, X), ends[:-1])  # pyright: ignore[reportArgumentType]
    return {name: parts[name]._replace(X=rows) for name, rows in zip(parts, A, strict=True)}


def rates(network: DeepNetwork, rate: float = RATE) -> Params:
    """For each array of θ the factor of its learning rate: 1 in the last layer, `rate` before."""
    theta, _ = split_parameters(network)
    last = len(network.sizes) - 1
    own = {f"W{last}", f"b{last}"}
    factors = [1.0 if name in own else rate for name in named_arrays(theta)]
    return jax.tree.unflatten(jax.tree.structure(theta), factors)


def parameters_of_last(network: DeepNetwork, k: int) -> int:
    """How many numbers the last k layers have."""
    return count_parameters(cut(network, k)[1])


def _with_layers(network: DeepNetwork, layers: Sequential) -> DeepNetwork:
    return eqx.tree_at(lambda one: one.layers, network, layers)
