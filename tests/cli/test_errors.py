"""chainrule errors and predict --explain: on runs that were trained once."""

import contextlib
import csv
import io
import json

import jax
import numpy as np
import pandas as pd
import pytest

from chainrule import train_model
from chainrule.errors import DataWarning
from tests.cli.command import chainrule

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def poor(tmp_path_factory):
    """A folder with a run on digits that was hardly trained: 8 by 8 pixels, many mistakes."""
    folder = tmp_path_factory.mktemp("poor")
    with jax.enable_x64(False), pytest.warns(DataWarning, match="constant"):
        train_model("digits", hidden=(), epochs=3, out=folder / "run")
    return folder


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A folder with a run on a table of a number, a text and gaps."""
    folder = tmp_path_factory.mktemp("people")
    random = np.random.default_rng(0)
    age, noise = random.uniform(20, 60, 80), random.standard_normal(80)
    city = np.array(["Bern", "Ulm"])[random.integers(0, 2, 80)]
    frame = pd.DataFrame({"age": np.where(np.arange(80) % 9, age, np.nan), "city": city})
    frame["bought"] = np.where(age / 20 + (city == "Ulm") + 0.5 * noise > 2.5, "yes", "no")
    frame.to_csv(folder / "people.csv", index=False)
    with contextlib.chdir(folder), jax.enable_x64(False):
        train_model("people.csv", target="bought", hidden=(), epochs=200, out="run")
    return folder


def test_from_the_mistakes_to_tags_and_back(poor):
    said = chainrule(poor, "errors", "run", "--sample", "random", "--count", "30", "-o", "m.csv")
    assert said.code == 0
    assert said.out.startswith("dev: ")
    assert said.err == "wrote m.csv\n"
    rows = list(csv.reader((poor / "m.csv").read_text().splitlines()))
    assert len(rows) == 31
    for row in rows[1:11]:
        row[1] = "thin; old pen"
    rows[11][1] = "thin"
    with (poor / "m.csv").open("w", newline="") as file:
        csv.writer(file, delimiter=";").writerows(rows)
    found = json.loads(chainrule(poor, "errors", "run", "--tags", "m.csv", "--json").out)
    assert [(one["tag"], one["count"]) for one in found["ceilings"]] == [
        ("thin", 11),
        ("old pen", 10),
    ]
    assert found["ceilings"][0]["error"] == pytest.approx(found["error"] * (1 - 11 / 30))
    said = chainrule(poor, "errors", "run", "--tags", "m.csv")
    assert "30 of" in said.out.splitlines()[0]


def test_mistakes_in_json_are_those_of_the_source(poor):
    from sklearn.datasets import load_digits

    found = json.loads(chainrule(poor, "errors", "run", "--count", "5", "--json").out)
    digits = load_digits()
    assert [one["true"] for one in found["listed"]] == [
        int(digits.target[one["place"]])  # pyright: ignore
        for one in found["listed"]
    ]
    costs = [one["cost"] for one in found["listed"]]
    assert costs == sorted(costs, reverse=True)


def test_a_gallery_of_the_mistakes(poor):
    said = chainrule(poor, "errors", "run", "--count", "9", "--gallery", "m.png")
    assert "wrote m.png\n" in said.err
    assert (poor / "m.png").read_bytes().startswith(PNG)


def test_lines_and_columns_of_a_csv_file(people):
    said = chainrule(people, "errors", "run", "--split", "train", "-o", "m.csv")
    assert said.code == 0
    heads = said.out.splitlines()[2].split()
    assert heads == ["line", "true", "predicted", "prob", "cost", "age", "city"]
    lines = (people / "people.csv").read_text().splitlines()
    for row in csv.DictReader((people / "m.csv").read_text().splitlines()):
        age, city, bought = lines[int(row["line"]) - 1].split(",")
        assert (city, bought) == (row["city"], row["true"])
        assert row["age"] == "" if age == "" else float(row["age"]) == float(age)


def test_suspects_of_a_run_and_of_data(people):
    said = chainrule(people, "errors", "run", "--label-errors", "-o", "s.csv", "--json")
    found = json.loads(said.out)
    assert found["m"] == 80
    assert set(found["parts"]) == {"train", "dev", "test"}
    assert found["parts"]["dev"]["mistakes"] is not None
    rows = list(csv.DictReader((people / "s.csv").read_text().splitlines()))
    assert len(rows) == len(found["listed"])
    said = chainrule(people, "errors", "people.csv", "--target", "bought", "--label-errors")
    assert "of 80 labels of people.csv are wrong or ambiguous" in said.out


# predict --explain


def test_why_each_prediction(people):
    said = chainrule(people, "predict", "run", "people.csv", "--explain", "--columns", "1")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert len(rows) == 80
    assert list(rows[0]) == ["prediction", "p(no)", "p(yes)", "for", "against"]
    spoken = {row[side].split(" ")[0] for row in rows for side in ("for", "against")}
    assert spoken <= {"age", "city", ""}
    said = chainrule(people, "predict", "run", "people.csv", "--explain", "--json")
    one = json.loads(said.out)["explanations"][0]
    parts = sum(one["for"].values()) + sum(one["against"].values())
    assert parts == pytest.approx(one["total"] - one["average"], abs=1e-4)


def test_a_terminal_gets_a_table(people, monkeypatch):
    monkeypatch.setattr("chainrule.cli.predict.on_a_terminal", lambda: True)
    lines = chainrule(people, "predict", "run", "people.csv", "--explain").out.splitlines()
    assert lines[0].split() == ["line", "prediction", "sure", "for", "against"]
    assert lines[1].split()[0] == "2"
    assert lines[-1].startswith("for and against: contribution of each column to the log odds")


def test_pictures_get_a_picture(poor):
    said = chainrule(poor, "predict", "run", "digits", "--explain", "-o", "p.csv")
    assert said.err.endswith("wrote p.csv\nwrote p.png\n")
    assert (poor / "p.png").read_bytes().startswith(PNG)


# words


def test_what_is_refused(refused, iris_run):
    for words, message in (
        (("errors", iris_run, "--split", "dve"), "the set: expected one of 3 choices"),
        (("errors", iris_run, "--count", "0"), "--count: expected a whole number of at least 1"),
        (("errors", iris_run, "--sample", "best"), "--sample: expected one of 2 choices"),
        (("errors", iris_run, "--gallery", "m.png"), "--gallery: expected a data set of images"),
        (("errors", iris_run, "--tags", "none.csv"), "none.csv: expected a readable file"),
        (
            ("errors", iris_run, "--tags", "m.csv", "-o", "n.csv"),
            "--tags: expected no option other than --split",
        ),
        (("errors", iris_run, "--target", "y"), "--target: expected --label-errors as well"),
        (
            ("errors", iris_run, "--label-errors", "--target", "y"),
            "--target: expected a data set instead of a run",
        ),
        (
            ("errors", "diabetes", "--label-errors"),
            "--label-errors: expected a classification target",
        ),
        (("errors", iris_run, "-o", "no/m.csv"), "--output: expected a file in an existing folder"),
        (("predict", iris_run, "iris", "--columns", "2"), "--columns: expected --explain as well"),
        (
            ("predict", iris_run, "iris", "--explain", "--columns", "0"),
            "--columns: expected a whole",
        ),
    ):
        assert message in refused(*words)


def test_data_that_is_gone(people, tmp_path):
    """The run is asked for where its table is not."""
    (tmp_path / "run.csv").touch()
    for words in (("diagnose",), ("errors",), ("errors", "--label-errors")):
        said = chainrule(tmp_path, words[0], people / "run", *words[1:])
        assert (said.code, said.out) == (2, "")
        assert said.err == (
            f"the data of {people / 'run'}: expected people.csv, on which the run was trained; "
            "got no such file.\n"
            "Try restoring the file, or running from the folder in which the run was trained.\n"
        )


def test_pictures_need_a_file(poor):
    said = chainrule(poor, "predict", "run", "digits", "--explain")
    assert said.code == 2
    assert "--explain: expected -o FILE, since the plot" in said.err
