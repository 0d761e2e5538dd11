"""chainrule generate, as a user meets it."""

import json

import pytest

from tests.cli.command import chainrule

QUICK = ("--hidden", 8, "--epochs", 2, "--batch-size", 8)
NAMES = "\n".join(f"{a}{b}{c}" for a in "klmnp" for b in "aeiou" for c in ("na", "r"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What `chainrule generate train` said, and the folder where it was called."""
    place = tmp_path_factory.mktemp("generate")
    (place / "names.txt").write_text(NAMES)
    said = chainrule(place, "generate", "train", "names.txt", "--lines", *QUICK, "--out", "run")
    return said, place


def test_it_trains_evaluates_and_saves(trained):
    said, place = trained
    assert said.code == 0, said.err
    assert said.out.startswith(
        "names.txt: 175 characters, lines of 11 different characters\n  train 30 lines, "
    )
    assert "2 epochs done" in said.out
    head = "characters  nats a character  bits a character  perplexity  accuracy"
    assert head in said.out
    assert "dev error − training error " in said.out
    assert said.out.endswith(
        "saved in run: cost.png, history.jsonl, manifest.json, recipe.json, report.html, "
        "weights.safetensors\nopen run/report.html in a browser\n"
        "next: chainrule generate sample run\n"
    )
    assert sorted(file.name for file in place.iterdir()) == ["names.txt", "run"]


def test_sample(trained, tmp_path):
    _, place = trained
    words = ("generate", "sample", "run", "--count", 3, "--prefix", "ka", "--temperature", 0.8)
    said = chainrule(place, *words)
    assert said.code == 0, said.err
    texts = said.out.splitlines()
    assert [text[:2] for text in texts] == ["ka"] * 3
    line = json.loads(chainrule(place, *words, "--json", "-o", tmp_path / "a.txt").out)
    assert line == {"samples": texts, "prefix": "ka", "seed": 0, "temperature": 0.8}
    assert (tmp_path / "a.txt").read_text() == said.out
    assert len(chainrule(place, "generate", "sample", "run").out.splitlines()) == 10
    other = chainrule(place, *words, "--seed", 1, "--prefix", "kä")
    assert other.code == 0
    assert other.out != said.out
    assert other.err == (
        "note: the prefix has 1 different character that the training set lacks, which is read as "
        "unknown: 'ä'\n"
    )


def test_evaluate(trained):
    said, place = trained
    found = chainrule(place, "generate", "evaluate", "run", "names.txt")
    head, row = (line.split() for line in found.out.splitlines())
    assert head[0] == "characters"
    assert row[:2] == ["names.txt", "(test)"]
    assert " ".join(row[2:]) in " ".join(said.out.split())
    line = json.loads(chainrule(place, "evaluate", "run", "names.txt", "--json").out)
    assert [*line] == ["m", "cost", "bits", "perplexity", "accuracy"]
    assert f"{line['cost']:.4f}" == row[3]


def test_describe_runs_and_report(trained):
    _, place = trained
    said = chainrule(place, "describe", "run")
    assert said.out.startswith("lstm(14 -> 8 -> 14)\n")
    assert "inputs: lines of 11 different characters\n" in said.out
    assert "chainrule generate train names.txt --hidden 8 --epochs 2 --batch-size 8" in said.out
    line = json.loads(chainrule(place, "describe", "run", "--json").out)
    assert line["kind"] == "generate"
    assert f"{line['results']['test']['accuracy']:.4f}" in chainrule(place, "runs", ".").out
    page = (place / "run" / "report.html").read_bytes()
    assert chainrule(place, "report", "run").code == 0
    assert (place / "run" / "report.html").read_bytes() == page


def test_a_finished_one_is_not_trained_again(trained):
    _, place = trained
    again = chainrule(place, "generate", "train", "--resume", "run")
    assert again.code == 0
    assert again.out.startswith("run is complete\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("predict", "run", "names.txt"),
            "run: expected a run that predicts labels; got a run of chainrule generate.\n"
            "Try chainrule generate sample run.\n",
        ),
        (
            ("check", "run"),
            "run: expected a run of chainrule train; got a run of chainrule generate.\n"
            "Try chainrule evaluate run SOURCE, or chainrule describe run.\n",
        ),
        (
            ("generate", "sample", "run", "--temperature", 0),
            "--temperature: expected a number greater than 0; got 0.0.\nTry 0.8.\n",
        ),
        (
            ("generate", "sample", "run", "-o", "run/recipe.json"),
            "--output: expected a file outside of the runs; got run/recipe.json, a file of run.\n"
            "Try another file.\n",
        ),
        (
            ("evaluate", "run", "names.txt", "--goal", "f1"),
            "--goal: expected no --goal for a run of chainrule generate; got f1.\n"
            "Try leaving it out.\n",
        ),
        (
            ("generate", "train"),
            "chainrule generate train: expected a SOURCE; got none.\n"
            "Try chainrule generate train FILE.\n",
        ),
        (
            ("generate", "evaluate", "run", "absent.txt"),
            "absent.txt: expected a file; got no such file.\nTry the name of an existing file.\n",
        ),
        (
            ("change", "run", "--l2", 1),
            "run: expected a training run with λ; got a run of chainrule generate.\n"
            "Try chainrule change run --learning-rate 0.0005.\n",
        ),
        (
            ("segment", "evaluate", "run", "names.txt"),
            "run: expected a run of chainrule segment; got a run of chainrule generate.\n"
            "Try chainrule evaluate run SOURCE, or chainrule describe run.\n",
        ),
    ],
)
def test_what_is_refused(trained, words, message):
    _, place = trained
    said = chainrule(place, *words)
    assert (said.code, said.out, said.err) == (2, "", message)
