"""chainrule average"""

import json

import pytest

from chainrule.cli.synthesize import shown
from tests.cli.command import chainrule


@pytest.fixture
def five(tmp_path):
    """The notes' five values in a file."""
    (tmp_path / "five.csv").write_text("warm\n10\n12\n14\n16\n18\n")
    return tmp_path


def test_the_notes_example_as_a_table(five):
    said = chainrule(five, "average", "five.csv", "--beta", "0.5")
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        "five.csv, warm: 5 values\n"
        "\n"
        "t  warm  β = 0.5  corrected\n"
        "1    10        5         10\n"
        "2    12      8.5    11.3333\n"
        "3    14    11.25    12.8571\n"
        "4    16   13.625    14.5333\n"
        "5    18  15.8125    16.3226\n"
        "\n"
        "each is about the mean of the last 1 / (1 − β) values: 2 at β = 0.5\n"
        "plot: five-averages.png\n"
    )
    assert (five / "five-averages.png").read_bytes().startswith(b"\x89PNG")


def test_as_json(five):
    options = ("--beta", "0.5,0.9", "--beta", "0", "--no-correction", "--out", "p.png", "--json")
    said = chainrule(five, "average", "five.csv", "--column", "warm", *options)
    found = json.loads(said.out)
    assert (found["file"], found["column"], found["picture"]) == ("five.csv", "warm", "p.png")
    assert found["values"] == [10, 12, 14, 16, 18]
    assert [(a["beta"], a["corrected"]) for a in found["averages"]] == [
        *((0.5, False), (0.9, False), (0, False)),
    ]
    assert found["averages"][0]["values"] == [5, 8.5, 11.25, 13.625, 15.8125]
    assert (five / "p.png").exists()


def test_of_a_long_series_the_ends_are_shown(tmp_path):
    (tmp_path / "t.csv").write_text("v\n" + "1\n" * 2000)
    table = chainrule(tmp_path, "average", "t.csv").out.splitlines()[2:-3]
    assert [line.split()[0] for line in table] == [
        *("t", "1", "2", "3", "4", "5", "…", "1,998", "1,999", "2,000"),
    ]
    assert shown(8) == list(range(8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("five.csv", "--beta", "1"),
            "--beta: expected a number of at least 0 and below 1; got 1.",
        ),
        (("five.csv", "--beta", "0.9,x"), "--beta: expected a number; got 'x'."),
        (("five.csv", "--column", "wram"), "--column: expected a column of five.csv; got 'wram'."),
        (("five.csv", "--out", "six.csv"), "--out: expected a name that ends in .png; got 'six"),
        (("five.csv", "--out", "five.csv"), "--out: expected a file that the command does not"),
        (
            ("five.csv", "--out", "no/p.png"),
            "--out: expected a file in an existing folder; got no/p.png",
        ),
        (
            ("six.csv",),
            (
                "six.csv: expected a file, a folder or the name of a built-in data set; got no "
                "such file."
            ),
        ),
        (
            ("gap.csv",),
            "gap.csv, column 'v': expected a number in every row; got an empty cell in line 3.",
        ),
        (("five.csv", "--bta", "0.5"), "chainrule average: expected one of its options; got --bta"),
    ],
)
def test_what_is_refused(refused, five, options, message):
    (five / "gap.csv").write_text("v,w\n1,a\n,b\n")
    assert message in refused("average", *options)
    assert not list(five.glob("*.png"))
