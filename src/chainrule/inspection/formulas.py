"""The formulas of a layer, written as in the course notes, with its number l filled in.

    Z[2] = W[2] A[1] + b[2]        forward, linear part
    A[2] = relu(Z[2])              forward, activation
    dZ[2] = dA[2] ⊙ relu'(Z[2])    backward, activation
    dW[2] = dZ[2] A[1]ᵀ            backward, linear part

A layer without a number updates the Z or A of the layer before it, such as A[2] ← Half(A[2]).

>>> from chainrule.blocks.activations import tanh
>>> [place] = places([Dense(3, 2, key=jax.random.key(0), activation=tanh)])
>>> forward_formulas(place)
{'Z': 'Z[1] = W[1] A[0] + b[1]', 'A': 'A[1] = tanh(Z[1])'}

Layers on images have formulas such as

    Z[1] = A[0] ∗ W[1] + b[1]        a convolution
    A[1] ← max_pool(A[1])            a pooling layer
    A[3] = relu(main[3] + A[1])      a residual block around layers 2 and 3; the layers of its
                                     shortcut are marked with an s: W[3s]
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax

from chainrule.blocks.activations import identity, softmax
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.branches import Branches
from chainrule.layers.conv import Conv2D, ConvTranspose2D, DepthwiseConv2D
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.flatten import Flatten, Images, SpaceToDepth
from chainrule.layers.layer import Layer, layer_numbers
from chainrule.layers.pool import AveragePool, GlobalAveragePool, MaxPool
from chainrule.layers.residual import Projection, Residual
from chainrule.layers.trace import has_formulas


class Place(NamedTuple):
    """A layer in a network: its number, and the names of its input and its output."""

    layer: Any  # a Layer
    l: Any  # a number; "3s" in the shortcut around layer 3
    A_prev: str
    A: str

    @property
    def gives_Z(self) -> bool:
        """Return whether the layer is linear, so that Z[l] enters batch norm or the cost."""
        return self.A.startswith("Z")

    @property
    def sign(self) -> str:
        """Return "←" if the output has the same name as the input, else "="."""
        return "←" if self.A_prev == self.A else "="


def applied(activation, argument: str) -> str:
    """Return an activation of its argument, such as "relu(Z[1])"; the identity is not written."""
    return argument if activation is identity else f"{_name(activation)}({argument})"


def slope_applied(place: Place, Z: str) -> str:
    """Return the backward formula of the activation, such as "dA[1] ⊙ relu'(Z[1])"."""
    activation, A, dA = place.layer.activation, place.A, f"d{place.A}"
    if activation is identity:
        return dA
    if activation is softmax:  # not elementwise: each output depends on all of Z
        return f"{A} ⊙ ({dA} − Σ {dA} ⊙ {A})"
    return f"{dA} ⊙ {_name(activation)}'({Z})"


def _name(activation) -> str:
    return getattr(activation, "__name__", "g")


CONVOLUTIONS = (Conv2D, DepthwiseConv2D, ConvTranspose2D)
RESHAPED = (MaxPool, AveragePool, GlobalAveragePool, Flatten, Images, SpaceToDepth)
"""Layers without parameters: one formula for each direction."""


def convolved(place: Place) -> str:
    """Return "A[0] ∗ W[1] + b[1]", or "depthwise(A[0], W[1]) + b[1]" for the other convolutions."""
    l, A_prev, layer = place.l, place.A_prev, place.layer
    b = "" if layer.b is None else f" + b[{l}]"
    if isinstance(layer, Conv2D):
        return f"{A_prev} ∗ W[{l}]{b}"
    block = "depthwise" if isinstance(layer, DepthwiseConv2D) else "transposed"
    return f"{block}({A_prev}, W[{l}]){b}"


def convolution_backward(place: Place) -> dict[str, str]:
    """Return the formulas of dW, db and dA_prev of a convolution."""
    l, A_prev = place.l, place.A_prev
    return {
        "dW": f"dW[{l}] = Σ {A_prev} under the filter · dZ[{l}] over m, h, w",
        "db": f"db[{l}] = Σ dZ[{l}] over m, h, w",
        "dA_prev": f"d{A_prev} = Σ W[{l}] · dZ[{l}] over the positions of the filter",
    }


def reshaped(place: Place) -> str:
    """Return the forward formula of a layer of RESHAPED."""
    return f"{place.A} {place.sign} {_reshaped_value(place)}"


def _reshaped_value(place: Place) -> str:
    layer, A_prev = place.layer, place.A_prev
    if isinstance(layer, Flatten):
        return f"{A_prev}, a column for each image"
    if isinstance(layer, Images):
        return f"{A_prev} as images {'×'.join(map(str, layer.shape))}"
    names = {MaxPool: "max_pool", AveragePool: "average_pool", SpaceToDepth: "space_to_depth"}
    return f"{names.get(type(layer), 'global_average_pool')}({A_prev})"


def reshaped_backward(place: Place) -> str:
    """Return the backward formula of a layer of RESHAPED."""
    layer, dA = place.layer, f"d{place.A}"
    if isinstance(layer, MaxPool):
        dA += " at the maximum of each window, else 0"
    elif isinstance(layer, AveragePool):
        dA += f" / {layer.f**2} at every entry of a window"
    elif isinstance(layer, GlobalAveragePool):
        dA += " / (n_H n_W) at every position"
    else:
        dA += ", reshaped like the input"
    return f"d{place.A_prev} {place.sign} {dA}"


def residual(place: Place) -> str:
    """Return the formula of a residual block, such as "A[3] = relu(main(A[1]) + A[1])"."""
    A_prev = place.A_prev
    around = A_prev if place.layer.shortcut is None else f"shortcut({A_prev})"
    return f"{place.A} = {applied(place.layer.activation, f'main({A_prev}) + {around}')}"


def branched(place: Place) -> str:
    """Return the formula of two branches, such as "A[3] = first(A[1]) + second(A[1])"."""
    sides = [f"{name}({place.A_prev})" for name in ("first", "second")]
    joined = " + ".join(sides) if place.layer.join == "sum" else f"[{', '.join(sides)}]"
    return f"{place.A} {place.sign} {applied(place.layer.activation, joined)}"


def residual_forward(place: Place) -> dict[str, str]:
    """Return the last formula of a residual block, which follows the formulas of its layers."""
    return {"A": f"{place.A} = {applied(place.layer.activation, _sum(place))}"}


def residual_backward(place: Place) -> dict[str, str]:
    """Return the formulas of the block's first gradient, and of its sum with the shortcut's."""
    dA, l = f"d{place.A_prev}", place.l
    around = f"dmain[{l}]" if place.layer.shortcut is None else f"{dA} of shortcut"
    return {
        "dmain": f"dmain[{l}] = {slope_applied(place, _sum(place))}",
        "dA_prev": f"{dA} = {dA} of main + {around}",
    }


def _sum(place: Place) -> str:
    around = place.A_prev if place.layer.shortcut is None else f"shortcut[{place.l}]"
    return f"main[{place.l}] + {around}"


def projected(place: Place) -> tuple[str, Place]:
    """Return the places of a Projection: its convolution, then its batch norm separately."""
    l = f"{place.l}s"
    normalized = Place(place.layer.normalization, l, f"Z[{l}]", place.A)
    return f"Z[{l}] = {place.A_prev} ∗ W[{l}]", normalized


LINEAR = (Dense, *CONVOLUTIONS)


def places(parts: Sequence[Layer], A: str = "A[0]", before: int = 0) -> list[Place]:
    """Return the place of each layer; the first takes `A`, and numbering starts after `before`."""
    found = []
    for i, (layer, l) in enumerate(zip(parts, layer_numbers(parts), strict=True)):
        linear = isinstance(layer, LINEAR) and layer.activation is identity
        ends = i == len(parts) - 1 or isinstance(parts[i + 1], BatchNorm)
        l += before
        found.append(Place(layer, l, A, f"Z[{l}]" if linear and ends else f"A[{l}]"))
        A = found[-1].A
    return found


def inside(place: Place) -> list[Place]:
    """Return the places of the layers in a residual block, ending at main[l], and its shortcut."""
    block, l = place.layer, place.l
    if not isinstance(block, Residual):
        return []
    parts = block.main.parts()
    main = places(parts, place.A_prev, int(l) - layer_numbers(parts)[-1])
    main[-1] = main[-1]._replace(A=f"main[{l}]")
    if block.shortcut is None:
        return main
    return [*main, Place(block.shortcut, l, place.A_prev, f"shortcut[{l}]")]


def array_names(layer: Layer) -> list[str]:
    """Return the names of a layer's arrays in order, such as W and b, or main.W if nested."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(layer)
    return [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]


