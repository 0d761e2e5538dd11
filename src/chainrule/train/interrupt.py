"""Handle Ctrl-C as a request to stop: training ends soon and keeps its results so far."""

import _thread
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

RETRY_AFTER = 0.05  # seconds

_inside: set[Any] = set()


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Catch the first Ctrl-C inside the block; a second one raises KeyboardInterrupt.

    The function given to the block returns whether Ctrl-C was pressed. If blocks are nested, as a
    training in a search, the outer one is notified too. Signals can be caught only in the main
    thread; in others nothing changes.
    """
    requested = threading.Event()

    def on_interrupt(number, frame):
        if requested.is_set():
            raise KeyboardInterrupt
        requested.set()
        if before in _inside:
            before(number, frame)

    if threading.current_thread() is not threading.main_thread():
        yield requested.is_set
        return
    before: Any = signal.signal(signal.SIGINT, on_interrupt)
    _inside.add(on_interrupt)
    try:
        yield requested.is_set
    finally:
        signal.signal(signal.SIGINT, before)
        _inside.discard(on_interrupt)


@contextmanager
def keep_interrupts() -> Iterator[None]:
    """Repeat a Ctrl-C that arrives during a destructor or garbage collection a moment later.

    Python discards exceptions raised there, so the Ctrl-C would otherwise be lost.
    """
    before = sys.unraisablehook

    def repeat_interrupt(unraisable: Any) -> None:
        if unraisable.exc_type is KeyboardInterrupt:
            threading.Timer(RETRY_AFTER, _thread.interrupt_main).start()
        else:
            before(unraisable)

    sys.unraisablehook = repeat_interrupt
    try:
        yield
    finally:
        sys.unraisablehook = before
