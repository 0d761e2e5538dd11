"""Encode the target, classes or numbers, for the network, and decode predictions into labels.

    two classes     Y (m, 1) of 0 and 1     logistic cost
    C classes       Y (m, C), one-hot       softmax cost
    numbers         Y (m, k)                squared cost

Text, booleans and at most 20 distinct integers are treated as classes, unless `--task` is given. So
is a one-hot target, whose columns stand for the classes: exactly one number of each row is 1, and
the others are 0.
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any, Literal

import numpy as np

from chainrule.choices import TASKS
from chainrule.data.dataset import Dataset
from chainrule.errors import DataError, DataWarning, OptionError, check_choice
from chainrule.formatting import count_of
from chainrule.host.reading import convert

Task = Literal["classification", "regression"]
FEW = 20  # distinct integers that are still treated as classes
MOST = 1000  # classes
KINDS = {bool: "booleans", int: "integers", float: "numbers", str: "texts", np.str_: "texts"}


@dataclass(frozen=True)
class Labels:
    """The task (classification or regression), and the encoding of the target.

    classes    in sorted order, with their type; empty for regression
    names      names of the classes, for plots and tables
    n_outputs  number of network outputs

    >>> labels = Labels.learn(np.array(["no", "yes", "yes", "no"]))
    >>> labels.task, labels.classes, labels.cost
    ('classification', ('no', 'yes'), 'logistic')
    >>> labels.decode(np.array([[0.9], [0.2]])).tolist()
    ['yes', 'no']
    """

    task: Task
    classes: tuple[str | int | bool | float, ...]
    names: tuple[str, ...]
    n_outputs: int

    @classmethod
    def learn(
        cls, y: np.ndarray, task: str | None = None, classes: Sequence[str] | None = None
    ) -> "Labels":
        """Infer the task and the classes from all labels; `classes` names the labels 0, 1, ….

        Of labels that are text, `classes` is a list that contains them.
        """
        if task is not None:
            check_choice("--task", task, TASKS)
        y = _column(np.asarray(y))
        codes = None if task == "regression" else one_hot_codes(y)
        y = y if codes is None else codes
        if y.ndim == 2:
            _check_one_column(y, task)
            _warn_of_several_labels(y, task)
            return cls("regression", (), (), y.shape[1])
        values = _values(y)
        kind = _kind(values)
        counts = Counter(values)
        if task is None:
            few = kind == "integers" and (len(counts) <= FEW or classes is not None)
            task = "classification" if kind in ("texts", "booleans") or few else "regression"
        if task == "regression":
            _numbers(y)
            return cls("regression", (), (), 1)
        _check_classes(counts, kind)
        if kind == "texts":
            _warn_of_case(counts)
        found = tuple(sorted(counts))
        return cls("classification", found, _names(found, classes), _outputs(len(found)))

    @property
    def cost(self) -> Literal["logistic", "softmax", "squared"]:
        """Return the cost that fits the target."""
        if self.task == "regression":
            return "squared"
        return "logistic" if len(self.classes) == 2 else "softmax"

    @property
    def are_text(self) -> bool:
        """Return whether the classes are text values."""
        return bool(self.classes) and isinstance(self.classes[0], str)

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Return the encoded targets Y, (m, n_outputs): classes in float32, numbers in float64."""
        y = _column(np.asarray(y))
        if self.task == "regression":
            return self._encode_numbers(y)
        y = self._from_one_hot(y) if y.ndim == 2 else y
        values = _values(y)
        codes = self._codes(values)
        self._check_seen(values, codes)
        if self.n_outputs == 1:
            return codes[:, None].astype(np.float32)
        Y = np.zeros((len(codes), self.n_outputs), np.float32)
        Y[np.arange(len(codes)), codes] = 1
        return Y

    def unseen(self, y: np.ndarray) -> np.ndarray:
        """Return the mask of the labels (m,) that did not occur in training."""
        y = _column(np.asarray(y))
        if self.task == "regression" or y.ndim == 2:
            return np.zeros(len(y), bool)
        return self._codes(_values(y)) < 0

    def _codes(self, values: list) -> np.ndarray:
        """Return the index of the class of each label, −1 for a label not seen in training."""
        index = {label: i for i, label in enumerate(self.classes)}
        found = (index.get(self._typed(value), -1) for value in values)
        return np.fromiter(found, np.intp, len(values))

    def decode(self, rows: np.ndarray) -> np.ndarray:
        """Return labels for probabilities (m, 1) or (m, C); in regression, return the numbers."""
        rows = np.asarray(rows)
        if self.task == "regression":
            return rows[:, 0] if self.n_outputs == 1 else rows
        index = (rows[:, 0] > 0.5).astype(np.intp) if self.n_outputs == 1 else rows.argmax(axis=1)
        return np.array(self.classes)[index]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-compatible data; `from_dict` restores the same labels with their types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "Labels":
        """Restore the labels from the result of `to_dict`, and refuse what contradicts itself."""
        labels = convert(saved, cls, "the labels")
        C, n_L = len(labels.classes), labels.n_outputs
        if labels.task == "regression":
            fits = C == 0 and n_L >= 1
        else:
            distinct = len({*labels.classes}) == C and not any(map(_missing, labels.classes))
            fits = C >= 2 and distinct and len(labels.names) == C and n_L == _outputs(C)
        if not fits:
            got = f"{C} classes, {len(labels.names)} names and {count_of(n_L, 'output')}"
            raise DataError("the labels", "distinct classes, each with a name", got)
        if C:
            _kind(list(labels.classes))
        return labels

    def _typed(self, value: Any) -> Any:
        """Return a label in the type of the classes: the number 2 is the class "2", and vice versa.

        >>> Labels("classification", ("1", "2"), ("1", "2"), 1)._typed(2.0)
        '2'
        """
        if self.are_text and not isinstance(value, str):
            whole = isinstance(value, float) and value.is_integer()
            return str(int(value) if whole else value)
        if isinstance(value, str) and not self.are_text:
            try:
                return float(value)
            except ValueError:
                return value
        return value

    def _from_one_hot(self, y: np.ndarray) -> np.ndarray:
        """Return the class of each row of a one-hot target."""
        codes, C = one_hot_codes(y), len(self.classes)
        if codes is None or (self.are_text and y.shape[1] != C):
            expected = f"one class per row, or {C} columns with a single 1 in each row"
            got = count_of(y.shape[1], "column")
            raise DataError("the target", expected, got, "one label per row")
        return np.array(self.classes)[codes] if self.are_text else codes

    def _encode_numbers(self, y: np.ndarray) -> np.ndarray:
        """Return the target of a regression, (m, n_outputs) in float64."""
        Y = _numbers(y)
        if Y.shape[1] != self.n_outputs:
            raise DataError("the target", count_of(self.n_outputs, "column"), str(Y.shape[1]))
        return Y

    def _check_seen(self, values: list, codes: np.ndarray) -> None:
        """Refuse a label that did not occur in training."""
        if (codes >= 0).all():
            return
        unseen = Counter(value for value, code in zip(values, codes, strict=True) if code < 0)
        listed = ", ".join(f"{value!r} ({n:,})" for value, n in unseen.most_common(3))
        known = ", ".join(repr(label) for label in self.classes[:10])
        more = f" and {len(self.classes) - 10} more" if len(self.classes) > 10 else ""
        hint = "training with rows of this class, or removing these rows"
        raise DataError("the target", f"the classes seen in training, {known}{more}", listed, hint)


