"""chainrule/train/interrupt.py"""

import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from chainrule.train.interrupt import interruptible, keep_interrupts


def press_ctrl_c(times: int) -> list[bool]:
    """Return whether Ctrl-C was requested, before and after each press."""
    with interruptible() as interrupted:
        asked = [interrupted()]
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
            asked.append(interrupted())
    return asked


def test_the_first_ctrl_c_sets_a_flag_and_the_second_raises():
    assert press_ctrl_c(1) == [False, True]
    with pytest.raises(KeyboardInterrupt):
        press_ctrl_c(2)


def test_an_interrupt_in_a_nested_block_reaches_the_outer_one():
    with interruptible() as outer:
        assert press_ctrl_c(1) == [False, True]
        assert outer()
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c(1)


@pytest.mark.parametrize("error", [None, ValueError])
def test_the_previous_handler_is_restored(error):
    before = signal.getsignal(signal.SIGINT)
    try:
        with interruptible():
            assert signal.getsignal(signal.SIGINT) is not before
            if error:
                raise error
    except ValueError:
        pass
    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_nothing_changes():
    before = signal.getsignal(signal.SIGINT)

    def train():
        with interruptible() as interrupted:
            return interrupted(), signal.getsignal(signal.SIGINT)

    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(train).result() == (False, before)


class Dropping:
    """An object whose destructor raises, which Python discards."""

    def __init__(self, error: type[BaseException]):
        self.error = error

    def __del__(self):
        raise self.error


def test_ctrl_c_is_not_lost_in_a_destructor():
    before = sys.unraisablehook
    with pytest.raises(KeyboardInterrupt), keep_interrupts():  # noqa: PT012
        Dropping(KeyboardInterrupt)
        for _ in range(200):
            time.sleep(0.01)
    assert sys.unraisablehook is before


def test_other_errors_in_a_destructor_are_reported_as_before(monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)
    with keep_interrupts():
        Dropping(ValueError)
    assert [lost.exc_type for lost in reported] == [ValueError]
