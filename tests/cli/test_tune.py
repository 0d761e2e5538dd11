"""chainrule tune: what it says and keeps, what it goes on with, what it refuses."""

import errno
import json
import os
from types import SimpleNamespace

import pytest

from chainrule.cli.options import declared_options
from chainrule.cli.train import train
from chainrule.cli.tune import tune
from chainrule.runs.folder import load
from tests.cli.command import chainrule, in_a_process
from tests.cli.test_train import CTRL_C

QUICK = ("--hidden", "4", "--epochs", "3")
SPACE = ("--search", "learning_rate=log(1e-3, 1)", "--search", "l2=log(1e-3, 1)")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """What `chainrule tune iris` said, and the folder where it was called."""
    folder = tmp_path_factory.mktemp("tune")
    return chainrule(folder, "tune", "iris", *QUICK, *SPACE, "--trials", 9), folder


# What it says


@pytest.mark.parametrize(("network", "said"), [("--network=convnet", True), ("--hidden=4", False)])
def test_a_search_of_convolutions_says_how_to_get_the_kernels(tmp_path, monkeypatch, network, said):
    monkeypatch.setattr("chainrule.cli.tune_messages.advice", lambda: "note: get the kernels")
    monkeypatch.setattr("chainrule.cli.tune_messages.run", lambda search, **how: True)  # stopped
    words = ("tune", "digits", network, "--epochs", 1, "--trials", 1, *SPACE[:2])
    assert ("\nnote: get the kernels\n" in chainrule(tmp_path, *words).out) == said


