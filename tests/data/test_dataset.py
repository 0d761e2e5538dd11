"""The place of an example in its file is kept when rows are selected repeatedly."""

import numpy as np
import pandas as pd

from chainrule.data.dataset import Dataset
from chainrule.data.extra import add_extra_data
from chainrule.data.load import load

ROWS = np.array([7, 3, 5])


def test_rows_of_arrays_are_counted_from_0():
    part = Dataset("a", np.arange(10.0)[:, None], np.arange(10)).rows(ROWS)
    assert (part.where.tolist(), part.place_name) == ([7, 3, 5], "row")
    assert part.rows(np.array([2])).where.tolist() == [5]


def test_rows_of_a_csv_are_its_lines(tmp_path):
    pd.DataFrame({"a": range(10), "y": [0, 1] * 5}).to_csv(tmp_path / "t.csv", index=False)
    part = load(tmp_path / "t.csv", target="y").rows(ROWS)
    assert (part.where.tolist(), part.place_name) == ([9, 5, 7], "line")


def test_rows_of_the_second_source_carry_its_name():
    first, second = (Dataset(name, np.zeros((2, 1)), np.arange(2)) for name in ("a", "b"))
    both = add_extra_data(first, second)
    assert (both.where.tolist(), both.place_name) == ([0, 1, "b 0", "b 1"], "place")
