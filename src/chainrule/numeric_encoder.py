"""NumericEncoder, a scikit-learn transformer that encodes numbers as chainrule's networks do.

The formulas are those of `data/scaling.py` and `data/bins.py`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import (
    _check_feature_names_in,
    _check_sample_weight,
    check_array,
    check_is_fitted,
    validate_data,
)

from chainrule.data.scaling import BY_QUANTILES, Normalizer
from chainrule.errors import ShapeError, check_choice, check_integer


class NumericEncoder(TransformerMixin, BaseEstimator):
    """Encode columns of numbers as inputs of a network, (m, n) → (m, n_x) in float32.

    kind   standard: (x − μ) / σ with mean and standard deviation; robust: median and interquartile
           range, smoothly clipped at ±3; piecewise: robust, and the piecewise-linear encoding of
           each column by quantile bins beside it
    bins   the maximum number of bins of a column, which are fewer if quantiles are equal; None: one
           for every 32 distinct rows, up to 32. A column with at most two values has no bins

    A row of weight 2 counts as the row twice. After fit: normalizer_, n_features_in_.

    >>> ages = np.array([[20.0], [30.0], [40.0], [50.0], [60.0]])
    >>> encoder = NumericEncoder(bins=2).fit(ages)
    >>> encoder.get_feature_names_out(["age"]).tolist()
    ['age', 'age bin 1', 'age bin 2']
    >>> print(encoder.transform([[45.0]]).round(4))
    [[0.2491 1.     0.25  ]]
    """

    normalizer_: Normalizer
    n_features_in_: int

    def __init__(self, kind: str = "piecewise", *, bins: int | None = None):
        self.kind = kind
        self.bins = bins

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "NumericEncoder":
        """Learn the encoding from rows X (m, n), with weights (m,) of at least 0."""
        check_choice("kind", self.kind, ("standard", *BY_QUANTILES))
        if self.bins is not None:
            check_integer("bins", self.bins, hint="16, or None")
        rows: Any = validate_data(self, X, dtype="numeric")
        weights = _check_sample_weight(sample_weight, rows, ensure_non_negative=True)
        self.normalizer_ = Normalizer.learn(self.kind, rows, self._names, weights, bins=self.bins)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the inputs (m, n_x) that the rows X (m, n) make."""
        check_is_fitted(self)
        rows: Any = validate_data(self, X, dtype="numeric", reset=False)
        return self.normalizer_.apply(rows, self._names)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Return the columns (m, n) of which X (m, n_x) are the inputs, in their own units.

        Numbers far from the median are approximate, since they are clipped.
        """
        check_is_fitted(self)
        inputs: Any = check_array(X)
        n_x = self.normalizer_.n_inputs(self.n_features_in_)
        if inputs.shape[1] != n_x:
            got, hint = str(inputs.shape), "the result of transform"
            raise ShapeError("the inputs", f"(m, {n_x})", got, hint)
        return self.normalizer_.undo(inputs)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the inputs, such as "age" and "age bin 1"."""
        check_is_fitted(self)
        names: Any = _check_feature_names_in(self, input_features)
        return np.array(self.normalizer_.names_of(list(names)), object)

    def __sklearn_tags__(self):
        """Return scikit-learn's tags: the result is float32."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @property
    def _names(self) -> Sequence[str] | None:
        """The names of the columns in training, for messages."""
        return getattr(self, "feature_names_in_", None)