def one_line(place: Place) -> str:
    """Return the formula of a layer on one line."""
    layer, l = place.layer, place.l
    if isinstance(layer, LINEAR):
        linear = linear_part(place)
        return f"{place.A} = {linear if place.gives_Z else applied(layer.activation, linear)}"
    if isinstance(layer, Residual):
        return residual(place)
    if isinstance(layer, Branches):
        return branched(place)
    if isinstance(layer, Projection):
        return f"{place.A} = {place.A_prev} ∗ W[{l}s], normalised"
    if isinstance(layer, RESHAPED):
        return reshaped(place)
    if isinstance(layer, BatchNorm):
        normalized = f"gamma[{l}] ⊙ Z_norm[{l}] + beta[{l}]"
        return f"{place.A} {place.sign} {applied(layer.activation, normalized)}"
    if isinstance(layer, Dropout):
        return f"{place.A} ← {place.A_prev} ⊙ D[{l}] / {float(layer.keep_prob):.3g} in training"
    return f"{place.A} {place.sign} {type(layer).__name__}({place.A_prev})"


def forward_formulas(place: Place, *, training: bool = False) -> dict[str, str]:
    """Return the formulas of the forward pass by name, in the order of computation."""
    layer, l, scale = place.layer, place.l, _dropout_scale(place)
    if isinstance(layer, Dropout) and training:
        return {
            "D": f"D[{l}] = 1 with probability keep_prob[{l}]",
            "A": f"{place.A} ← {place.A_prev}{scale}",
        }
    if isinstance(layer, Dropout):
        return {"A": f"{place.A} ← {place.A_prev}, no dropout"}
    if isinstance(layer, BatchNorm) and has_formulas(layer):
        return _batch_norm_forward(place, training)
    if isinstance(layer, Projection):
        Z, normalized = projected(place)
        return {"Z": Z} | _batch_norm_forward(normalized, training)
    if isinstance(layer, Residual) and has_formulas(layer):
        return residual_forward(place)
    if not (isinstance(layer, LINEAR) and has_formulas(layer)):
        return {"A": one_line(place)}
    linear = f"Z[{l}] = {linear_part(place)}"
    if place.gives_Z:
        return {"Z": linear}
    return {"Z": linear, "A": f"{place.A} = {applied(layer.activation, f'Z[{l}]')}"}


