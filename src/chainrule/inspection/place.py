"""The place of a layer in a network, and the notation of the course notes for it."""

from typing import Any, NamedTuple

from chainrule.blocks.activations import identity, softmax


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
