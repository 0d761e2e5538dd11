"""chainrule train --resume, --checkpoint-every and chainrule change, as a user meets them."""

import errno
import json
import os
import shutil
import threading
import time
from unittest import mock

import pytest

from chainrule.host import files
from chainrule.runs import folder as store
from chainrule.runs.status import is_trained_now, last_step
from tests.cli.command import chainrule, in_a_process

OPTIONS = ("--hidden", "4", "--epochs", "9", "--learning-rate", "0.05", "--no-check")
TRAIN = ("train", "iris", *OPTIONS, "--checkpoint-every", "0", "--out", "run")


@pytest.fixture(scope="session")
def as_killed(tmp_path_factory):
    """What a kill leaves that meets a training while its run is saved; and the run itself."""
    folder, copy = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("killed")
    compare = store._compare

    def keep(*runs):
        shutil.copytree(folder / "run.partial", copy / "run.partial")
        compare(*runs)

    with mock.patch.object(store, "_compare", keep):
        assert chainrule(folder, *TRAIN).code == 0
    return copy, folder / "run"


@pytest.fixture
def killed(as_killed, tmp_path):
    """A folder with the training that was killed."""
    shutil.copytree(as_killed[0], tmp_path, dirs_exist_ok=True)
    return tmp_path


def full_disk(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# What it does


def test_it_goes_on_and_ends_as_if_nothing_had_happened(killed, as_killed):
    assert os.listdir(killed) == ["run.partial"]
    said = chainrule(killed, "train", "--resume", "run", "--no-check")
    assert said.code == 0
    assert "9 epochs done" in said.out
    assert "saved in run: " in said.out
    weights = [run / "weights.safetensors" for run in (killed / "run", as_killed[1])]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert os.listdir(killed) == ["run"]


def test_a_run_that_is_done_says_its_results(trained):
    _, folder = trained
    said = chainrule(folder, "train", "--resume", "run")
    assert said.code == 0
    assert said.out.startswith("run is complete\n")
    assert "\ntest          30 " in said.out
    line = json.loads(chainrule(folder, "train", "--resume", "run", "--json").out)
    assert line["run"] == "run"
    assert line["epochs"] == 20


def test_a_run_that_cannot_be_saved_is_kept(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(store, "_compare", full_disk)
        said = chainrule(tmp_path, *TRAIN)
    assert said.code == 2
    assert said.err.endswith(
        "run: expected a folder that can be written; got a full disk; the training is kept in "
        "run.partial.\nTry freeing some space, then chainrule train --resume run.\n"
    )
    assert chainrule(tmp_path, "train", "--resume", "run", "--no-check").code == 0


def test_runs_lists_it_and_says_how_to_go_on(killed):
    words = "was interrupted after step 9; to resume: chainrule train --resume"
    assert chainrule(killed, "runs", ".").out == f"run {words} run\n"
    assert chainrule(killed, "runs", "run.partial").out == f"run {words} run\n"
    (line,) = json.loads(chainrule(killed, "runs", ".", "--json").out)
    assert line == {"run": "run", "training": False, "step": 9}


def test_changed_from_another_process_while_it_trains(tmp_path):
    endless = ("--epochs", "1000000", "--no-early-stopping", "--checkpoint-every", "0")
    said = []

    def train():
        options = ("--hidden", "4", "--no-check", *endless, "--out", "run")
        said.append(in_a_process(tmp_path, "train", "moons", *options, first=UNTIL_CHANGED))

    training = threading.Thread(target=train)
    training.start()
    while not (is_trained_now(tmp_path / "run") and last_step(tmp_path / "run")):
        time.sleep(0.05)
    seen = chainrule(tmp_path, "runs", ".").out
    assert seen == "run is being trained; to change its learning rate or λ: chainrule change run\n"
    again = chainrule(tmp_path, "train", "--resume", "run")
    assert (again.code, again.out) == (2, "")
    assert "got one that is running." in again.err
    asked = chainrule(tmp_path, "change", "run", "--learning-rate", "0.01", "--l2", "0.5")
    assert (asked.code, asked.err) == (0, "")
    assert asked.out == "run: learning_rate 0.01, l2 0.5 from the next epoch on\n"
    training.join()
    assert said[0].code == 130
    lines = map(json.loads, (tmp_path / "run" / "history.jsonl").read_text().splitlines())
    (change,) = [line["change"] for line in lines if "change" in line]
    assert change == {"learning_rate": 0.01, "l2": 0.5}


UNTIL_CHANGED = """
import os, signal
from chainrule.runs import job

really = job.pending_request

def asked(folder, history):
    if history.changes and not history.stopped:
        os.kill(os.getpid(), signal.SIGINT)
    return really(folder, history)

job.pending_request = asked
"""


def test_a_damaged_checkpoint_is_said(killed):
    newest = max((killed / "run.partial" / "checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:-1])
    said = chainrule(killed, "train", "--resume", "run", "--no-check")
    assert said.code == 0
    name = newest.relative_to(killed)
    assert said.err.startswith(
        f"note: {name} is damaged (its sha256 does not match); "
        "the training continues from the previous one.\n"
    )


def test_a_checkpoint_that_cannot_be_written_is_said_once(tmp_path, monkeypatch):
    write = files.write_file

    def fail(path, content):
        full_disk() if path.suffix == ".checkpoint" else write(path, content)

    monkeypatch.setattr(files, "write_file", fail)
    said = chainrule(tmp_path, *TRAIN)
    assert said.code == 0
    assert said.err.count("no checkpoint could be written") == 1
    assert said.err.startswith("note: no checkpoint could be written after step ")
    assert " (a full disk); the training continues.\n" in said.err
    assert "saved in run: " in said.out


# Words


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("train", "--resume", "run"),
            "run.partial: expected an interrupted training run; got none.\n"
            "Try chainrule train, from the start.\n",
        ),
        (
            ("train", "iris", "--resume", "run"),
            "--resume: expected no option besides --learning-rate and --l2; got SOURCE.\n"
            "Try chainrule train --resume run.\n",
        ),
        (
            ("train", "--resume", "run", "--l1", "1", "--l2", "1"),
            "--resume: expected no option besides --learning-rate and --l2; got --l1.\n"
            "Try chainrule train --resume run.\n",
        ),
        (
            ("train", "--resume", "run", "--learning-rate", "0"),
            "--learning-rate: expected a number greater than 0; got 0.0.\nTry 0.001.\n",
        ),
        (
            ("train", "iris", "--checkpoint-every", "-1"),
            "--checkpoint-every: expected a number of at least 0; got -1.0.\nTry 60.\n",
        ),
        (
            ("change", "run", "--l2", "1"),
            "run: expected a run that is being trained; got none.\n"
            "Try chainrule train, from the start.\n",
        ),
        (
            ("change", "run"),
            "chainrule change: expected --learning-rate or --l2; got neither.\n"
            "Try chainrule change run --learning-rate 0.0005.\n",
        ),
        (
            ("change", "run", "--l2", "-1"),
            "--l2: expected a number of at least 0; got -1.0.\nTry 0.1.\n",
        ),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_what_cannot_be_is_refused(refused, words, message):
    assert refused(*words) == message
