"""chainrule/data/idx.py"""

import gzip

import numpy as np
import pytest

from chainrule.data.idx import TYPES, is_idx, read_array, read_idx
from chainrule.errors import DataError

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
LABELS = np.array([7, 0, 9], dtype=np.uint8)


def idx_bytes(values: np.ndarray, code: int = 8) -> bytes:
    """Encode an array in the IDX format, byte by byte."""
    sizes = b"".join(n.to_bytes(4, "big") for n in values.shape)
    return bytes([0, 0, code, values.ndim]) + sizes + values.astype(TYPES[code]).tobytes()


@pytest.fixture
def folder(tmp_path):
    """Create a folder like that of MNIST, with gzipped training files."""
    for name, data in {"images-idx3": idx_bytes(IMAGES), "labels-idx1": idx_bytes(LABELS)}.items():
        (tmp_path / f"t10k-{name}-ubyte").write_bytes(data)
        (tmp_path / f"train-{name}-ubyte.gz").write_bytes(gzip.compress(data))
    return tmp_path


def error_text(path, **options) -> str:
    with pytest.raises(DataError) as error:
        read_idx(path, **options)
    return str(error.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte", "train-images-idx3-ubyte.gz"])
def test_reads_images_and_their_labels(folder, name):
    source = read_idx(folder / name)
    assert np.array_equal(source.X, IMAGES)
    assert np.array_equal(source.y, LABELS)
    assert source.X.dtype == np.uint8
    assert source.parts == {}  # the t10k files are not read along with train
    assert len(source.digest) == 64


def test_labels_may_be_gzipped_when_images_are_not(folder):
    (folder / "t10k-labels-idx1-ubyte").unlink()
    packed = gzip.compress(idx_bytes(LABELS))
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(packed)
    assert np.array_equal(read_idx(folder / "t10k-images-idx3-ubyte").y, LABELS)


def test_dots_in_the_names(tmp_path):
    (tmp_path / "train-images.idx3-ubyte").write_bytes(idx_bytes(IMAGES))
    (tmp_path / "train-labels.idx1-ubyte").write_bytes(idx_bytes(LABELS))
    assert len(read_idx(tmp_path / "train-images.idx3-ubyte").y) == 3


@pytest.mark.parametrize("code", TYPES)
def test_every_type(tmp_path, code):
    (tmp_path / "a").write_bytes(idx_bytes(IMAGES, code))
    values = read_array(tmp_path / "a")
    assert np.array_equal(values, IMAGES)
    assert values.dtype.isnative


def test_recognised_by_its_first_bytes(tmp_path):
    (tmp_path / "a.bin").write_bytes(idx_bytes(IMAGES))
    (tmp_path / "b.bin").write_bytes(gzip.compress(idx_bytes(IMAGES)))
    (tmp_path / "c.bin").write_bytes(b"hello")
    (tmp_path / "d.bin").write_bytes(b"\x1f\x8bhello")
    assert [is_idx(tmp_path / f"{name}.bin") for name in "abcd"] == [True, True, False, False]


def test_without_labels_for_prediction(tmp_path):
    (tmp_path / "a.bin").write_bytes(idx_bytes(IMAGES))
    assert read_idx(tmp_path / "a.bin", labelled=False).y is None


def test_reports_when_labels_are_missing(folder):
    (folder / "train-labels-idx1-ubyte.gz").unlink()
    assert error_text(folder / "train-images-idx3-ubyte.gz") == (
        "train-images-idx3-ubyte.gz: expected its labels in train-labels-idx1-ubyte.gz; "
        "got no such file.\nTry putting both files into one folder."
    )


def test_reports_when_labels_are_given_as_images(folder):
    assert error_text(folder / "t10k-labels-idx1-ubyte") == (
        "t10k-labels-idx1-ubyte: expected a file of images, with at least two dimensions; got 3 "
        "labels.\nTry t10k-images-idx3-ubyte, with the labels in the same folder."
    )


def test_reports_when_labels_belong_to_other_images(folder):
    labels = folder / "t10k-labels-idx1-ubyte"
    labels.write_bytes(idx_bytes(LABELS[:2]))
    assert (
        "expected 3 labels, one for each image of t10k-images-idx3-ubyte; got 2 labels"
        in error_text(folder / "t10k-images-idx3-ubyte")
    )
    labels.write_bytes(idx_bytes(IMAGES))
    assert "got an array of shape (3, 4, 5)" in error_text(folder / "t10k-images-idx3-ubyte")


@pytest.mark.parametrize("magic", [b"", b"\0\0", b"\0\0\x08\0", b"\x89PNG", b"\0\0\x07\x03"])
def test_reports_when_it_is_not_idx(tmp_path, magic):
    (tmp_path / "a-idx3-ubyte").write_bytes(magic)
    assert error_text(tmp_path / "a-idx3-ubyte") == (
        "a-idx3-ubyte: expected an IDX file, which begins with 0, 0, a data type (8: bytes), "
        f"the number of dimensions; got {list(magic)}.\nTry downloading the original file."
    )


def test_reports_when_it_is_truncated(folder):
    plain, zipped = folder / "t10k-images-idx3-ubyte", folder / "train-images-idx3-ubyte.gz"
    plain.write_bytes(idx_bytes(IMAGES)[:-1])
    assert error_text(plain) == (
        "t10k-images-idx3-ubyte: expected 60 bytes after the header, for shape (3, 4, 5); got 59.\n"
        "Try copying or downloading the file again."
    )
    plain.write_bytes(idx_bytes(IMAGES) + b"\0")
    assert "got more." in error_text(plain)
    plain.write_bytes(idx_bytes(IMAGES)[:9])
    assert "expected 12 bytes for 3 dimensions; got 5" in error_text(plain)
    zipped.write_bytes(zipped.read_bytes()[:-12])
    assert "train-images-idx3-ubyte.gz: expected a complete gzip file" in error_text(zipped)


def test_reports_when_there_is_no_example(tmp_path):
    (tmp_path / "a").write_bytes(idx_bytes(IMAGES[:0]))
    assert "expected at least one example; got the shape (0, 4, 5)" in error_text(tmp_path / "a")


def test_reports_where_a_number_is_not_finite(tmp_path):
    values = IMAGES.astype(float)
    values[1, 2, 3] = np.nan
    (tmp_path / "a").write_bytes(idx_bytes(values, 14))
    assert "a: expected finite numbers; got nan at [1, 2, 3]" in error_text(tmp_path / "a")


def test_reports_when_the_header_asks_for_more_than_there_is(tmp_path):
    (tmp_path / "a").write_bytes(bytes([0, 0, 8, 3]) + b"\x7f\xff\xff\xff" * 3)
    assert "a: expected at most" in error_text(tmp_path / "a")
