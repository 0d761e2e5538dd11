"""The notes' forward and backward loops, step by step, with all intermediate quantities.

Notes: "Forward and backward propagation" (course 1, week 4); "Fitting batch norm into a neural
network" (course 2, week 3); "Convolutional model: step by step" (course 4, week 1).

    forward     for l = 1 … L:   Z[l] = W[l] A[l−1] + b[l];  A[l] = g(Z[l]);  keep the cache
    backward    dZ[L] from the cost;  for l = L … 1:   dZ[l] = dA[l] ⊙ g'(Z[l]);
                dW[l], db[l], dA[l−1]

`trace` runs both loops and returns a `Trace`. It calls, one at a time, the functions that training
uses for differentiation; a test checks that the gradients equal those of training. A layer is
recorded quantity by quantity if its formulas and its activation are blocks: dense layers, batch
norm, dropout, convolutions, pooling layers and Flatten. A residual block is recorded as a chain
with a shortcut in parallel. Any other layer is differentiated by JAX.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeGuard

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from chainrule.blocks.convolution import conv2d_backward, conv2d_forward
from chainrule.blocks.depthwise import depthwise_backward, depthwise_forward
from chainrule.blocks.dropout import dropout_backward, dropout_forward
from chainrule.blocks.linear import linear_backward, linear_forward
from chainrule.blocks.normalization import (
    batch_norm_backward,
    batch_norm_forward,
    batch_norm_predict_backward,
    batch_norm_predict_forward,
)
from chainrule.blocks.pooling import (
    average_pool_backward,
    average_pool_forward,
    global_average_pool_backward,
    global_average_pool_forward,
    max_pool_backward,
    max_pool_forward,
)
from chainrule.blocks.shape import (
    image_to_vector_backward,
    image_to_vector_forward,
    space_to_depth_backward,
    space_to_depth_forward,
)
from chainrule.blocks.transposed import transposed_backward, transposed_forward
from chainrule.host.machine import check_process
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D, ConvTranspose2D, DepthwiseConv2D
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout, dropout_mask
from chainrule.layers.flatten import Flatten, Images, SpaceToDepth
from chainrule.layers.layer import Layer, layer_numbers, split_parameters
from chainrule.layers.pool import AveragePool, GlobalAveragePool, MaxPool
from chainrule.layers.residual import Projection, Residual
from chainrule.layers.steps import Steps
from chainrule.types import Key

Quantities = dict[str, Any]
ForwardRecord = tuple[Quantities, Any, Callable[[Array], Quantities]]
"""The quantities of the forward pass, the cache, and a function from dA to the backward pass."""

# The quantities of dense layers, batch norm and dropout


def record_dense(
    layer: Any, A_prev: Array, key: Key | None, weights: Array | None
) -> ForwardRecord:
    """Record a Dense: Z and A."""
    Z, cache = linear_forward(A_prev, layer.W, layer.b)
    return record_activation(layer.activation, Z, cache, linear_backward)


def record_activation(
    g: Any, Z: Array, linear_cache: Any, linear_backward: Callable
) -> ForwardRecord:
    """Record A = g(Z) after a formula with W and b, with the backward pass through both."""
    A, activation_cache = g.forward(Z)

    def backward(dA: Array) -> Quantities:
        dZ = g.backward(dA, activation_cache)
        dA_prev, dW, db = linear_backward(dZ, linear_cache)
        return {"dA": dA, "dZ": dZ, "dW": dW, "db": db, "dA_prev": dA_prev}

    return {"Z": Z, "A": A}, (linear_cache, activation_cache), backward


def record_batch_norm(
    layer: Any, Z: Array, key: Key | None, weights: Array | None
) -> ForwardRecord:
    """Record a BatchNorm: mean, variance, Z_norm, Z_tilde and A."""
    gamma, beta, mean, variance = layer.gamma, layer.beta, layer.mean, layer.variance
    settings = {"eps": layer.epsilon}
    if key is None:
        Z_tilde, cache = batch_norm_predict_forward(Z, gamma, beta, mean, variance, **settings)
        pull: Any = partial(batch_norm_predict_backward, cache=cache)
    else:
        (Z_tilde, mean, variance), cache = batch_norm_forward(Z, gamma, beta, weights, **settings)
        pull = partial(batch_norm_backward, cache=cache)
    ones, zeros = jax.numpy.ones_like(gamma), jax.numpy.zeros_like(gamma)
    Z_norm, _ = batch_norm_predict_forward(Z, ones, zeros, mean, variance, **settings)
    A, activation_cache = layer.activation.forward(Z_tilde)

    def backward(dA: Array) -> Quantities:
        dZ_tilde = layer.activation.backward(dA, activation_cache)
        dZ, dgamma, dbeta, *_ = pull(dZ_tilde if key is None else (dZ_tilde, zeros, zeros))
        gradients = {"dA": dA, "dZ_tilde": dZ_tilde, "dgamma": dgamma, "dbeta": dbeta}
        return gradients | {"dZ_norm": gamma * dZ_tilde, "dA_prev": dZ}

    values = {"mean": mean, "variance": variance, "Z_norm": Z_norm, "Z_tilde": Z_tilde, "A": A}
    return values, (cache, activation_cache), backward


def record_dropout(
    layer: Any, A_prev: Array, key: Key | None, weights: Array | None
) -> ForwardRecord:
    """Record a Dropout: D and A, or in prediction only A, which is A_prev."""
    if key is None:
        return {"A": A_prev}, (), lambda dA: {"dA": dA, "dA_prev": dA}
    D = dropout_mask(key, A_prev.shape, layer.keep_prob)
    A, cache = dropout_forward(A_prev, D, layer.keep_prob)
    values = {"D": D.astype(A.dtype), "A": A}
    return values, cache, lambda dA: {"dA": dA, "dA_prev": dropout_backward(dA, cache)}


def record_whole(
    layer: Layer, A_prev: Any, key: Key | None, weights: Array | None
) -> ForwardRecord:
    """Record only A of a layer without known formulas; JAX differentiates it.

    Of sequences, A and its gradient are the values of all steps. Token ids, lengths and inputs of
    several parts have no gradient here.
    """
    theta, rest = split_parameters(layer)
    numbers, others = eqx.partition(A_prev, eqx.is_inexact_array)

    def call(theta: Layer, numbers: Any) -> tuple[Array, Any]:
        layer, A_prev = eqx.combine(theta, rest), eqx.combine(numbers, others)
        A = layer(A_prev) if key is None else layer.train(A_prev, key=key, weights=weights)[0]
        return (A.values, A.lengths) if isinstance(A, Steps) else (A, None)

    A, pull, lengths = jax.vjp(call, theta, numbers, has_aux=True)

    def backward(dA: Array) -> Quantities:
        d_theta, d_numbers = pull(dA)
        gradients = zip(parameter_names(layer), jax.tree.leaves(d_theta), strict=True)
        d_inputs = jax.tree.leaves(d_numbers)
        dA_prev = d_inputs[0] if len(d_inputs) == 1 else None
        return {"dA": dA} | {f"d{name}": d for name, d in gradients} | {"dA_prev": dA_prev}

    return {"A": A} | ({} if lengths is None else {"lengths": lengths}), pull, backward


def parameter_names(layer: Layer) -> list[str]:
    """Return the names of a layer's parameters: W, b, or Ws[0] in a field that is a list."""
    theta, _ = split_parameters(layer)
    leaves, _ = jax.tree_util.tree_flatten_with_path(theta)
    return [jax.tree_util.keystr(path).removeprefix(".") for path, _ in leaves]


