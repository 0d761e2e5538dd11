"""A layer that scales embeddings to length one, so that only their direction matters.

Notes: "Triplet loss" (course 4, week 4), as in "FaceNet" (Schroff and others, 2015): ‖f(x)‖ = 1,
so that the margin has a fixed scale and short vectors cannot keep the cost small.

    A = A_prev / ‖A_prev‖, column by column
"""

from typing import ClassVar

from jaxtyping import Array, Float

from chainrule.blocks.similarity import normalize_rows
from chainrule.errors import ShapeError
from chainrule.layers.layer import Layer


class UnitLength(Layer):
    """A (n, m), each column of A_prev (n, m) divided by its length; a column of zeros stays zero.

    >>> UnitLength()(jnp.array([[0.0, 4.0, 0.0], [2.0, 0.0, 0.0]])).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """

    numbered: ClassVar[bool] = False

    def __call__(self, A_prev: Float[Array, "n m"]) -> Float[Array, "n m"]:
        """A = A_prev / ‖A_prev‖."""
        if A_prev.ndim != 2:
            expected, got = "(n, m), one column per example", str(tuple(A_prev.shape))
            raise ShapeError(self.title, expected, got, "a Flatten before it")
        return normalize_rows(A_prev.T).T
