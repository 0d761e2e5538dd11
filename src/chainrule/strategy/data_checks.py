"""Check the data of a run: leaking columns, duplicate rows across sets, contradictory labels.

A leaking column predicts the target by itself, although the task is not that easy:

    rule    predict, for each value of the column, the most frequent class of the training examples
            with that value, or their mean rank; a new number is treated as the nearest known one
    score   the accuracy of the rule on dev, or R² of the ranks

The rule is learned on the training set and confirmed on the dev set. A column is reported if its
rule is wrong on at most 2 % of each set, and the best other column's error is at least 10
percentage points higher.

The share of wrong labels is estimated from the labels that contradict similar examples; notes:
"Cleaning up incorrectly labeled data" (course 3, week 2).

    K      exp(−Σ aⱼ (xⱼ − x′ⱼ)² / (2s²)), s the median distance of the training rows
    G      (K + λI)⁻¹,  α = G Y
    f      Yᵢ − αᵢ / Gᵢᵢ: the prediction for example i from all other examples (kernel ridge
           regression, leave-one-out); the class shares are subtracted from Y and added back to f
    aⱼ     the mean of (∂f/∂xⱼ)²: the relevance of column j, estimated in two rounds
    sure   the quarter of the examples with the largest margin between the two best classes in f

Errors near a class boundary have a small margin, while wrong labels occur everywhere, so they are
as frequent in the sure quarter as in the whole sample. The share of contradictions in the sure
quarter therefore estimates the share of wrong labels. The estimate is trusted when it is at least
two fifths of the share of contradictions in the whole sample and f predicts clearly better than
always guessing the most frequent class; unless the error of f is less than half of that guess's,
the next quarter must also not contain significantly more contradictions (1.5 standard errors).
Labels that the columns cannot predict look the same as wrong labels, and labels that are wrong in
the same way everywhere are not detected.

For these checks, columns become integer codes. The values of a text column are its categories. The
values of a numeric column are its distinct numbers in the training set; a number that is not among
them gets the code of the nearest one. A missing cell is a value of its own.

Rows of dev or test that are also in the training set, exactly or nearly, are another leak:

    exact   the same values in every column
    near    the nearest training row is within a fiftieth of the distance to the 50th nearest

With few columns of few values each, rows repeat by chance: m times the product over the columns of
Σ n (n − 1) / (m (m − 1)) times, where n of the m examples have the same value. In d dimensions a
row is near by chance in 50 · (1/50)^d of all cases; d = log 2 / log(r₅₀/r₂₅) is estimated from
the distances r.

Inputs that are constant in most examples carry hardly any information. A named column is reported
if at least 99 % of the training examples have the same number in it. Pixels and unnamed numbers are
reported if that is true of three quarters of them: images were then read with the wrong scale, or
are empty.

A text column that has most of the inputs, with few training examples for each, lets a network
memorise its training set. Where the variance is high, the column is named as its cause.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from chainrule.data.column_types import DateColumn, TextColumn, override
from chainrule.data.dataset import Dataset
from chainrule.data.split import array_hashes, sequence_hashes, table_hashes
from chainrule.data.streaming import rows_that_fit, thin_columns
from chainrule.formatting import count_of
from chainrule.runs.prepare import Data, is_sequences
from chainrule.runs.preprocessing import Preprocessor
from chainrule.strategy.findings import (
    CONSTANT,
    LEAK,
    MANY_CATEGORIES,
    WRONG_LABELS,
    Finding,
    amount,
    codes,
    mean_error,
    unit_of,
)
from chainrule.strategy.uncertainty import wilson

NEIGHBOUR_SAMPLE = 700
NEIGHBOUR_FEWEST = 200
ROUNDS = 2
LAMBDA = 1.0
LAMBDAS = (0.1, 1.0, 5.0)
SURE = 4
"""The examples with the largest margins count as sure, one in this many of all examples."""
AS_MANY = 0.4
NO_BETTER, LITTLE_BETTER = 0.8, 0.5
"""The error of f as a fraction of the error of guessing the most frequent class."""
CHANCE = 1.5
OR_UNKNOWN = ": these labels are wrong, or the columns cannot predict them"
DOUBT = ": no more than overlapping classes would explain"
CONTRADICTIONS_MATTER = 0.03


def contradictions(data: Data, *, dev_is_cleaner: bool = False) -> Finding | None:
    """Estimate the share of wrong training labels; None for regression and for few examples.

    Also None when the leave-one-out predictions f are hardly better than guessing the most frequent
    class, since contradictions mean nothing then. With `dev_is_cleaner` (the dev error is
    significantly below the training error, so the dev labels are better) the estimate is always
    trusted.
    """
    train = data.parts["train"]
    if data.preprocessor.labels.task == "regression" or len(train.X) < NEIGHBOUR_FEWEST:
        return None
    pick = np.random.default_rng(0).permutation(len(train.X))[:NEIGHBOUR_SAMPLE]
    y = codes(train.Y[pick])
    f = leave_one_out(thin_columns(train.X, pick).astype(np.float32), y)
    wrong = f.argmax(axis=1) != y
    ordered = np.sort(f, axis=1)
    order = np.argsort(ordered[:, -2] - ordered[:, -1], kind="stable")
    n = len(y) // SURE
    share, second = float(wrong[order[:n]].mean()), float(wrong[order[n : 2 * n]].mean())
    low, high = wilson(share, n)
    everywhere, guess = float(wrong.mean()), float(1 - np.bincount(y).max() / len(y))
    if everywhere >= NO_BETTER * guess and not dev_is_cleaner:
        return None
    trusted = dev_is_cleaner or _is_trusted(share, second, n, everywhere, guess)
    found = low > CONTRADICTIONS_MATTER and trusted
    words = f"{amount(share, 'share')} of the clear-cut training labels contradict similar examples"
    words += OR_UNKNOWN if found else DOUBT if low > CONTRADICTIONS_MATTER else ""
    return Finding(WRONG_LABELS, share, low, high, "share", found, words)


def _is_trusted(share: float, second: float, n: int, everywhere: float, guess: float) -> bool:
    """Return whether the contradictions look like wrong labels and not like overlapping classes.

    share, second   the share of contradictions in the sure quarter and in the next one, n each
    everywhere      the share of contradictions in the whole sample
    guess           the error of guessing the most frequent class
    """
    p = (share + second) / 2
    flat = second - share <= CHANCE * float(np.sqrt(2 * p * (1 - p) / n))
    predictable = flat or everywhere < LITTLE_BETTER * guess
    return predictable and share >= AS_MANY * everywhere


def leave_one_out(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return f (m, C), the leave-one-out predictions, with the λ that makes the fewest errors."""
    Y = np.eye(int(y.max()) + 1, dtype=X.dtype)[y]
    shares = Y.mean(axis=0)
    Y = Y - shares
    a = np.ones(X.shape[1], X.dtype)
    for _ in range(ROUNDS):
        K, s2 = kernel(X, a)
        alpha = np.linalg.solve(K + LAMBDA * np.eye(len(K), dtype=X.dtype), Y)
        a = relevance(X, K, alpha) * (a / s2) ** 2
        a = a / a.mean() if a.any() else np.ones_like(a)
    K, _ = kernel(X, a)
    predictions = [shares + left_out(K, Y, strength) for strength in LAMBDAS]
    return min(predictions, key=lambda f: float((f.argmax(axis=1) != y).mean()))


