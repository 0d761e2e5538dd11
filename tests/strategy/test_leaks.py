"""Leaks: a column that predicts the target, and rows that are in two sets, exactly or nearly."""

import numpy as np
import pandas as pd
import pytest

from chainrule.data.dataset import Dataset
from chainrule.data.labels import Labels
from chainrule.runs.prepare import preprocess_sets
from chainrule.strategy.data_checks import coded_columns, leaking_column, near_rows, repeated_rows
from chainrule.strategy.diagnosis import Diagnosis

rng = np.random.default_rng(0)


def data_of(train, dev):
    """Prepare a training set and a dev set, each (X, y)."""
    sources = {n: Dataset("made", *part) for n, part in (("train", train), ("dev", dev))}
    return preprocess_sets(sources, Labels.learn(train[1]), None)


def rows(m, n_x=5):
    X = rng.standard_normal((m, n_x))
    return X, (X[:, 0] + rng.standard_normal(m) > 0).astype(int)


def misses(data):
    return {name: np.zeros(len(part.X)) for name, part in data.parts.items()}


# a column that predicts the target


def test_a_leaking_column_is_found():
    train, dev = rows(300), rows(100)
    for X, y in (train, dev):
        X[:, 3] = 7 - 2 * y + 0.1 * rng.standard_normal(len(y))
    found = leaking_column(data_of(train, dev))
    assert found is not None
    assert (found.name, found.size, found.found) == ("leak", 1.0, True)
    assert found.words.startswith(
        "the column 'x4' alone predicts the target for 100.0 % of dev, the next best column for "
    )


def test_a_usual_task_has_no_leaking_column():
    assert leaking_column(data_of(rows(300), rows(100))) is None


def test_two_equally_good_columns_are_no_leak():
    train, dev = rows(300, 2), rows(100, 2)
    for X, y in (train, dev):
        X[:] = y[:, None]
    assert leaking_column(data_of(train, dev)) is None


def test_a_leaking_text_column_and_leaking_missing_cells():
    def table(m):
        y = rng.integers(2, size=m)
        code = np.where(y == 1, rng.choice(["a", "b"], m), rng.choice(["c", "d"], m))
        died = np.where(y == 1, rng.standard_normal(m), np.nan)
        return pd.DataFrame({"code": code, "died": died, "age": rng.integers(20, 80, m)}), y

    (X, y), (X_dev, y_dev) = table(300), table(100)
    for leaking, left in (("code", "died"), ("died", "code")):
        columns = [leaking, "age"]
        found = leaking_column(data_of((X[columns], y), (X_dev[columns], y_dev)))
        assert found is not None
        assert repr(leaking) in found.words
        assert left not in found.words


def test_a_number_that_determines_another():
    def part(m):
        X = rng.standard_normal((m, 3))
        return X, np.exp(X[:, 1])

    found = leaking_column(data_of(part(600), part(200)))
    assert found is not None
    assert "'x2'" in found.words
    X, y = part(600)
    noisy = y + rng.standard_normal(600)
    assert leaking_column(data_of((X, noisy), (X[:200], noisy[:200]))) is None


def test_codes_of_new_numbers_and_of_texts():
    table = pd.DataFrame({"n": [0.0, 10.0, 20.0] * 4, "word": ["b", "a"] * 6})
    dev = pd.DataFrame({"n": [-7.0, 4.0, 6.0, 99.0], "word": ["b", "a", "a", "b"]})
    data = data_of((table, np.arange(12) % 2), (dev, np.arange(4) % 2))
    number, word = coded_columns(data.preprocessor, data.parts["train"].X, data.parts["dev"].X)
    assert (number.name, number.codes[1].tolist(), number.values) == ("n", [0, 0, 1, 2], 3)
    assert (word.name, word.codes[1].tolist()) == ("word", [2, 1, 1, 2])


# rows in two parts


def test_rows_of_dev_that_are_in_train():
    train, (X, y) = rows(300), rows(100)
    X[:20], y[:20] = train[0][:20], train[1][:20]
    data = data_of(train, (X, y))
    each = misses(data)
    each["dev"][20:40] = 1  # of the 80 that are new a quarter is wrong
    found = repeated_rows(data, each)
    assert found is not None
    assert found.size == pytest.approx(0.2)
    assert found.words == (
        "20 of the 100 rows of dev are also in train; "
        "the error is 25.0 % on the other rows, 20.0 % on all"
    )


def test_the_remedy_for_repeated_rows_is_suggested_once():
    train = rows(300)
    data = data_of(train, (train[0][:50], train[1][:50]))
    found = [repeated_rows(data, misses(data)), near_rows(data)]
    remedy = "remove these rows from the training data"
    assert all(one is not None and remedy in one.cures[0] for one in found)
    steps = Diagnosis((), None, "share", "accuracy", tuple(found)).next_steps
    assert len(steps) == len(set(steps)) == 2


def test_all_rows_of_dev_are_in_train():
    train = rows(300)
    data = data_of(train, (train[0][:50], train[1][:50]))
    assert repeated_rows(data, misses(data)).words.endswith("; it has no other rows")


def test_rows_that_repeat_by_chance_are_no_leak():
    def dice(m):
        return rng.integers(2, size=(m, 4)).astype(float), rng.integers(2, size=m)

    data = data_of(dice(300), dice(100))
    assert data.duplicates["train", "dev"] == 100
    assert repeated_rows(data, misses(data)) is None


def test_one_row_in_two_parts_is_no_leak():
    train, (X, y) = rows(300), rows(100)
    X[0] = train[0][0]
    data = data_of(train, (X, y))
    assert repeated_rows(data, misses(data)) is None


def test_rows_of_dev_that_are_nearly_training_rows():
    train, (X, y) = rows(500), rows(100)
    assert near_rows(data_of(train, (X, y))) is None
    X[:30] = train[0][:30] + 0.002 * rng.standard_normal((30, 5))
    found = near_rows(data_of(train, (X, y)))
    assert found is not None
    assert found.size == pytest.approx(0.3, abs=0.03)
    assert "of the rows of dev are nearly equal to a row of train" in found.words


def test_rows_on_a_line_are_near_by_chance():
    t, s = rng.standard_normal((500, 1)), rng.standard_normal((100, 1))
    line, y = np.hstack([t, 2 * t, -t]), (t[:, 0] > 0).astype(int)
    other = np.hstack([s, 2 * s, -s]), (s[:, 0] > 0).astype(int)
    assert near_rows(data_of((line, y), other)) is None
