"""chainrule diagnose --curves, --shift"""

import json
from unittest import mock

import pytest

from chainrule.strategy import learning_curves
from tests.cli.command import chainrule


@pytest.fixture(scope="module")
def asked(iris_run):
    """What it says where all is asked for, with few sizes; and the folder."""
    few = {"shares": (0.2, 0.5, 1.0), "widths": (1.0, 2.0), "seeds": 1}
    folder = iris_run.parent
    with mock.patch.object(learning_curves.learning_curves, "__kwdefaults__", few):
        options = ("--curves", "--shift", "-o", "curves.png", "--json")
        return chainrule(folder, "diagnose", "run", *options), folder


def test_curves_and_parts_in_one_line_of_json(asked):
    said, folder = asked
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert [point["name"] for point in found["learning_curves"]["examples"]] == ["18", "45", "90"]
    assert found["shift, dev and test"]["rows"] == [30, 30]
    assert found["shift, train and dev"]["differ"] is False
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--train", "0.1", "--dev", "0.2", "--shift"),
            "--shift: expected a RUN that can be trained again;",
        ),
        (
            ("--dev", "0.2", "--curves"),
            "--curves: expected a RUN that can be trained again; got only errors",
        ),
        (("--dev", "0.2", "-o", "p.png"), "--output: expected --curves as well, since it plots"),
    ],
)
def test_what_is_refused(refused, words, message):
    assert message in refused("diagnose", *words)
