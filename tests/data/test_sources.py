"""chainrule/data/sources.py"""

import os

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from chainrule.data.sources import load
from chainrule.errors import DataError, OptionError

X, Y = np.arange(12.0).reshape(4, 3), np.array([0, 1, 1, 0])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a file of each kind, and we are in it."""
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", X_train=X, y_train=Y, X_test=X[:2], y_test=Y[:2])
    np.savez("toys.npz", flower_X=X.T, flower_Y=Y[None], moons_X=X, moons_Y=Y)
    for name in ("b.h5", "c.HDF5"):
        with h5py.File(name, "w") as file:
            file["x"], file["y"] = X, Y
    table = pd.DataFrame({"age": [1, 2, 3], "town": ["a", "b", "a"]})
    table.to_csv("d.csv", index=False)
    table.to_csv("e.csv.gz", index=False)
    table.to_parquet("f.parquet")
    images = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 5, 6])
    (tmp_path / "train-images-idx3-ubyte").write_bytes(images)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 1, 0]))
    (tmp_path / "some.bin").write_bytes(images)
    for name in ("cat", "dog"):
        (tmp_path / "digits" / name).mkdir(parents=True)
        Image.new("RGB", (5, 4)).save(tmp_path / "digits" / name / "1.png")
    return tmp_path


def words(source, kind: type[Exception] = DataError, **options) -> str:
    with pytest.raises(kind) as error:
        load(source, **options)
    return str(error.value)


@pytest.mark.parametrize("name", ["a.npz", "b.h5", "c.HDF5", "toys.npz:flower"])
def test_arrays(folder, name):
    source = load(name)
    assert np.array_equal(source.X, X)
    assert np.array_equal(source.y, Y)
    assert source.name == name


def test_parts_and_paths(folder):
    assert len(load("a.npz").parts["test"]) == 2
    assert len(load(folder / "a.npz", part="test")) == 2


@pytest.mark.parametrize("name", ["d.csv", "e.csv.gz", "f.parquet"])
def test_tables(folder, name):
    source = load(name, target="town")
    assert source.is_table
    assert list(source.X.columns) == ["age"]
    assert source.y.tolist() == ["a", "b", "a"]
    assert len(load(name, target="town", labelled=False)) == 3


def test_idx(folder):
    source = load("train-images-idx3-ubyte")
    assert (source.X.tolist(), source.y.tolist()) == ([[[5]], [[6]]], [1, 0])
    assert len(load("some.bin", labelled=False)) == 2


def test_a_folder_of_pictures_and_a_bundled_name(folder):
    assert load("./digits").X.shape == (2, 4, 5, 3)
    assert load(folder / "digits", image_size=(2, 2)).X.shape == (2, 2, 2, 3)
    assert load("digits").X.shape == (1797, 64)
    assert len(load("digits/cat/1.png", labelled=False)) == 1


def test_says_when_there_is_no_such_file(folder):
    assert words("a.np") == (
        "a.np: expected a file, a folder or a bundled name; got no such file.\n"
        "Try a.npz (did you mean that?); the choices are digits, iris, wine, breast_cancer, "
        "diabetes, moons, circles, a.npz, b.h5, c.HDF5, d.csv, digits, e.csv.gz, f.parquet, "
        "some.bin, toys.npz, train-images-idx3-ubyte, train-labels-idx1-ubyte."
    )
    assert "Try iris (did you mean that?)" in words("irs")
    assert "Try cat (did you mean that?); the choices are cat, dog." in words("digits/cats")
    assert words("nowhere/a.csv").endswith("got no folder nowhere.")
    (folder / "empty").mkdir()
    assert "Try one of digits, iris" in words("empty/a.csv")


def test_says_what_is_read(folder):
    (folder / "a.xlsx").write_bytes(b"PK")
    (folder / "README").write_bytes(b"hello")
    assert words("a.xlsx") == (
        "a.xlsx: expected one of .csv, .csv.gz, .parquet, .npz, .h5, .hdf5, IDX files (*-ubyte, "
        "*-ubyte.gz) and folders of pictures; got a file .xlsx.\nTry one."
    )
    assert "got a file without a suffix" in words("README")


@pytest.mark.parametrize("name", ["empty.csv", "empty.npz", "empty.parquet", "empty-idx3-ubyte"])
def test_says_when_a_file_is_empty(folder, name):
    (folder / name).write_bytes(b"")
    assert f"{name}: expected data; got an empty file" in words(name)


def test_says_when_a_file_may_not_be_read(folder, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "a.npz: expected a file that may be read; got no permission" in words("a.npz")


@pytest.mark.parametrize("name", ["a.npz", "b.h5", "./digits", "iris", "train-images-idx3-ubyte"])
def test_says_that_only_tables_have_columns(folder, name):
    message = words(name, OptionError, target="age", weight="w")
    assert message.startswith("--target, --weight: expected a table")
    assert message.endswith(f"got {name}.\nTry leaving it out.")


@pytest.mark.parametrize("name", ["digits", "d.csv", "a.npz"])
def test_says_that_only_pictures_have_a_size(folder, name):
    expected = f"a folder of pictures; got {name}.\nTry leaving it out."
    if name == "d.csv":
        got = "pictures; got the table d.csv.\nTry leaving it out, or --images COLUMN"
        expected = f"{got}, the column of paths to pictures."
    assert words(name, OptionError, image_size=(2, 2)) == f"--image-size: expected {expected}"
