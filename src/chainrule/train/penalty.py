"""What large weights cost: the part of J that is no mean over the examples.

Notes: "Regularization" (course 2, week 1).

    J  = (1/m) Σ L + λ/(2m) Σ ‖W[l]‖²  (+ λ1/m Σ |W[l]|)
    dW = (from backpropagation) + (λ/m) W

m is the size of the training set, the same whatever the mini-batch. Weights alone are penalised,
never b, γ or β. The costs that are reported leave the penalty out.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float

from chainrule.blocks.regularization import l1_penalty, l2_penalty
from chainrule.errors import OptionError
from chainrule.layers.layer import Layer, penalized
from chainrule.optim.optimizer import as_array
from chainrule.types import Params


class Penalty(NamedTuple):
    """λ of the squares, λ1 of the absolute values (None: none), and m; numbers or arrays."""

    l2: Any
    l1: Any
    m: Any


def penalty_cost(network: Layer, penalty: Penalty) -> Float[Array, ""]:
    """λ/(2m) Σ ‖W[l]‖² + λ1/m Σ |W[l]|."""
    weights = penalized(network)
    J: Any = sum(l2_penalty(W, penalty.l2, penalty.m) for W in weights)
    if penalty.l1 is not None:
        J += sum(l1_penalty(W, penalty.l1, penalty.m) for W in weights)
    return J


def make_penalty(l2: float, l1: float, m: float, *, always: bool = False) -> Penalty | None:
    """The penalty of a training, or None where nothing is penalised, which costs nothing.

    `always` gives one whose λ is 0, so that it can be raised while the training runs.
    """
    for name, value in (("l2", l2), ("l1", l1)):
        check_strength(name, value)
    if not (l2 or l1 or always):
        return None
    return Penalty(l2, l1 if l1 else None, m)


def check_strength(option: str, value: float) -> None:
    """Refuse a λ that is no number from 0 on."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not (number and 0 <= value < np.inf):
        raise OptionError(option, "a number, 0 or more", f"{value!r}", "0.1")


def as_arrays(penalty: Penalty | None, theta: Params) -> Penalty | None:
    """The numbers as arrays of θ's dtype, made on the host."""
    if penalty is None:
        return None
    return Penalty(*(None if x is None else as_array(x, theta) for x in penalty))
