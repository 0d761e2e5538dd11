"""What is explained of one answer: how strongly the network speaks for it, as one number f.

    classes    f = Z_c − log Σ_{k≠c} e^{Z_k}    the log odds of the answer c
    two        f = Z, or −Z                     which is the same thing
    numbers    f = Z in the target's units

Z_c alone would not do: what raises all of Z speaks for nothing.
"""

from typing import Any

import numpy as np

from chainrule.train.door import Door


def spoken(Z: Any, answer: Any, cost: str, scale: Any = 1.0, *, xp: Any = np) -> Any:
    """f of each example, from Z (n_L, m) and (n_L, m) of 1 at its answer, 0 elsewhere.

    >>> Z = np.log([[4.0], [1.0], [1.0]])
    >>> round(float(spoken(Z, np.array([[1], [0], [0]]), "softmax")[0]), 4)
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
    """(n_L, m) of 1 at the answer, by the door's threshold; of numbers at the output asked for."""
    if door.cost == "logistic":
        return door.said(Z.T)[None].astype(Z.dtype)
    chosen = np.zeros_like(Z)
    rows = Z.argmax(axis=0) if door.cost == "softmax" else np.full(Z.shape[1], output)
    chosen[rows, np.arange(Z.shape[1])] = 1
    return chosen
