"""chainrule/data/split.py"""

import numpy as np
import pandas as pd
import pytest

from chainrule.data.split import duplicates_across


def test_by_hand():
    X = np.arange(12.0).reshape(4, 3)
    parts = {"train": X[:2], "dev": X[1:3], "test": np.concatenate([X[3:], X[:1], X[:1]])}
    assert duplicates_across(parts) == {
        ("train", "dev"): 1,
        ("train", "test"): 2,
        ("dev", "test"): 0,
    }


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, bool])
def test_values_count_and_types_do_not(dtype):
    X = np.array([[0, 1], [1, 1]])
    assert duplicates_across({"train": X.astype(float), "test": X.astype(dtype)}) == {
        ("train", "test"): 2
    }
    assert duplicates_across({"train": X.astype(dtype), "test": X.astype(dtype)}) == {
        ("train", "test"): 2
    }


def test_minus_zero_is_zero():
    assert duplicates_across({"a": np.array([[0.0]]), "b": np.array([[-0.0]])}) == {("a", "b"): 1}


def test_images_and_empty_sets():
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    parts = {"train": images, "dev": images[:0], "test": images[::-2]}
    assert duplicates_across(parts) == {
        ("train", "dev"): 0,
        ("train", "test"): 3,
        ("dev", "test"): 0,
    }


def test_tables():
    train = pd.DataFrame({"age": [1, 2, 3], "town": ["Oslo", "Rome", None]})
    test = pd.DataFrame({"age": [1.0, 2.0, 3.0, np.nan], "town": ["Oslo", "Oslo", None, "Rome"]})
    assert duplicates_across({"train": train, "test": test}) == {("train", "test"): 2}
    whole = train.astype({"age": "Int64", "town": "category"})
    assert duplicates_across({"train": whole, "test": test}) == {("train", "test"): 2}


def test_tables_count_values_and_not_types():
    train = pd.DataFrame({"a": [0.0, 1.0], "b": [True, False]})
    test = pd.DataFrame({"a": [-0.0, 1.0], "b": [1, 1]})
    assert duplicates_across({"train": train, "test": test}) == {("train", "test"): 1}


def test_finds_what_a_set_of_rows_finds():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 3, (500, 4)), rng.integers(0, 3, (300, 4))
    rows = {tuple(row) for row in a}
    assert duplicates_across({"a": a, "b": b})["a", "b"] == sum(tuple(row) in rows for row in b)
