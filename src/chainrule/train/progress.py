"""Show progress as a live bar in a terminal or notebook, or as a few lines in a log file."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO

from chainrule.data.progress import report_decoding
from chainrule.formatting import count_of
from chainrule.train.history import History

LINES = 10  # lines in a log file, one for each tenth
MANY = 2000
"""The number of images from which decoding takes long enough to show progress."""


@contextmanager
def progress_bar(epochs: int, stream: TextIO | None = None) -> Iterator[Callable]:
    """Yield a callback `on_progress(history, share_done)` for `fit` that shows progress."""
    out = sys.stderr if stream is None else stream
    if out.isatty() or "ipykernel" in sys.modules:
        with _live(epochs, out) as on_progress:
            yield on_progress
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
    # A notebook can overwrite a line, whereas rich's own notebook output needs ipywidgets.
    console = Console(file=stream, force_terminal=True, force_jupyter=False)
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=1.0, now="compiling …")

        def on_progress(history: History, share: float) -> None:
            done = 1.0 if history.stopped in ("epochs", "patience") else share
            bar.update(task, completed=done, now=_status(history, epochs))

        yield on_progress


@contextmanager
def rung_bar(stream: TextIO | None = None) -> Iterator[Callable[[str, float], None] | None]:
    """Yield `on_progress(name, share_done)` for the ladder; None when logging to a file."""
    out = sys.stderr if stream is None else stream
    if not (out.isatty() or "ipykernel" in sys.modules):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(file=out, force_terminal=True, force_jupyter=False)
    columns = (TextColumn("  {task.fields[now]}"), BarColumn())
    both = sys.stdout.isatty()  # results printed meanwhile appear above the bar
    with Progress(*columns, console=console, transient=True, redirect_stdout=both) as bar:
        task = bar.add_task("", total=1.0, now="compiling …")
        yield lambda name, share: bar.update(task, completed=share, now=name)


@contextmanager
def decoding_bar(stream: TextIO | None = None) -> Iterator[None]:
    """Show the decoding of many images inside the block: a bar, or one line in a log."""
    out = sys.stderr if stream is None else stream
    live = out.isatty() or "ipykernel" in sys.modules
    with ExitStack() as stack:
        bar: list[Callable] = []

        def on_progress(done: int, files: int) -> None:
            if files < MANY:
                return
            if not bar:
                bar.append(stack.enter_context(_decoding(out)) if live else _once(out, files))
            bar[0](done, files)

        with report_decoding(on_progress):
            yield


@contextmanager
def _decoding(stream: TextIO) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(file=stream, force_terminal=True, force_jupyter=False)
    columns = (TextColumn("decoding {task.total:,.0f} images"), BarColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=1)

        def on_progress(done: int, files: int) -> None:
            bar.update(task, completed=done, total=files, visible=done < files)

        yield on_progress


def _once(stream: TextIO, files: int) -> Callable[[int, int], None]:
    stream.write(f"decoding {count_of(files, 'image')} …\n")
    stream.flush()
    return lambda done, files: None


def _log(epochs: int, stream: TextIO) -> Callable:
    logged = epoch = 0

    def on_progress(history: History, share: float) -> None:
        nonlocal logged, epoch
        tenth = LINES if history.stopped else int(share * LINES)
        if tenth > logged and len(history.epochs) > epoch:
            logged, epoch = tenth, len(history.epochs)
            stream.write(f"training: {_status(history, epochs)}\n")
            stream.flush()

    return on_progress


def _status(history: History, epochs: int) -> str:
    if not history.epochs:
        return "first epoch …"
    last = history.epochs[-1]
    dev = "" if last.dev_cost is None else f", dev {last.dev_cost:.4f} ({last.metric:.4f})"
    return f"epoch {last.epoch}/{epochs}, cost {last.cost:.4f}{dev}"
