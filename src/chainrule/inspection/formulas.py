"""What a layer computes, written as the notes write it, with the numbers of its place.

    Z[2] = W[2] A[1] + b[2]        forward, linear part
    A[2] = relu(Z[2])              forward, activation
    dZ[2] = dA[2] ⊙ relu'(Z[2])    backward, activation
    dW[2] = dZ[2] A[1]ᵀ            backward, linear part

A layer without a number of its own changes the Z or A of the layer before it: A[2] ← Half(A[2]).

>>> from chainrule.blocks.activations import tanh
>>> [place] = places([Dense(3, 2, key=jax.random.key(0), activation=tanh)])
>>> forward_formulas(place)
{'Z': 'Z[1] = W[1] A[0] + b[1]', 'A': 'A[1] = tanh(Z[1])'}
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax

from chainrule.blocks.activations import identity, softmax
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.layer import Layer, layer_numbers
from chainrule.layers.trace import opens_up


class Place(NamedTuple):
    """A layer among others: its number, and the names of what comes in and of what goes out."""

    layer: Any  # a Layer
    l: int
    A_prev: str
    A: str

    @property
    def gives_Z(self) -> bool:
        """Whether it is linear, and its Z[l] goes to batch norm or to the cost."""
        return self.A.startswith("Z")


def places(parts: Sequence[Layer]) -> list[Place]:
    """Where each layer stands: the first takes A[0]."""
    found, A = [], "A[0]"
    for i, (layer, l) in enumerate(zip(parts, layer_numbers(parts), strict=True)):
        linear = isinstance(layer, Dense) and layer.activation is identity
        ends = i == len(parts) - 1 or isinstance(parts[i + 1], BatchNorm)
        found.append(Place(layer, l, A, f"Z[{l}]" if linear and ends else f"A[{l}]"))
        A = found[-1].A
    return found


def array_names(layer: Layer) -> list[str]:
    """The names of a layer's arrays, in their order: W, b; or main.W where layers stand inside."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(layer)
    return [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]


def one_line(place: Place) -> str:
    """What the layer does, on one line."""
    layer, l = place.layer, place.l
    if isinstance(layer, Dense):
        g = layer.activation
        return (
            f"{place.A} = {linear_part(place) if place.gives_Z else applied(g, linear_part(place))}"
        )
    if isinstance(layer, BatchNorm):
        normalized = f"gamma[{l}] ⊙ Z_norm[{l}] + beta[{l}]"
        return f"{place.A} {_sign(place)} {applied(layer.activation, normalized)}"
    if isinstance(layer, Dropout):
        return f"{place.A} ← {place.A_prev} ⊙ D[{l}] / {float(layer.keep_prob):.3g} in training"
    return f"{place.A} {_sign(place)} {type(layer).__name__}({place.A_prev})"


def forward_formulas(place: Place, *, training: bool = False) -> dict[str, str]:
    """What forward makes, by name and in order."""
    layer, l, scale = place.layer, place.l, _dropout_scale(place)
    if isinstance(layer, Dropout) and training:
        return {
            "D": f"D[{l}] = 1 with probability keep_prob[{l}]",
            "A": f"{place.A} ← {place.A_prev}{scale}",
        }
    if isinstance(layer, Dropout):
        return {"A": f"{place.A} ← {place.A_prev}, all of it"}
    if isinstance(layer, BatchNorm) and opens_up(layer):
        return _batch_norm_forward(place, training)
    if not (isinstance(layer, Dense) and opens_up(layer)):
        return {"A": one_line(place)}
    linear = f"Z[{l}] = {linear_part(place)}"
    if place.gives_Z:
        return {"Z": linear}
    return {"Z": linear, "A": f"A[{l}] = {applied(layer.activation, f'Z[{l}]')}"}


