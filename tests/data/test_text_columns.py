"""chainrule/data/tables.py: tables of texts"""

import numpy as np
import pandas as pd
import pytest

from chainrule.data.columns import ColumnOptions
from chainrule.data.load import load
from chainrule.errors import ChainruleError, DataWarning

REVIEWS = 'review,stars\n  Great!  ,5\n"Slow, but ""fine"" ",3\nNA,1\n007,5\n'
TEXTS = ["  Great!  ", 'Slow, but "fine" ', "NA", "007"]


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes a table, in the working directory, and returns its name."""
    monkeypatch.chdir(tmp_path)

    def write(content: str, name: str = "a.csv") -> str:
        (tmp_path / name).write_text(content, newline="")
        return name

    return write


def error_text(name, **options) -> str:
    with pytest.raises(ChainruleError) as error:
        load(name, **options)
    return str(error.value)


def test_an_example_done_by_hand(write):
    data = load(write(REVIEWS), text="review", target="stars")
    assert data.X.shape == (4,)
    assert data.X.dtype == object
    assert data.X.tolist() == TEXTS
    assert data.y.tolist() == [5, 3, 1, 5]
    assert data.where.tolist() == ["line 2", "line 3", "line 4", "line 5"]
    assert data.rows(np.array([2])).X.tolist() == ["NA"]
    assert data.step_names is None
    assert load("a.csv", text="review", labelled=False).X.tolist() == TEXTS


@pytest.mark.parametrize("name", ["a.txt", "a.tsv", "a.parquet"])
def test_other_kinds_of_tables(write, name):
    frame = pd.DataFrame({"review": TEXTS, "stars": [5, 3, 1, 5]})
    if name == "a.parquet":
        write("")
        frame.to_parquet(name)
    else:
        write(frame.to_csv(sep="\t", index=False), name)
    assert load(name, text="review", target="stars").X.tolist() == TEXTS


def test_blanks_in_front_of_a_quote_belong_to_the_format(write):
    data = load(write('review,stars\n a ,5\n  "b, c" ,3\n'), text="review", target="stars")
    assert data.X.tolist() == ["a ", "b, c "]
    data = load(write('stars,review\n5,\t a\n3,"b"\n'), text="review", target="stars")
    assert data.X.tolist() == ["\t a", "b"]


def test_blank_lines_and_formulas_are_treated_as_in_other_tables(write):
    with pytest.warns(DataWarning) as warned:
        data = load(write("review,stars\n\n'=1+1 ,5\n   \n b,3\n"), text="review", target="stars")
    assert data.X.tolist() == ["=1+1 ", " b"]
    assert data.where.tolist() == ["line 3", "line 5"]
    assert len(warned) == 2


def test_the_text_of_a_row_may_have_several_lines(write):
    data = load(write('review,stars\n"a\n b",5\nc,3\n'), text="review", target="stars")
    assert data.X.tolist() == ["a\n b", "c"]
    assert data.where.tolist() == ["line 2", "line 4"]


def test_other_columns_are_reported_unless_they_are_dropped(write):
    name = write("review,id,stars,lang\na,1,5,en\nb,2,3,de\n")
    with pytest.warns(DataWarning) as warned:
        load(name, text="review", target="stars")
    assert [str(one.message) for one in warned] == [
        "a.csv: learning from the texts only; ignored the columns 'id', 'lang'; --drop leaves them "
        "out"
    ]
    options = ColumnOptions(drop=("lang",), key=("id",))
    data = load(name, text="review", target="stars", options=options, training=True)
    assert data.key_values == {"id": [1, 2]}
    assert load(name, text="review", labelled=False).y is None


def test_groups_times_and_weights(write):
    data = load(
        write("review,who,when,w,stars\na,x,2,1,5\nb,y,1,2,3\n"),
        text="review", target="stars", group="who", time="when", weight="w",
    )  # fmt: skip
    assert (data.groups.tolist(), data.time.tolist(), data.weights.tolist()) == (
        ["x", "y"], [2, 1], [1, 2],
    )  # fmt: skip


def test_paths_of_images_are_texts_here(write):
    data = load(write("file,stars\na.png,5\nb.png,3\n"), text="file", target="stars")
    assert data.X.tolist() == ["a.png", "b.png"]


def test_rows_that_a_quote_joins_are_reported(write):
    with pytest.warns(DataWarning) as warned:
        load(write('review\tstars\n"a\t5\nb\t3\nc"\t1\n', "a.tsv"), text="review", target="stars")
    assert [str(one.message) for one in warned] == [
        "a.tsv: 1 text with line breaks and tabs, the first in line 2; a quote that is not closed "
        "joins rows"
    ]


@pytest.mark.parametrize("empty", ["", "  ", '""', '" "'])
def test_reports_where_a_text_is_missing(write, empty):
    expected_text = (
        "--text, column 'review': expected a text in every row; got 1 row without a text, the "
        "first in line 3.\nTry removing these rows."
    )
    name = write(f"review,stars\na,5\n{empty},3\n")
    assert error_text(name, text="review", target="stars") == expected_text
    assert error_text(name, text="review", labelled=False) == expected_text


def test_reports_columns_that_do_not_exist(write):
    name = write("review,stars\na,5\nb,3\n")
    assert error_text(name, text="reviews", target="stars") == (
        "--text: expected a column of a.csv; got 'reviews'.\nTry review (did you mean that?); the "
        "choices are review."
    )
    assert error_text(name, text="reviews", labelled=False) == (
        "--text: expected a column of a.csv; got 'reviews'.\nTry review (did you mean that?); the "
        "choices are review, stars."
    )
    assert error_text(name, text="review", target="review") == (
        "--text: expected a column without another role; got 'review', which is also --target.\n"
        "Try different columns for the two options."
    )
    assert error_text(name, text="review", sequence="stars", target="stars") == (
        "--sequence, --text: expected one option that says what an example is; got two.\n"
        "Try only --sequence."
    )


def test_numbers_are_no_texts_in_parquet(write):
    pd.DataFrame({"review": [1.5, 2], "stars": [5, 3]}).to_parquet(write("", "a.parquet"))
    assert error_text("a.parquet", text="review", target="stars") == (
        "--text, column 'review': expected texts; got 1.5 (row 0).\n"
        "Try another column, or storing the values as text."
    )
