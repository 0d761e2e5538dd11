"""chainrule/train/progress.py"""

import io
import os
import sys

import pytest

from chainrule.train.history import Epoch, History
from chainrule.train.progress import progress_bar, rung_bar


def epoch(number: int, **dev) -> Epoch:
    return Epoch(number, cost=1 / number, gradient_norm=1.0, seconds=0.0, **dev)


def train(stream, epochs: int, stopped: str = "epochs", until: int | None = None) -> None:
    """Report one epoch after another to the bar, as `fit` does."""
    history = History()
    with progress_bar(epochs, stream) as on_progress:
        on_progress(history, 0.0)
        for number in range(1, (until or epochs) + 1):
            history.epochs.append(epoch(number))
            history.stopped = stopped if number == (until or epochs) else ""
            on_progress(history, number / epochs)


def test_a_log_file_gets_a_line_at_each_tenth():
    log = io.StringIO()
    train(log, 1000)
    lines = log.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0] == "training: epoch 100/1000, cost 0.0100"
    assert lines[-1] == "training: epoch 1000/1000, cost 0.0010"


@pytest.mark.parametrize("stopped", ["patience", "interrupted"])
def test_a_log_file_gets_a_last_line_after_early_stopping(stopped):
    log = io.StringIO()
    train(log, 1000, stopped, until=250)
    assert log.getvalue().splitlines() == [
        "training: epoch 100/1000, cost 0.0100",
        "training: epoch 200/1000, cost 0.0050",
        "training: epoch 250/1000, cost 0.0040",
    ]


def test_the_dev_cost_is_shown_if_there_is_a_dev_set():
    log, history = io.StringIO(), History([epoch(1, dev_cost=0.25, metric=0.875)], stopped="epochs")
    with progress_bar(1, log) as on_progress:
        on_progress(history, 1.0)
    assert log.getvalue() == "training: epoch 1/1, cost 1.0000, dev 0.2500 (0.8750)\n"


def test_nothing_is_logged_before_the_first_epoch():
    log = io.StringIO()
    with progress_bar(10, log) as on_progress:
        on_progress(History(), 0.5)
    assert log.getvalue() == ""


def seen_in_a_terminal(monkeypatch, *words) -> str:
    for name in ("NO_COLOR", "CI", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal:
        train(terminal, *words)
        seen = b""
        while not seen.endswith(b"\x1b[?25h"):  # a terminal passes the text on in pieces
            seen += os.read(ours, 2**16)
    os.close(ours)
    return seen.decode()


def test_a_terminal_shows_a_moving_bar(monkeypatch):
    seen = seen_in_a_terminal(monkeypatch, 3)
    assert "epoch 3/3, cost 0.3333" in seen
    assert "100%" in seen
    assert "\x1b[?25l" in seen  # the cursor is hidden during training
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")  # and shown again afterwards


def test_a_notebook_shows_one_overwritten_line(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    notebook = io.StringIO()
    train(notebook, 3)
    first, *rest = notebook.getvalue().split("\r")
    assert "epoch" not in first
    assert "epoch 3/3, cost 0.3333" in rest[-1]
    assert notebook.getvalue().count("\n") == 1


@pytest.mark.parametrize(("stopped", "full"), [("patience", True), ("interrupted", False)])
def test_the_bar_is_full_when_training_is_done(monkeypatch, stopped, full):
    assert ("100%" in seen_in_a_terminal(monkeypatch, 10, stopped, 4)) == full


def test_the_ladder_shows_no_bar_in_a_log_file():
    log = io.StringIO()
    with rung_bar(log) as on_progress:
        assert on_progress is None
    assert log.getvalue() == ""


class Terminal(io.StringIO):
    """A text stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_ladder_bar_disappears_from_the_terminal():
    terminal = Terminal()
    with rung_bar(terminal) as on_progress:
        assert on_progress is not None
        on_progress("64-32", 0.5)
    assert "64-32" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[2K")  # the line is cleared
