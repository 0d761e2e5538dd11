"""chainrule/data/arrays.py"""

import sys

import h5py
import numpy as np
import pytest

from chainrule.data.arrays import read_hdf5
from chainrule.errors import DataError, MissingExtraError

IMAGES = np.arange(4 * 2 * 2 * 3, dtype=np.uint8).reshape(4, 2, 2, 3)
Y = np.array([0, 1, 1, 0])


@pytest.fixture
def save(tmp_path):
    """Return a function that writes arrays to a file and returns its path."""

    def save(**arrays):
        with h5py.File(tmp_path / "cats.h5", "w") as file:
            for key, values in arrays.items():
                file[key] = values
        return tmp_path / "cats.h5"

    return save


def test_reads_the_course_files(save):
    path = save(train_set_x=IMAGES, train_set_y=Y, list_classes=np.array([b"non-cat", b"cat"]))
    source = read_hdf5(path)
    assert np.array_equal(source.X, IMAGES)
    assert source.X.dtype == np.uint8
    assert source.y.tolist() == [0, 1, 1, 0]
    assert source.classes == ("non-cat", "cat")


@pytest.mark.parametrize("part", ["train", "dev", "test"])
def test_a_file_of_one_set_gives_that_set(save, part):
    source = read_hdf5(save(test_set_x=IMAGES, test_set_y=Y[None]), part=part)
    assert np.array_equal(source.y, Y)


def test_sets_in_groups(save):
    path = save(**{"train/x": IMAGES, "train/y": Y, "test/x": IMAGES[:2], "test/y": Y[:2]})
    assert len(read_hdf5(path).parts["test"]) == 2
    assert len(read_hdf5(path, part="test")) == 2


def test_text_labels(save):
    assert read_hdf5(save(x=IMAGES, y=["no", "yes", "yes", "nö"])).y.tolist()[-1] == "nö"


def test_empty_entries_are_skipped(save):
    assert len(read_hdf5(save(x=IMAGES, y=Y, note=h5py.Empty("f")))) == 4


def test_reports_the_available_keys(save):
    with pytest.raises(DataError, match=r"got a \(4, 2, 2, 3\), layers/b \(4,\)\.\nTry renaming"):
        read_hdf5(save(**{"a": IMAGES, "layers/b": Y}))


def test_reports_when_the_file_is_truncated_or_not_hdf5(save):
    path = save(x=IMAGES, y=Y)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(
        DataError,
        match=r"cats.h5: expected a complete HDF5 file; got a truncated or damaged file .*trunc",
    ):
        read_hdf5(path)
    path.write_text("hello")
    with pytest.raises(DataError, match="signature not found"):
        read_hdf5(path)


def test_reports_when_values_cannot_be_read(tmp_path):
    """A damaged chunk is detected only when it is decompressed."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["y"] = np.arange(1000)
        file.create_dataset("x", data=np.arange(1000), chunks=(1000,), compression="gzip")
        start = file["x"].id.get_chunk_info(0).byte_offset
    data = bytearray(path.read_bytes())
    data[start : start + 20] = b"\xff" * 20
    path.write_bytes(data)
    with pytest.raises(DataError, match="expected a complete HDF5 file"):
        read_hdf5(path)


def test_reports_which_extra_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError) as error:
        read_hdf5(tmp_path / "a.h5")
    assert 'Try pip install "chainrule[data]".' in str(error.value)
