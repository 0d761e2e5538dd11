"""chainrule/train/interrupt.py"""

import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from chainrule.train.interrupt import interruptible, never_lost


def press_ctrl_c(times: int) -> list[bool]:
    """Whether it was asked for, before and after each time."""
    with interruptible() as interrupted:
        asked = [interrupted()]
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
            asked.append(interrupted())
    return asked


def test_the_first_asks_and_the_second_ends():
    assert press_ctrl_c(1) == [False, True]
    with pytest.raises(KeyboardInterrupt):
        press_ctrl_c(2)


def test_a_training_in_a_search_has_both_of_them_end():
    with interruptible() as outer:
        assert press_ctrl_c(1) == [False, True]
        assert outer()
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c(1)


@pytest.mark.parametrize("error", [None, ValueError])
def test_ctrl_c_means_afterwards_what_it_meant_before(error):
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
    """Python drops what its destructor raises."""

    def __init__(self, error: type[BaseException]):
        self.error = error

    def __del__(self):
        raise self.error


def test_ctrl_c_is_not_lost_in_a_destructor():
    before = sys.unraisablehook
    with pytest.raises(KeyboardInterrupt), never_lost():  # noqa: PT012
        Dropping(KeyboardInterrupt)
        for _ in range(200):
            time.sleep(0.01)
    assert sys.unraisablehook is before


def test_other_errors_of_a_destructor_are_told_as_before(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    with never_lost():
        Dropping(ValueError)
    assert [lost.exc_type for lost in told] == [ValueError]
