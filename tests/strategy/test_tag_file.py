"""chainrule/strategy/error_tags.py: write mistakes to a CSV file, and read it back with tags."""

import csv
import io

import numpy as np
import pytest

from chainrule.errors import DataError
from chainrule.strategy.error_analysis import find_mistakes
from chainrule.strategy.error_tags import analyse_tag_file, as_csv
from tests.strategy.hand_made import line, made


@pytest.fixture(scope="module")
def run_and_data():
    """A run whose predictions are wrong on rows 1, 3, …, 19 of 20, and its data."""
    x = np.linspace(1.0, 2.0, 20)
    return made(([[1.0]], [[0.0]]), dev=line(*x, y=(np.arange(20) + 1) % 2))


@pytest.fixture
def table(run_and_data):
    """The rows of the file."""
    return list(csv.reader(io.StringIO(as_csv(find_mistakes(*run_and_data, count=8)))))


@pytest.fixture
def back(tmp_path, run_and_data):
    """A function that writes the table as a spreadsheet would, and analyses its tags."""

    def read(rows, delimiter=",", before=""):
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
        (tmp_path / "tags.csv").write_text(before + text.getvalue(), newline="")
        return analyse_tag_file(*run_and_data, tmp_path / "tags.csv")

    return read


def test_the_file_has_an_empty_column_for_tags(table):
    assert table[0] == ["row", "tags", "true", "predicted", "sure", "cost", "part", "sample", "x1"]
    assert table[1][:4] == ["19", "", "0", "1"]
    assert table[1][6:] == ["dev", "worst", "2.0"]


def test_a_column_of_the_same_name_is_renamed(run_and_data):
    found = find_mistakes(*run_and_data, count=1)
    one = found.listed[0].__class__(**{**found.listed[0].__dict__, "row": {"tags": 1, "b": 2}})
    renamed = found.__class__(**{**found.__dict__, "listed": (one,)})
    assert as_csv(renamed).splitlines()[0].endswith("sample,column tags,b")


@pytest.mark.parametrize(("delimiter", "before"), [(",", ""), (";", "\ufeff"), ("\t", "\r\n")])
def test_files_saved_by_spreadsheets_are_read(back, table, delimiter, before):
    table[1][1], table[2][1] = "dark; blurry", "Dark,far"
    table[3][0] += ".0"
    found = back(table, delimiter, before)
    assert {one.tag: one.count for one in found.ceilings} == {"dark": 2, "blurry": 1, "far": 1}
    assert (found.part, found.wrong, found.looked_at, found.untagged) == ("dev", 10, 8, 6)


def test_removed_rows_do_not_count_as_looked_at(back, table):
    table[1][1] = "dark"
    assert back(table[:4]).looked_at == 3


def spoil(table, at, cell, word):
    table[1][1] = "dark"
    table[at][cell] = word
    return table


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: [], "tags.csv: expected a table of mistakes; got an empty file"),
        (lambda t: t, "tags.csv, column 'tags': expected at least one tag; got none"),
        (lambda t: [t[0][1:], *t[1:]], "line 1: expected a column 'row'; got the columns tags"),
        (lambda t: spoil(t, 0, 1, "tgas"), "line 1: expected a column 'tags'; got the columns"),
        (lambda t: [*t[:2], t[2][:-1]], "line 3: expected 9 cells, as in the header; got 8"),
        (
            lambda t: spoil(t, 3, 0, "18"),
            "line 4: expected a mistake .* row 18, which it predicts correctly",
        ),
        (lambda t: spoil(t, 3, 0, "99"), "line 4: .* row 99, which is not in the dev set"),
        (
            lambda t: spoil(t, 3, 0, t[2][0]),
            "line 4: expected each mistake once; .* again, after line 3",
        ),
        (lambda t: spoil(t, 3, 6, "test"), "line 4, column 'part': expected dev, as above"),
        (
            lambda t: [t[0], *([*r[:7], "all", r[8]] for r in spoil(t, 1, 1, "a")[1:])],
            "worst or random",
        ),
    ],
)
def test_errors_name_the_line_of_a_damaged_file(back, table, change, message):
    rows = change(table)
    with pytest.raises(DataError, match=message):
        back(rows)


def test_files_that_are_not_text_are_refused(tmp_path, run_and_data):
    (tmp_path / "tags.csv").write_bytes(b"row,tags\n1,\xff\n")
    with pytest.raises(DataError, match=r"tags.csv, line 2: expected text in UTF-8"):
        analyse_tag_file(*run_and_data, tmp_path / "tags.csv")
    with pytest.raises(DataError, match="a readable file; got no such file"):
        analyse_tag_file(*run_and_data, tmp_path / "none.csv")
