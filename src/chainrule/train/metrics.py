"""How good predictions are, in numbers people use: accuracy and R².

Notes: "Single number evaluation metric" (course 3, week 1).

    accuracy    Σ w [prediction = Y] / Σ w
    exact_match the same, with several labels an example: all of them must be right
    r2          1 − Σ w (Z − Y)² / Σ w (Y − mean of Y)²,  the mean over the outputs

Z (n_L, m) are the network's last linear outputs, Y what they should say, weights (1, m).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float


def accuracy(
    Z: Float[Array, "n_L m"], Y: Float[Array, "n_L m"], weights: Float[Array, "1 m"]
) -> Float[Array, ""]:
    """The share of examples whose most likely class is the right one."""
    if Z.shape[0] == 1:
        right = (Z > 0) == (Y > 0.5)
    else:
        right = (Z.argmax(axis=0) == Y.argmax(axis=0))[None]
    return (weights * right.astype(Z.dtype)).sum() / weights.sum()


def exact_match(
    Z: Float[Array, "n_L m"], Y: Float[Array, "n_L m"], weights: Float[Array, "1 m"]
) -> Float[Array, ""]:
    """The share of examples all of whose labels are right, where an example may have several."""
    right = ((Z > 0) == (Y > 0.5)).all(axis=0, keepdims=True)
    return (weights * right.astype(Z.dtype)).sum() / weights.sum()


def r2(
    Z: Float[Array, "n_L m"], Y: Float[Array, "n_L m"], weights: Float[Array, "1 m"]
) -> Float[Array, ""]:
    """1 − (squared error / squared deviation from the mean); 0 if Y never changes."""
    mean = (weights * Y).sum(axis=1, keepdims=True) / weights.sum()
    error = (weights * (Z - Y) ** 2).sum(axis=1)
    spread = (weights * (Y - mean) ** 2).sum(axis=1)
    return jnp.where(spread > 0, 1 - error / jnp.where(spread > 0, spread, 1), 0).mean()