def backward_formulas(place: Place, *, training: bool = False) -> dict[str, str]:
    """What backward makes from the gradient of what went out, by name and in order."""
    layer, l, A_prev = place.layer, place.l, place.A_prev
    if isinstance(layer, Dropout):
        return {"dA_prev": f"d{A_prev} ← d{place.A}{_dropout_scale(place) if training else ''}"}
    if isinstance(layer, BatchNorm) and opens_up(layer):
        return _batch_norm_backward(place, training)
    if isinstance(layer, Dense) and opens_up(layer):
        dZ = {} if place.gives_Z else {"dZ": f"dZ[{l}] = {_slope_applied(layer.activation, l)}"}
        return dZ | {
            "dW": f"dW[{l}] = dZ[{l}] {A_prev}ᵀ",
            "db": f"db[{l}] = Σ dZ[{l}] over m",
            "dA_prev": f"d{A_prev} = W[{l}]ᵀ dZ[{l}]",
        }
    return {"dA_prev": f"d{A_prev} {_sign(place)} ∂J/∂{A_prev}"}


def _batch_norm_forward(place: Place, training: bool) -> dict[str, str]:
    l, Z, mean, variance = place.l, place.A_prev, f"mean[{place.l}]", f"variance[{place.l}]"
    made = {"mean": f"{mean} = (1/m) Σ {Z}", "variance": f"{variance} = (1/m) Σ ({Z} − {mean})²"}
    known = {"mean": f"{mean}, running average", "variance": f"{variance}, running average"}
    g = applied(place.layer.activation, f"Z_tilde[{l}]")
    return (made if training else known) | {
        "Z_norm": f"Z_norm[{l}] = ({Z} − {mean}) / √({variance} + ε)",
        "Z_tilde": f"Z_tilde[{l}] = gamma[{l}] ⊙ Z_norm[{l}] + beta[{l}]",
        "A": f"{place.A} {_sign(place)} {g}",
    }


def _batch_norm_backward(place: Place, training: bool) -> dict[str, str]:
    l, Z = place.l, place.A_prev
    slope = _slope_applied(place.layer.activation, l, Z="Z_tilde")
    made = f"∂J/∂{Z}, through mean and variance too"
    known = f"dZ_norm[{l}] / √(variance[{l}] + ε)"
    return {
        "dZ_tilde": f"dZ_tilde[{l}] = {slope}",
        "dgamma": f"dgamma[{l}] = Σ dZ_tilde[{l}] ⊙ Z_norm[{l}] over m",
        "dbeta": f"dbeta[{l}] = Σ dZ_tilde[{l}] over m",
        "dZ_norm": f"dZ_norm[{l}] = gamma[{l}] ⊙ dZ_tilde[{l}]",
        "dA_prev": f"d{Z} {_sign(place)} {made if training else known}",
    }


def linear_part(place: Place) -> str:
    """Such as "W[1] A[0] + b[1]"."""
    b = "" if place.layer.b is None else f" + b[{place.l}]"
    return f"W[{place.l}] {place.A_prev}{b}"


def applied(activation, argument: str) -> str:
    """Such as "relu(Z[1])"; the identity leaves its argument alone."""
    return argument if activation is identity else f"{_name(activation)}({argument})"


def _dropout_scale(place: Place) -> str:
    return f" ⊙ D[{place.l}] / keep_prob[{place.l}]"


def _slope_applied(activation, l: int, Z: str = "Z") -> str:
    A, dA = f"A[{l}]", f"dA[{l}]"
    if activation is identity:
        return dA
    if activation is softmax:  # its outputs depend on one another: not element by element
        return f"{A} ⊙ ({dA} − Σ {dA} ⊙ {A})"
    return f"{dA} ⊙ {_name(activation)}'({Z}[{l}])"


def _name(activation) -> str:
    return getattr(activation, "__name__", "g")


def _sign(place: Place) -> str:
    """An arrow where it changes what already has this name."""
    return "←" if place.A_prev == place.A else "="
