"""The formulas of layers on images, with the layer number l filled in, as in `formulas.py`.

Z[1] = A[0] ∗ W[1] + b[1]            a convolution
A[1] ← max_pool(A[1])                a pool
A[3] = relu(main[3] + A[1])          a residual block around layers 2 and 3; the layers of its
                                     shortcut are marked with an s: W[3s]
"""

from chainrule.inspection.place import Place, applied, slope_applied
from chainrule.layers.conv import Conv2D, ConvTranspose2D, DepthwiseConv2D
from chainrule.layers.flatten import Flatten, Images
from chainrule.layers.pool import AveragePool, GlobalAveragePool, MaxPool

CONVOLUTIONS = (Conv2D, DepthwiseConv2D, ConvTranspose2D)
RESHAPED = (MaxPool, AveragePool, GlobalAveragePool, Flatten, Images)
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
    """Return the forward formula of a pool, Flatten or Images."""
    return f"{place.A} {place.sign} {_reshaped_value(place)}"


def _reshaped_value(place: Place) -> str:
    layer, A_prev = place.layer, place.A_prev
    if isinstance(layer, Flatten):
        return f"{A_prev}, a column for each image"
    if isinstance(layer, Images):
        return f"{A_prev} as images {'×'.join(map(str, layer.shape))}"
    names = {MaxPool: "max_pool", AveragePool: "average_pool"}
    return f"{names.get(type(layer), 'global_average_pool')}({A_prev})"


def reshaped_backward(place: Place) -> str:
    """Return the backward formula of a pool, Flatten or Images."""
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


def residual_forward(place: Place) -> dict[str, str]:
    """Return the last formula of a residual block, whose layers have been shown before."""
    return {"A": f"{place.A} = {applied(place.layer.activation, _sum(place))}"}


def residual_backward(place: Place) -> dict[str, str]:
    """Return the gradient that enters the block's layers, and the sum with that of the shortcut."""
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
    """Return the convolution of a Projection, and its batch norm as a separate place."""
    l = f"{place.l}s"
    normalized = Place(place.layer.normalization, l, f"Z[{l}]", place.A)
    return f"Z[{l}] = {place.A_prev} ∗ W[{l}]", normalized