# The quantities of layers on images

CONVOLUTIONS: dict[type, Any] = {
    Conv2D: (conv2d_forward, conv2d_backward),
    DepthwiseConv2D: (depthwise_forward, depthwise_backward),
    ConvTranspose2D: (transposed_forward, transposed_backward),
}
POOLS: dict[type, Any] = {
    MaxPool: (max_pool_forward, max_pool_backward),
    AveragePool: (average_pool_forward, average_pool_backward),
    GlobalAveragePool: (global_average_pool_forward, global_average_pool_backward),
}


def record_convolution(
    layer: Any, A_prev: Array, key: Key | None, weights: Array | None
) -> ForwardRecord:
    """Record a Conv2D, a DepthwiseConv2D or a ConvTranspose2D: Z and A."""
    forward, backward = CONVOLUTIONS[type(layer)]
    Z, cache = forward(A_prev, layer.W, layer.b, s=layer.s, p=layer.p)
    return record_activation(layer.activation, Z, cache, backward)


def record_pool(layer: Any, A_prev: Array, key: Key | None, weights: Array | None) -> ForwardRecord:
    """Record a pooling layer: A."""
    forward, backward = POOLS[type(layer)]
    whole = isinstance(layer, GlobalAveragePool)
    A, cache = forward(A_prev, **({} if whole else {"f": layer.f, "s": layer.s, "p": layer.p}))
    return {"A": A}, cache, lambda dA: {"dA": dA, "dA_prev": backward(dA, cache)}


