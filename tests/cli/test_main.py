"""The command itself: help at once, errors as exit codes, warnings as notes."""

import runpy
import warnings

import pytest
import typer

from chainrule.cli import main as preprocessor
from chainrule.runs.options import read_image_size
from chainrule.runs.recipe import read_batch_size, read_hidden
from tests.cli.command import chainrule, in_a_process

COMMANDS = ("train", "evaluate", "predict", "describe", "check", "runs", "average")
HEAVY = ("jax", "numpy", "pandas", "sklearn", "equinox", "matplotlib")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(tmp_path, command):
    said = chainrule(tmp_path, command, "--help")
    assert said.code == 0
    assert f"Example: chainrule {command} " in " ".join(said.out.split())


def test_each_example_has_a_line_of_its_own(tmp_path):
    lines = chainrule(tmp_path, "train", "--help").out.splitlines()
    examples = [line.strip() for line in lines if "Example: " in line]
    assert examples == [
        "Example: chainrule train flowers.csv --target species --hidden 16,8",
        "Example: chainrule train photos --network resnet20 --augment auto",
    ]


def test_alone_it_shows_the_commands(tmp_path):
    said = chainrule(tmp_path)
    assert said.code == 0
    assert all(f"\n  {command} " in said.out for command in COMMANDS)


def test_the_version(tmp_path):
    assert chainrule(tmp_path, "--version").out == "0.1.0\n"


def test_python_runs_it_as_a_module(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["chainrule", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("chainrule", run_name="__main__")
    assert (ended.value.code or 0, capsys.readouterr().out) == (0, "0.1.0\n")


def test_help_imports_nothing_heavy(tmp_path):
    loaded = f"print('heavy:', [name for name in {HEAVY} if name in sys.modules])"
    said = in_a_process(
        tmp_path, "--help", first=f"import atexit, sys; atexit.register(lambda: {loaded})"
    )
    assert said.code == 0
    assert said.out.splitlines()[-1] == "heavy: []"


def test_a_message_and_no_traceback_in_a_process_of_its_own(tmp_path):
    said = in_a_process(tmp_path, "train", "nothing.csv", "--target", "y")
    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith(
        "nothing.csv: expected a file, a folder or the name of a built-in data set; got no such"
    )
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")]
)
def test_no_memory_left(tmp_path, monkeypatch, error):
    said = raising(tmp_path, monkeypatch, error)
    assert said.code == 2
    assert said.err.startswith("memory: expected enough for this; got none left.\nTry ")


def test_an_error_of_ours_is_not_hidden(tmp_path, monkeypatch):
    with pytest.raises(RuntimeError, match="a bug"):
        raising(tmp_path, monkeypatch, RuntimeError("a bug"))


def test_ctrl_c(tmp_path, monkeypatch):
    said = raising(tmp_path, monkeypatch, KeyboardInterrupt())
    assert (said.code, said.err) == (130, "interrupted.\n")


def test_a_reader_that_went_away_is_no_error_of_ours(tmp_path, monkeypatch):
    said = raising(tmp_path, monkeypatch, BrokenPipeError(32, "Broken pipe"))
    assert (said.code, said.err) == (1, "")


def test_warnings_are_notes(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = preprocessor.say_warning
        warnings.warn("a column is constant.", stacklevel=1)
    assert capsys.readouterr().err == "note: a column is constant.\n"


def test_a_note_is_said_once(capsys):
    say = preprocessor.once(preprocessor.say_warning)
    for words in ("one", "two", "one"):
        say(words, UserWarning, "a.py", 1)
    assert capsys.readouterr().err == "note: one\nnote: two\n"


def raising(tmp_path, monkeypatch, error):
    """What is said where a command raises this."""
    app = typer.Typer()

    @app.command()
    def fail() -> None:
        raise error

    monkeypatch.setattr(preprocessor, "app", app)
    return chainrule(tmp_path)


# Options as people write them


def test_hidden_units():
    assert read_hidden("--hidden", "64, 32") == (64, 32)
    assert read_hidden("--hidden", "None") == ()


def test_batch_size():
    assert read_batch_size("--batch-size", "all") == 0
    assert read_batch_size("--batch-size", "64") == 64


def test_image_size():
    assert read_image_size("--image-size", "64x48") == (64, 48)
    assert read_image_size("--image-size", "64") == (64, 64)


def test_threads(tmp_path):
    """In a process of its own: it changes where the process may run."""
    count = "print(len(os.sched_getaffinity(0)), os.environ['OMP_NUM_THREADS'])"
    said = in_a_process(
        tmp_path, "evaluate", "no-run", "iris", "--threads", "1",
        first=f"import atexit, os; atexit.register(lambda: {count})",
    )  # fmt: skip
    assert said.out == "1 1\n"
