"""chainrule/data/arrays.py: sequences in files of arrays"""

import h5py
import numpy as np
import pytest
import scipy.io

from chainrule.data.arrays import Place, parse_key
from chainrule.data.load import load
from chainrule.data.sequences import Sequences
from chainrule.errors import DataError, DataWarning

X = np.arange(1.0, 25).reshape(3, 4, 2)
Y = np.array([0, 1, 1])
LENGTHS = np.array([4, 1, 3])
PADDED = X * (np.arange(4) < LENGTHS[:, None])[:, :, None]


@pytest.fixture
def save(tmp_path, monkeypatch):
    """Return a function that writes arrays, in the working directory, and returns the name."""
    monkeypatch.chdir(tmp_path)

    def save(**arrays) -> str:
        np.savez("a.npz", **arrays)
        return "a.npz"

    return save


def error_text(name, **options) -> str:
    with pytest.raises(DataError) as error:
        load(name, **options)
    return str(error.value)


def check(data, values=PADDED, lengths=LENGTHS) -> None:
    """Check the sequences of a data set."""
    assert isinstance(data.X, Sequences)
    np.testing.assert_array_equal(data.X.values, values)
    assert data.X.lengths.tolist() == lengths.tolist()
    assert data.X.lengths.dtype == np.int32


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("lengths", Place("", "train", "lengths")),
        ("lengths_val", Place("", "dev", "lengths")),
        ("speech_test_lengths", Place("speech", "test", "lengths")),
        ("wavelengths", None),
    ],
)
def test_keys(key, place):
    assert parse_key(key) == place


@pytest.mark.parametrize(
    "lengths", [LENGTHS, LENGTHS[None].astype(float), LENGTHS[:, None].astype(np.uint8)]
)
def test_lengths_make_sequences(save, lengths):
    data = load(save(X=X, y=Y, lengths=lengths))
    check(data)
    assert data.y.tolist() == [0, 1, 1]
    check(load("a.npz", sequences=True))


def test_padding_may_be_anything(save):
    padded = X.copy()
    padded[1, 1:], padded[2, 3] = np.nan, np.inf
    check(load(save(X=padded, y=Y, lengths=LENGTHS)))


def test_whole_numbers_keep_their_type(save):
    data = load(save(X=X.astype(np.int16), y=Y, lengths=LENGTHS))
    assert data.X.dtype == np.int16
    np.testing.assert_array_equal(data.X.values, PADDED)


def test_three_dimensions_are_images_without_lengths(save):
    name = save(X=X, y=Y)
    assert isinstance(load(name).X, np.ndarray)
    check(load(name, sequences=True), X, np.array([4, 4, 4]))


def test_two_dimensions_are_sequences_of_one_number(save):
    name = save(X=X[:, :, 0], y=Y)
    assert isinstance(load(name).X, np.ndarray)
    check(load(name, sequences=True), X[:, :, :1], np.array([4, 4, 4]))
    name = save(X=X[:, :, 0], y=Y, lengths=LENGTHS)
    check(load(name, sequences=True), PADDED[:, :, :1])
    with pytest.warns(DataWarning) as warned:
        assert isinstance(load(name).X, np.ndarray)
    assert [str(one.message) for one in warned] == [
        "a.npz: ignored lengths, since X (3, 4) is not (m, T, n_x); a network for sequences reads "
        "each row as a sequence"
    ]
    with pytest.warns(DataWarning, match=r"X \(3, 4, 2, 1\) is not \(m, T, n_x\)$"):
        load(save(X=X[..., None], y=Y, lengths=LENGTHS))


def test_the_sets_of_a_file(save):
    sets = {f"{role}_{part}": a for part in ("train", "dev") for role, a in (("X", X), ("y", Y))}
    data = load(save(**sets, X_test=X[:2, :3], y_test=Y[:2], lengths_train=LENGTHS))
    check(data)
    check(data.parts["dev"], X, np.array([4, 4, 4]))
    check(data.parts["test"], X[:2, :3], np.array([3, 3]))
    data = load(
        save(a_X=X, a_y=Y, a_lengths=LENGTHS, b_X=X, b_y=Y, b_lengths=[1, 1, 1]).replace(
            "npz", "npz:a"
        )
    )
    check(data)
    message = error_text(save(**sets | {"X_dev": X[:, :, :1]}, lengths_train=LENGTHS))
    assert message == (
        "a.npz, X_dev: expected steps of shape (2,), as in X_train; got (1,).\n"
        "Try preparing both sets in the same way."
    )


