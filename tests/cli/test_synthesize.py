"""chainrule synthesize"""

import json

import numpy as np
import pandas as pd
import pytest

from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe
from tests.cli.command import chainrule


@pytest.fixture
def voices(tmp_path):
    """Voices and a car."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 8)).astype(np.float32), np.array(["yes", "no"] * 10)
    np.savez(tmp_path / "voices.npz", X=X, y=y)
    np.savez(tmp_path / "car.npz", X=rng.normal(size=(1, 40)))
    return tmp_path


def test_white_noise_with_the_labels(voices):
    said = chainrule(voices, "synthesize", "voices.npz", "--noise", "white", "-o", "n.npz")
    note = "note: use the file with --extra for other data than voices.npz: its dev and test rows "
    note += "would be trained on, with noise; --split train avoids that"
    assert said.code == 0
    assert said.err == f"wrote n.npz\n{note}\n"
    assert said.out == "20 examples of voices.npz with white noise at 10 dB\n"
    before, after = np.load(voices / "voices.npz"), np.load(voices / "n.npz")
    assert after["y"].tolist() == before["y"].tolist()
    assert after["X"].dtype == np.float32
    noise = after["X"] - before["X"]
    np.testing.assert_allclose(before["X"].var(axis=1) / noise.var(axis=1), 10, rtol=1e-4)


def test_the_training_part_alone(voices):
    """What it is laid over are the rows that training sees, and none that judges."""
    options = ("--noise", "white", "--split", "train", "-o", "n.npz")
    said = chainrule(voices, "synthesize", "voices.npz", *options)
    assert (said.code, said.err) == (0, "wrote n.npz\n")
    parts = prepare(Recipe(str(voices / "voices.npz"))).sources
    noisy = np.load(voices / "n.npz")["X"]
    near = {
        name: np.linalg.norm(part.X[:, None] - noisy, axis=2).min(axis=0).mean()
        for name, part in parts.items()
    }
    assert len(noisy) == len(parts["train"]) == 12
    assert near["train"] < 0.6 * min(near["dev"], near["test"])


def test_given_noise_of_which_there_is_little(voices):
    options = ("--noise", "car.npz", "--snr", "0,5", "-o", "n.npz", "--json")
    np.savez(voices / "car.npz", X=np.arange(8.0)[None])
    said = chainrule(voices, "synthesize", "voices.npz", *options)
    line = {"file": "n.npz", "examples": 20, "noises": 1, "snr": [0.0, 5.0]}
    assert json.loads(said.out) == line
    assert said.err.startswith("note: 1 distinct noise for 20 examples: a network can memorise")


def test_a_table_stays_a_table(table, tmp_path):
    name = table(b=np.arange(20.0)[::-1] ** 2, w=np.ones(20))
    options = ("--target", "y", "--weight", "w", "--noise", "white", "-o", "n.csv")
    assert chainrule(tmp_path, "synthesize", name, *options).code == 0
    noisy = pd.read_csv(tmp_path / "n.csv")
    assert noisy.columns.tolist() == ["a", "b", "y", "w"]
    assert noisy["y"].tolist() == ["no", "yes"] * 10
    assert (noisy["w"] == 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--noise", "white", "-o", "n.csv"),
            "--output: expected a name that ends in .npz, since voices.npz is not a table; got",
        ),
        (("--noise", "white", "--split", "dev"), "--split: expected one of 2 choices; got 'dev'."),
        (("--noise", "white", "--snr", "loud"), "--snr: expected a number; got 'loud'."),
        (("--noise", "white", "--snr", "1,2,3"), "--snr: expected one or two numbers; got 1,2,3."),
        (
            ("--noise", "white", "--snr", "9,1"),
            "--snr: expected numbers of decibels, the lower one first; got 9",
        ),
        (
            ("--noise", "bus.npz"),
            "bus.npz: expected a file, a folder or the name of a built-in data set; got no s",
        ),
    ],
)
def test_what_is_refused(refused, voices, options, message):
    assert message in refused("synthesize", "voices.npz", *options)
