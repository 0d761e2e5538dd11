"""chainrule/data/csv_cells.py: no cell that is written is a formula, and each is read as it was."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from chainrule.data.csv_cells import is_formula, original_cell, safe_cell, write_csv, write_table
from chainrule.data.load import load
from chainrule.errors import DataWarning

FORMULAS = (
    *("=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "\tx", "\rx", "\nx"),
    *("＝1+1", "＋1", "－1", "＠a", " =1", "\u00a0=1", "\u200b=1", "\ufeff=1", '"=1', "'=1", "' @"),
    *("''=1", "=", "-", "+", "@", "-3.5 kg", "+49 30 123", "--1", "=cmd|' /C calc'!A0", "-inf"),
)
TEXTS = ("a", "a=b", "it's", "'", "''", "'a'", '"', "", "3", "'3", "'-3.5", "é", "a\n=1")
NUMBERS = ("-3.5", "+1e5", "-1,234.5", "-.5", "-5%", " -3 ", "+7")


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_written_as_text_and_read_as_it_was(text):
    cell = safe_cell(text)
    assert cell == f"'{text}"
    assert original_cell(cell) == text


@pytest.mark.parametrize("text", [*TEXTS, *NUMBERS])
def test_other_texts_and_numbers_written_as_text_are_read_as_they_were(text):
    assert original_cell(str(safe_cell(text))) == text
    if text != "'-3.5":
        assert safe_cell(text) == text


def test_numbers_stay_numbers():
    for number in (-3.5, -1, np.float32(-2), np.int64(-7), float("-inf"), True, None):
        assert safe_cell(number) is number


def test_random_texts_are_read_as_they_were():
    random = np.random.default_rng(0)
    letters = np.array(list("'\"=+-@＝ \t\r\na1.,e%\u200b"))
    for _ in range(5000):
        text = "".join(random.choice(letters, random.integers(0, 7)))
        cell = str(safe_cell(text))
        assert original_cell(cell) == text
        assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r") or not is_formula(cell)


def test_many_apostrophes_take_no_time():
    assert not is_formula("'" * 1_000_000)


def test_no_cell_of_a_csv_file_is_a_formula():
    text = write_csv([FORMULAS, (1, *FORMULAS[1:])])
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert [[cell[:1] for cell in row] for row in rows] == [
        ["'"] * len(FORMULAS),
        ["1", *"'" * (len(FORMULAS) - 1)],
    ]


def table(file, frame):
    file.write_bytes(write_table(frame).encode())
    return file


def test_a_table_that_we_wrote_is_read_as_it_was(tmp_path):
    frame = pd.DataFrame({"=x": [-1.5, 2, np.nan], "@w": ["=1+1", "'=1", None], "y": list("+-a")})
    file = table(tmp_path / "a.csv", frame)
    assert file.read_text() == "'=x,'@w,y\n-1.5,'=1+1,'+\n2.0,''=1,'-\n,,a\n"
    with pytest.warns(DataWarning, match="the apostrophe in front of") as said:
        data = load(str(file), target="y")
    assert sorted(str(one.message) for one in said) == [
        "a.csv: the apostrophe in front of 2 texts, such as '=x', is left out; it keeps a "
        "spreadsheet from running a formula.",
        "a.csv: the apostrophe in front of 4 texts, such as '=1+1', is left out; it keeps a "
        "spreadsheet from running a formula.",
    ]
    assert list(data.X) == ["=x", "@w"]
    assert data.X["@w"].tolist()[:2] == ["=1+1", "'=1"]
    assert list(data.y) == ["+", "-", "a"]


def test_a_carriage_return_begins_no_row(tmp_path):
    text = write_csv([("a", "b\r=1"), (1.5, "c")])
    assert text == 'a,"b\r=1"\n1.5,c\n'
    frame = pd.DataFrame({"a\r=2": [1.5, np.nan], "b": ["x\r=1", "y"]})
    assert write_table(frame) == '"a\r=2","b"\n1.5,"x\r=1"\n"","y"\n'


def test_other_apostrophes_in_a_table_stay(tmp_path):
    (tmp_path / "a.csv").write_text("w,y\n'tis,a\nit's,b\n'a',a\n'-1',b\n")
    with pytest.warns(DataWarning, match='in front of 1 text, such as "-1\'", is left out'):
        data = load(str(tmp_path / "a.csv"), target="y")
    assert data.X["w"].tolist() == ["'tis", "it's", "'a'", "-1'"]
