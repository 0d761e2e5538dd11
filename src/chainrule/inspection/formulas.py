"""What a layer computes, written as the notes write it, with the numbers of its place.

    Z[2] = W[2] A[1] + b[2]        forward, linear part
    A[2] = relu(Z[2])              forward, activation
    dZ[2] = dA[2] ⊙ relu'(Z[2])    backward, activation
    dW[2] = dZ[2] A[1]ᵀ            backward, linear part

A layer without weights has no number of its own: it changes the A of the layer before it.

>>> from chainrule.blocks.activations import tanh
>>> forward_formulas(Dense(3, 2, key=jax.random.key(0), activation=tanh), 1)
{'Z': 'Z[1] = W[1] A[0] + b[1]', 'A': 'A[1] = tanh(Z[1])'}
"""

import jax

from chainrule.blocks.activations import identity, softmax
from chainrule.layers.dense import Dense
from chainrule.layers.layer import Layer


def array_names(layer: Layer) -> list[str]:
    """The names of a layer's arrays, in their order: W, b; or main.W where layers stand inside."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(layer)
    return [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]


def opens_up(layer: Layer) -> bool:
    """Whether Z[l] can be shown: a linear part and an activation that are blocks of their own."""
    return isinstance(layer, Dense) and hasattr(layer.activation, "forward")


def forward_formulas(layer: Layer, l: int) -> dict[str, str]:
    """What forward makes in layer l, by name and in order."""
    if isinstance(layer, Dense) and opens_up(layer):
        linear = f"Z[{l}] = {linear_part(l)}"
        return {"Z": linear, "A": f"A[{l}] = {applied(layer.activation, f'Z[{l}]')}"}
    if isinstance(layer, Dense):
        return {"A": f"A[{l}] = {applied(layer.activation, linear_part(l))}"}
    sign, l_prev = _from(layer, l)
    return {"A": f"A[{l}] {sign} {type(layer).__name__}(A[{l_prev}])"}


def backward_formulas(layer: Layer, l: int) -> dict[str, str]:
    """What backward makes in layer l from dA[l], by name and in order."""
    if isinstance(layer, Dense) and opens_up(layer):
        return {
            "dZ": f"dZ[{l}] = {_slope_applied(layer.activation, l)}",
            "dW": f"dW[{l}] = dZ[{l}] A[{l - 1}]ᵀ",
            "db": f"db[{l}] = Σ dZ[{l}] over m",
            "dA_prev": f"dA[{l - 1}] = W[{l}]ᵀ dZ[{l}]",
        }
    sign, l_prev = _from(layer, l)
    return {"dA_prev": f"dA[{l_prev}] {sign} ∂J/∂A[{l_prev}]"}


def linear_part(l: int) -> str:
    """Such as "W[1] A[0] + b[1]"."""
    return f"W[{l}] A[{l - 1}] + b[{l}]"


def applied(activation, argument: str) -> str:
    """Such as "relu(Z[1])"; the identity leaves its argument alone."""
    return argument if activation is identity else f"{_name(activation)}({argument})"


def _slope_applied(activation, l: int) -> str:
    if activation is identity:
        return f"dA[{l}]"
    if activation is softmax:  # its outputs depend on one another: not element by element
        return f"A[{l}] ⊙ (dA[{l}] − Σ dA[{l}] ⊙ A[{l}])"
    return f"dA[{l}] ⊙ {_name(activation)}'(Z[{l}])"


def _name(activation) -> str:
    return getattr(activation, "__name__", "g")


def _from(layer: Layer, l: int) -> tuple[str, int]:
    """A layer without weights changes A[l] itself."""
    return ("=", l - 1) if jax.tree.leaves(layer) else ("←", l)
