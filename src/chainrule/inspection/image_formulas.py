"""The formulas of the layers on images, with the numbers of their place, as in `formulas.py`.

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
"""What has no parameters: one line each way."""


def convolved(place: Place) -> str:
    """Such as "A[0] ∗ W[1] + b[1]"; of the other convolutions the name of the block."""
    l, A_prev, layer = place.l, place.A_prev, place.layer
    b = "" if layer.b is None else f" + b[{l}]"
    if isinstance(layer, Conv2D):
        return f"{A_prev} ∗ W[{l}]{b}"
    block = "depthwise" if isinstance(layer, DepthwiseConv2D) else "transposed"
    return f"{block}({A_prev}, W[{l}]){b}"


def convolution_backward(place: Place) -> dict[str, str]:
    """dW, db and dA_prev of a convolution."""
    l, A_prev = place.l, place.A_prev
    return {
        "dW": f"dW[{l}] = Σ {A_prev} at the filter's places · dZ[{l}] over m, h, w",
        "db": f"db[{l}] = Σ dZ[{l}] over m, h, w",
        "dA_prev": f"d{A_prev} = Σ W[{l}] · dZ[{l}] over the places of the filter",
    }


def reshaped(place: Place) -> str:
    """What a pool, Flatten or Images does."""
    return f"{place.A} {place.sign} {_reshaped(place)}"


def _reshaped(place: Place) -> str:
    layer, A_prev = place.layer, place.A_prev
    if isinstance(layer, Flatten):
        return f"{A_prev}, a column for each image"
    if isinstance(layer, Images):
        return f"{A_prev} as images {'×'.join(map(str, layer.shape))}"
    names = {MaxPool: "max_pool", AveragePool: "average_pool"}
    return f"{names.get(type(layer), 'global_average_pool')}({A_prev})"


def reshaped_backward(place: Place) -> str:
    """And back."""
    layer, dA = place.layer, f"d{place.A}"
    if isinstance(layer, MaxPool):
        dA += " where the largest was, else 0"
    elif isinstance(layer, AveragePool):
        dA += f" / {layer.f**2}, to all of a window"
    elif isinstance(layer, GlobalAveragePool):
        dA += " / (n_H n_W), everywhere"
    else:
        dA += ", as it came in"
    return f"d{place.A_prev} {place.sign} {dA}"


def residual(place: Place) -> str:
    """Such as "A[3] = relu(main(A[1]) + A[1])"."""
    A_prev = place.A_prev
    around = A_prev if place.layer.shortcut is None else f"shortcut({A_prev})"
    return f"{place.A} = {applied(place.layer.activation, f'main({A_prev}) + {around}')}"


def residual_forward(place: Place) -> dict[str, str]:
    """The end of a block whose layers have been shown."""
    return {"A": f"{place.A} = {applied(place.layer.activation, _sum(place))}"}


def residual_backward(place: Place) -> dict[str, str]:
    """What goes into its layers, and what they and the shortcut give back together."""
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
    """The convolution of a Projection, and its batch norm as a place of its own."""
    l = f"{place.l}s"
    normalized = Place(place.layer.normalization, l, f"Z[{l}]", place.A)
    return f"Z[{l}] = {place.A_prev} ∗ W[{l}]", normalized
