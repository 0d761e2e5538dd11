"""chainrule/cli/output.py: no command writes over what is needed, and any text can be printed."""

import contextlib
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from chainrule.cli.main import message_of
from chainrule.cli.output import say, say_json, write, write_folder
from chainrule.errors import OptionError, ResultWarning, or_warn
from chainrule.host.files import write_file
from tests.cli.command import chainrule, in_a_process

ROWS = "x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(12))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a table and a run on it."""
    folder = tmp_path_factory.mktemp("output")
    (folder / "a.csv").write_text(ROWS)
    assert chainrule(folder, "train", "a.csv", "--target", "y", *QUICK, "--out", "run").code == 0
    return folder


QUICK = ("--hidden", "2", "--epochs", "2")


def refused(folder, *words) -> str:
    """Return the first line of the message of a command that must change nothing."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    said = chainrule(folder, *words)
    assert said.code == 2
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return said.err.splitlines()[-2]


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_an_input_is_never_written_over(folder, force):
    with contextlib.suppress(FileExistsError):
        os.symlink("a.csv", folder / "link.csv")
    for target in ("a.csv", "./a.csv", "link.csv"):
        message = refused(folder, "predict", "run", "a.csv", "-o", target, *force)
        name = target.removeprefix("./")
        assert message == (
            f"--output: expected a file that the command does not read; got {name}, the SOURCE."
        )
    message = refused(
        folder, "synthesize", "a.csv", "--target", "y", "--noise", "white", "-o", "a.csv", *force
    )
    assert message.startswith("--output: expected a file that the command does not read; got")


@pytest.mark.parametrize("file", ["weights.safetensors", "recipe.json", "manifest.json"])
def test_a_file_of_a_run_is_never_written_over(folder, file):
    for words in (("predict", "run", "a.csv"), ("report", "run")):
        message = refused(folder, *words, "-o", f"run/{file}", "--force")
        assert message == (
            f"--output: expected a file outside of the runs; got run/{file}, a file of run."
        )


@pytest.mark.parametrize(
    "words", [("predict", "run", "a.csv"), ("report", "run"), ("errors", "run")], ids=" ".join
)
def test_a_file_is_written_over_only_with_force(folder, words):
    target = folder / f"{words[0]}.out"
    target.write_text("mine")
    assert refused(folder, *words, "-o", target.name) == (
        f"--output: expected a file that does not exist yet; got {target.name}."
    )
    assert chainrule(folder, *words, "-o", target.name, "--force").code == 0
    assert target.read_bytes() != b"mine"


def test_other_options_that_name_a_file_to_write(folder):
    (folder / "n.csv").write_text("t\n1\n2\n")
    (folder / "n-averages.png").write_text("mine")
    assert refused(folder, "average", "n.csv", "--out", "n-averages.png") == (
        "--out: expected a file that does not exist yet; got n-averages.png."
    )


REFUSED = {
    "": "the name of a file; got an empty name.",
    " ": "the name of a file; got an empty name.",
    ".": "the name of a file; got ., which is a folder.",
    "..": "the name of a file; got .., which is a folder.",
    "sub": "the name of a file; got sub, which is a folder.",
    "/dev/null": "the name of a file; got /dev/null, which is a device.",
    "pipe": "the name of a file; got pipe, which is a pipe.",
    "link": "the name of a file; got link, which is a symbolic link.",
    "nowhere": "the name of a file; got nowhere, which is a symbolic link.",
    "no/a.csv": "a file in an existing folder; got no/a.csv.",
    "a" * 300: "a name that a file can have; got a name of 300 bytes.",
    "a\0b": "a name that a file can have; got a name with a zero byte.",
}


@pytest.fixture(scope="module")
def special(folder):
    """The same folder with a sub-folder, a pipe and links."""
    (folder / "sub").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "target").write_text("mine")
    (folder / "link").symlink_to("target")
    (folder / "nowhere").symlink_to("missing")
    return folder


def test_a_dash_is_standard_output_or_refused(folder):
    printed, said = (chainrule(folder, "predict", "run", "a.csv", *o) for o in ((), ("-o", "-")))
    assert (said.code, said.out) == (0, printed.out)
    for words in (("report", "run"), ("errors", "run"), ("synthesize", "digits", "--noise", "1")):
        assert refused(folder, *words, "-o", "-") == (
            "--output: expected the name of a file or folder; got -, which stands for standard "
            "output elsewhere."
        )


def test_no_run_is_called_dash(folder):
    message = refused(folder, "train", "a.csv", "--target", "y", *QUICK, "-o", "-")
    assert message == "-: expected the name of a new folder; got -."


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_name_of_a_new_file_is_refused(special, name):
    for words in (("predict", "run", "a.csv"), ("report", "run", "--force")):
        message = refused(special, *words, "-o", name)
        assert message == f"--output: expected {REFUSED[name]}"
    assert not (special / "missing").exists()


def test_the_name_is_refused_before_the_work_begins(special):
    message = refused(special, "errors", "no such run", "-o", "sub")
    assert message == "--output: expected the name of a file; got sub, which is a folder."


def test_a_device_and_a_pipe_are_never_replaced(special):
    for path in (special / "pipe", Path("/dev/null")):
        with pytest.raises(FileExistsError):
            write_file(path, b"data")
        assert not path.is_file()


def test_a_link_is_no_folder_for_files(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(OptionError, match="expected a folder that is new or empty; got"):
        write_folder({"a.png": b""}, str(tmp_path / "link"))
    with pytest.raises(OptionError, match="expected the name of a file; got an empty name"):
        write_folder({"a.png": b""}, "")
    assert not list((tmp_path / "real").iterdir())


def test_json_and_tables_show_control_characters_escaped(capsys):
    say("a\x1b[31m\nb")
    say_json({"a\x1b": "\x7f\u202e"})
    said = capsys.readouterr().out
    assert said.splitlines()[:2] == ["a\\x1b[31m", "b"]
    assert json.loads(said.splitlines()[2]) == {"a\x1b": "\x7f\u202e"}
    assert said.isprintable() or not set(said) & set("\x1b\x7f\u202e")


def test_a_table_is_data_for_a_program_and_text_for_a_terminal(capsys, monkeypatch):
    write("\x1b[31ma\n", None)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    write("\x1b[31ma\n", None)
    assert capsys.readouterr().out == "\x1b[31ma\n\\x1b[31ma\n"


@pytest.mark.parametrize("words", [("describe",), ("train", "--target", "y"), ("report",)])
def test_a_name_that_no_file_can_have_is_one_message(folder, words):
    message = refused(folder, words[0], "a" * 300, *words[1:])
    assert message.startswith("a" * 40)
    assert "; got " in message


# Any text can be printed


def test_help_on_a_terminal_that_lacks_characters(folder):
    for encoding in ("cp1252", "ascii", "latin-1"):
        environment = os.environ | {"PYTHONIOENCODING": encoding}
        program = "from chainrule.cli.main import main; main()"
        command = [sys.executable, "-c", program, "train", "--help"]
        said = subprocess.run(command, env=environment, capture_output=True, check=True)
        assert b"Usage: chainrule train" in said.stdout.replace(b"-c", b"chainrule")
        assert said.stderr == b""


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
@pytest.mark.parametrize("name", [b"caf\xe9.csv", b"\xff\xfe.csv"])
def test_file_names_that_are_not_utf8(tmp_path, name):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
    with open(path, "w") as file:
        file.write(ROWS)
    said = chainrule(tmp_path, "train", os.fsdecode(name), "--target", "y", *QUICK, "--out", "run")
    assert said.code == 0
    assert (tmp_path / "run" / "report.html").is_file()
    for words in (("describe", "run"), ("report", "run"), ("evaluate", "run", path)):
        assert chainrule(tmp_path, *words).code == 0


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
def test_classes_whose_folders_are_not_utf8(tmp_path):
    for i, name in enumerate((b"caf\xe9", b"x$_{", b"\xe6\x97\xa5")):
        for j in range(6):
            path = os.fsdecode(b"pets/" + name + b"/%d\xff.png" % j)
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (6, 6), 80 * i + j).save(tmp_path / path)
    said = chainrule(tmp_path, "train", "pets", *QUICK, "--out", "run")
    assert (said.code, "without its plots" in said.err) == (0, False)
    assert (tmp_path / "run" / "confusion.png").is_file()
    for words in (("evaluate", "run", "pets"), ("predict", "run", "pets"), ("errors", "run")):
        assert chainrule(tmp_path, *words, "--json").code == 0


@pytest.mark.parametrize("name", ["a$b^{.csv", "价格.csv", "a'b\".csv"])
def test_other_odd_file_names(tmp_path, name):
    (tmp_path / name).write_text(ROWS)
    said = chainrule(tmp_path, "train", name, "--target", "y", *QUICK, "--out", "run")
    assert (said.code, (tmp_path / "run" / "cost.png").is_file()) == (0, True)


# A finished training run is saved whatever fails after it


def test_a_plot_that_fails_does_not_cost_the_run(tmp_path, monkeypatch):
    def fails(*_):
        raise RuntimeError("no font")

    monkeypatch.setattr("chainrule.inspection.run_plots.plot_run", fails)
    (tmp_path / "a.csv").write_text(ROWS)
    said = chainrule(tmp_path, "train", "a.csv", "--target", "y", *QUICK, "--out", "run")
    assert said.code == 0
    assert (
        "without its plots and its report, which could not be created (RuntimeError: no font)"
        in (said.err)
    )
    assert chainrule(tmp_path, "predict", "run", "a.csv").out.startswith("prediction,")


def test_a_pipe_that_is_closed_does_not_cost_the_run(tmp_path):
    (tmp_path / "a.csv").write_text(ROWS)
    first = "import os, sys; sys.stdout = open(os.pipe()[1], 'w', buffering=1); os.close(3)"
    in_a_process(tmp_path, "train", "a.csv", "--target", "y", *QUICK, "--out", "run", first=first)
    assert (tmp_path / "run" / "manifest.json").is_file()


def test_what_fails_is_reported_and_replaced():
    assert or_warn("its plots", lambda: 1, 0) == 1
    with pytest.warns(ResultWarning, match=r"without its plots, .* \(OptionError: a: expected b"):
        assert or_warn("its plots", lambda: _raise(OptionError("a", "b", "c")), 0) == 0
    with pytest.raises(KeyboardInterrupt):
        or_warn("its plots", lambda: _raise(KeyboardInterrupt()), 0)


def _raise(error: BaseException):
    raise error


@pytest.mark.parametrize(
    ("number", "got", "remedy"),
    [
        (errno.ENOSPC, "a full disk", "a disk with free space"),
        (errno.EIO, 'the system error "Input/output error"', "another disk"),
        (errno.EACCES, 'the system error "Permission denied"', "other permissions"),
        (errno.EMFILE, 'the system error "Too many open files"', "a higher limit (ulimit -n)"),
    ],
)
def test_an_error_of_the_system_is_one_message(number, got, remedy):
    error = OSError(number, os.strerror(number), "runs/best.lock")
    assert message_of(error) == (
        f"runs/best.lock: expected access to the file; got {got}.\nTry {remedy}."
    )


def test_an_error_of_the_program_is_not_hidden():
    with pytest.raises(FileNotFoundError):
        message_of(FileNotFoundError(errno.ENOENT, "no such file", "x"))
