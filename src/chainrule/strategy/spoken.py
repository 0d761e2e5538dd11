"""The quantity that is explained: a number f that says how strongly a network supports an answer.

    classes    f = Z_c − log Σ_{k≠c} e^{Z_k}    the log odds of the answer c
    two        f = Z, or −Z                     also the log odds
    numbers    f = Z in the target's units

Z_c alone is not suitable: an input that raises all of Z equally does not change the probabilities.
"""

from typing import Any

import numpy as np

from chainrule.train.door import Door


def answer_value(Z: Any, answer: Any, cost: str, scale: Any = 1.0, *, xp: Any = np) -> Any:
    """Return f of each example, from Z (n_L, m) and the one-hot answers (n_L, m).

    >>> Z = np.log([[4.0], [1.0], [1.0]])
    >>> round(float(answer_value(Z, np.array([[1], [0], [0]]), "softmax")[0]), 4)
    0.6931
    """
    if cost == "softmax":
        others = xp.where(answer > 0, -xp.inf, Z)
        top = others.max(axis=0, keepdims=True)
        total = top + xp.log(xp.exp(others - top).sum(axis=0, keepdims=True))
        return ((answer * Z).sum(axis=0, keepdims=True) - total)[0]
    if cost == "logistic":
        return (xp.where(answer > 0, Z, -Z)).sum(axis=0)
    return (answer * Z * scale).sum(axis=0)


def answers_of(Z: np.ndarray, door: Door, output: int = 0) -> np.ndarray:
    """Return the one-hot predictions (n_L, m); for regression, 1 at the given output."""
    if door.cost == "logistic":
        return door.said(Z.T)[None].astype(Z.dtype)
    chosen = np.zeros_like(Z)
    rows = Z.argmax(axis=0) if door.cost == "softmax" else np.full(Z.shape[1], output)
    chosen[rows, np.arange(Z.shape[1])] = 1
    return chosen
