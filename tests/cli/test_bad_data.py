"""Bad data: one message in the design's form, exit code 2, and nothing written."""

import gzip

import numpy as np
import pandas as pd
import pytest
from PIL import Image

# Files


def test_no_such_file(refused, table):
    table("flowers.csv")
    message = refused("train", "flower.csv", "--target", "y")
    assert "got no such file" in message
    assert "Try flowers.csv (did you mean that?)" in message


def test_a_misspelt_bundled_name(refused):
    assert "Try iris (did you mean that?)" in refused("train", "irsi")


def test_an_empty_file(refused, tmp_path):
    (tmp_path / "t.csv").touch()
    assert "got an empty file" in refused("train", "t.csv", "--target", "y")


def test_a_header_alone(refused, tmp_path):
    (tmp_path / "t.csv").write_text("a,b,y\n")
    assert "expected rows; got only a header" in refused("train", "t.csv", "--target", "y")


def test_ragged_rows(refused, tmp_path):
    (tmp_path / "t.csv").write_text("a,b,y\n1,2,no\n1,2,3,yes\n")
    message = refused("train", "t.csv", "--target", "y")
    assert message.startswith("t.csv, line 3: expected 3 cells, as in the header; got 4.")


def test_a_file_of_no_known_kind(refused, tmp_path):
    (tmp_path / "t.docx").write_text("words")
    assert "got a file with suffix .docx." in refused("train", "t.docx")


def test_a_truncated_png(refused, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(5):
            Image.fromarray(noise + np.uint8(i)).save(tmp_path / "pets" / name / f"{i}.png")
    cut(tmp_path / "pets/dog/3.png")
    message = refused("train", "pets")
    assert message.startswith("pets/dog/3.png: expected a complete image; got a truncated")


def test_a_truncated_parquet(refused, tmp_path):
    pd.DataFrame({"a": range(20), "y": [0, 1] * 10}).to_parquet(tmp_path / "t.parquet")
    cut(tmp_path / "t.parquet")
    assert "expected a complete Parquet file" in refused("train", "t.parquet", "--target", "y")


def test_a_truncated_hdf5(refused, tmp_path):
    import h5py

    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["train_set_x"], file["train_set_y"] = np.zeros((50, 4)), np.arange(50) % 2
    cut(tmp_path / "t.h5")
    assert refused("train", "t.h5").startswith(
        "t.h5: expected a complete HDF5 file; got a truncated"
    )


@pytest.mark.parametrize("end", ["", ".gz"])
def test_a_truncated_idx(refused, tmp_path, end):
    images = bytes([0, 0, 8, 3]) + np.array([20, 2, 2], ">u4").tobytes() + bytes(80)
    labels = bytes([0, 0, 8, 1, 0, 0, 0, 20]) + bytes([0, 1] * 10)
    for name, content in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
        (tmp_path / f"train-{name}{end}").write_bytes(gzip.compress(content) if end else content)
    source = f"train-images-idx3-ubyte{end}"
    cut(tmp_path / source)
    assert refused("train", source).startswith(source)


def test_a_folder_without_classes(refused, tmp_path):
    (tmp_path / "pets").mkdir()
    assert refused("train", "pets").startswith(
        "pets: expected class folders with images; got 0 folders"
    )


def cut(path):
    """The first half of a file is all that is left of it."""
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


# Targets


def test_no_target(refused, table):
    assert "Try one of a, b, y." in refused("train", table())


def test_a_target_that_does_not_exist(refused, table):
    message = refused("train", table(species=["no", "yes"] * 10), "--target", "specie")
    assert message.startswith("--target: expected a column of t.csv; got 'specie'.")
    assert "Try species (did you mean that?)" in message


def test_a_class_with_one_example(refused, table):
    message = refused("train", table(y=["no", "yes"] * 9 + ["no", "maybe"]), "--target", "y")
    assert "t.csv, the target: expected at least two examples of each class" in message
    assert "got only one example of 'maybe'" in message


def test_one_class_alone(refused, table):
    assert "got only 'no'" in refused("train", table(y="no"), "--target", "y")


def test_an_empty_target(refused, table):
    message = refused("train", table(y=["no", "yes"] * 9 + ["no", None]), "--target", "y")
    assert "--target, column 'y': expected a value in every row; got 1 empty" in message


def test_nan_in_a_target_of_numbers(refused, table):
    message = refused("train", table(y=[*np.arange(19) / 7, np.nan]), "--target", "y")
    assert "got 1 empty cell, the first in line 21" in message


def test_text_in_a_regression(refused, table):
    message = refused("train", table(), "--target", "y", "--task", "regression")
    assert "expected numbers, for regression; got text" in message


# Values


def test_infinity(refused, table):
    message = refused("train", table(a=[*np.arange(19.0), np.inf]), "--target", "y")
    assert (
        "column 'a', line 21: expected a finite number within the range of float32; got inf"
        in message
    )


def test_nan_in_an_array_file(refused, tmp_path):
    X = np.ones((20, 3))
    X[4, 1] = np.nan
    np.savez(tmp_path / "t.npz", X=X, y=np.arange(20) % 2)
    message = refused("train", "t.npz")
    assert message.startswith("t.npz, X")
    assert "nan" in message.lower()


def test_nothing_but_an_identifier(refused, tmp_path):
    frame = pd.DataFrame({"id": [f"n{i}" for i in range(1000)], "y": [0, 1] * 500})
    frame.to_csv(tmp_path / "t.csv", index=False)
    message = refused("train", "t.csv", "--target", "y")
    assert "the table: expected at least one column to learn from; got none." in message
    assert "Try --category id, or adding columns" in message


def test_mixed_types(refused, table):
    """The one text falls into the test part: what a column is, all of its rows say."""
    message = refused("train", table(a=[*range(19), "many"]), "--target", "y", "--strict")
    assert message.startswith("t.csv, column 'a': expected only numbers, or only text")
    assert "1 text such as 'many'" in message


def test_an_object_array_is_never_unpickled(refused, tmp_path):
    np.savez(tmp_path / "t.npz", X=np.array([{}, {}], object), y=np.array([0, 1]))
    assert "pickle" in refused("train", "t.npz")


def test_too_few_examples(refused, tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n1,0\n2,1\n3,0\n4,1\n")
    message = refused("train", "t.csv", "--target", "y")
    assert "the split: expected at least 5 examples, so that each set has one; got 4." in message


def test_a_part_that_counts_for_nothing(refused, table):
    name = table(w=[1.0] * 12 + [0.0] * 8, when=range(20))
    message = refused("train", name, "--target", "y", "--weight", "w", "--time", "when")
    assert message.startswith(
        "--weight, t.csv: expected at least one weight greater than 0 in each set; got none."
    )


# Other files beside the training's


def test_a_dev_file_with_other_columns(refused, table, tmp_path):
    train = table()
    frame = pd.read_csv(tmp_path / train).rename(columns={"a": "aa"})
    frame.to_csv(tmp_path / "dev.csv", index=False)
    message = refused("train", train, "--target", "y", "--dev", "dev.csv")
    assert message.startswith("dev.csv, column 'a': expected the columns of the training table")
    assert "Try aa (did you mean that?)" in message


def test_a_test_file_of_another_shape(refused, tmp_path):
    for name, n in (("t.npz", 3), ("test.npz", 4)):
        np.savez(tmp_path / name, X=np.random.default_rng(0).random((20, n)), y=np.arange(20) % 2)
    message = refused("train", "t.npz", "--test", "test.npz")
    assert message.startswith(
        "test.npz, the input: expected (m, 3), one example per row; got (20, 4)"
    )
