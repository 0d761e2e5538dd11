"""chainrule/data: files that are damaged, or made to do harm, end in one DataError or a warning."""

import gzip
import io
import os
import struct
import warnings
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet
from scipy.io import savemat

from chainrule.data import decoding, files, tables
from chainrule.data.cells import kind_of
from chainrule.data.columns import Columns
from chainrule.data.decoding import decode_image, read_image_header
from chainrule.data.labels import Labels
from chainrule.data.load import load
from chainrule.errors import ChainruleError, DataError, DataWarning
from chainrule.runs.initial_weights import read_weights
from chainrule.strategy.error_tags import near_equal, read_tags

X = np.arange(24.0).reshape(6, 4)
Y = np.array([0, 1, 0, 1, 0, 1])
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)


def refused(path: Path | str, *words: str, **options) -> str:
    """Return the message of the only error, which contains these words."""
    with pytest.raises(ChainruleError) as error:
        load(path, **options)
    for word in words:
        assert word in str(error.value)
    assert "Try " in str(error.value)
    return str(error.value)


# Nothing but regular files is opened


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "npz", "npy", "mat", "h5", "parquet"])
def test_a_pipe_is_never_opened(tmp_path, suffix):
    os.mkfifo(tmp_path / f"X.{suffix}")
    refused(tmp_path / f"X.{suffix}", "expected a regular file; got a pipe", target=None)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "a.png"])
def test_a_link_to_a_device_is_never_opened(tmp_path, name):
    (tmp_path / name).symlink_to("/dev/zero")
    refused(tmp_path / name, "a device")


