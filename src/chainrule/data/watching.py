"""Report the progress of decoding files to a callback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Watch = Callable[[int, int], None]
"""A callback that gets the number of decoded files and the total."""

_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watch_decoding(watch: Watch) -> Iterator[None]:
    """Call `watch(done, files)` while images are decoded inside this context."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


def tell(done: int, files: int) -> None:
    """Call the callback, if one is set."""
    watch = _watch.get()
    if watch is not None:
        watch(done, files)
