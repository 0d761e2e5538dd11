"""chainrule/train/checkpoint.py: what is read is what was written, or damage is detected."""

import errno
import os
import warnings
from typing import Any

import jax
import numpy as np
import pytest

from chainrule.errors import DataWarning, OptionError, RunError
from chainrule.train.checkpoint import Checkpoints

TREE: Any = {
    "W": np.array([[1.5, -2.0, np.nan]]),
    "t": np.array(3, np.int32),
    "half": jax.numpy.array([1.0, 2.0], jax.numpy.bfloat16),
    "finite": np.array(True),
    "key": jax.random.key(7),
    "none": None,
}
WORDS = {"lines": [{"epoch": 1, "cost": 0.1}], "stopped": "", "words": "–"}


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints", every=0)


def steps(checkpoints) -> list[int]:
    return sorted(int(file.stem) for file in checkpoints.folder.glob("*.checkpoint"))


def file_of(checkpoints, step: int):
    return checkpoints.folder / f"{step:010}.checkpoint"


def bits(tree) -> list[bytes]:
    tree = {**tree, "key": jax.random.key_data(tree["key"])}
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


# By hand


def test_a_checkpoint_is_restored_bit_for_bit(checkpoints):
    checkpoints.write(5, TREE, WORDS)
    tree, words = checkpoints.newest(like=TREE)
    assert words == WORDS
    assert bits(tree) == bits(TREE)
    kinds = [(leaf.dtype, leaf.shape) for leaf in jax.tree.leaves(TREE)]
    assert [(leaf.dtype, leaf.shape) for leaf in jax.tree.leaves(tree)] == kinds


def test_a_key_keeps_its_implementation(checkpoints):
    like = {**TREE, "key": jax.random.key(7, impl="rbg")}
    checkpoints.write(5, like, WORDS)
    tree, _ = checkpoints.newest(like=like)
    assert tree["key"].dtype == like["key"].dtype
    assert bits(tree) == bits(like)


def test_without_a_checkpoint_none_is_found(checkpoints):
    assert checkpoints.newest(like=TREE) is None


def test_a_checkpoint_is_due_at_intervals(tmp_path, monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    checkpoints = Checkpoints(tmp_path, every=60)
    for later, due in ((100.0, False), (159.9, False), (160.0, True)):
        now = later
        assert checkpoints.due == due
    checkpoints.write(1, TREE, WORDS)
    assert not checkpoints.due


# Properties


def test_the_last_two_are_kept(checkpoints):
    for step in (9, 10, 99_999_999, 100_000_000, 2**31 - 1):
        checkpoints.write(step, TREE, {"step": step})
        assert checkpoints.newest(like=TREE).words == {"step": step}
    assert steps(checkpoints) == [100_000_000, 2**31 - 1]


def test_a_half_written_file_is_not_a_checkpoint_and_is_deleted(checkpoints):
    checkpoints.write(1, TREE, WORDS)
    half = checkpoints.folder / "0000000002.checkpoint.new"
    half.write_bytes(b"chainrule check")
    assert checkpoints.newest(like=TREE) is not None
    checkpoints.write(3, TREE, WORDS)
    assert sorted(os.listdir(checkpoints.folder)) == [file_of(checkpoints, s).name for s in (1, 3)]


def flip(content: bytes, place: int) -> bytes:
    damaged = bytearray(content)
    damaged[place] ^= 1 << place % 8
    return bytes(damaged)


DAMAGE = {
    "the first bit": lambda content: flip(content, 0),
    "the sha256": lambda content: flip(content, 60),
    "the end of the line": lambda content: flip(content, content.index(b"\n")),
    "the middle": lambda content: flip(content, len(content) // 2),
    "the last byte": lambda content: flip(content, len(content) - 1),
    "cut": lambda content: content[:-1],
    "half": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "more": lambda content: content + b"\0",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_checkpoint_is_reported_and_the_previous_one_used(checkpoints, damage):
    for step in (1, 2):
        checkpoints.write(step, TREE, {"step": step})
    newest = file_of(checkpoints, 2)
    newest.write_bytes(damage(newest.read_bytes()))
    with pytest.warns(DataWarning) as said:
        assert checkpoints.newest(like=TREE).words == {"step": 1}
    assert [str(one.message) for one in said] == [
        f"{newest} is damaged (its sha256 does not match); "
        "the training continues from the previous one."
    ]
    assert steps(checkpoints) == [1]  # so that the next two kept checkpoints are intact


def test_if_all_are_damaged_training_starts_from_the_beginning(checkpoints):
    for step in (1, 2):
        checkpoints.write(step, TREE, WORDS)
        file_of(checkpoints, step).write_bytes(b"")
    with pytest.warns(DataWarning) as said:
        assert checkpoints.newest(like=TREE) is None
    assert str(said[-1].message).endswith("the training continues from the beginning.")


def test_a_checkpoint_that_cannot_be_read_is_skipped(checkpoints):
    checkpoints.write(1, TREE, WORDS)
    file_of(checkpoints, 2).mkdir()
    with pytest.warns(DataWarning, match=r"is damaged \(a folder\)"):
        assert checkpoints.newest(like=TREE) is not None


def test_a_failed_write_is_reported_once_until_one_succeeds(checkpoints, monkeypatch):
    def fail(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for step in (1000, 1001, 1002, 4000, 4001, 4002):
            with monkeypatch.context() as patch:
                if step % 10 < 2:
                    patch.setattr(os, "fsync", fail)
                checkpoints.write(step, TREE, WORDS)
    assert [str(one.message) for one in said] == [
        f"no checkpoint could be written after step {first},000 (a full disk); "
        "the training continues."
        for first in (1, 4)
    ]
    assert steps(checkpoints) == [1002, 4002]


# Error messages


@pytest.mark.parametrize(
    ("like", "words"),
    [
        (
            {**TREE, "W": np.zeros((2, 3))},
            r"expected a checkpoint with \['W'\] \(2, 3\); got a different network",
        ),
        (
            {**TREE, "b": np.zeros(1)},
            r"expected a checkpoint with \['b'\] \(1,\); got a different network",
        ),
        ({"W": TREE["W"]}, "expected a checkpoint of this network; got additional arrays"),
    ],
    ids=["shape", "less", "more"],
)
def test_a_checkpoint_of_another_network_is_refused(checkpoints, like, words):
    checkpoints.write(1, TREE, WORDS)
    with pytest.raises(RunError, match=words):
        checkpoints.newest(like=like)


@pytest.mark.parametrize("every", [-1, np.inf, np.nan])
def test_an_invalid_interval_is_refused(tmp_path, every):
    with pytest.raises(OptionError) as error:
        Checkpoints(tmp_path, every)
    assert str(error.value) == (
        f"Checkpoints(every=…): expected at least 0 seconds; got {every:g}.\nTry 60."
    )