def one_hot_codes(y: np.ndarray) -> np.ndarray | None:
    """Return the column of the 1 in each row, or None if the target is not one-hot.

    >>> one_hot_codes(np.array([[0.0, 1.0], [1.0, 0.0]])).tolist()
    [1, 0]
    """
    if y.ndim != 2 or y.shape[1] < 2 or not len(y) or y.dtype.kind not in "biuf":
        return None
    whole = ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all()
    return y.argmax(axis=1) if whole else None


def one_hot_as_classes(dataset: Dataset) -> Dataset:
    """Replace a one-hot target by classes: the names of its columns in a table, or 0, 1, …."""
    codes = None if dataset.y is None else one_hot_codes(np.asarray(dataset.y))
    if codes is None:
        return dataset
    names = [name.strip() for name in (dataset.target or "").split(",")]
    named = dataset.is_table and len(names) == np.asarray(dataset.y).shape[1]
    return replace(dataset, y=np.array(names)[codes] if named else codes)


def with_known_labels(dataset: Dataset, labels: Labels) -> Dataset:
    """Return the rows whose label occurred in training, and warn about the others, if any.

    If no row is left, all are returned, and `Labels.encode` refuses them.
    """
    unseen = np.zeros(0, bool) if dataset.y is None else labels.unseen(dataset.y)
    if not unseen.any() or unseen.all():
        return dataset
    assert dataset.y is not None
    counts = Counter(_values(np.asarray(dataset.y)[unseen]))
    listed = ", ".join(f"{label!r} ({n:,})" for label, n in counts.most_common(3))
    more = f" and {len(counts) - 3:,} more" if len(counts) > 3 else ""
    rows = count_of(int(unseen.sum()), "row")
    message = f"{dataset.name}: {rows} of {len(unseen):,} left out, whose labels did not occur in "
    warnings.warn(f"{message}training: {listed}{more}.", DataWarning, stacklevel=3)
    return dataset.rows(np.flatnonzero(~unseen))


def _warn_of_several_labels(y: np.ndarray, task: str | None) -> None:
    """Warn that several labels per example are predicted as numbers."""
    if task is None and y.dtype.kind in "biuf" and set(np.unique(y)) == {0, 1}:
        message = (
            f"the {y.shape[1]} columns of the target have only 0 and 1, but not one 1 in each row: "
            "they are predicted as numbers. For several labels per example, use "
            "chainrule.NetworkClassifier; --task regression confirms that they are numbers."
        )
        warnings.warn(message, DataWarning, stacklevel=2)


def _outputs(n_classes: int) -> int:
    """Return the number of outputs; two classes need only one logistic unit."""
    return 1 if n_classes == 2 else n_classes