def kernel(X: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel matrix K (m, m) and s²."""
    scaled = X * np.sqrt(a)
    squares = (scaled**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * scaled @ scaled.T, 0)
    s2 = np.maximum(np.median(distances), 1e-6)
    return np.exp(-distances / (2 * s2)), s2


def relevance(X: np.ndarray, K: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return for each column Σ over examples and classes of (Σ αⱼ Kᵢⱼ (xⱼ − xᵢ))²."""
    total = np.zeros(X.shape[1], X.dtype)
    for column in alpha.T:
        weights = K * column
        total += ((weights @ X - weights.sum(axis=1, keepdims=True) * X) ** 2).sum(axis=0)
    return total


def left_out(K: np.ndarray, Y: np.ndarray, strength: float) -> np.ndarray:
    """Return the predictions (m, C), each made without the example's own label."""
    G = np.linalg.inv(K + strength * np.eye(len(K), dtype=K.dtype))
    return Y - G @ Y / np.diag(G)[:, None]


class Coded(NamedTuple):
    """A column: its name, its codes (0, 1, …) in each set, and the number of distinct values."""

    name: str
    codes: tuple[np.ndarray, ...]
    values: int


def coded_columns(preprocessor: Preprocessor, *parts: np.ndarray) -> Iterator[Coded]:
    """Encode each column of the sets' X (m, n_x); the values are those of the first set."""
    first, parts = 0, tuple(map(preprocessor.inputs.numbers_in, parts))
    for name, width, is_text in _columns(preprocessor):
        blocks = [X[:, first : first + width] for X in parts]
        first += width
        codes = _text_codes(blocks) if is_text else _number_codes(blocks)
        yield Coded(name, codes, 1 + max(int(c.max(initial=0)) for c in codes))


def _columns(preprocessor: Preprocessor) -> Iterator[tuple[str, int, bool]]:
    """Yield (name, how many numbers an example has of it, whether it is text) for each column."""
    if preprocessor.columns is None:
        yield from ((name, 1, False) for name in preprocessor.names)
        return
    for column in preprocessor.columns.columns:
        if isinstance(column, DateColumn):  # whose inputs are numbers of their own
            yield from ((name, 1, False) for name in column.names)
        else:
            yield column.name, len(column.names), isinstance(column, TextColumn)


def _text_codes(blocks: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Return the code of each row's category, 0 for none; the one-hot inputs may be scaled."""
    least = blocks[0].min(axis=0, initial=np.inf)
    above = [B - least for B in blocks]
    return tuple(np.where(A.any(axis=1), A.argmax(axis=1) + 1, 0) for A in above)


def _number_codes(blocks: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Return the code of the nearest known value; a second input, if any, marks missing cells."""
    values = np.unique(blocks[0][:, 0])
    middles = (values[1:] + values[:-1]) / 2
    codes = tuple(np.searchsorted(middles, B[:, 0]) for B in blocks)
    if blocks[0].shape[1] == 1:
        return codes
    present = blocks[0][:, 1].min(initial=np.inf)
    pairs = zip(codes, blocks, strict=True)
    return tuple(np.where(B[:, 1] > present, len(values), code) for code, B in pairs)


PERFECT = 0.02
FAR = 0.10
LEAK_FEWEST = 20
LEAK_SAMPLE = 2000
MOST_COLUMNS = 1000


class RuleErrors(NamedTuple):
    """The errors of a rule that predicts the target from one column, on two sets."""

    name: str
    train: float
    held_out: float


def leaking_column(data: Data) -> Finding | None:
    """Return a finding on the column that predicts the target by itself, or None."""
    part = next((name for name in ("dev", "test") if name in data.parts), None)
    if (
        part is None
        or len(data.parts[part].X) < LEAK_FEWEST
        or data.preprocessor.n_numbers > MOST_COLUMNS
    ):
        return None
    train, held_out = (data.parts[name] for name in ("train", part))
    pick = np.random.default_rng(0).permutation(len(train.X))[:LEAK_SAMPLE]
    columns = coded_columns(data.preprocessor, np.asarray(train.X[pick]), np.asarray(held_out.X))
    if data.preprocessor.labels.task == "regression":
        ranks = _ranks(train.Y[pick], train.Y[pick]), _ranks(train.Y[pick], held_out.Y)
        errors = [_mean_rule(column, *ranks) for column in columns]
    else:
        Y = codes(train.Y[pick]), codes(held_out.Y)
        errors = [_majority_rule(column, *Y) for column in columns]
    return _finding(errors, part, len(held_out.X))


def _majority_rule(column: Coded, y: np.ndarray, y_held: np.ndarray) -> RuleErrors:
    """Predict the most frequent class of each value, and return the error rates."""
    C = 1 + int(max(y.max(), y_held.max()))
    table = np.bincount(column.codes[0] * C + y, minlength=column.values * C).reshape(-1, C)
    table[table.sum(axis=1) == 0] = np.bincount(y, minlength=C)  # values that train does not have
    rule = table.argmax(axis=1)
    train, held = (rule[code] != true for code, true in zip(column.codes, (y, y_held), strict=True))
    return RuleErrors(column.name, float(train.mean()), float(held.mean()))


def _mean_rule(column: Coded, Y: np.ndarray, Y_held: np.ndarray) -> RuleErrors:
    """Predict the mean of each value, and return the shares of variance not explained."""
    count = np.bincount(column.codes[0], minlength=column.values)
    shares = []
    for y, y_held in zip(Y.T, Y_held.T, strict=True):
        sums = np.bincount(column.codes[0], weights=y, minlength=column.values)
        rule = np.where(count > 0, sums / np.maximum(count, 1), y.mean())
        pairs = zip(column.codes, (y, y_held), strict=True)
        shares.append([_unexplained(true, rule[code]) for code, true in pairs])
    train, held = np.mean(shares, axis=0)
    return RuleErrors(column.name, float(train), float(held))


def _ranks(Y: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return the rank of each value among Y (m, k), from 0 to 1, column by column."""
    columns = zip(Y.T, of.T, strict=True)
    return np.stack([np.searchsorted(np.sort(y), v, side="right") for y, v in columns], 1) / len(Y)


def _unexplained(true: np.ndarray, predicted: np.ndarray) -> float:
    """Return 1 − R², the share of the variance that is not explained."""
    spread = float(((true - true.mean()) ** 2).sum())
    return float(((true - predicted) ** 2).sum()) / spread if spread else 1.0


def _finding(errors: list[RuleErrors], part: str, m: int) -> Finding | None:
    leaking = [one for one in errors if max(one.train, one.held_out) <= PERFECT]
    others = [one.held_out for one in errors if one not in leaking]
    if not leaking or not others or min(others) < FAR + leaking[0].held_out:
        return None
    best = min(leaking, key=lambda one: one.held_out)
    size = 1 - best.held_out
    words = (
        f"the column {best.name!r} alone predicts the target for {amount(size, 'share')} of "
        f"{part}, the next best column for {amount(1 - min(others), 'share')}: is its value known "
        "at the time of the prediction?"
    )
    return Finding(LEAK, size, *wilson(size, m), "share", True, words)


REPEATS_MATTER = 0.01
BY_CHANCE = 1e-4
NEIGHBOURS = 50
NEAR = 1 / 50
MATTERS_NEAR = 0.05
REPEAT_SAMPLE = 300, 3000
"""The number of held-out rows and of training rows that are compared."""
REMEDIES = (
    "remove these rows from the training data and train again: until then the errors are too low",
    "--group COLUMN, where rows belong together: a group is never split between two sets",
)


def repeated_rows(data: Data, each: Mapping[str, np.ndarray]) -> Finding | None:
    """Return a finding on the set that shares most rows with the training set, or None.

    `each` has the error of each example of every set.
    """
    counts = {second: n for (first, second), n in data.duplicates.items() if first == "train" and n}
    worst = max(counts, key=lambda name: counts[name] / len(data.sources[name]), default=None)
    if worst is None or _chance(data) > BY_CHANCE:
        return None
    m = len(data.sources[worst])
    share = counts[worst] / m
    low, high = wilson(share, m)
    if low < REPEATS_MATTER:
        return None
    words = f"{counts[worst]:,} of the {m:,} rows of {worst} are also in train"
    words += _without(data, worst, each)
    return Finding(LEAK, share, low, high, "share", True, words, REMEDIES)


def near_rows(data: Data) -> Finding | None:
    """Return a finding on a held-out set with many near-duplicates of training rows, or None."""
    X = data.parts["train"].X
    part = next((name for name in ("dev", "test") if name in data.parts), None)
    if part is None or len(X) <= NEIGHBOURS or X.shape[1] < 3:
        return None
    rng = np.random.default_rng(0)
    held, train = (
        thin_columns(values, rng.permutation(len(values))[:n]).astype(float)
        for values, n in zip((data.parts[part].X, X), REPEAT_SAMPLE, strict=True)
    )
    near, chance = _near(held, train)
    share, m = float(near.mean()), len(near)
    low, high = wilson(share, m)
    if low < MATTERS_NEAR + chance:
        return None
    words = f"{amount(share, 'share')} of the rows of {part} are nearly equal to a row of train"
    return Finding(LEAK, share, low, high, "share", True, words, REMEDIES)


def _near(held: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, float]:
    """Return which held-out rows are close to a training row, and the share expected by chance."""
    squares = (held**2).sum(axis=1)[:, None] + (train**2).sum(axis=1) - 2 * held @ train.T
    k = min(NEIGHBOURS, len(train)) - 1
    ranks = [0, k // 2, k]
    r1, r25, r50 = np.sqrt(np.maximum(np.partition(squares, ranks, axis=1)[:, ranks], 0)).T
    apart = r50 > 0
    growth = np.median(np.log(r50[apart] / np.maximum(r25[apart], 1e-12))) if apart.any() else 1.0
    d = np.log(2) / max(float(growth), 1e-12)
    return (r1 < NEAR * r50) & apart, NEIGHBOURS * NEAR**d


CONSTANT_IN = 0.99
MOST_INPUTS = 0.75
CONSTANT_FEWEST = 20
LISTED = 5
WRONG_SCALE = (
    "look at a few images as the network sees them: chainrule report RUN shows them",
    "--normalize standard, or images that are stored in the range of their type",
)
USELESS_COLUMNS = ("check how these columns were recorded, or leave them out",)


def constant_inputs(data: Data) -> Finding | None:
    """Return a finding on inputs with the same value in nearly all training examples, or None."""
    train, preprocessor = data.parts["train"].X, data.preprocessor
    if len(train) < CONSTANT_FEWEST:
        return None
    pick = np.random.default_rng(0).permutation(len(train))[
        : rows_that_fit(train, REPEAT_SAMPLE[1])
    ]
    X = preprocessor.inputs.numbers_in(np.asarray(train[np.sort(pick)]))
    names, columns = _number_inputs(preprocessor)
    middle = np.partition(X[:, columns], len(X) // 2, axis=0)[len(X) // 2]
    constant = np.flatnonzero((X[:, columns] == middle).mean(axis=0) >= CONSTANT_IN)
    share = len(constant) / max(1, len(columns))
    if not len(constant) or (preprocessor.columns is None and share < MOST_INPUTS):
        return None
    words = f"at least {100 * CONSTANT_IN:.0f} % of the training examples have the same value in "
    words += f"{len(constant):,} of {len(columns):,} inputs"
    if preprocessor.columns is not None:
        listed = ", ".join(repr(names[i]) for i in constant[:LISTED])
        words += f": {listed}" + (", …" if len(constant) > LISTED else "")
        return Finding(CONSTANT, share, share, share, "share", True, words, USELESS_COLUMNS)
    words += ": were the values read with the right scale?"
    return Finding(CONSTANT, share, share, share, "share", True, words, WRONG_SCALE)


MOST_OF_THEM = 0.5
CATEGORIES_FROM = 20
ROWS_EACH = 20


def many_categories(data: Data) -> Finding | None:
    """Return a finding on the text column with most of the inputs, and few rows for each."""
    columns, m = data.preprocessor.columns, len(data.parts["train"].X)
    texts = [one for one in columns.columns if isinstance(one, TextColumn)] if columns else []
    if not texts:
        return None
    worst, n_x = max(texts, key=lambda one: len(one.names)), data.preprocessor.n_x
    n = len(worst.names)
    if n < max(CATEGORIES_FROM, MOST_OF_THEM * n_x) or m > ROWS_EACH * n:
        return None
    words = f"the column {worst.name!r} became {n:,} of the {n_x:,} inputs, with "
    words += f"{count_of(round(m / n), 'training row')} for each of them on average"
    number = override("--number", worst.name)
    numbers = (f"{number}, if its values are numbers",) if worst.numeric else ()
    cures = (*numbers, f"{override('--drop', worst.name)}, or a column with fewer categories")
    return Finding(MANY_CATEGORIES, n / n_x, n / n_x, n / n_x, "share", True, words, cures)


def _number_inputs(preprocessor: Preprocessor) -> tuple[list[str], np.ndarray]:
    """Return the names and the positions of the inputs that are numbers, not categories."""
    names, positions, at = [], [], 0
    for name, width, is_text in _columns(preprocessor):
        if not is_text:
            names.append(name)
            positions.append(at)
        at += width
    return names, np.array(positions, np.intp)


def _without(data: Data, part: str, each: Mapping[str, np.ndarray]) -> str:
    """Compare the error on the rows that are not in train with the error on all rows."""
    new = ~np.isin(_hashes(data.sources[part]), _hashes(data.sources["train"]))
    if not new.any():
        return "; it has no other rows"
    weights, unit = data.parts[part].weights, unit_of(data.preprocessor)
    alone = mean_error(part, each[part][new], None if weights is None else weights[new], unit).error
    all_rows = mean_error(part, each[part], weights, unit).error
    on_new, on_all = amount(alone, unit), amount(all_rows, unit)
    return f"; the error is {on_new} on the other rows, {on_all} on all"


def _hashes(source: Dataset) -> np.ndarray:
    if source.is_table:
        return table_hashes(source.X)
    if is_sequences(source.X):
        return sequence_hashes(source.X)
    return array_hashes(source.X, np.dtype(np.uint8 if source.X.dtype == np.uint8 else float))


def _chance(data: Data) -> float:
    """Return how many training rows would equal a row by chance, if columns were independent."""
    X = data.parts["train"].X
    if data.preprocessor.takes_sequences:
        return 0.0
    sample, share = np.asarray(X[: rows_that_fit(X, REPEAT_SAMPLE[1])]), 1.0
    for column in coded_columns(data.preprocessor, sample):
        n, m = np.bincount(column.codes[0]), len(sample)
        share *= float((n * (n - 1)).sum()) / max(1, m * (m - 1))
        if share * len(X) < BY_CHANCE:
            return 0.0
    return share * len(X)
