"""chainrule/train/interrupt.py"""

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from chainrule.train.interrupt import interruptible


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
