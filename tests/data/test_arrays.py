"""chainrule/data/arrays.py: .npz files"""

import hashlib

import h5py
import numpy as np
import pytest
import scipy.io

from chainrule.data.arrays import Place, parse_key, read_npz
from chainrule.data.load import load
from chainrule.errors import ChainruleError, DataError, DataWarning

X = np.arange(12.0).reshape(4, 3)
Y = np.array([0, 1, 1, 0])


@pytest.fixture
def save(tmp_path):
    """Return a function that writes arrays to a file and returns its path."""

    def save(**arrays):
        np.savez(tmp_path / "a.npz", **arrays)
        return tmp_path / "a.npz"

    return save


def error_text(path, **options) -> str:
    with pytest.raises(DataError) as error:
        read_npz(path, **options)
    return str(error.value).replace(f"{path}", "a.npz")


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("X", Place("", "train", "x")),
        ("y_train", Place("", "train", "y")),
        ("dev_set_x", Place("", "dev", "x")),
        ("train_set_x_orig", Place("", "train", "x")),
        ("val_images", Place("", "dev", "x")),
        ("test/labels", Place("", "test", "y")),
        ("flower_Y", Place("flower", "train", "y")),
        ("two_moons_test_X", Place("two_moons", "test", "x")),
        ("subject", None),
        ("images_labels", None),
        ("train_test_x", None),
    ],
)
def test_keys(key, place):
    assert parse_key(key) == place


@pytest.mark.parametrize(
    "names", [("X", "y"), ("x", "y"), ("images", "labels"), ("x_dev", "y_dev")]
)
def test_reads_a_pair(save, names):
    path = save(**dict(zip(names, (X, Y), strict=True)))
    source = read_npz(path)
    assert np.array_equal(source.X, X)
    assert np.array_equal(source.y, Y)
    assert (source.name, source.parts) == (str(path), {})
    assert source.digest == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("labels", [Y[None], Y[:, None]])
def test_labels_in_a_row_or_a_column_are_flattened(save, labels):
    assert np.array_equal(read_npz(save(X=X, y=labels)).y, Y)


def test_columns_are_transposed(save):
    source = read_npz(save(X=X.T, y=Y[None]))
    assert np.array_equal(source.X, X)
    assert np.array_equal(source.y, Y)


def test_images_with_labels_in_a_row_are_not_transposed(save):
    images = np.arange(4 * 4 * 4, dtype=np.uint8).reshape(4, 4, 4)
    source = read_npz(save(X=images, Y=Y[None]))
    assert source.X.ndim == 3
    assert np.array_equal(source.X, images)


def test_one_number_per_example_and_rows_of_targets(save):
    assert read_npz(save(X=X[:, 0], y=Y)).X.shape == (4, 1)
    assert np.array_equal(read_npz(save(X=X, y=X[:, :2])).y, X[:, :2])


def test_classes_stored_as_floats_are_integers(save):
    """Small data sets store classes so; numeric targets stay unchanged."""
    assert read_npz(save(X=X, y=Y[None].astype(float))).y.dtype.kind == "i"
    assert read_npz(save(X=X, y=Y + 0.5)).y.tolist() == [0.5, 1.5, 1.5, 0.5]
    assert read_npz(save(X=X, y=Y * 1e300)).y.tolist() == [0, 1e300, 1e300, 0]
    assert read_npz(save(X=X, y=X[:, :2])).y.dtype.kind == "f"


def test_several_sets(save):
    path = save(X_train=X, y_train=Y, X_val=X[:1], y_val=Y[:1], X_test=X[:2], y_test=Y[:2])
    source = read_npz(path)
    assert {part: len(rows) for part, rows in source.parts.items()} == {"dev": 1, "test": 2}
    assert np.array_equal(source.parts["test"].y, Y[:2])
    only = read_npz(path, part="test")
    assert (len(only), only.parts) == (2, {})


def test_a_set_without_labels_is_ignored(save):
    path = save(X_train=X, y_train=Y, X_test=X)
    with pytest.warns(DataWarning, match="ignored X_test, which has no labels"):
        assert read_npz(path).parts == {}


def test_a_prefix_picks_a_set(save):
    path = save(flower_X=X.T, flower_Y=Y[None], moons_train_X=X, moons_train_Y=Y)
    source = read_npz(path, prefix="flower")
    assert np.array_equal(source.X, X)
    assert source.name == f"{path}:flower"
    assert len(read_npz(save(flower_X=X, flower_Y=Y))) == 4  # the only set needs no prefix


def test_text_labels_and_class_names(save):
    text = np.array([b"no", b"yes", b"yes", b"no"])
    assert read_npz(save(X=X, y=text)).y.tolist() == ["no", "yes", "yes", "no"]
    source = read_npz(save(X=X, y=Y, classes=np.array(["no", "yes"])))
    assert source.classes == ("no", "yes")
    assert read_npz(save(X=X, y=text, classes=np.array(["no", "yes"]))).classes is None


