"""Preprocessing: convert a user's data to network inputs, and network outputs to labels.

    rows     a table, an array or images   →  X (m, n_x) float32, scaled as the training set
             sequences, or texts           →  `Sequences` of scaled numbers, or of token ids
    targets  labels as they were written   →  Y (m, n_L)
    answers  the network's Z (m, n_L)      →  labels as they were written, or numbers

The preprocessor is fitted on the training set alone and is saved with the model.

Recognise image inputs: arrays of images, and rows of unnamed numbers that fill a square.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isqrt
from typing import Any, NotRequired, TypedDict

import numpy as np

from chainrule.data.columns import ColumnOptions, Columns
from chainrule.data.decoding import FULL
from chainrule.data.labels import Labels
from chainrule.data.scaling import BY_QUANTILES, Normalizer, are_fractions, value_range, white_level
from chainrule.data.sequences import Sequences
from chainrule.data.streaming import is_streamed, scaled_rows
from chainrule.data.vocabulary import Vocabulary, check_texts
from chainrule.errors import DataError, DataWarning, ShapeError
from chainrule.formatting import count_of
from chainrule.host.reading import Above0, Positive, Share, convert
from chainrule.runs.metrics import BETAS, Calibration, calibration
from chainrule.train.outputs import probabilities


@dataclass(frozen=True, eq=False)
class Preprocessor:
    """The preprocessor of a trained model.

    `columns` describes a table and is None for arrays; `inputs` and `outputs` hold the scales.
    `shape` is that of one example: (n_x,) or (n_H, n_W[, n_C]), whose pixels become one column. Of
    sequences it is that of one step, (n_x,), and `step_names` are the names of its numbers; of
    texts it is (), and `vocabulary` holds their characters.
    `threshold` is the probability above which the second of two classes is predicted, and
    `temperature` the number by which Z is divided, so that probabilities are calibrated. `exact` is
    False for runs of earlier versions, which rounded a table to float32 before scaling it. `white`
    is the value of white in image files with 16 bits, see `data/decoding.py`.
    """

    columns: Columns | None
    inputs: Normalizer
    labels: Labels
    outputs: Normalizer
    shape: tuple[int, ...]
    threshold: float = 0.5
    exact: bool = True
    white: int = FULL
    temperature: float = 1.0
    step_names: tuple[str, ...] | None = None
    vocabulary: Vocabulary | None = None

    @classmethod
    def learn(
        cls,
        X: Any,
        Y: np.ndarray,
        labels: Labels,
        normalize: str | None = None,
        white: int | None = None,
        options: ColumnOptions | None = None,
        step_names: tuple[str, ...] | None = None,
    ) -> "Preprocessor":
        """Fit on the training set's X and encoded Y; by default pixels are divided by their range.

        Images with values below 0 have been standardised already, and are standardised again.
        """
        kind_out = "standard" if labels.task == "regression" else "none"
        if are_texts(X):
            check_texts(X, "the texts")
            few = FEWEST if len(X) >= MANY_TEXTS else 1
            nothing, outputs = Normalizer.learn("none", np.zeros(1)), Normalizer.learn(kind_out, Y)
            return cls(None, nothing, labels, outputs, (), vocabulary=Vocabulary.learn(X, few))
        if isinstance(X, Sequences):
            names = step_names or tuple(f"x{i + 1}" for i in range(X.shape[2]))
            steps = filled_steps(X).values[X.real()]
            inputs = Normalizer.learn(normalize or "standard", steps, names)
            outputs = Normalizer.learn(kind_out, Y)
            return cls(None, inputs, labels, outputs, X.shape[2:], step_names=names)
        columns = Columns.learn(X, options) if hasattr(X, "iloc") else None
        X = columns.apply(X) if columns else X
        kind = normalize or ("pixels" if are_pixels(X) else "standard")
        return cls(
            columns,
            Normalizer.learn(kind, X, columns.names if columns else None),
            labels,
            Normalizer.learn(kind_out, Y),
            X.shape[1:],
            white=white or FULL,
        )

    @property
    def cost(self) -> str:
        """The name of the cost for this kind of target."""
        return self.labels.cost

    @property
    def metric(self) -> str:
        """The name of the metric for this kind of target."""
        return "r2" if self.labels.task == "regression" else "accuracy"

    @property
    def takes_sequences(self) -> bool:
        """Whether an example is a sequence of numbers, or a text."""
        return self.step_names is not None or self.vocabulary is not None

    @property
    def names(self) -> list[str]:
        """The names of the numbers of an example, for plots and tables, such as "age"."""
        if self.step_names is not None:
            return list(self.step_names)
        return self.columns.names if self.columns else [f"x{i + 1}" for i in range(self.n_numbers)]

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs of the network, such as "age" and "age bin 1"."""
        return self.inputs.names_of(self.names)

    @property
    def n_numbers(self) -> int:
        """The number of numbers per example, from which the inputs are made."""
        return int(np.prod(self.shape))

    @property
    def n_x(self) -> int:
        """The number of inputs of the network per example, or per step; of texts, that of ids."""
        if self.vocabulary is not None:
            return len(self.vocabulary)
        return self.inputs.n_inputs(self.n_numbers)

    @property
    def n_L(self) -> int:
        """The number of outputs of the network per example."""
        return self.labels.n_outputs

    def texts(self, target: str | None) -> list[str]:
        """Return the columns that were text in training, and the target if its labels were."""
        labels = [target] if target and self.labels.are_text else []
        return (self.columns.texts if self.columns else []) + labels

    def check_cells(self, X: Any) -> None:
        """Refuse a table with a cell that is not what its column holds."""
        if self.columns is not None:
            self.columns.check_cells(self._table(X))

    def rows(self, X: Any) -> Any:
        """Return X (m, n_x) in float32, scaled as in training; a `Streamed` X stays on disk.

        Sequences and texts become `Sequences` of scaled numbers, or of token ids.
        """
        if self.takes_sequences:
            return self._sequences(X)
        names = None
        if self.columns is not None:
            X, names = self.columns.apply(self._table(X)), self.columns.names
            X = X if self.exact else X.astype(np.float32)
        X = X if is_streamed(X) else np.asarray(X)
        if X.shape[1:] != self.shape and X.shape[1:] != (self.n_numbers,):
            raise ShapeError(
                "the input",
                f"(m, {', '.join(map(str, self.shape))}), one example per row",
                str(X.shape),
                "X.reshape(1, -1) if this is a single example"
                if X.shape == self.shape
                else "the columns or the image size with which the network was trained",
            )
        inputs = self._inputs_for(X) if self.inputs.kind == "pixels" else self.inputs
        if is_streamed(X):
            return scaled_rows(X, inputs)
        scaled = inputs.apply(X.reshape(len(X), *self.shape), names)
        return scaled.reshape(len(X), -1)

    def _sequences(self, X: Any) -> Sequences:
        """Return scaled sequences of numbers, or the ids of texts."""
        if self.vocabulary is not None:
            texts = as_texts(X)
            check_texts(texts, "the texts")
            missing = self.vocabulary.unknown(texts)
            if len(missing) > 0.1 * len(self.vocabulary):
                message = f"the texts: {count_of(len(missing), 'character')} such as "
                message += f"{missing[:10]!r} did not occur in training, and are read as unknown"
                warnings.warn(message, DataWarning, stacklevel=4)
            return self.vocabulary.encode(texts)
        X, n_x = as_sequences(X), self.n_numbers
        if X.ndim != 3 or X.shape[2] != n_x:
            hint = "the numbers of each step with which the network was trained"
            if X.shape[1:] == (n_x, 1):
                hint = "X[None] if this is a single sequence"
            raise ShapeError("the input", f"(m, T, {n_x})", str(X.shape), hint)
        X = filled_steps(X, self.inputs.undo(np.zeros((1, n_x)))[0])
        values = self.inputs.apply(X.values.reshape(-1, n_x), self.names).reshape(X.shape)
        return Sequences(np.where(X.real()[..., None], values, np.float32(0)), X.lengths)

    def targets(self, y: np.ndarray) -> np.ndarray:
        """Encode labels as Y (m, n_L) in float32, the form that the cost takes."""
        Y = self.labels.encode(y)
        return self.outputs.apply(Y if self.exact else Y.astype(np.float32))

    def probabilities(self, Z: np.ndarray) -> np.ndarray:
        """Return the calibrated probability of each class (m, C), from Z (m, n_L)."""
        A = self._activations(Z)
        return np.hstack([1 - A, A]) if self.cost == "logistic" else A

    def predicted_classes(self, Z: np.ndarray) -> np.ndarray:
        """Return the index of the predicted class (m,), from Z (m, n_L)."""
        if self.cost == "softmax":
            return Z.argmax(axis=1)
        above = Z > 0 if self.threshold == 0.5 else self._activations(Z) > self.threshold
        return above[:, 0].astype(np.intp)

    def _activations(self, Z: np.ndarray) -> np.ndarray:
        """Return A (m, n_L), the activation of Z / T that belongs to the cost."""
        return probabilities(Z, self.cost, self.temperature)

    def calibrated(
        self, Z: np.ndarray, Y: np.ndarray, weights: np.ndarray | None
    ) -> "tuple[Preprocessor, Calibration | None]":
        """Return the preprocessor with the temperature for the outputs and targets of a dev set."""
        found = None
        if self.labels.task == "classification":
            found = calibration(Z, Y, weights, self.cost)
        return replace(self, temperature=found.temperature if found else 1.0), found

    def numbers(self, Z: np.ndarray) -> np.ndarray:
        """Convert the network's Z, or Y, to the target's units (m, n_L)."""
        return Z * self.outputs.scale + self.outputs.mean

    def answers(self, Z: np.ndarray) -> np.ndarray:
        """Return predictions: labels as they were written, or numbers in the target's units."""
        if self.labels.task == "regression":
            return self.labels.decode(self.numbers(Z))
        return np.array(self.labels.classes)[self.predicted_classes(Z)]

    def to_dict(self) -> dict[str, Any]:
        """Return everything except the arrays as plain data for JSON."""
        return {
            "columns": self.columns.to_dict() if self.columns else None,
            "normalize": self.inputs.kind,
            "labels": self.labels.to_dict(),
            "shape": list(self.shape),
            "threshold": self.threshold,
            "exact": self.exact,
            "white": self.white,
            "temperature": self.temperature,
            **({} if self.step_names is None else {"step_names": list(self.step_names)}),
            **({} if self.vocabulary is None else {"vocabulary": self.vocabulary.characters}),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the means and scales of the inputs and the target, for the weights file."""
        return self.inputs.arrays() | self.outputs.arrays("output")

    @classmethod
    def from_saved(cls, saved: dict[str, Any], arrays: dict[str, np.ndarray]) -> "Preprocessor":
        """Restore a preprocessor from what `to_dict` and `arrays` returned.

        Raises a ChainruleError if an entry is missing, or if the entries contradict each other.
        """
        convert(saved, SavedPreprocessor, "the preprocessor")
        labels = Labels.from_dict(saved["labels"])
        columns = None if saved["columns"] is None else Columns.from_dict(saved["columns"])
        kind_out = "standard" if labels.task == "regression" else "none"
        found = cls(
            columns,
            Normalizer.from_arrays(saved["normalize"], arrays),
            labels,
            Normalizer.from_arrays(kind_out, arrays, "output"),
            tuple(saved["shape"]),
            saved.get("threshold", 0.5),  # not stored by older versions
            saved.get("exact", False),
            saved.get("white", FULL),
            saved.get("temperature", 1.0),
            tuple(saved["step_names"]) if "step_names" in saved else None,
            Vocabulary.from_saved(saved["vocabulary"], "the vocabulary")
            if "vocabulary" in saved
            else None,
        )
        found._check_shapes()
        if not 1 / BETAS[1] <= found.temperature <= 1 / BETAS[0]:
            expected = f"a temperature from {1 / BETAS[1]:g} to {1 / BETAS[0]:g}"
            raise DataError("the preprocessor", expected, f"{found.temperature:g}")
        return found

    def _check_shapes(self) -> None:
        """Refuse columns and scales that do not belong to examples of this shape."""
        if self.columns is not None and self.shape != (len(self.columns.names),):
            expected = f"the shape of {count_of(len(self.columns.names), 'input')}"
            raise DataError("the preprocessor", expected, str(self.shape))
        if self.takes_sequences and (self.columns is not None or self.shape != self._step_shape):
            raise DataError("the preprocessor", f"the shape {self._step_shape}", str(self.shape))
        n_x = self.shape[-1] if self.shape else 1
        scales = {"input": (self.inputs, n_x), "output": (self.outputs, self.n_L)}
        for name, (scale, n) in scales.items():
            if scale.mean.size not in (1, n):
                expected = f"the shape () or ({n},)"
                raise DataError(f"the array {name}_mean", expected, str(scale.mean.shape))
        if self.inputs.kind in BY_QUANTILES and self.inputs.mean.shape != self.shape:
            got = str(self.inputs.mean.shape)
            raise DataError("the array input_mean", f"the shape {self.shape}", got)

    @property
    def _step_shape(self) -> tuple[int, ...]:
        """The shape of one step of sequences."""
        return () if self.step_names is None else (len(self.step_names),)

    def _inputs_for(self, X: Any) -> Normalizer:
        """Return how pixels are divided, and refuse those that have another range than in training.

        Where the training pixels were fractions up to 1, bytes are divided by 255.
        """
        white = float(self.inputs.scale)
        if X.dtype == np.uint8:
            if white == 1:
                return Normalizer("pixels", self.inputs.mean, np.array(255.0))
            if white > 255:
                got, hint = "bytes", "the images in the form in which the network was trained"
                raise DataError("the input", f"pixels from 0 to {white:g}", got, hint)
            return self.inputs
        _, most = value_range(X)
        fractions = are_fractions(X.dtype, most)
        if white == 1 and not fractions:
            got, hint = f"values up to {most:g}", f"X / {white_level(most):g}"
            raise DataError("the input", "pixels from 0 to 1, as in training", got, hint)
        if white > 1 and X.dtype.kind == "f" and fractions and most > 0:
            message = (
                f"the input: no pixel is above {most:.3g}, but pixels are divided by {white:g}, "
            )
            message += f"as in training; if they are fractions, multiply them by {white:g}"
            warnings.warn(message, DataWarning, stacklevel=4)
        return self.inputs

    def _table(self, X: Any):
        """Return X as a table; an array's columns are taken in the order used in training."""
        if hasattr(X, "iloc"):
            return X
        import pandas as pd

        known: Sequence[str] = [column.name for column in self.columns.columns]  # pyright: ignore
        X = np.asarray(X)
        if X.ndim != 2 or X.shape[1] != len(known):
            expected = f"(m, {len(known)}), the columns {', '.join(map(str, known[:8]))}"
            raise ShapeError("the input", expected, str(X.shape), "a table with these columns")
        return pd.DataFrame(X, columns=list(known))


class SavedPreprocessor(TypedDict):
    """The result of `Preprocessor.to_dict`; earlier versions did not store the last entries."""

    columns: dict[str, Any] | None
    normalize: str
    labels: dict[str, Any]
    shape: list[Positive]
    threshold: NotRequired[Share]
    exact: NotRequired[bool]
    white: NotRequired[Positive]
    temperature: NotRequired[Above0]
    step_names: NotRequired[list[str]]
    vocabulary: NotRequired[str]


def are_pixels(X: Any) -> bool:
    """Return whether an array holds pixels: bytes, or images without values below 0."""
    return X.dtype == np.uint8 or (X.ndim > 2 and value_range(X)[0] >= 0)


MANY_TEXTS = 200
FEWEST = 2
"""With many texts, a character has to occur in two of them to be in the vocabulary."""


def are_texts(X: Any) -> bool:
    """Return whether the examples are texts."""
    return isinstance(X, np.ndarray) and X.dtype.kind in "OU" and X.ndim == 1


def as_texts(X: Any) -> list[str]:
    """Return the texts of a list, an array or a column; refuse anything else."""
    texts = [X] if isinstance(X, str) else list(np.asarray(X, object).ravel())
    other = next((one for one in texts if not isinstance(one, str)), None)
    if other is not None:
        raise DataError("the input", "texts", f"{type(other).__name__} {other!r}", "str(…)")
    return texts


def as_sequences(X: Any) -> Sequences:
    """Return sequences: those given, an array (m, T, n_x), or a list of arrays (T, n_x).

    Steps at the end of an array that are all nan only pad it.
    """
    if isinstance(X, Sequences):
        return X
    if isinstance(X, np.ndarray) and X.dtype != object:
        X = X[..., None] if X.ndim == 2 else X
        return Sequences(X, _lengths_before_nan(X) if X.ndim == 3 else np.zeros(len(X), np.int32))
    arrays = [np.asarray(one, float) for one in X]
    return Sequences.of([one[:, None] if one.ndim == 1 else one for one in arrays])


def _lengths_before_nan(X: np.ndarray) -> np.ndarray:
    """Return the number of steps of each sequence up to the last one that is not all nan."""
    T = X.shape[1]
    there = np.full(X.shape[:2], True)
    if X.dtype.kind == "f":
        there = np.logical_not(np.isnan(X).all(axis=2))
    return np.where(there.any(axis=1), T - np.argmax(there[:, ::-1], axis=1), 0).astype(np.int32)


def filled_steps(X: Sequences, means: np.ndarray | None = None) -> Sequences:
    """Return the sequences with missing numbers filled by the last one before, or else the next.

    A number that a sequence never has becomes the given mean, or that of all other sequences.
    """
    values = np.asarray(X.values)
    missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    if not missing.any():
        return X
    missing &= X.real()[..., None]
    steps = np.arange(values.shape[1])[None, :, None]
    last = np.maximum.accumulate(np.where(missing, -1, steps), axis=1)
    first = np.argmin(missing, axis=1)[:, None]
    source = np.where(last < 0, first, last)
    filled = np.take_along_axis(values, source, axis=1)
    count = (~missing & X.real()[..., None]).sum(axis=(0, 1))
    usual = np.nansum(np.where(missing, 0, values), axis=(0, 1)) / np.maximum(count, 1)
    usual = usual if means is None else means
    return Sequences(np.where(np.isnan(filled), usual, filled), X.lengths)


SMALLEST = 6
"""The smallest side of a square image; smaller squares are treated as unnamed columns."""


def picture_shape(preprocessor: Preprocessor) -> tuple[int, ...] | None:
    """Return (n_H, n_W) or (n_H, n_W, n_C) of one example, or None if it is not an image.

    64 unnamed numbers are taken as 8 × 8 pixels, 12,288 as 64 × 64 pixels in three colours.
    """
    if preprocessor.columns is not None or preprocessor.takes_sequences:
        return None
    if len(preprocessor.shape) > 1:
        return preprocessor.shape
    return square(preprocessor.n_numbers)


def square(n_x: int) -> tuple[int, ...] | None:
    """Return the shape of the square image, grey or in three colours, with n_x numbers.

    >>> square(64), square(12288), square(30), square(4)
    ((8, 8), (64, 64, 3), None, None)
    """
    for colours in (1, 3):
        side = isqrt(n_x // colours)
        if side >= SMALLEST and side * side * colours == n_x:
            return (side, side) if colours == 1 else (side, side, 3)
    return None
