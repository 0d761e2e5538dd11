"""chainrule diagnose: of a run, and of errors that are typed in."""

import json

import pytest

from tests.cli.command import chainrule


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With a run in it that was trained for a moment."""
    folder = tmp_path_factory.mktemp("runs")
    words = ("train", "wine", "--hidden", "4", "--epochs", "5", "--out", "run", "--no-check")
    assert chainrule(folder, *words).code == 0
    return folder


def test_a_run_is_diagnosed(folder):
    said = chainrule(folder, "diagnose", "run")
    assert said.code == 0, said.err
    assert "assumed, since none was given" in said.out
    assert "! avoidable bias" in said.out
    assert "Do next:\n  1. estimate the human-level" in said.out
    assert "train longer: --epochs 20" in said.out


def test_a_run_as_json_with_a_reference(folder):
    said = chainrule(folder, "diagnose", "run", "--reference", "1%", "--json")
    record = json.loads(said.out)
    assert record["reference"] == 0.01
    assert [part["name"] for part in record["errors"]] == ["train", "dev", "test"]
    assert record["next"]


def test_errors_from_elsewhere(tmp_path):
    said = chainrule(tmp_path, "diagnose", "--train", "8%", "--dev", "40/400", "--human", "0.075")
    assert said.code == 0, said.err
    assert "dev             400  10.0 %" in said.out
    assert "avoidable bias 0.5 %: reference 7.5 %, train 8.0 %; too small to matter" in said.out


# words


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "chainrule diagnose: expected a RUN, or errors such as --train 0.08 --dev 0.1; "),
        (("run", "--dev", "0.1"), "--dev 0.1; got both."),
        (("--dev", "many"), "--dev: expected a number; got 'many'.\nTry 0.08, 8%, or 40/500."),
        (
            ("--dev", "9/4"),
            "--dev: expected a number of errors that is at most the number of examples; got 9/4.",
        ),
        (
            ("--dev", "8"),
            "expected errors from 0 to 1 for the sets train, train-dev, dev, test; got dev 8.",
        ),
        (
            ("--dev", "0.1", "--reference", "-1"),
            "--reference: expected a number of at least 0; got -1",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, words, error):
    said = chainrule(tmp_path, "diagnose", *words)
    assert said.code == 2
    assert error in said.err
    assert said.out == ""
