"""chainrule/data/load.py"""

import os

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from chainrule.data.load import load
from chainrule.errors import DataError, OptionError

X, Y = np.arange(12.0).reshape(4, 3), np.array([0, 1, 1, 0])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Create a folder with a file of each format, and make it the working directory."""
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


def error_text(source, kind: type[Exception] = DataError, **options) -> str:
    with pytest.raises(kind) as error:
        load(source, **options)
    return str(error.value)


@pytest.mark.parametrize("name", ["a.npz", "b.h5", "c.HDF5", "toys.npz:flower"])
def test_arrays(folder, name):
    source = load(name)
    assert np.array_equal(source.X, X)
    assert np.array_equal(source.y, Y)
    assert source.name == name


def test_sets_and_paths(folder):
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


def test_a_folder_of_images_and_a_built_in_name(folder):
    assert load("./digits").X.shape == (2, 4, 5, 3)
    assert load(folder / "digits", image_size=(2, 2)).X.shape == (2, 2, 2, 3)
    assert load("digits").X.shape == (1797, 64)
    assert len(load("digits/cat/1.png", labelled=False)) == 1


def test_reports_when_there_is_no_such_file(folder):
    assert error_text("a.np") == (
        "a.np: expected a file, a folder or the name of a built-in data set; got no such file.\n"
        "Try a.npz (did you mean that?); the choices are digits, iris, wine, breast_cancer, "
        "diabetes, moons, circles, a.npz, b.h5, c.HDF5, d.csv, digits, e.csv.gz, f.parquet, "
        "some.bin, toys.npz, train-images-idx3-ubyte, train-labels-idx1-ubyte."
    )
    assert "Try iris (did you mean that?)" in error_text("irs")
    assert "Try cat (did you mean that?); the choices are cat, dog." in error_text("digits/cats")
    assert error_text("nowhere/a.csv").endswith(
        "got a path in the folder nowhere, which does not exist.\nTry checking the path."
    )
    (folder / "empty").mkdir()
    assert "Try one of digits, iris" in error_text("empty/a.csv")


def test_reports_the_readable_formats(folder):
    (folder / "a.xlsx").write_bytes(b"PK")
    (folder / "README").write_bytes(b"hello")
    assert error_text("a.xlsx") == (
        "a.xlsx: expected one of .csv, .csv.gz, .tsv, .tsv.gz, .txt, .txt.gz, .parquet, .npz, "
        ".npy, .mat, .h5, .hdf5, .ts, IDX files (*-ubyte, "
        "*-ubyte.gz) and folders of images; got a file with suffix .xlsx.\nTry one of these "
        "formats."
    )
    assert "got a file with no suffix" in error_text("README")


@pytest.mark.parametrize("name", ["empty.csv", "empty.npz", "empty.parquet", "empty-idx3-ubyte"])
def test_reports_when_a_file_is_empty(folder, name):
    (folder / name).write_bytes(b"")
    assert f"{name}: expected data; got an empty file" in error_text(name)


def test_reports_when_permission_is_missing(folder, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "a.npz: expected a readable file; got no permission to read it" in error_text("a.npz")


@pytest.mark.parametrize("name", ["a.npz", "b.h5", "./digits", "iris", "train-images-idx3-ubyte"])
def test_reports_that_only_tables_have_columns(folder, name):
    message = error_text(name, OptionError, target="age", weight="w", sequence="s", text="t")
    assert message.startswith("--target, --weight, --sequence, --text: expected a table")
    assert message.endswith(f"got {name}.\nTry removing this option.")


@pytest.mark.parametrize("name", ["digits", "d.csv", "a.npz"])
def test_reports_that_only_images_have_a_size(folder, name):
    expected = f"a folder of images; got {name}.\nTry removing this option."
    if name == "d.csv":
        got = "images; got the table d.csv.\nTry removing this option, or --images COLUMN"
        expected = f"{got}, the column of image paths."
    assert error_text(name, OptionError, image_size=(2, 2)) == f"--image-size: expected {expected}"