def backward_formulas(place: Place, *, training: bool = False) -> dict[str, str]:
    """Return the formulas of the backward pass by name, in the order of computation."""
    layer, l, A_prev = place.layer, place.l, place.A_prev
    if isinstance(layer, Dropout):
        return {"dA_prev": f"d{A_prev} ← d{place.A}{_dropout_scale(place) if training else ''}"}
    if isinstance(layer, BatchNorm) and has_formulas(layer):
        return _batch_norm_backward(place, training)
    if isinstance(layer, Projection):
        return _projection_backward(place, training)
    if isinstance(layer, Residual) and has_formulas(layer):
        return residual_backward(place)
    if isinstance(layer, RESHAPED):
        return {"dA_prev": reshaped_backward(place)}
    if isinstance(layer, LINEAR) and has_formulas(layer):
        dZ = {} if place.gives_Z else {"dZ": f"dZ[{l}] = {slope_applied(place, f'Z[{l}]')}"}
        dense = isinstance(layer, Dense)
        return dZ | (_dense_backward(place) if dense else convolution_backward(place))
    return {"dA_prev": f"d{A_prev} {place.sign} ∂J/∂{A_prev}"}


def _dense_backward(place: Place) -> dict[str, str]:
    l, A_prev = place.l, place.A_prev
    dW, db = f"dW[{l}] = dZ[{l}] {A_prev}ᵀ", f"db[{l}] = Σ dZ[{l}] over m"
    return {"dW": dW, "db": db, "dA_prev": f"d{A_prev} = W[{l}]ᵀ dZ[{l}]"}