def test_other_files_of_arrays(tmp_path):
    for key, array in (("X", X), ("y", Y), ("lengths", LENGTHS), ("lengths_test", LENGTHS[:1])):
        np.save(tmp_path / f"{key}.npy", array)
    check(load(tmp_path / "X.npy"))
    check(load(tmp_path / "X.npy", labelled=False))
    np.save(tmp_path / "X_test.npy", X[:1])
    np.save(tmp_path / "y_test.npy", Y[:1])
    check(load(tmp_path / "X_test.npy", labelled=False), X[:1], LENGTHS[:1])
    check(load(tmp_path / "X.npy").parts["test"], X[:1], LENGTHS[:1])
    scipy.io.savemat(tmp_path / "a.mat", {"X": X, "y": Y[None], "lengths": LENGTHS[None]})
    check(load(tmp_path / "a.mat"))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X"], file["y"], file["lengths"] = X, Y, LENGTHS
    check(load(tmp_path / "a.h5"))
    with h5py.File(tmp_path / "b.mat", "w", userblock_size=512) as file:
        file["X"], file["y"], file["lengths"] = X.T, Y[:, None], LENGTHS[:, None].astype(float)
    with open(tmp_path / "b.mat", "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")
    check(load(tmp_path / "b.mat"))


def test_sequences_without_labels(save):
    check(load(save(X=X, lengths=LENGTHS), labelled=False))
    check(load(save(any=X), labelled=False, sequences=True), X, np.array([4, 4, 4]))


STEPS = "Try the number of real steps of each example."
WRONG = {
    "one length too few": (
        {"lengths": LENGTHS[:2]},
        "a.npz, lengths: expected (3,), the number of steps of each example; got (2,).\n"
        "Try one number per example.",
    ),
    "a matrix": (
        {"lengths": np.ones((3, 3))},
        "a.npz, lengths: expected (3,), the number of steps of each example; got (3, 3).\n"
        "Try one number per example.",
    ),
    "zero": (
        {"lengths": [4, 0, 3]},
        f"a.npz, lengths: expected whole numbers from 1 to T = 4; got 0 at [1].\n{STEPS}",
    ),
    "too long": (
        {"lengths": [4, 1, 5]},
        f"a.npz, lengths: expected whole numbers from 1 to T = 4; got 5 at [2].\n{STEPS}",
    ),
    "a fraction": (
        {"lengths": [4, 1, 2.5]},
        f"a.npz, lengths: expected whole numbers from 1 to T = 4; got 2.5 at [2].\n{STEPS}",
    ),
    "not a number": (
        {"lengths": [4, 1, np.nan]},
        "a.npz, lengths: expected finite numbers; got nan at [2].\n"
        "Try removing or filling in these values.",
    ),
    "booleans": (
        {"lengths": [True, True, True]},
        f"a.npz, lengths: expected whole numbers from 1 to T = 4; got True at [0].\n{STEPS}",
    ),
    "text": (
        {"lengths": ["4", "1", "3"]},
        "a.npz, lengths: expected whole numbers; got an array of <U1.\nTry plain arrays.",
    ),
    "a step that is not finite": (
        {"X": np.where(X == 18, np.nan, X)},
        "a.npz, X: expected finite numbers; got nan at [2, 0, 1].\n"
        "Try removing or filling in these values.",
    ),
    "fewer labels": (
        {"y": Y[:2]},
        "a.npz, X and y: expected as many rows as labels; got (3, 4, 2) and (2,).\n"
        "Try arrays that match.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_reports_what_is_wrong(save, name):
    arrays, expected_text = WRONG[name]
    assert error_text(save(**{"X": X, "y": Y, "lengths": LENGTHS} | arrays)) == expected_text


@pytest.mark.parametrize("shape", [(3, 0, 2), (3, 4, 0), (3, 2, 2, 2), (3,)])
def test_reports_the_expected_shape_of_sequences(save, shape):
    assert error_text(save(X=np.zeros(shape), y=Y), sequences=True) == (
        "a.npz, X: expected sequences, (m, T, n_x), or (m, T) with one number per step; got "
        f"{shape}.\nTry an example per row, and T and n_x above 0."
    )