def test_without_labels_for_prediction(save):
    assert read_npz(save(X=X), labelled=False).y is None
    assert np.array_equal(read_npz(save(arr_0=X), labelled=False).X, X)
    assert np.array_equal(read_npz(save(X=X.T, y=Y[None]), labelled=False).X, X)


def test_reports_the_available_keys(save):
    assert error_text(save(pixels=X, digit=Y)) == (
        "a.npz: expected a pair of arrays such as X and y, X_train and y_train, train_set_x and "
        "train_set_y, or images and labels; got pixels (4, 3), digit (4,).\nTry renaming the "
        "arrays."
    )
    assert "got no arrays" in error_text(save())
    many = {f"a{i}": Y for i in range(15)}
    assert "a11 (4,) and 3 more" in error_text(save(**many))


def test_reports_the_available_prefixes(save):
    path = save(flower_X=X, flower_Y=Y, moons_X=X, moons_Y=Y)
    assert error_text(path) == (
        "a.npz: expected a prefix, since the file holds several sets; got 2 sets, flower_X "
        "(4, 3), flower_Y (4,), "
        "moons_X (4, 3), moons_Y (4,).\nTry a.npz:flower or a.npz:moons."
    )
    assert error_text(path, prefix="flour").endswith(
        "Try flower (did you mean that?); the choices are flower, moons."
    )
    assert error_text(save(X=X, y=Y), prefix="flower").endswith("Try a.npz.")


def test_reports_that_labels_are_missing(save):
    assert error_text(save(X=X, subject=Y)) == (
        "a.npz: expected labels for X, in an array with y or labels in its name; got X (4, 3), "
        "subject (4,).\nTry adding such an array."
    )


def test_reports_when_counts_differ(save):
    assert error_text(save(X=X, y=Y[:3])) == (
        "a.npz, X and y: expected as many rows as labels; got (4, 3) and (3,).\n"
        "Try the transpose, X.T: examples are rows."
    )
    assert error_text(save(X=X, y=Y[:2])).endswith("got (4, 3) and (2,).\nTry arrays that match.")
    assert "expected as many rows as labels" in error_text(save(X=np.float64(3.0), y=Y))


def test_reports_when_rows_and_columns_cannot_be_told_apart(save):
    message = error_text(save(X=np.eye(4), y=Y[None]))
    assert "the examples could be the rows or the columns" in message


@pytest.mark.parametrize(
    "arrays", [{"X": X[:0], "y": Y[:0]}, {"X": np.zeros((4, 1, 1, 1, 1)), "y": Y}]
)
def test_reports_the_expected_shape_of_examples(save, arrays):
    assert "a.npz, X: expected examples in rows, (m, n_x), (m, n_H, n_W)" in error_text(
        save(**arrays)
    )


def test_reports_when_labels_have_the_wrong_shape(save):
    assert "a.npz, Y: expected a label (m,) or a row" in error_text(
        save(X=X, Y=np.zeros((4, 2, 2)))
    )


