"""Who wants to hear how far the reading of files is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Watch = Callable[[int, int], None]
"""Called with how many files are read, and of how many."""

_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watch_decoding(watch: Watch) -> Iterator[None]:
    """Have `watch(done, files)` called while pictures are decoded inside."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


def tell(done: int, files: int) -> None:
    """Tell whoever watches, if somebody does."""
    watch = _watch.get()
    if watch is not None:
        watch(done, files)