def record_flatten(
    layer: Any, A_prev: Array, key: Key | None, weights: Array | None
) -> ForwardRecord:
    """Record a Flatten: A, the columns."""
    A, cache = image_to_vector_forward(A_prev)
    back = image_to_vector_backward
    return {"A": A}, cache, lambda dA: {"dA": dA, "dA_prev": back(dA, cache)}


def record_space_to_depth(
    layer: Any, A_prev: Array, key: Key | None, weights: Array | None
) -> ForwardRecord:
    """Record a SpaceToDepth: A."""
    A, cache = space_to_depth_forward(A_prev, f=layer.f)
    back = space_to_depth_backward
    return {"A": A}, cache, lambda dA: {"dA": dA, "dA_prev": back(dA, cache)}


def record_images(
    layer: Any, A_prev: Array, key: Key | None, weights: Array | None
) -> ForwardRecord:
    """Record an Images layer: A; bytes have no gradient, so they are first converted to floats."""
    if jnp.issubdtype(A_prev.dtype, jnp.integer):
        A_prev = A_prev.astype(layer.dtype) / 255
    A, pull = jax.vjp(layer, A_prev)
    return {"A": A}, (), lambda dA: {"dA": dA, "dA_prev": pull(dA)[0]}


def record_projection(
    layer: Any, A_prev: Array, key: Key | None, weights: Array | None
) -> ForwardRecord:
    """Record a Projection: a 1 by 1 convolution, followed by batch norm."""
    Z, cache = conv2d_forward(A_prev, layer.W, None, s=layer.s)
    values, norm_cache, norm_backward = record_batch_norm(layer.normalization, Z, key, weights)

    def backward(dA: Array) -> Quantities:
        gradients = norm_backward(dA)
        dZ = gradients["dA_prev"]
        dA_prev, dW, _ = conv2d_backward(dZ, cache)
        names = {"dgamma": "dnormalization.gamma", "dbeta": "dnormalization.beta"}
        renamed = {names.get(name, name): d for name, d in gradients.items()}
        return renamed | {"dZ": dZ, "dW": dW, "dA_prev": dA_prev}

    return {"Z": Z} | values, (cache, *norm_cache), backward


# Both loops over all layers

ACTIVATED = {Dense: record_dense, BatchNorm: record_batch_norm}
ACTIVATED |= dict.fromkeys(CONVOLUTIONS, record_convolution)
PLAIN = {Dropout: record_dropout, Flatten: record_flatten, Images: record_images}
PLAIN |= dict.fromkeys(POOLS, record_pool) | {Projection: record_projection}
PLAIN |= {SpaceToDepth: record_space_to_depth}


@dataclass
class LayerTrace:
    """The forward and backward pass of one layer.

    `forward` and `backward` contain the quantities by their names in the notes, in the order in
    which they are computed: Z, A; then dA, dZ, dW, db, dA_prev. `cache` contains the values kept by
    forward for backward, and `pull_back` computes `backward` from dA. `main` contains the layers of
    a residual block, and `shortcut` the layer in parallel to them, if any.
    """

    layer: Layer
    number: int
    A_prev: Any
    forward: Quantities
    cache: Any
    pull_back: Callable[[Array], Quantities] = field(repr=False)
    main: "list[LayerTrace]" = field(default_factory=list)
    shortcut: "LayerTrace | None" = None
    backward: Quantities = field(default_factory=dict)

    @property
    def output(self) -> Any:
        """A, as the next layer takes it: with the lengths, if the layer passes sequences on."""
        A, lengths = self.forward["A"], self.forward.get("lengths")
        return A if lengths is None else Steps(A, lengths)

    def steps(self) -> "Iterator[LayerTrace]":
        """Yield the layers inside this layer, and then the layer itself."""
        for step in [*self.main, *([self.shortcut] if self.shortcut else [])]:
            yield from step.steps()
        yield self


@dataclass
class Trace:
    """A forward and backward pass of a batch: A[0] = X, the layers, the cost J and dZ[L].

    `training` is True for a pass as in training: batch norm over the batch, dropout with masks.
    """

    X: Any
    layers: list[LayerTrace]
    J: Array
    dZ: Array
    training: bool

    def gradients(self) -> list[Array]:
        """Return the gradients in the order of the network's parameters: dW[1], db[1], dW[2], …"""
        return [t.backward[f"d{name}"] for t in self.layers for name in parameter_names(t.layer)]

    def steps(self) -> Iterator[LayerTrace]:
        """Yield the layers in order; the layers inside a residual block come before the block."""
        return (step for layer in self.layers for step in layer.steps())


