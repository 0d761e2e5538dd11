"""Real files train with nothing but --target, and new rows may differ from them."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.cli.command import chainrule

M = 300
OPTIONS = ("--hidden", "none", "--epochs", "3", "--no-check")


def real_table(seed=0):
    """Return a table with a column of every kind that real files have."""
    random = np.random.default_rng(seed)
    days = pd.to_datetime("2020-01-01") + pd.to_timedelta(random.integers(0, 900, M), "D")
    words = ["guests", "said", "that", "this", "room", "was", "very", "clean", "and", "quiet"]
    ages = random.integers(20, 70, M)
    return pd.DataFrame(
        {
            "row": np.arange(1, M + 1),
            "customer": [f"C{i:05}" for i in random.permutation(M)],
            "joined": days.strftime("%d/%m/%Y"),
            "paid": [f"${x:,.2f}" for x in random.uniform(1, 5000, M)],
            "rate": [f"{x:.1f}%" for x in random.uniform(0, 100, M)],
            "age": ["60+" if age >= 60 else str(age) for age in ages],
            "city": [f"city {i}" for i in random.zipf(1.4, M) % 5000],
            "zip": random.integers(10000, 99999, M),
            "score": ["?", *map(str, random.integers(0, 100, M - 1))],
            "review": [" ".join(random.choice(words, 9)) for _ in range(M)],
            "plan": random.choice(["free", "basic", "pro"], M),
            "empty": "",
            "left": random.choice(["no", "yes"], M),
        }
    )


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Return what was said about a training on such a table, and its folder."""
    folder = tmp_path_factory.mktemp("real")
    real_table().to_csv(folder / "t.csv", index=False)
    options = ("--key", "customer", "--out", "run", "--json")
    return chainrule(folder, "train", "t.csv", "--target", "left", *OPTIONS, *options), folder


def test_every_column_is_read(real):
    said, folder = real
    assert said.code == 0, said.err
    columns = {one["name"]: one for one in json.loads(said.out)["columns"]}
    assert {name: one["read_as"] for name, one in columns.items()} == {
        "joined": "date",
        "paid": "number in $",
        "rate": "percentage",
        "age": "number",
        "city": "category",
        "zip": "number",
        "score": "number",
        "plan": "category",
        "row": "left out",
        "review": "left out",
        "empty": "left out",
        "customer": "left out",
    }
    assert columns["row"] == {
        "name": "row",
        "read_as": "left out",
        "inputs": 0,
        "note": "counts the rows",
        "option": "--number row",
    }
    assert "rare values share an input" in columns["city"]["note"]
    assert columns["customer"]["note"] == "--key"
    described = chainrule(folder, "describe", "run")
    assert "  row       left out          0  counts the rows" in described.out
    same = json.loads(chainrule(folder, "describe", "run", "--json").out)["columns"]
    assert {one["name"]: one for one in same} == columns
    assert "counts the rows" in (folder / "run" / "report.html").read_text()


def test_new_rows_may_differ(real):
    _, folder = real
    rows = real_table(1).drop(columns="left").iloc[:20, ::-1]
    rows = rows[rows["plan"] != "pro"].reset_index(drop=True).astype(object)
    rows.loc[0, ["score", "plan", "joined"]] = ["n/a?", "new", "soon"]
    rows.loc[1, "paid"] = ""
    rows.to_csv(folder / "new.csv", index=False)
    said = chainrule(folder, "predict", "run", "new.csv")
    assert said.code == 0
    notes = [line for line in said.err.splitlines() if "line " in line]
    assert [line.partition(":")[2].partition(",")[0] for line in notes] == [
        " column 'joined': 1 cell is not a date and counted as missing",
        " column 'paid': 1 empty (first: line 3)",
        " column 'score': 1 cell is not a number and counted as missing",
    ]
    assert "column 'plan': values not seen in training: 'new' (1)" in said.err
    head, *lines = said.out.splitlines()
    assert head == "customer,prediction,p(no),p(yes)"
    assert [line.partition(",")[0] for line in lines] == rows["customer"].tolist()
    line = json.loads(chainrule(folder, "predict", "run", "new.csv", "--json").out)
    assert line["keys"] == {"customer": rows["customer"].tolist()}
    said = chainrule(folder, "predict", "run", "new.csv", "--strict")
    assert said.code == 2
    assert "new.csv, column 'joined', line 2: expected a date; got 'soon'." in said.err


def test_a_key_may_be_absent(real):
    _, folder = real
    real_table(1).drop(columns="customer").to_csv(folder / "anonymous.csv", index=False)
    said = chainrule(folder, "predict", "run", "anonymous.csv")
    assert said.code == 0
    assert said.out.startswith("prediction,")
    assert "anonymous.csv lacks the columns 'customer' of --key" in said.err


def test_mistakes_are_listed_with_their_keys(real):
    _, folder = real
    said = chainrule(folder, "errors", "run", "-o", "mistakes.csv")
    assert said.code == 0, said.err
    listed = pd.read_csv(folder / "mistakes.csv")
    table = real_table()
    assert listed["customer"].tolist() == table["customer"][listed["line"] - 2].tolist()


def test_rows_with_an_unseen_label_are_left_out(real):
    _, folder = real
    rows = real_table(2)
    known, mixed = rows.copy(), rows.copy()
    mixed.loc[[3, 5], "left"] = "maybe"
    known.drop(index=[3, 5]).to_csv(folder / "known.csv", index=False)
    mixed.to_csv(folder / "mixed.csv", index=False)
    alone, said = (
        chainrule(folder, "evaluate", "run", f, "--json") for f in ("known.csv", "mixed.csv")
    )
    assert said.code == 0
    message = (
        "mixed.csv: 2 rows of 300 left out, whose labels did not occur in training: 'maybe' (2)."
    )
    assert message in said.err
    found = json.loads(said.out)
    assert found.pop("unseen_labels") == 2
    assert found == json.loads(alone.out)
    rows.assign(left="maybe").to_csv(folder / "unknown.csv", index=False)
    said = chainrule(folder, "evaluate", "run", "unknown.csv")
    assert said.code == 2
    assert "expected the classes seen in training" in said.err


def test_strict_training_refuses_a_mixed_column(refused, tmp_path):
    real_table().to_csv(tmp_path / "t.csv", index=False)
    message = refused("train", "t.csv", "--target", "left", "--strict")
    assert message.startswith(
        "t.csv, column 'score': expected only numbers, or only text; got 299 numbers and 1 text "
        "such as '?' (line 2)."
    )


def test_a_dropped_column_may_hold_anything(table, tmp_path):
    """Two ways of writing numbers in one file are refused, unless that column is not read."""
    name = table(c=["5,4", "1.250,5"] * 10, d=["67.72", "1,250.5"] * 10)
    said = chainrule(tmp_path, "train", name, "--target", "y", "--drop", "c", *OPTIONS, "--json")
    assert said.code == 0, said.err
    columns = json.loads(said.out)["columns"]
    assert [one["name"] for one in columns if one["inputs"]] == ["a", "b", "d"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("aa", "--drop: expected a column of t.csv; got 'aa'.\nTry a (did you mean that?)"),
        ("y", "--drop: expected a column without another role; got 'y', which is also --target."),
        ("", "--drop: expected names of columns, separated by commas; got ''.\nTry id,name."),
    ],
)
def test_an_option_that_names_no_free_column(refused, table, option, message):
    assert refused("train", table(), "--target", "y", "--drop", option).startswith(message)


def test_columns_of_data_that_is_not_a_table(refused):
    assert refused("train", "iris", "--drop", "a").startswith("--drop: expected a table in a file")
