"""Where a layer stands among others, and how the notes write what it does there."""

from typing import Any, NamedTuple

from chainrule.blocks.activations import identity, softmax


class Place(NamedTuple):
    """A layer among others: its number, and the names of what comes in and of what goes out."""

    layer: Any  # a Layer
    l: Any  # a number; "3s" in the shortcut around layer 3
    A_prev: str
    A: str

    @property
    def gives_Z(self) -> bool:
        """Whether it is linear, and its Z[l] goes to batch norm or to the cost."""
        return self.A.startswith("Z")

    @property
    def sign(self) -> str:
        """An arrow where it changes what already has this name."""
        return "←" if self.A_prev == self.A else "="


def applied(activation, argument: str) -> str:
    """Such as "relu(Z[1])"; the identity leaves its argument alone."""
    return argument if activation is identity else f"{_name(activation)}({argument})"


def slope_applied(place: Place, Z: str) -> str:
    """What dA becomes on its way through the activation: "dA[1] ⊙ relu'(Z[1])"."""
    activation, A, dA = place.layer.activation, place.A, f"d{place.A}"
    if activation is identity:
        return dA
    if activation is softmax:  # its outputs depend on one another: not element by element
        return f"{A} ⊙ ({dA} − Σ {dA} ⊙ {A})"
    return f"{dA} ⊙ {_name(activation)}'({Z})"


def _name(activation) -> str:
    return getattr(activation, "__name__", "g")
