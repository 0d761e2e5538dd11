"""chainrule train with all of the second course at once, and the run that it leaves."""

import json

import pytest

from tests.cli.command import chainrule

OPTIONS = {
    "--hidden": "6,4",
    "--optimizer": "momentum",
    "--learning-rate": "0.3",
    "--beta": "0.8",
    "--decay": "staircase",
    "--decay-rate": "0.9",
    "--decay-epochs": "4",
    "--clip-norm": "2",
    "--batch-size": "32",
    "--l2": "0.5",
    "--l1": "0.01",
    "--keep-prob": "0.9,1",
    "--epochs": "30",
}


def test_all_of_it_at_once(tmp_path):
    words = [word for pair in OPTIONS.items() for word in pair]
    said = chainrule(tmp_path, "train", "iris", *words, "--batch-norm", "--out", "run")
    assert said.code == 0, said.err
    assert "gradients: right" in said.out
    assert "β 0.8, decay staircase with k 0.9 every 4 epochs, gradients clipped at 2" in said.out
    recipe = json.loads((tmp_path / "run" / "recipe.json").read_text())
    said = {
        "hidden": [6, 4],
        "optimizer": "momentum",
        "learning_rate": 0.3,
        "beta": 0.8,
        "decay": "staircase",
        "decay_rate": 0.9,
        "decay_epochs": 4,
        "clip_norm": 2.0,
        "batch_size": 32,
        "l2": 0.5,
        "l1": 0.01,
        "keep_prob": [0.9, 1.0],
        "batch_norm": True,
    }
    assert recipe["recipe"].items() >= said.items()
    assert recipe["model"]["keep_prob"] == [0.9, 1.0]
    assert recipe["results"]["test"]["accuracy"] >= 0.8
    for command in (("describe", "run"), ("evaluate", "run", "iris"), ("check", "run")):
        assert chainrule(tmp_path, *command).code == 0, command
    again = chainrule(tmp_path, "train", "--recipe", "run", "--no-check", "--out", "again")
    assert again.code == 0
    weights = [(tmp_path / run / "weights.safetensors").read_bytes() for run in ("run", "again")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--beta", "1"), "--beta: expected a number of at least 0 and less than 1; got 1.0."),
        (("--beta", "0.9", "--optimizer", "gradient_descent"), "--beta: expected an optimiser"),
        (
            ("--decay", "expo"),
            "--decay: expected the name of a decay method, or an explicit schedule in the form E",
        ),
        (
            ("--decay", "5:x"),
            "--decay: expected EPOCH:RATE,EPOCH:RATE with increasing epochs of at",
        ),
        (("--decay-rate", "0.5"), "--decay-rate: expected a --decay that uses it; got none."),
        (("--decay-epochs", "5"), "--decay-epochs: expected a --decay that uses it; got none."),
        (("--clip-norm", "0"), "--clip-norm: expected a number greater than 0; got 0.0."),
        (("--l2", "-1"), "--l2: expected a number of at least 0; got -1.0."),
        (("--l1", "much"), "--l1: expected a number; got 'much'."),
        (("--keep-prob", "1.5"), "--keep-prob: expected "),
        (
            ("--keep-prob", "0.5,0.5,0.5"),
            "--keep-prob: expected one number, or 2, one for each hidden layer; got 3",
        ),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_what_means_nothing_is_refused(refused, words, message):
    assert refused("train", "iris", *words).startswith(message)