@pytest.mark.parametrize(("bad", "name"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_reports_where_a_number_is_not_finite(save, bad, name):
    broken = X.copy()
    broken[2, 1] = bad
    assert error_text(save(X=broken, y=Y)) == (
        f"a.npz, X: expected finite numbers; got {name} at [2, 1].\n"
        "Try removing or filling in these values."
    )
    broken[3] = bad
    assert f"got {name} at [2, 1] and 3 more" in error_text(save(X=broken, y=Y))
    assert f"a.npz, y: expected finite numbers; got {name} at [1]" in error_text(
        save(X=X, y=np.array([0, bad, 1, 1]))
    )


def test_refuses_objects_and_non_numeric_arrays(save):
    assert error_text(save(X=np.array([[1, "a"]] * 4, dtype=object), y=Y)) == (
        "a.npz, X: expected numbers; got an array of object.\n"
        "Try plain arrays: pickled objects can run code when loaded, and are never read."
    )
    assert "a.npz, X: expected numbers; got an array of <U1" in error_text(
        save(X=np.array(["a"]), y=Y)
    )
    assert "got an array of complex128" in error_text(save(X=X * 1j, y=Y))


def test_reports_when_sets_differ_or_a_key_is_ambiguous(save):
    assert error_text(save(X_train=X, y_train=Y, X_test=X[:, :2], y_test=Y)) == (
        "a.npz, X_test: expected examples of shape (3,), as in X_train; got (2,).\n"
        "Try preparing both sets in the same way."
    )
    assert "one x array for the train set; got X and x_train" in error_text(
        save(X=X, y=Y, x_train=X)
    )


def test_reports_when_the_set_is_missing(save):
    path = save(X_train=X, y_train=Y, X_test=X, y_test=Y)
    assert "a.npz: expected a dev set; got only the sets train and test" in error_text(
        path, part="dev"
    )


def test_reports_when_a_label_has_no_name(save):
    assert "a.npz, y: expected labels 0 to 1, which classes names; got labels 0 to 2" in error_text(
        save(X=X, y=np.array([0, 1, 2, 0]), classes=np.array(["a", "b"]))
    )


def test_reports_when_the_file_is_truncated(save, tmp_path):
    whole = save(X=X, y=Y).read_bytes()
    for kept in (10, len(whole) // 2, len(whole) - 10):
        (tmp_path / "a.npz").write_bytes(whole[:kept])
        assert (
            "expected a complete .npz file, as written by np.savez; got a truncated "
            in error_text(tmp_path / "a.npz")
        )


def test_reports_when_a_byte_was_flipped(save):
    path = save(X=X, y=Y)
    data = bytearray(path.read_bytes())
    data[data.index(X.tobytes()) + 9] ^= 1
    path.write_bytes(data)
    assert "Bad CRC-32" in error_text(path)


def test_reports_when_it_does_not_fit(save, monkeypatch):
    monkeypatch.setattr("chainrule.host.machine.available_bytes", lambda: 50)
    assert error_text(save(X=X, y=Y)) == (
        "a.npz, X: expected at most 50 bytes, the free memory; got 96 bytes.\nTry a smaller file."
    )


def test_reports_the_available_sets(save):
    path = save(moons_X=X, moons_Y=Y, flower_X=X, flower_Y=Y)
    actual_text = error_text(path, prefix="flowr")
    assert actual_text.startswith("a.npz:flowr: expected arrays named flowr_X and flowr_y; got ")
    assert actual_text.endswith("Try flower (did you mean that?); the choices are moons, flower.")


# Files of NumPy and MATLAB

PARTS_OF_A_COURSE = {
    "X": np.arange(12.0).reshape(6, 2),
    "y": np.array([[0], [1], [0], [1], [0], [1]], np.uint8),
    "Xval": np.ones((2, 2)),
    "yval": np.array([[1], [0]], np.uint8),
    "Xtest": np.zeros((3, 2)),
    "ytest": np.array([[1], [0], [1]], np.uint8),
}


def test_the_sets_of_a_matlab_file(tmp_path):
    scipy.io.savemat(tmp_path / "ex5.mat", PARTS_OF_A_COURSE)
    data = load(tmp_path / "ex5.mat")
    np.testing.assert_array_equal(data.X, PARTS_OF_A_COURSE["X"])
    assert data.y.tolist() == [0, 1, 0, 1, 0, 1]
    assert {part: len(one) for part, one in data.parts.items()} == {"dev": 2, "test": 3}
    np.testing.assert_array_equal(data.parts["dev"].X, PARTS_OF_A_COURSE["Xval"])


def test_a_matlab_file_of_version_7_3(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        for key, values in PARTS_OF_A_COURSE.items():
            file[key] = values.T  # MATLAB stores columns first
    with open(tmp_path / "a.mat", "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")
    np.testing.assert_array_equal(load(tmp_path / "a.mat").X, PARTS_OF_A_COURSE["X"])


def test_matlab_cells_and_damage_are_refused(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"X": np.array([[1, "a"]], object), "y": np.ones(1)})
    with pytest.raises(
        ChainruleError, match=r"a\.mat, X: expected numbers; got an array of object"
    ):
        load(tmp_path / "a.mat")
    (tmp_path / "b.mat").write_bytes((tmp_path / "a.mat").read_bytes()[:150])
    with pytest.raises(ChainruleError, match=r"b\.mat: expected a complete \.mat file"):
        load(tmp_path / "b.mat")


def test_npy_files_are_read_with_those_beside_them(tmp_path):
    for key, values in PARTS_OF_A_COURSE.items():
        np.save(tmp_path / f"{key}.npy", values)
    data = load(tmp_path / "X.npy")
    assert data.y.tolist() == [0, 1, 0, 1, 0, 1]
    assert {part: len(one) for part, one in data.parts.items()} == {"dev": 2, "test": 3}
    assert load(tmp_path / "Xval.npy").y.tolist() == [1, 0]
    assert load(tmp_path / "X.npy", labelled=False).y is None
    np.save(tmp_path / "new.npy", np.ones((4, 2)))
    assert load(tmp_path / "new.npy", labelled=False).X.shape == (4, 2)
    with pytest.raises(ChainruleError, match=r"new\.npy: expected a file with X in its name, n"):
        load(tmp_path / "new.npy")


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("Xval", ("", "dev", "x")),
        ("yTest", ("", "test", "y")),
        ("trainX", ("", "train", "x")),
        ("moons_Xval", ("moons", "dev", "x")),
        ("maximal", None),
    ],
)
def test_a_role_and_a_split_in_one_word(key, place):
    assert parse_key(key) == (place if place is None else Place(*place))


def test_arrays_without_a_role_are_reported(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.ones((4, 2)), y=[0, 1, 0, 1], ids=np.arange(4), rate=0.1)
    with pytest.warns(DataWarning, match="a.npz: ignored ids, whose names contain neither X nor y"):
        load(tmp_path / "a.npz")
