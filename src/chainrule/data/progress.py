"""Report the progress of decoding files to a callback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

ProgressCallback = Callable[[int, int], None]
"""A callback that gets the number of decoded files and the total."""

_watch: ContextVar[ProgressCallback | None] = ContextVar("watch", default=None)


@contextmanager
def report_decoding(on_progress: ProgressCallback) -> Iterator[None]:
    """Call `on_progress(done, files)` while images are decoded inside this context."""
    token = _watch.set(on_progress)
    try:
        yield
    finally:
        _watch.reset(token)


def report_progress(done: int, files: int) -> None:
    """Call the callback, if one is set."""
    on_progress = _watch.get()
    if on_progress is not None:
        on_progress(done, files)
