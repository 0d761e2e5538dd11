"""The penalty on large weights: L2 and L1 regularisation.

Notes: "Regularization" (course 2, week 1).

    J  = (1/m) Σ L + λ/(2m) Σ ‖W[l]‖²  (+ λ1/m Σ |W[l]|)
    dW = (from backpropagation) + (λ/m) W

m is the size of the training set, whatever the size of a mini-batch. Only weights W are penalised,
never b, γ or β. Reported costs do not include the penalty.
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
    """The strengths λ (L2) and λ1 (L1, or None), and m; numbers or arrays."""

    l2: Any
    l1: Any
    m: Any


def penalty_cost(network: Layer, penalty: Penalty) -> Float[Array, ""]:
    """Return λ/(2m) Σ ‖W[l]‖² + λ1/m Σ |W[l]|."""
    weights = penalized(network)
    J: Any = sum(l2_penalty(W, penalty.l2, penalty.m) for W in weights)
    if penalty.l1 is not None:
        J += sum(l1_penalty(W, penalty.l1, penalty.m) for W in weights)
    return J


def make_penalty(l2: float, l1: float, m: float, *, always: bool = False) -> Penalty | None:
    """Return the penalty of a training, or None if there is none, which saves its computation.

    With `always` a penalty with λ = 0 is returned, so that λ can be raised during training.
    """
    for name, value in (("l2", l2), ("l1", l1)):
        check_strength(name, value)
    if not (l2 or l1 or always):
        return None
    return Penalty(l2, l1 if l1 else None, m)


def check_strength(option: str, value: float) -> None:
    """Refuse a λ that is not a number of at least 0."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not (number and 0 <= value < np.inf):
        raise OptionError(option, "a number of at least 0", f"{value!r}", "0.1")


def as_arrays(penalty: Penalty | None, theta: Params) -> Penalty | None:
    """Convert the numbers to arrays of θ's dtype, on the host."""
    if penalty is None:
        return None
    return Penalty(*(None if x is None else as_array(x, theta) for x in penalty))