def trace(
    network: Layer,
    X: Any,
    Y: Array,
    cost: Any,
    weights: Array | None = None,
    *,
    key: Key | None = None,
) -> Trace:
    """Run the layers forward, compute the cost, and run the layers backward.

    With a key, the pass is that of `network.train` with this key; without one, that of prediction.
    """
    check_process()
    layers = _forward(network, X, key, weights, 0)
    J, dZ = _cost(cost, layers[-1].forward["A"] if layers else X, Y, weights)
    _backward(layers, dZ)
    return Trace(X, layers, J, dZ, training=key is not None)


def has_formulas(layer: Layer) -> bool:
    """Return whether the formulas and the activation of a layer are blocks."""
    return _is_chain(layer) or _recorder(layer) is not record_whole


def _forward(
    chain: Layer, A: Any, key: Key | None, weights: Array | None, before: int
) -> list[LayerTrace]:
    """Run the parts of a chain forward; `before` is the number of layers before it."""
    parts = chain.parts()
    keys: Sequence = [None] * len(parts) if key is None else chain.part_keys(key)
    steps = []
    for layer, l, own_key in zip(parts, layer_numbers(parts), keys, strict=True):
        steps.append(_step(layer, before + l, A, own_key, weights))
        A = steps[-1].output
    return steps


def _backward(steps: list[LayerTrace], dA: Array) -> Array:
    """Run the layers backward and return dA_prev of the first."""
    for step in reversed(steps):
        step.backward = {name: d for name, d in step.pull_back(dA).items() if d is not None}
        dA = step.backward.get("dA_prev", dA)  # the first layer may have none
    return dA


def _step(layer: Layer, l: int, A_prev: Any, key: Key | None, weights: Array | None) -> LayerTrace:
    if _is_chain(layer):
        return _residual(layer, l, A_prev, key, weights)
    record = record_whole if isinstance(A_prev, Steps) else _recorder(layer)
    return LayerTrace(layer, l, A_prev, *record(layer, A_prev, key, weights))


def _is_chain(layer: Layer) -> TypeGuard[Residual]:
    return isinstance(layer, Residual) and hasattr(layer.activation, "forward")


def _recorder(layer: Layer) -> Callable[..., ForwardRecord]:
    """Return the function that records a layer; its activation, if any, must be a block too."""
    if hasattr(getattr(layer, "activation", None), "forward"):
        return ACTIVATED.get(type(layer), record_whole)
    return PLAIN.get(type(layer), record_whole)


def _residual(
    block: Residual, l: int, A_prev: Array, key: Key | None, weights: Array | None
) -> LayerTrace:
    """Run a residual block forward: A = g(main(A_prev) + shortcut(A_prev))."""
    shortcut_key, main_key = (None, None) if key is None else block.keys(key)
    main = _forward(block.main, A_prev, main_key, weights, l - layer_numbers([block])[0])
    shortcut = None
    if block.shortcut is not None:
        shortcut = _step(block.shortcut, l, A_prev, shortcut_key, weights)
    g: Any = block.activation
    A, cache = g.forward(
        main[-1].forward["A"] + (A_prev if shortcut is None else shortcut.forward["A"])
    )

    def pull_back(dA: Array) -> Quantities:
        d_main = g.backward(dA, cache)
        dA_prev = _backward(main, d_main) + (
            d_main if shortcut is None else _backward([shortcut], d_main)
        )
        inside = {f"main.layers[{i}]": step for i, step in enumerate(main)} | {"shortcut": shortcut}
        gradients = {
            f"d{where}.{name}": step.backward[f"d{name}"]
            for where, step in inside.items()
            if step is not None
            for name in parameter_names(step.layer)
        }
        return {"dA": dA, "dmain": d_main, **gradients, "dA_prev": dA_prev}

    return LayerTrace(block, l, A_prev, {"A": A}, cache, pull_back, main, shortcut)


def _cost(cost: Any, Z: Array, Y: Array, weights: Array | None) -> tuple[Array, Array]:
    """Return J and dZ[L], by the formulas of the cost if it is a block."""
    if hasattr(cost, "forward"):
        J, cache = cost.forward(Z, Y, weights)
        return J, cost.backward(jax.numpy.ones_like(J), cache)
    return jax.value_and_grad(cost)(Z, Y, weights)