def _column(y: np.ndarray) -> np.ndarray:
    """Reshape (m, 1) to (m,)."""
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def _values(y: np.ndarray) -> list:
    """Return the labels as plain Python str, int, bool or float; refuse missing ones."""
    values = y.tolist()
    if y.dtype.kind == "S":
        values = [value.decode() for value in values]
    if y.dtype.kind == "O":
        values = [_plain(value) for value in values]
    if y.dtype.kind in "fO":
        missing = [i for i, value in enumerate(values) if _missing(value)]
        if missing:
            rows = "1 row" if len(missing) == 1 else f"{len(missing):,} rows"
            got = f"{rows} without a label, the first of them row {missing[0]}"
            raise DataError("the target", "a label in every row", got, "removing these rows")
    return values


def _plain(value: Any) -> Any:
    """Return a label as Python's str, int, float or bool: NumPy's, Decimal and bytes become these.

    >>> _plain(Decimal("2.0")), _plain(Decimal("2.5")), _plain(b"a")
    (2, 2.5, 'a')
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Decimal) and value.is_finite():
        return int(value) if value == value.to_integral_value() else float(value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _warn_of_case(counts: Counter) -> None:
    """Warn about labels that differ only in upper and lower case."""
    spellings: dict[str, list[str]] = {}
    for label in counts:
        spellings.setdefault(str(label).casefold(), []).append(str(label))
    doubled = next((sorted(words) for words in spellings.values() if len(words) > 1), None)
    if doubled:
        listed = ", ".join(f"{word!r} ({counts[word]:,})" for word in doubled)
        message = f"the target: {listed} are different classes; write them alike if they are one."
        warnings.warn(message, DataWarning, stacklevel=4)


def _missing(value: object) -> bool:
    """Return whether a value is None, NaN, NaT or pandas' NA (which has no truth value)."""
    if isinstance(value, np.ndarray | list | dict | set):  # refused as a label just afterwards
        return False
    return value is None or type(value).__name__ == "NAType" or value != value


def _kind(values: list) -> str:
    """Return the common type of all labels; refuse mixed types."""
    types = Counter(map(type, values))
    if set(types) <= KINDS.keys():
        kinds = {KINDS[kind] for kind in types}
        if len(kinds) == 1:
            return kinds.pop()
        if kinds == {"integers", "numbers"}:
            return "numbers"
    listed = [f"{n:,} {KINDS.get(kind, kind.__name__)}" for kind, n in types.most_common()]
    hint = "writing all labels of the column in the same way"
    got = " and ".join(listed) or "no rows"
    raise DataError("the target", "labels of one type: text, booleans or numbers", got, hint)


def _numbers(y: np.ndarray) -> np.ndarray:
    """Return the target as (m, k) in float64, all within the range of float32."""
    try:
        numbers = y.reshape(len(y), -1).astype(np.float64)
    except (TypeError, ValueError):
        hint = "--task classification"
        raise DataError("the target", "numbers, for regression", "text", hint) from None
    beyond = ~(np.abs(numbers) <= np.finfo(np.float32).max)
    if beyond.any():
        row, column = np.argwhere(beyond)[0]
        hint = "removing these rows"
        got = f"{numbers[row, column]} in row {row}"
        raise DataError("the target", "a finite number in every row", got, hint)
    return numbers


def _check_classes(counts: Counter, kind: str) -> None:
    """Refuse a single class, a class with one example, and too many classes."""
    numeric = kind in ("integers", "numbers")
    regression = "--task regression, if these are quantities, or " if numeric else ""
    if len(counts) > MOST:
        hint = f"{regression}another column: this one looks like an identifier"
        raise DataError("the target", f"at most {MOST:,} classes", f"{len(counts):,}", hint)
    if len(counts) == 1:
        hint = f"{regression}a target that varies"
        raise DataError("the target", "at least two classes", f"only {next(iter(counts))!r}", hint)
    single = sorted(label for label, n in counts.items() if n == 1)
    if single:
        listed = ", ".join(repr(label) for label in single[:5])
        more = f" and {len(single) - 5} more" if len(single) > 5 else ""
        hint = f"{regression}removing it, merging it with another class, or adding examples"
        got = f"only one example of {listed}{more}"
        raise DataError("the target", "at least two examples of each class", got, hint)


def _names(found: tuple, given: Sequence[str] | None) -> tuple[str, ...]:
    """Return the class names; `given` names the labels 0, 1, …, or lists labels that are text."""
    if given is None or {*found} <= {*given}:
        return tuple(str(label) for label in found)
    if not all(label in range(len(given)) for label in found):
        got = ", ".join(repr(label) for label in found[:10])
        expected = f"labels from 0 to {len(given) - 1}, one per class name"
        raise DataError("the target", expected, got, "giving a name to each label")
    return tuple(str(given[int(label)]) for label in found)


def _check_one_column(y: np.ndarray, task: str | None) -> None:
    """Accept several target columns only for regression."""
    if task == "classification":
        hint = "one of the columns, or --task regression"
        raise OptionError("--task classification", "one target column", str(y.shape[1]), hint)
    _numbers(y)
