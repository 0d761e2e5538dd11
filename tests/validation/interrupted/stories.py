"""Processes that are told what to do and when to die, a few side by side.

A story is a generator: it yields an order, is sent the exit code (−9: it was killed), and returns
what came of it. Processes are forked from this one, which has imported everything and computed
nothing, so that a start takes a quarter of a second.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from math import inf
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, NamedTuple

import chainrule

KILLED = -signal.SIGKILL
LOOK = 0.002  # seconds
LOG = "said.txt"


def kill_process(process: int) -> None:
    """Kill a process; processes that it has started end by themselves."""
    os.kill(process, signal.SIGKILL)


class Order(NamedTuple):
    """Do this in that folder; `kill` is called with the process after so many seconds."""

    folder: Path
    do: Callable[[], int]
    kill_after: float = inf
    kill: Callable[[int], None] = kill_process


Story = Generator[Order, int, Any]


@dataclass
class _Told:
    story: Story
    order: Order
    pid: int
    killed_at: float
    is_killed: bool = False


def command(*words: str, cache: Path, first: Callable[[], None] = lambda: None) -> Callable:
    """The command line, as something to do; `first` comes before it."""
    return partial(_run, words, cache, first)


def _run(words: tuple[str, ...], cache: Path, first: Callable[[], None]) -> int:
    from chainrule.cli.main import main

    os.environ["CHAINRULE_CACHE"] = str(cache)
    sys.argv = ["chainrule", *words]
    first()
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def import_everything() -> None:
    """What every process needs; no array is made, so that no thread is there to be forked."""
    for module in walk_packages(chainrule.__path__, "chainrule."):
        import_module(module.name)
    for name in ("safetensors.numpy", "PIL.PngImagePlugin"):
        import_module(name)


def tell(stories: Iterable[Story], at_once: int) -> Iterator[Any]:
    """What comes of each story; so many of them go on at the same time."""
    waiting, told = iter(stories), []
    while True:
        while len(told) < at_once and (story := next(waiting, None)) is not None:
            told.append(_begin(story, next(story)))
        if not told:
            return
        time.sleep(LOOK)
        for one in list(told):
            code = _code_of(one)
            if code is None:
                continue
            told.remove(one)
            try:
                told.append(_begin(one.story, one.story.send(code)))
            except StopIteration as end:
                yield end.value


def _begin(story: Story, order: Order) -> _Told:
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _be(order)
    return _Told(story, order, pid, time.monotonic() + order.kill_after)


def _be(order: Order) -> None:
    """The forked process, to its end."""
    os.chdir(order.folder)
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    code = 70
    try:
        code = order.do()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _code_of(one: _Told) -> int | None:
    """The exit code of a process that has ended; one whose time has come is killed, once."""
    if time.monotonic() >= one.killed_at and not one.is_killed:
        one.is_killed = True
        one.order.kill(one.pid)
    pid, status = os.waitpid(one.pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if pid else None


def last_words(folder: Path) -> str:
    """The end of what the last process there said."""
    return "\n".join((folder / LOG).read_text(errors="replace").splitlines()[-12:])
