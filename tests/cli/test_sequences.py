"""Sequences of numbers and texts at the command line: every command on runs of small made data."""

import json

import numpy as np
import pytest

from tests.cli.command import chainrule

GRU = ("--network", "gru", "--hidden", "4", "--epochs", "6", "--learning-rate", "0.05")
NAMES = ["anna", "otto", "lena", "hugo", "mira", "benno", "lisa", "udo"]


def write_series(path, m: int = 60, seed: int = 0) -> None:
    """Write a .ts file of three classes, told apart by the slope of the first number."""
    rng = np.random.default_rng(seed)
    lines = ["@problemName slopes", "@dimensions 2", "@classLabel true down flat up", "@data"]
    for i in range(m):
        T = rng.integers(4, 12)
        rising = (i % 3 - 1) * np.arange(T) + rng.normal(0, 0.3, T)
        numbers = [",".join(f"{x:.2f}" for x in one) for one in (rising, rng.normal(size=T))]
        lines.append(":".join([*numbers, ("down", "flat", "up")[i % 3]]))
    path.write_text("\n".join(lines) + "\n")


def write_steps(path, m: int = 30) -> None:
    """Write a table with a row for each step, in the wrong order, with a number to predict."""
    rng = np.random.default_rng(1)
    rows = []
    for i in range(m):
        pulse = rng.normal(80, 10, rng.integers(3, 7))
        rows += [f"P{i},{hour},{x:.1f},{pulse.mean():.2f}" for hour, x in enumerate(pulse)]
    path.write_text("\n".join(["patient,hour,pulse,risk", *rng.permutation(rows)]) + "\n")


def write_names(path, m: int = 64) -> None:
    """Write names that end in a vowel or in o."""
    rows = [f"{NAMES[i % 8]}{'' if i < 8 else i},{'f' if i % 2 == 0 else 'm'}" for i in range(m)]
    path.write_text("\n".join(["name,kind", *rows]) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the data, a run on series, one on texts, and one on steps."""
    path = tmp_path_factory.mktemp("sequences")
    write_series(path / "slopes.ts")
    write_steps(path / "steps.csv")
    write_names(path / "names.csv")
    texts = ("--text", "name", "--target", "kind")
    steps = ("--sequence", "patient", "--time", "hour", "--target", "risk")
    said = {
        "series": chainrule(path, "train", "slopes.ts", *GRU, "--out", "series"),
        "texts": chainrule(path, "train", "names.csv", *texts, *GRU, "--out", "texts"),
        "steps": chainrule(path, "train", "steps.csv", *steps, *GRU, "--out", "steps"),
    }
    return path, said


@pytest.mark.parametrize("name", ["series", "texts", "steps"])
def test_a_run_has_all_its_parts(folder, name):
    path, said = folder
    assert said[name].code == 0, said[name].err
    for words in ("gradients: right", "A[1] = ", f"open {name}/report.html in a browser"):
        assert words in said[name].out
    assert "note: the run is saved without" not in said[name].out + said[name].err
    assert (path / name / "signal.png").exists()


def test_the_network_and_the_steps_are_shown(folder):
    said = folder[1]["series"].out
    assert "gru(2 -> 4 -> 3)\n" in said
    assert "(T, 2, 32)" in said
    assert "of cache for one step of 32 examples" in said
    assert "texts as sequences of " in folder[1]["texts"].out


def test_predictions_of_a_saved_run(folder):
    path, _ = folder
    said = chainrule(path, "predict", "series", "slopes.ts", "--json")
    assert said.code == 0, said.err
    assert len(json.loads(said.out)["predictions"]) == 60
    said = chainrule(path, "predict", "texts", "names.csv")
    assert said.code == 0, said.err
    assert len(said.out.splitlines()) == 65
    said = chainrule(path, "predict", "steps", "steps.csv")
    assert said.code == 0, said.err
    assert len(said.out.splitlines()) == 31


def test_the_steps_that_spoke_for_an_answer(folder):
    path, _ = folder
    said = chainrule(path, "predict", "texts", "names.csv", "--explain", "--columns", "1")
    assert said.code == 0, said.err
    assert said.out.splitlines()[0] == "prediction,p(f),p(m),for,against"
    assert "'a' +" in said.out.splitlines()[1]
    said = chainrule(path, "predict", "series", "slopes.ts", "--explain")
    assert "step " in said.out


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "series", "slopes.ts"),
        ("describe", "series"),
        ("describe", "series", "--trace"),
        ("describe", "texts"),
        ("check", "series"),
        ("check", "texts"),
        ("diagnose", "series"),
        ("diagnose", "texts"),
        ("errors", "series"),
        ("errors", "texts"),
        ("report", "texts"),
        ("report", "steps"),
        ("runs", "."),
        ("train", "--recipe", "texts/recipe.json", "--out", "again"),
    ],
    ids=" ".join,
)
def test_the_other_commands_work(folder, words):
    said = chainrule(folder[0], *words)
    assert said.code == 0, said.err
    assert "Traceback" not in said.out + said.err


def test_the_ladder_of_sequences(folder):
    path, _ = folder
    said = chainrule(path, "train", "slopes.ts", "--epochs", "3", "--no-check", "--out", "ladder")
    assert said.code == 0, said.err
    assert "summary" in said.out
    assert "gru 64" in said.out
    kept = json.loads((path / "ladder" / "recipe.json").read_text())["recipe"]
    assert kept["network"] in ("summary", "gru")


def test_unknown_characters_are_handled(folder):
    path, _ = folder
    (path / "odd.csv").write_text("name,kind\nßß,f\nЖan,m\n")
    said = chainrule(path, "predict", "texts", "odd.csv")
    assert said.code == 0, said.err
    assert len(said.out.splitlines()) == 3


MESSAGES = {
    ("train", "iris", "--network", "gru"): (
        "--network gru: expected sequences or texts; got rows or images.\n"
        "Try --sequence, --text, or another network.\n"
    ),
    ("train", "slopes.ts", "--network", "lenet"): (
        "--network lenet: expected rows or images; got sequences.\nTry --network gru.\n"
    ),
    ("train", "slopes.ts", "--network", "transformer", "--bidirectional"): (
        "--bidirectional: expected --network rnn, lstm or gru; got transformer.\n"
        "Try --network gru.\n"
    ),
    ("train", "slopes.ts", "--network", "gru", "--activation", "tanh"): (
        "--activation: expected no value with --network gru; got tanh.\n"
        "Try leaving --activation out.\n"
    ),
    ("train", "slopes.ts", "--network", "summary", "--hidden", "8"): (
        "--hidden: expected no layers with --network summary; got 8.\nTry --network gru.\n"
    ),
    ("train", "steps.csv", "--sequence", "patient", "--target", "risk"): (
        "--sequence: expected --time as well; got no --time.\n"
        "Try --time with the name of the column that orders the steps.\n"
    ),
}


@pytest.mark.parametrize("words", MESSAGES, ids=" ".join)
def test_messages(folder, words):
    said = chainrule(folder[0], *words)
    assert (said.code, said.err) == (2, MESSAGES[words])
