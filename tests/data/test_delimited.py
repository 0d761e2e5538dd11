"""chainrule/data/delimited.py"""

import gzip

import numpy as np
import pandas as pd
import pytest

from chainrule.data.tables import read_table
from chainrule.errors import ChainruleError, DataWarning

SMALL = "age,colour,y\n20,red,no\n,blue,yes\n40,red,yes\n"


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file and returns its path."""

    def write(content, name="people.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def error_text(path, **options):
    with pytest.raises(ChainruleError) as error:
        read_table(path, **options)
    return str(error.value)


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["1", "2"], [1, 2]),
        (["1.5", "2"], [1.5, 2.0]),
        (["007", "7"], ["007", "7"]),
        (["+1", "-1"], ["+1", "-1"]),
        (["True", "False"], [True, False]),
        (["yes", "None"], ["yes", "None"]),
        (["TRUE", "FALSE"], ["TRUE", "FALSE"]),
    ],
)
def test_labels_are_as_written(write, cells, labels):
    y = read_table(write("x,y\n" + "".join(f"0,{c}\n" for c in cells)), target="y").y
    assert y.tolist() == labels
    assert [type(label) for label in y.tolist()] == [type(label) for label in labels]


def test_decimal_commas_where_semicolons_separate(write):
    source = read_table(write("x;n;y\n1,5;1;2\n-2;3,25;0,5\n"), target="y")
    np.testing.assert_array_equal(source.X, [[1.5, 1], [-2, 3.25]])
    np.testing.assert_array_equal(source.y, [2, 0.5])
    X = read_table(write("x;y\n1.5;a\n-2;b\n"), target="y").X
    np.testing.assert_array_equal(X, [[1.5], [-2]])


@pytest.mark.parametrize("other", ["x", "3,5", "3.5"])
def test_a_decimal_comma_in_one_column_leaves_the_others_numeric(write, other):
    rows = "".join(f"{i}.5;x;0\n" for i in range(4))
    X = read_table(write(f"a;b;y\n{rows}4.5;{other};1\n"), target="y").X
    np.testing.assert_array_equal(X["a"], [0.5, 1.5, 2.5, 3.5, 4.5])


def test_text_among_decimal_commas_keeps_the_column_text(write):
    X = read_table(write("a;y\n1,5;0\n2,5;1\nlost;1\n"), target="y").X
    assert X["a"].tolist() == ["1.5", "2.5", "lost"]  # later refused, with its line


# How numbers are written


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["12,5", "1.250"], [12.5, 1250]),
        (["12,5", "1.250.000", "-3"], [12.5, 1250000, -3]),
        (["1.250,5", "2.000"], [1250.5, 2000]),
        (["0,125", "1.250"], [0.125, 1250]),
        (["12.5", "1,250"], [12.5, 1250]),
        (["1,234,567", "1.250"], [1234567, 1.25]),
        (["1.250", "2.500"], [1.25, 2.5]),
        (["1,5e3", "+2,5"], [1500, 2.5]),
    ],
)
@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_the_decimal_separator_is_that_of_the_whole_file(write, separator, cells, numbers):
    rows = "".join(f"{cell}{separator}a\n" for cell in cells)
    X = read_table(write(f"x{separator}y\n{rows}"), target="y").X
    assert X["x"].tolist() == numbers


def test_one_column_decides_how_another_is_read(write):
    X = read_table(write("a;b;y\n1.250;3;x\n1.500;2,5;x\n"), target="y").X
    assert X["a"].tolist() == [1250, 1500]
    X = read_table(write("a;b;y\n1,250;3;x\n1,500;2.5;x\n"), target="y").X
    assert X["a"].tolist() == [1250, 1500]


def test_a_late_decimal_comma_in_the_target(write):
    rows = "".join(f"{i};{i}\n" for i in range(110))
    y = read_table(write(f"x;y\n{rows}1;23,5\n"), target="y").y
    assert y.tolist() == [*range(110), 23.5]


@pytest.mark.parametrize(
    ("quoted", "numbers"), [('"1,234,567"', 1234567), ('"12,5"', 12.5), ('"1.250,5"', 1250.5)]
)
def test_commas_in_quotes_where_commas_separate(write, quoted, numbers):
    X = read_table(write(f"x,y\n{quoted},a\n3,b\n"), target="y").X
    assert X["x"].tolist() == [numbers, 3]


@pytest.mark.parametrize(
    ("separator", "value", "how"),
    [(",", 41215, "41,215 is read as 41215"), (";", 41.215, "41,215 is read as 41.215")],
)
def test_reports_how_a_comma_is_read_if_nothing_decides_it(write, separator, value, how):
    path = write(f'x{separator}y\n"41,215"{separator}a\n"7"{separator}b\n')
    with pytest.warns(DataWarning, match=f"people.csv, line 2: {how}"):
        assert read_table(path, target="y").X["x"].tolist() == [value, 7]


@pytest.mark.parametrize(
    ("first", "second"), [("12,5", "3.5"), ("1.250,5", "1,250.5"), ("1,250", "1.250")]
)
def test_refuses_numbers_that_contradict_each_other(write, first, second):
    assert error_text(write(f"x;z;y\n{first};1;a\n1;{second};b\n"), target="y") == (
        "people.csv: expected the same decimal separator throughout the file; "
        f"got {first} (line 2) and "
        f"{second} (line 3).\nTry writing all numbers of the file in the same way."
    )


def test_dates_and_versions_decide_nothing(write):
    X = read_table(write("d;v;x;y\n1.2.2024;1.2.3;1,5;a\n3.2.2024;1.2.4;2;b\n"), target="y").X
    assert X["x"].tolist() == [1.5, 2]
    assert X["d"].tolist() == ["1.2.2024", "3.2.2024"]


@pytest.mark.parametrize("zeros", ["02139", '"007"', " 01"])
def test_leading_zeros_are_text(write, zeros):
    X = read_table(write(f"zip,n,y\n{zeros},0,a\n10115,0.5,b\n"), target="y").X
    assert X["zip"].tolist() == [zeros.strip(' "'), "10115"]
    assert X["n"].tolist() == [0, 0.5]


# Labels


@pytest.mark.parametrize(
    "cells",
    [
        ["3.1", "3.10", "3.9"],
        ["12345678901234567890123", "12345678901234567890124"],
        ["1e3", "1000"],
        ["01", "1"],
    ],
)
def test_labels_that_would_lose_by_being_numbers_stay_text(write, cells):
    path = write("x,y\n" + "".join(f"0,{c}\n" for c in cells))
    assert read_table(path, target="y", task="classification").y.tolist() == cells


def test_fractions_are_quantities_unless_they_are_said_to_be_classes(write):
    y = read_table(write("x,y\n0,3.1\n0,3.10\n0,3.9\n"), target="y").y
    assert y.tolist() == [3.1, 3.1, 3.9]


def test_blanks_around_labels_and_texts_are_stripped(write):
    rows = 'yes,a\nyes ,a \n no, b\n"no ",b\nno\t,b\n'
    table = read_table(write("y,x\n" + rows), target="y")
    assert table.y.tolist() == ["yes", "yes", "no", "no", "no"]
    assert table.X["x"].tolist() == ["a", "a", "b", "b", "b"]


def test_na_is_a_label_among_texts(write):
    with pytest.warns(DataWarning, match="column 'y': 'NA' in 2 rows is read as a label"):
        y = read_table(write("x,y\n1,EU\n2,NA\n3,NA\n4,AS\n"), target="y").y
    assert y.tolist() == ["EU", "NA", "NA", "AS"]
    assert "1 empty cell, the first in line 3" in error_text(write("x,y\n1,2\n2,NA\n"), target="y")


# Separators and lines


@pytest.mark.parametrize("header", ["5.1,3.5,setosa", "Loved this place.,1", "2018,2019,y"])
def test_reports_a_first_line_that_may_be_an_example(write, header):
    row = ",".join("1" for _ in header.split(","))
    with pytest.warns(DataWarning, match="people.csv: line 1 is read as the names of the columns"):
        read_table(write(f"{header}\n{row}\n"), labelled=False)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", ["sep={}\n", "sep={}\r\n", '"sep={}"\n'])
def test_the_separator_that_excel_writes(write, separator, mark):
    text = mark.format(separator) + SMALL.replace(",", separator)
    table = read_table(write(text), target="y")
    assert list(table.X) == ["age", "colour"]
    assert table.where.tolist() == [3, 4, 5]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('"a;b;c",y\n1,2\n3,4\n', ["a;b;c"]),  # outside of quotes
        ("size (w,h,d);y\n1;2\n3;4\n", ["size (w,h,d)"]),  # what the rows have as well
        ("a|b|c,y\n1,2\n3,4\n", ["a|b|c"]),
    ],
)
def test_the_separator_is_one_that_splits_every_row(write, text, names):
    assert list(read_table(write(text), target="y").X) == names


def test_a_blank_line_in_a_file_of_one_column_is_a_row(write):
    table = read_table(write("x\n1\n\n3\n\n\n"), labelled=False)
    np.testing.assert_array_equal(table.X["x"], [1, np.nan, 3])
    assert table.where.tolist() == [2, 3, 4]


@pytest.mark.parametrize("blank", ["\n", "\n\n", "  \n"])
def test_lines_are_counted_with_blank_ones(write, blank):
    lines = blank.count("\n")
    with pytest.warns(DataWarning, match="blank lines? (is|are) skipped, the first in line 3"):
        table = read_table(write(f"x,y\n1,a\n{blank}2,b\n"), target="y")
    assert table.where.tolist() == [2, 3 + lines]


def test_a_column_has_one_type_however_long_it_is(write):
    rows = "".join(f"{i},1\n" for i in range(1_000_000))
    X = read_table(write(f"x,y\n{rows}abc,0\n"), target="y").X
    assert {type(cell) for cell in X["x"]} == {str}


@pytest.mark.parametrize("separator", [";", "\t", ", ", "|"])
def test_separators_and_byte_order_marks(write, separator):
    text = "﻿" + SMALL.replace(",", separator)
    pd.testing.assert_frame_equal(
        read_table(write(text), target="y").X, read_table(write(SMALL), target="y").X
    )


def test_gaps_in_the_last_column_are_not_ragged_rows(write):
    with pytest.warns(DataWarning, match="a blank line is skipped, the first in line 4"):
        source = read_table(write('y,note\n1,"two\nlines"\n\n2,\n'), target="y")
    assert source.where.tolist() == [2, 5]
    assert source.X["note"].isna().tolist() == [False, True]


@pytest.mark.parametrize("content", ["", "\n\n  \n"])
def test_reports_when_the_file_is_empty(write, content):
    assert error_text(write(content), target="y") == (
        "people.csv: expected a header and rows; got an empty file.\n"
        "Try another file: this one holds no text."
    )


@pytest.mark.parametrize("content", ["a,y", "a,y\n", "a,y\n\n"])
def test_reports_when_there_is_only_a_header(write, content):
    assert error_text(write(content), target="y") == (
        "people.csv: expected rows; got only a header.\n"
        "Try a file with one row per example under the header."
    )


@pytest.mark.parametrize(
    ("rows", "line", "cells"),
    [
        ("1,2,3\n4,5\n", 3, 2),  # too few
        ("1,2,3\n4,5,6,7\n", 3, 4),  # too many
        ("1,2,3,4\n5,6,7,8\n", 2, 4),  # too many everywhere: no index column
        ('"1\n1",2,3\n\n4,5\n', 5, 2),  # after a cell of two lines and an empty line
        ('1,2,3\n4,"5,6\n', 3, 2),  # a quote that never closes
    ],
)
def test_reports_which_row_is_ragged(write, rows, line, cells):
    assert error_text(write("a,b,y\n" + rows), target="y") == (
        f"people.csv, line {line}: expected 3 cells, as in the header; got {cells}.\n"
        "Try quoting cells that contain the separator, or closing an open quote."
    )


def test_reports_where_a_quote_swallows_the_rest(write):
    text = 'a,y\n1,2\n"3,4\n' + "5,6\n" * 50_000
    assert error_text(write(text), target="y") == (
        "people.csv, line 3: expected 2 cells, as in the header; got an unclosed quote.\n"
        "Try quoting cells that contain the separator, or closing an open quote."
    )


def test_reports_when_a_name_is_duplicated(write):
    assert error_text(write("a,b,a,y\n1,2,3,4\n"), target="y") == (
        "people.csv, line 1: expected unique column names; got 'a' twice.\n"
        "Try renaming one of them."
    )


def test_reports_which_line_is_not_utf8(write):
    assert error_text(write("x,y\n1,a\n2,caf\xe9\n".encode("latin1")), target="y") == (
        "people.csv, line 3: expected text in UTF-8; got the byte 0xe9.\n"
        'Try saving it again as UTF-8 (in a spreadsheet: "CSV UTF-8").'
    )
    assert "line 1: expected text in UTF-8" in error_text(write(SMALL.encode("utf-16")), target="y")


@pytest.mark.parametrize("end", [-1, -12, 40])
def test_reports_when_a_gzip_file_is_truncated(write, end):
    rows = "".join(f"{i * 7919 % 1000},{i * i % 977}\n" for i in range(2000))
    path = write(gzip.compress(("x,y\n" + rows).encode())[:end], "cut.csv.gz")
    expected = "cut.csv.gz: expected a complete gzip file; got a truncated or damaged file"
    assert expected in error_text(path, target="y")


def test_reports_when_a_file_is_not_gzip(write):
    assert "expected a complete gzip file" in error_text(write(SMALL, "people.csv.gz"), target="y")
