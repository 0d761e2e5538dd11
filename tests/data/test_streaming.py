"""chainrule/data/streaming.py"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from chainrule.data.scaling import Normalizer
from chainrule.data.split import array_hashes, row_hash
from chainrule.data.streaming import (
    PixelStore,
    Streamed,
    as_bytes,
    repeat_grey_channel,
    scaled_rows,
    stack_rows,
)
from chainrule.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 4, 5, 3), dtype=np.uint8)


def store(pixels: np.ndarray = PIXELS) -> PixelStore:
    """Return a store that holds these images in a file."""
    made = PixelStore(len(pixels), pixels.shape[1:], lambda row: pixels[row])
    for row, one in enumerate(pixels):
        made.put(row, one)
        made.hashes[row] = row_hash(one)
    return made


@pytest.fixture(params=["in a file", "decoded again"])
def X(request, monkeypatch):
    """Return the streamed images, from a file or decoded on demand."""
    if request.param == "decoded again":
        monkeypatch.setattr("chainrule.data.streaming.SPARE", 2**62)
    made = store()
    assert made.on_disk == (request.param == "in a file")
    return Streamed(made)


ROWS = [slice(None), slice(2, 7, 2), slice(None, None, -1), [3, 3, 0], np.arange(9) % 2 == 0, []]


@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_rows_are_those_of_the_array(X, rows):
    rows = np.array(rows, np.intp) if isinstance(rows, list) else rows
    some, expected = X[rows], PIXELS[rows]
    assert isinstance(some, Streamed)
    assert (some.shape, some.ndim, some.dtype) == (expected.shape, 4, np.uint8)
    assert (len(some), some.nbytes) == (len(expected), expected.nbytes)
    np.testing.assert_array_equal(some, expected)
    np.testing.assert_array_equal(some[::2], expected[::2])


def test_one_row_is_an_array(X):
    assert isinstance(X[3], np.ndarray)
    np.testing.assert_array_equal(X[-1], PIXELS[-1])
    with pytest.raises(IndexError, match="select the rows first"):
        X[:, 0]


def test_blocks_are_all_the_rows(X, monkeypatch):
    monkeypatch.setattr("chainrule.data.streaming.BLOCK_BYTES", 150)
    assert [(rows.start, rows.stop) for rows in X[:5].blocks()] == [(0, 2), (2, 4), (4, 6)]
    np.testing.assert_array_equal(np.concatenate([X[rows] for rows in X.blocks()]), PIXELS)
    np.testing.assert_array_equal(X, PIXELS)


def test_several_threads_read_at_once(X):
    rows = [np.random.default_rng(i).permutation(9) for i in range(40)]
    with ThreadPoolExecutor(4) as pool:
        for index, read in zip(rows, pool.map(lambda i: np.asarray(X[i]), rows), strict=True):
            np.testing.assert_array_equal(read, PIXELS[index])


def test_a_full_disk_loses_nothing():
    made = store()
    with open("/dev/full", "wb", buffering=0) as full:  # like a disk that has become full
        made._file = full
        made.put(0, PIXELS[0])
    assert not made.on_disk
    np.testing.assert_array_equal(Streamed(made), PIXELS)


@pytest.mark.parametrize("kind", ["pixels", "standard", "none"])
def test_scaled_as_in_memory(X, kind):
    inputs = Normalizer.learn(kind, X)
    for name, numbers in Normalizer.learn(kind, PIXELS).arrays().items():
        np.testing.assert_array_equal(inputs.arrays()[name], numbers)
    rows = scaled_rows(X, inputs)[4:1:-1]
    expected = inputs.apply(PIXELS).reshape(9, -1)[4:1:-1]
    assert (rows.shape, rows.dtype) == (expected.shape, np.float32)
    np.testing.assert_array_equal(rows, expected)
    pixels = as_bytes(rows)
    assert (pixels is not None) == (kind == "pixels")
    if pixels is not None:
        np.testing.assert_array_equal(pixels, PIXELS.reshape(9, -1)[4:1:-1])


def test_joined_and_in_colour(X):
    both = stack_rows([X, PIXELS[:2]])[8:11]
    np.testing.assert_array_equal(both, PIXELS[[8, 0, 1]])
    assert isinstance(stack_rows([PIXELS, PIXELS]), np.ndarray)
    grey = Streamed(store(PIXELS[..., 0]))
    np.testing.assert_array_equal(repeat_grey_channel(grey), repeat_grey_channel(PIXELS[..., 0]))


def test_equal_images_have_equal_numbers(X):
    expected = array_hashes(PIXELS, np.dtype(np.uint8))
    np.testing.assert_array_equal(array_hashes(X, np.dtype(np.uint8)), expected)
    np.testing.assert_array_equal(array_hashes(X[::-1], np.dtype(np.uint8)), expected[::-1])
    as_numbers = array_hashes(PIXELS, np.dtype(float))
    np.testing.assert_array_equal(array_hashes(X, np.dtype(float)), as_numbers)


def test_reports_when_all_rows_do_not_fit(X, monkeypatch):
    monkeypatch.setattr("chainrule.host.machine.available_bytes", lambda: 100)
    with pytest.raises(DataError) as error:
        np.asarray(X)
    assert str(error.value) == (
        "the images: expected at most 100 bytes, the free memory; got 540 bytes.\n"
        "Try a smaller image size, or fewer images."
    )
