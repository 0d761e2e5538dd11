"""A progress bar that behaves: live in a terminal and in a notebook, a few lines in a log file."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO

from chainrule.data.watching import watch_decoding
from chainrule.train.history import History

LINES = 10  # in a log file, at each tenth
MANY = 2000
"""Pictures from which on their decoding takes seconds."""


@contextmanager
def progress_bar(epochs: int, stream: TextIO | None = None) -> Iterator[Callable]:
    """Gives `watch(history, share_done)` for `fit`, and tidies up after it."""
    out = sys.stderr if stream is None else stream
    if out.isatty() or "ipykernel" in sys.modules:
        with _live(epochs, out) as watch:
            yield watch
    else:
        yield _log(epochs, out)


@contextmanager
def _live(epochs: int, stream: TextIO) -> Iterator[Callable]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("training"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[now]}"),
        TimeRemainingColumn(),
    )
    # A notebook takes a line written over itself; rich's own way there needs ipywidgets.
    console = Console(file=stream, force_terminal=True, force_jupyter=False)
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=1.0, now="compiling …")

        def watch(history: History, share: float) -> None:
            done = 1.0 if history.stopped in ("epochs", "patience") else share
            bar.update(task, completed=done, now=_now(history, epochs))

        yield watch


@contextmanager
def rung_bar(stream: TextIO | None = None) -> Iterator[Callable[[str, float], None] | None]:
    """Gives `watch(name, share_done)` for the ladder; None in a log file, which hears of rungs."""
    out = sys.stderr if stream is None else stream
    if not (out.isatty() or "ipykernel" in sys.modules):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(file=out, force_terminal=True, force_jupyter=False)
    columns = (TextColumn("  {task.fields[now]}"), BarColumn())
    both = sys.stdout.isatty()  # rungs that are said meanwhile stand above the bar
    with Progress(*columns, console=console, transient=True, redirect_stdout=both) as bar:
        task = bar.add_task("", total=1.0, now="compiling …")
        yield lambda name, share: bar.update(task, completed=share, now=name)


@contextmanager
def decoding_bar(stream: TextIO | None = None) -> Iterator[None]:
    """Says that pictures are decoded inside, where they are many: a bar, or a line in a log."""
    out = sys.stderr if stream is None else stream
    live = out.isatty() or "ipykernel" in sys.modules
    with ExitStack() as stack:
        bar: list[Callable] = []

        def watch(done: int, files: int) -> None:
            if files < MANY:
                return
            if not bar:
                bar.append(stack.enter_context(_decoding(out)) if live else _once(out, files))
            bar[0](done, files)

        with watch_decoding(watch):
            yield


@contextmanager
def _decoding(stream: TextIO) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(file=stream, force_terminal=True, force_jupyter=False)
    columns = (TextColumn("decoding {task.total:,.0f} pictures"), BarColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as shown:
        task = shown.add_task("", total=1)

        def watch(done: int, files: int) -> None:
            shown.update(task, completed=done, total=files, visible=done < files)

        yield watch


def _once(stream: TextIO, files: int) -> Callable[[int, int], None]:
    stream.write(f"decoding {files:,} pictures …\n")
    stream.flush()
    return lambda done, files: None


def _log(epochs: int, stream: TextIO) -> Callable:
    said = epoch = 0

    def watch(history: History, share: float) -> None:
        nonlocal said, epoch
        tenth = LINES if history.stopped else int(share * LINES)
        if tenth > said and len(history.epochs) > epoch:
            said, epoch = tenth, len(history.epochs)
            stream.write(f"training: {_now(history, epochs)}\n")
            stream.flush()

    return watch


def _now(history: History, epochs: int) -> str:
    if not history.epochs:
        return "first epoch …"
    last = history.epochs[-1]
    dev = "" if last.dev_cost is None else f", dev {last.dev_cost:.4f} ({last.metric:.4f})"
    return f"epoch {last.epoch}/{epochs}, cost {last.cost:.4f}{dev}"