def test_pipes_in_a_folder_of_images_are_counted(tmp_path):
    for kind in ("cat", "dog"):
        (tmp_path / kind).mkdir()
        Image.fromarray(PIXELS).save(tmp_path / kind / "a.png")
    os.mkfifo(tmp_path / "cat" / "b.png")
    (tmp_path / "dog" / "c.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.warns(DataWarning, match="ignored 2 entries .*, such as cat/b.png"):
        assert len(load(tmp_path)) == 2
    with pytest.warns(DataWarning, match="ignored 2 entries that are no file"):
        assert len(load(tmp_path, labelled=False)) == 2


def test_a_link_to_a_folder_above_is_not_followed(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    (tmp_path / "again").symlink_to(tmp_path)
    with pytest.warns(DataWarning, match="ignored again, a link to a folder above it"):
        assert len(load(tmp_path, labelled=False)) == 1


@pytest.mark.parametrize("outside", ["../secret.png", "{}/secret.png"])
def test_images_of_a_table_are_in_its_folder(tmp_path, outside):
    folder = tmp_path / "pets"
    folder.mkdir()
    Image.fromarray(PIXELS).save(tmp_path / "secret.png")
    Image.fromarray(PIXELS).save(folder / "a.png")
    name = outside.format(tmp_path)
    rows = f"file,kind\na.png,cat\n{name},dog\na.png,cat\na.png,dog\n"
    (folder / "pets.csv").write_text(rows)
    text = refused(folder / "pets.csv", target="kind")
    assert text.startswith(f"pets.csv, line 3: expected a path inside the folder {folder}")
    assert "Try moving pets.csv into a folder that contains all images" in text
    (folder / "pets.csv").write_text(rows.replace(name, "b.png"))
    (folder / "b.png").symlink_to(tmp_path / "secret.png")  # a data set may consist of links
    assert len(load(folder / "pets.csv", target="kind")) == 4


def test_a_pipe_in_a_table_of_images_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "pets.csv").write_text("file,kind\na.png,cat\na.png,dog\n")
    refused(tmp_path / "pets.csv", "expected a regular file; got a pipe", target="kind")


@pytest.mark.parametrize("name", ["9" * 400 + ".csv", "9" * 5000 + ".npz", "a\0.csv", "9" * 400])
def test_names_that_cannot_exist(tmp_path, name):
    refused(tmp_path / name, "no such file", target=None)


def test_an_image_with_a_name_that_cannot_exist(tmp_path):
    (tmp_path / "pets.csv").write_text(f"file,kind\n{'9' * 400}.png,cat\n{'9' * 400}.png,dog\n")
    text = refused(tmp_path / "pets.csv", "pets.csv, line 2", target="kind")
    assert "expected an image; got no such file" in text


# Arrays


def npz(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def npy(array: np.ndarray, **changes: bytes) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    content = file.getvalue()
    for old, new in changes.values():
        assert old in content
        content = content.replace(old, new)
    return content


HEADERS = {
    "a larger shape": (b"(6, 4), }   ", b"(6000, 4), }"),
    "a negative shape": (b"(6, 4), } ", b"(-6, 4), }"),
    "another type": (b"'<f8'", b"'<f4'"),
    "an object": (b"'<f8'", b"'|O' "),
    "an unknown type": (b"'<f8'", b"'<q9'"),
    "no header": (b"descr", b"desc "),
}


@pytest.mark.parametrize("change", HEADERS.values(), ids=HEADERS)
def test_the_header_of_an_array_that_lies(tmp_path, change):
    lying = npy(X, change=change)
    refused(npz(tmp_path / "a.npz", X=lying, y=npy(Y)), "a.npz", "expected")
    (tmp_path / "X.npy").write_bytes(lying)
    np.save(tmp_path / "y.npy", Y)
    refused(tmp_path / "X.npy", "X.npy", "expected")


def test_an_array_of_terabytes_is_refused_before_it_is_allocated(tmp_path):
    header = npy(X, change=(b"(6, 4), }             ", b"(6000000000000, 4), } "))
    (tmp_path / "X.npy").write_bytes(header)
    np.save(tmp_path / "y.npy", Y)
    refused(tmp_path / "X.npy", "192 bytes of values")


def test_two_members_of_one_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for array in (X, X + 1):
            archive.writestr("X.npy", npy(array))
        archive.writestr("y.npy", npy(Y))
    refused(tmp_path / "a.npz", "a.npz, X: expected one array of this name; got two")
    with pytest.raises(DataError, match="one array of this name"):
        read_weights(str(tmp_path / "a.npz"))


def test_an_encrypted_member(tmp_path):
    content = bytearray(npz(tmp_path / "a.npz", X=npy(X), y=npy(Y)).read_bytes())
    content[6] |= 1
    content[content.find(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.npz").write_bytes(content)
    refused(tmp_path / "a.npz", "encrypted")


def test_a_member_with_the_name_of_an_array_is_not_read_in_its_place(tmp_path):
    with zipfile.ZipFile(npz(tmp_path / "a.npz", X=npy(X), y=npy(Y)), "a") as archive:
        archive.writestr("X", b"raw bytes")
    np.testing.assert_array_equal(load(tmp_path / "a.npz").X, X)


def test_bytes_that_are_no_booleans_and_numbers_that_are_no_characters(tmp_path):
    flags = npz(tmp_path / "a.npz", X=npy(X > 3)[:-1] + b"\7", y=npy(Y))
    refused(flags, "expected booleans, stored as 0 and 1; got the byte 7")
    words = npy(np.array(["a", "b"] * 3))[:-1] + b"\x7f"
    refused(npz(tmp_path / "b.npz", X=npy(X), y=words), "b.npz, y: expected text")
    latin = npy(np.array([b"caf\xe9", b"b"] * 3))
    refused(npz(tmp_path / "c.npz", X=npy(X), y=latin), "expected text; got other data")


def test_numbers_beyond_float32(tmp_path):
    np.savez(tmp_path / "a.npz", X=X * 1e300, y=Y)
    refused(tmp_path / "a.npz", "numbers within the range of float32; got 1e+300 at [0, 1]")


def test_matlab_files_with_two_arrays_of_one_name_or_complex_numbers(tmp_path):
    savemat(tmp_path / "a.mat", {"X": X, "y": Y})
    content = (tmp_path / "a.mat").read_bytes()
    (tmp_path / "a.mat").write_bytes(content + content[128:])
    refused(tmp_path / "a.mat", "a.mat, X: expected one array of this name; got two")
    savemat(tmp_path / "b.mat", {"X": X + 1j, "y": Y})
    refused(tmp_path / "b.mat", "expected numbers; got an array of complex128")


@pytest.mark.parametrize("end", [0, 4, 100, 150, 200, -1])
def test_matlab_files_that_are_cut(tmp_path, end):
    savemat(tmp_path / "a.mat", {"X": X, "y": Y})
    (tmp_path / "a.mat").write_bytes((tmp_path / "a.mat").read_bytes()[:end])
    refused(tmp_path / "a.mat")


def test_an_idx_file_whose_shape_does_not_fit(tmp_path):
    sizes = np.array([6, 2, 2**31], ">u4").tobytes()
    (tmp_path / "t-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3]) + sizes + bytes(24))
    refused(tmp_path / "t-images-idx3-ubyte", "expected")


# HDF5


@pytest.fixture
def secret(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["X"], file["y"] = X, Y
    (tmp_path / "raw.bin").write_bytes(X.tobytes())
    return tmp_path


def test_external_links_are_not_followed(secret):
    with h5py.File(secret / "a.h5", "w") as file:
        file["X"], file["y"] = X, Y
        file["test_X"] = h5py.ExternalLink("secret.h5", "X")
    with pytest.warns(DataWarning, match="ignored test_X: links to other files are not followed"):
        assert load(secret / "a.h5").parts == {}


def test_external_storage_and_virtual_data_are_refused(secret):
    with h5py.File(secret / "a.h5", "w") as file:
        file.create_dataset(
            "X", X.shape, X.dtype, external=[(str(secret / "raw.bin"), 0, X.nbytes)]
        )
        file["y"] = Y
    refused(secret / "a.h5", "a.h5, X: expected values in this file; got values in another file")
    with h5py.File(secret / "b.h5", "w") as file:
        layout = h5py.VirtualLayout(X.shape, X.dtype)
        layout[:] = h5py.VirtualSource(str(secret / "secret.h5"), "X", X.shape)
        file.create_virtual_dataset("X", layout)
        file["y"] = Y
    refused(secret / "b.h5", "b.h5, X: expected values in this file")


def test_text_that_is_not_utf8_or_does_not_end(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X"] = X
        file.create_dataset("y", data=[b"caf\xe9", b"b"] * 3, dtype=h5py.string_dtype())
    refused(tmp_path / "a.h5", "complete HDF5 file", "utf-8")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["X"] = X
        file.create_dataset("y", data=[b"caf\xe9", b"b"] * 3)
    refused(tmp_path / "b.h5", "b.h5", "can't decode byte 0xe9")


def test_an_array_that_was_never_written(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("X", (10**7, 4), np.float64, chunks=(1000, 4))
        file["y"] = np.zeros(3)
    refused(tmp_path / "a.h5", "expected an array whose values were written; got")


# Tables


def test_a_gzip_bomb_is_refused_at_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGE", 2**22)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"0,1\n" * 2**22))
    text = refused(tmp_path / "a.csv.gz", target="b")
    assert "expected text that is at most 250 times as large as its gzip file" in text
    assert "Try gunzip" in text
    monkeypatch.setattr(files, "available_bytes", lambda: 3 * 2**20)
    refused(tmp_path / "a.csv.gz", "text of at most 1.05 MB, for which the free memory", target="b")


def test_memory_is_checked_before_a_parquet_file_is_read(tmp_path, monkeypatch):
    pd.DataFrame({"x": np.zeros(10**5), "y": np.arange(10**5)}).to_parquet(tmp_path / "a.parquet")
    monkeypatch.setattr("chainrule.host.machine.available_bytes", lambda: 10**6)
    monkeypatch.setattr(parquet.ParquetFile, "read", None)
    refused(tmp_path / "a.parquet", "the free memory; got 2.01 MB", target="y")


TEXTS = {
    "a zero byte": (
        b"a,y\n1,b\0c\n2,d\n",
        "a.csv, line 2: expected text in UTF-8; got a zero byte",
    ),
    "a quote in the header": (b'a,"y\n1,b\n2,d\n', "got"),
    "a long name": (b"a" * 200_000 + b",y\n1,b\n", "expected the names of the columns"),
    "a quote that is not closed": (b'a,y\n1,b\n2,"d\n', "an unclosed quote"),
    "UTF-16": ("a,y\n1,b\n".encode("utf-16"), "the byte 0xff"),
}


@pytest.mark.parametrize(("content", "words"), TEXTS.values(), ids=TEXTS)
def test_text_that_is_not_a_table(tmp_path, content, words):
    (tmp_path / "a.csv").write_bytes(content)
    refused(tmp_path / "a.csv", words, target="y")


def test_a_long_line_takes_linear_time(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"a,y\n" + b" " * 10**6 + b"x,1\n" + b"\n" * 10**5 + b"2,2\n")
    with pytest.warns(DataWarning, match="blank lines"):
        assert len(load(tmp_path / "a.csv", target="y")) == 2
    column = pd.Series(["1" + " " * 5000 + "kilogram"] * 30)
    Columns.learn(pd.DataFrame({"a": column}))


def test_digits_of_other_scripts_are_text(tmp_path):
    rows = "".join(f"1.00{i},{i}\n" for i in range(9))
    (tmp_path / "a.csv").write_text(
        f"a;y\n{rows}1.00٣,5;1\n".replace("\n1", "\n1").replace(",", ";")
    )
    with pytest.raises(DataError):
        kind_of(load(tmp_path / "a.csv", target="y").X["a"])


def test_too_many_columns(tmp_path):
    (tmp_path / "a.csv").write_text(",".join(f"c{i}" for i in range(200_001)) + "\n")
    refused(tmp_path / "a.csv", "expected at most 200,000 columns; got 200,001", target="c0")


def parquet_of(path: Path, **columns: pa.Array) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


def test_nested_columns_of_a_parquet_file(tmp_path):
    nested = pa.array([[1, 2], [3], [], [4], [5], [6]])
    records = pa.array([{"a": i} for i in range(6)])
    path = parquet_of(tmp_path / "a.parquet", x=nested, z=records, y=pa.array(Y))
    with pytest.raises(DataError, match="expected numbers, booleans, dates or text; got a ndarray"):
        Columns.learn(load(path, target="y").X)
    with pytest.raises(DataError, match="labels of one type"):
        Labels.learn(load(path, target="x").y)
    with pytest.raises(DataError, match="labels of one type"):
        Labels.learn(load(path, target="z").y)


def test_moments_beyond_the_range_of_nanoseconds(tmp_path):
    times = pa.array([0, 2**43, 3, 4, 5, -(2**43)], pa.timestamp("s"))
    path = parquet_of(tmp_path / "a.parquet", t=times, x=pa.array(X[:, 0]), y=pa.array(Y))
    with suppress(ChainruleError):
        load(path, target="y", time="t")
    table = load(path, target="y").X
    assert np.isfinite(Columns.learn(table).apply(table)).all()


def test_names_of_columns_that_are_not_utf8(tmp_path):
    content = parquet_of(tmp_path / "b.parquet", name=pa.array(Y), y=pa.array(Y)).read_bytes()
    (tmp_path / "b.parquet").write_bytes(content.replace(b"name", b"\xff\xfe\xff\xfe"))
    refused(tmp_path / "b.parquet", "a complete Parquet file", target="y")
    assert tables.PARQUET == "a complete Parquet file"


# Pictures


def test_postscript_is_not_started(tmp_path, monkeypatch):
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", None)
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%EOF\n"
    (tmp_path / "a.png").write_bytes(script)
    refused(tmp_path / "a.png", "expected a complete image", labelled=False)
    for function in (read_image_header, lambda path: decode_image(path, (2, 2), grey=False)):
        with pytest.raises(DataError, match="cannot identify"):
            function(tmp_path / "a.png")


def png(width: int, height: int) -> bytes:
    """Return a PNG whose header declares this size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 20)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(1, 2**31 - 1), (20_000, 10_000), (2**31 - 1, 2**31 - 1)])
def test_an_image_with_too_many_pixels(tmp_path, size):
    (tmp_path / "a.png").write_bytes(png(*size))
    refused(tmp_path / "a.png", "at most 178,956,970 pixels", "a smaller image", labelled=False)


def test_a_short_file_that_declares_a_large_image(tmp_path):
    (tmp_path / "a.png").write_bytes(png(5000, 5000))
    refused(
        tmp_path / "a.png",
        "a complete image",
        "5,000 by 5,000 pixels in ",
        labelled=False,
    )


def test_a_large_image_is_read_without_a_warning_of_another_kind(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 15)
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(tmp_path / "a.png", labelled=False).X.shape == (1, 4, 5, 3)
    assert decoding.MOST_PIXELS == 178_956_970


def test_memory_is_checked_before_an_image_is_decoded(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(png(10_000, 10_000) + bytes(20_000))
    monkeypatch.setattr("chainrule.host.machine.available_bytes", lambda: 10**9)
    refused(tmp_path / "a.png", "the free memory; got 1.60 GB", labelled=False)


def test_damaged_metadata_is_reported(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "camera" * 10
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", exif=exif)
    content = (tmp_path / "a.jpg").read_bytes()
    at = content.index(b"Exif\0\0") + 16
    (tmp_path / "a.jpg").write_bytes(content[:at] + b"\xff\xff" * 4 + content[at + 8 :])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        load(tmp_path / "a.jpg", labelled=False)
    assert {one.category for one in said} <= {DataWarning}


# A file of tags


def test_files_of_tags_that_are_damaged(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("pipe.csv", "absent.csv", "."):
        with pytest.raises(DataError):
            read_tags(tmp_path / name)
    (tmp_path / "a.csv").write_bytes(b'line,tags\n2,"' + b"a" * 200_000 + b"\n")
    with pytest.raises(DataError, match="a row of CSV"):
        read_tags(tmp_path / "a.csv")


def test_many_and_long_tags_are_compared_in_time():
    assert near_equal({f"{'blurry' * 2000}{i:05} tag": 1 for i in range(3000)}) == ()
