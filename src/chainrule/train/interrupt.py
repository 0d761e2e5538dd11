"""Ctrl-C as a request: training ends at its next moment and keeps what it has."""

import _thread
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

AGAIN = 0.05  # seconds

_inside: set[Any] = set()


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Inside, the first Ctrl-C only sets a flag, which the given function tells; a second raises.

    One inside another, as a training in a search, tells the outer one too: it has to end as well.
    In a thread other than the main one signals cannot be caught: there nothing changes.
    """
    asked = threading.Event()

    def on_interrupt(number, frame):
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        if before in _inside:
            before(number, frame)

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before: Any = signal.signal(signal.SIGINT, on_interrupt)
    _inside.add(on_interrupt)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)
        _inside.discard(on_interrupt)


@contextmanager
def never_lost() -> Iterator[None]:
    """Inside, a Ctrl-C that meets a destructor or JAX's collector comes again a moment later.

    Python drops what is raised there: the key would do nothing.
    """
    before = sys.unraisablehook

    def ask_again(lost: Any) -> None:
        if lost.exc_type is KeyboardInterrupt:
            threading.Timer(AGAIN, _thread.interrupt_main).start()
        else:
            before(lost)

    sys.unraisablehook = ask_again
    try:
        yield
    finally:
        sys.unraisablehook = before