def _batch_norm_forward(place: Place, training: bool) -> dict[str, str]:
    l, Z, mean, variance = place.l, place.A_prev, f"mean[{place.l}]", f"variance[{place.l}]"
    share = "1/m" if place.layer.gamma.ndim == 2 else "1/(m n_H n_W)"
    sums = {"mean": f"{mean} = ({share}) Σ {Z}"}
    batch = sums | {"variance": f"{variance} = ({share}) Σ ({Z} − {mean})²"}
    running = {"mean": f"{mean}, running average", "variance": f"{variance}, running average"}
    g = applied(place.layer.activation, f"Z_tilde[{l}]")
    return (batch if training else running) | {
        "Z_norm": f"Z_norm[{l}] = ({Z} − {mean}) / √({variance} + ε)",
        "Z_tilde": f"Z_tilde[{l}] = gamma[{l}] ⊙ Z_norm[{l}] + beta[{l}]",
        "A": f"{place.A} {place.sign} {g}",
    }


def _batch_norm_backward(place: Place, training: bool) -> dict[str, str]:
    l, Z = place.l, place.A_prev
    slope = slope_applied(place, f"Z_tilde[{l}]")
    over = "over m" if place.layer.gamma.ndim == 2 else "over m, h, w"
    by_batch = f"∂J/∂{Z}, also through mean and variance"
    by_running = f"dZ_norm[{l}] / √(variance[{l}] + ε)"
    return {
        "dZ_tilde": f"dZ_tilde[{l}] = {slope}",
        "dgamma": f"dgamma[{l}] = Σ dZ_tilde[{l}] ⊙ Z_norm[{l}] {over}",
        "dbeta": f"dbeta[{l}] = Σ dZ_tilde[{l}] {over}",
        "dZ_norm": f"dZ_norm[{l}] = gamma[{l}] ⊙ dZ_tilde[{l}]",
        "dA_prev": f"d{Z} {place.sign} {by_batch if training else by_running}",
    }


def _projection_backward(place: Place, training: bool) -> dict[str, str]:
    l, (_, normalized) = f"{place.l}s", projected(place)
    gradients = _batch_norm_backward(normalized, training)
    of_W = convolution_backward(Place(place.layer, l, place.A_prev, f"Z[{l}]"))
    return gradients | {
        "dnormalization.gamma": gradients["dgamma"],
        "dnormalization.beta": gradients["dbeta"],
        "dZ": gradients["dA_prev"],
        "dW": of_W["dW"],
        "dA_prev": of_W["dA_prev"],
    }


def linear_part(place: Place) -> str:
    """Return the linear part, "W[1] A[0] + b[1]", or "A[0] ∗ W[1] + b[1]" for a convolution."""
    if isinstance(place.layer, CONVOLUTIONS):
        return convolved(place)
    b = "" if place.layer.b is None else f" + b[{place.l}]"
    return f"W[{place.l}] {place.A_prev}{b}"


def _dropout_scale(place: Place) -> str:
    return f" ⊙ D[{place.l}] / keep_prob[{place.l}]"