def test_plots_that_cannot_be_written_do_not_cost_the_search(tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("chainrule.cli.tune_messages.files", SimpleNamespace(write_file=full))
    said = chainrule(tmp_path, "tune", "iris", *QUICK, *SPACE[:2], "--trials", 1)
    assert said.code == 0
    assert "the search is saved without plots, which could not be created (OSError: " in said.err
    assert "next: chainrule describe searches/iris-1/best" in said.out


def test_it_says_the_plan_each_candidate_the_table_and_the_best(tuned):
    said, _ = tuned
    assert said.code == 0
    for words in (
        "searches/iris-1: 9 candidates, random, on the dev set",
        "  learning_rate  log(0.001, 1)",
        "   candidate  dev cost  accuracy  learning_rate  l2",
        "        examples       cost   accuracy",
        "plots in searches/iris-1: candidates.png, ",
        "the best candidate, trained again and saved in searches/iris-1/best",
        "next: chainrule describe searches/iris-1/best",
    ):
        assert words in said.out, words
    lines = said.err.splitlines()
    assert len(lines) == 9
    assert lines[0].startswith("candidate 1 of 9: dev cost ")
    costs = [line.split()[2] for line in said.out.splitlines() if line[:2].strip().isdigit()]
    assert len(costs) == 9
    assert costs == sorted(costs)


def test_what_lies_in_the_folder(tuned):
    found = {path.name for path in (tuned[1] / "searches" / "iris-1").iterdir()}
    assert found == {
        "search.json",
        "journal.log",
        "journal.lock",
        "journal.end",
        "workers",
        "best",
        "best.lock",
        "candidates.png",
        "importance.png",
        "curves.png",
    }


def test_the_best_is_a_run_like_any_other(tuned):
    folder = tuned[1]
    assert load(folder / "searches" / "iris-1" / "best").results["test"]["m"] == 30
    assert chainrule(folder, "describe", "searches/iris-1/best").code == 0
    assert "searches/iris-1/best" in chainrule(folder, "runs", "searches/iris-1").out
    assert chainrule(folder, "evaluate", "searches/iris-1/best", "iris").code == 0


def test_one_line_of_json(tmp_path):
    said = chainrule(tmp_path, "tune", "iris", *QUICK, *SPACE, "--trials", 2, "--json")
    line = json.loads(said.out)
    assert (line["search"], line["run"]) == ("searches/iris-1", "searches/iris-1/best")
    assert line["test"]["accuracy"] >= 0
    assert [set(c) for c in line["candidates"]] == [
        {"candidate", "state", "values", "dev_cost", "scores"}
    ] * 2
    assert line["seconds"] > 0


# What it goes on with


def test_with_no_more_trials_it_says_its_table(tuned):
    said, folder = tuned
    again = chainrule(folder, "tune", "--resume", "searches/iris-1", "--trials", 0)
    assert again.code == 0
    assert again.err == ""
    assert "9 done before, 0 remaining" in again.out
    table = said.out[said.out.index("   candidate") : said.out.index("        examples")]
    assert table in again.out


def test_it_goes_on_to_more(tmp_path):
    chainrule(tmp_path, "tune", "iris", *QUICK, *SPACE, "--trials", 1, "--out", "s")
    more = chainrule(tmp_path, "tune", "--resume", "s", "--trials", 3)
    assert [line.split(":")[0] for line in more.err.splitlines()] == [
        "candidate 2 of 3",
        "candidate 3 of 3",
    ]


def test_ctrl_c_ends_it_and_loses_nothing(tmp_path):
    endless = ("--trials", "100000", "--out", "s", "--epochs", "50")
    said = in_a_process(tmp_path, "tune", "iris", "--hidden", "4", *SPACE, *endless, first=CTRL_C)
    assert said.code == 130
    assert said.out.endswith("interrupted; next: chainrule tune --resume s\n")
    assert said.err.splitlines()[-1] == "interrupted."
    done = said.err.count("candidate ")
    again = chainrule(tmp_path, "tune", "--resume", "s", "--trials", done + 2, "--json")
    assert len(json.loads(again.out)["candidates"]) == done + 2


def test_a_space_from_a_file_and_one_more_dimension(tmp_path):
    (tmp_path / "space.toml").write_text("learning_rate = 'log(1e-3, 1)'\n")
    more = ("--space", "space.toml", "--search", "l2=log(1e-3, 1)", "--trials", 1)
    said = chainrule(tmp_path, "tune", "iris", *QUICK, *more)
    assert "  learning_rate  log(0.001, 1)\n  l2             log(0.001, 1)\n" in said.out


def test_folds_a_pruner_and_tpe(tmp_path):
    how = ("--folds", 2, "--pruner", "median", "--sampler", "tpe", "--trials", 6)
    said = chainrule(tmp_path, "tune", "iris", *QUICK, *SPACE, *how)
    assert "6 candidates, tpe, on 2 folds, pruner median" in said.out
    assert said.code == 0


def test_it_takes_every_option_of_a_training():
    options = [{one.flag for one in declared_options(f).values()} for f in (train, tune)]
    assert options[0] - options[1] == {"--recipe", "--checkpoint-every", "--check"}


def test_its_options_reach_the_recipe(tmp_path):
    options = {
        "--keep-prob": "0.9",
        "--batch-size": "all",
        "--optimizer": "momentum",
        "--beta": "0.8",
        "--normalize": "none",
    }
    words = [word for pair in options.items() for word in pair]
    chainrule(tmp_path, "tune", "iris", *QUICK, *SPACE, *words, "--batch-norm", "--trials", 1)
    recipe = json.loads((tmp_path / "searches" / "iris-1" / "search.json").read_text())["recipe"]
    assert (recipe["keep_prob"], recipe["batch_size"], recipe["beta"]) == (0.9, 0, 0.8)
    assert (recipe["optimizer"], recipe["normalize"]) == ("momentum", "none")
    assert (recipe["batch_norm"], recipe["hidden"], recipe["epochs"]) == (True, [4], 3)


# What it refuses


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "chainrule tune: expected a SOURCE; got none.\nTry chainrule tune digits.\n"),
        (
            ("iris", "--trials", "0"),
            "--trials: expected a whole number of at least 1; got 0.\nTry --trials 5.\n",
        ),
        (
            ("iris", "--trials", "many"),
            "--trials: expected a whole number; got 'many'.\nTry 20.\n",
        ),
        (
            ("iris", "--sampler", "tpo"),
            "--sampler: expected one of 6 choices; got 'tpo'.\nTry tpe (did you mean that?); ",
        ),
        (
            ("iris", "--folds", "1"),
            "--folds: expected a whole number of at least 2; got 1.\nTry 5.\n",
        ),
        (
            ("iris", "--workers", "0"),
            "--workers: expected a whole number of at least 1; got 0.\nTry 2.\n",
        ),
        (
            ("iris", "--search", "learning_rate"),
            "--search: expected NAME=DIMENSION; got 'learning_rate'.\n",
        ),
        (
            ("iris", "--search", "rate=log(1, 2)"),
            "the space, rate: expected a hyperparameter; got an unknown name.\n",
        ),
        (
            ("iris", "--search", "l2=log(0, 1)"),
            "the space, l2, log(0, 1): expected a range above 0; got 0.\nTry log(0.0001, 1).\n",
        ),
        (
            ("iris", "--l2", "1", "--search", "l2=log(1e-3, 1)"),
            "--l2: expected either the option or l2 in the space; got both.\n",
        ),
        (
            ("iris", "--space", "none.toml"),
            "--space none.toml: expected a file; got no such file.",
        ),
        (
            ("iris", "--dev", "none"),
            "--dev: expected a dev set to compare candidates on; got none.\n",
        ),
        (
            ("iris", "--learning-rate", "fast"),
            "--learning-rate: expected a number; got 'fast'.\nTry 0.001.\n",
        ),
        (
            ("--resume", "nothing"),
            "nothing: expected the folder of a search; got no search.json in it.\n",
        ),
        (
            ("--resume", "nothing", "--epochs", "3"),
            "--resume: expected no options other than --trials, --workers and --storage; "
            "got --epochs.\nTry chainrule tune --resume nothing.\n",
        ),
        (
            ("iris", "--resume", "nothing"),
            "--resume: expected no options other than --trials, --workers and --storage; "
            "got SOURCE.\n",
        ),
    ],
)
def test_what_is_refused(refused, words, message):
    assert refused("tune", *words).startswith(message)
