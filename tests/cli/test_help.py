"""The help of the commands, the completion of the shell, and options with a new name."""

import re

import pytest

from chainrule.choices import ACTIVATIONS, NETWORKS, OPTIMIZERS
from chainrule.cli import main
from chainrule.cli.main import COMMANDS, RENAMED, TASKS
from tests.cli.command import chainrule, in_a_process

HEAVY = ("numpy", "jax", "pydantic", "rich", "pandas", "sklearn", "equinox", "matplotlib")
ALL = [(command.__name__,) for command in COMMANDS] + [
    (task, command.name or command.callback.__name__)
    for task, app in TASKS.items()
    for command in app.registered_commands
]


@pytest.fixture(scope="module")
def train_help(tmp_path_factory):
    return chainrule(tmp_path_factory.mktemp("help"), "train", "--help").out


def panel(text: str, name: str) -> str:
    """The lines of a panel, as one line."""
    return " ".join(text.split(f"\n{name}:\n")[1].split("\n\n")[0].split())


def test_the_help_of_train_is_grouped_in_panels(train_help):
    panels = re.findall(r"^(\w+):$", train_help, re.MULTILINE)
    assert panels == [
        *("Arguments", "Data", "Model", "Training", "Regularisation", "Images", "Output"),
        "Options",
    ]
    assert "--target COLUMN" in panel(train_help, "Data")
    assert "--hidden 64,32|none" in panel(train_help, "Model")
    assert "--learning-rate NUMBER" in panel(train_help, "Training")
    assert "--l2 NUMBER" in panel(train_help, "Regularisation")
    assert "--augment" in panel(train_help, "Images")
    assert "--out FOLDER" in panel(train_help, "Output")


def test_the_help_of_train_shows_defaults(train_help):
    assert "Dropout: probability of keeping a hidden unit" in panel(train_help, "Regularisation")
    assert "--seed N Random seed for the split" in panel(train_help, "Training")
    for words in (
        "gradient_descent. [default: adam]",
        "order of the examples. [default: 0]",
        "training set). [default: depends on the number of examples]",
        "α. [default: 0.002 for adam, 0.001 for rmsprop, 0.1 otherwise]",
    ):
        assert words in panel(train_help, "Training")
    assert "Use batch normalisation in the hidden layers. [default: --no-batch-norm]" in panel(
        train_help, "Model"
    )
    assert "comparing them with finite differences. [default: --check]" in panel(
        train_help, "Output"
    )


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_no_help_shows_a_default_of_none(tmp_path, command):
    said = chainrule(tmp_path, *command, "--help")
    assert said.code == 0
    assert "None" not in said.out


def test_no_help_imports_anything_heavy(tmp_path):
    each = f"""
import sys
from chainrule.cli.main import main
for words in {ALL!r}:
    sys.argv = ["chainrule", *words, "--help"]
    try:
        main()
    except SystemExit as end:
        assert not end.code
sys.argv = ["chainrule", "--help"]
import atexit
atexit.register(lambda: print("heavy:", [name for name in {HEAVY!r} if name in sys.modules]))
"""
    said = in_a_process(tmp_path, first=each)
    assert said.code == 0, said.err
    assert said.out.count("Usage: chainrule") == len(ALL) + 1
    assert said.out.splitlines()[-1] == "heavy: []"


# Completion


def completed(folder, words: str) -> list[str]:
    """What the shell is offered for the last word."""
    asked = {
        "_CHAINRULE_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    return in_a_process(folder, first=f"import os\nos.environ.update({asked})").out.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("chainrule train iris --activation ", list(ACTIVATIONS)),
        ("chainrule train iris --optimizer m", [n for n in OPTIMIZERS if n.startswith("m")]),
        ("chainrule train x --network mobile", [n for n in NETWORKS if n.startswith("mobile")]),
        ("chainrule tune iris --sampler ", ["random", "coarse_to_fine", "tpe", "qmc", "gp"]),
        ("chainrule detect train x --stride 1", ["16"]),
        ("chainrule evaluate run x --split d", ["dev"]),
        ("chainrule diag", ["diagnose"]),
    ],
)
def test_the_shell_completes_choices(tmp_path, words, offered):
    assert completed(tmp_path, words)[: len(offered)] == offered


def test_the_completion_script(tmp_path, monkeypatch):
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))
    said = chainrule(tmp_path, "--show-completion")
    assert said.code == 0
    assert "_CHAINRULE_COMPLETE=complete_bash" in said.out
    assert "chainrule" in said.out


# Renamed options

CALLED = {
    "--alike": ("diagnose", "run"),
    "--body": ("detect", "train", "x"),
    "--in-turn": ("tune", "iris"),
    "--mirrored": ("verify", "train", "x"),
    "--n": ("verify", "train", "x"),
    "--overlap": ("detect", "train", "x"),
    "--part": ("evaluate", "run", "iris"),
    "--people": ("verify", "train", "x"),
    "--photos": ("verify", "train", "x"),
    "--score": ("detect", "predict", "run", "x"),
    "--suspects": ("errors", "run"),
    "--together": ("tune", "iris"),
}


@pytest.mark.parametrize("old", RENAMED)
def test_a_renamed_option_names_the_new_one(refused, old):
    command = CALLED[old]
    name = " ".join(["chainrule", *command[: 2 if command[0] in TASKS else 1]])
    message = refused(*command, old, "1")
    new = RENAMED[old]
    assert message == (
        f"{name}: expected one of its options; got {old}, now called {new}.\nTry {new}.\n"
    )


def test_an_old_name_means_nothing_to_other_commands(refused):
    message = refused("train", "iris", "--n", "8")
    assert message.startswith("chainrule train: expected one of its options; got --n.\nTry ")
    assert "--n" in main.RENAMED


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_limits_its_processors(tmp_path, words):
    text = chainrule(tmp_path, *words, "--help").out
    assert "--threads N" in panel(text, "Output")
