"""host/reading.py: regular files only, strict JSON, declared types and paths below a folder."""

import os
import socket
from pathlib import Path
from typing import Annotated, TypedDict

import msgspec
import numpy as np
import pytest
from safetensors import numpy as safetensors

from chainrule.errors import DataError, RunError
from chainrule.host import reading
from chainrule.host.reading import (
    check_regular,
    convert,
    path_inside,
    read_bytes,
    read_json,
    roots_of,
)


def test_a_regular_file_and_a_link_to_it_are_read(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("a")
    assert check_regular(tmp_path / "a") == 3
    assert read_bytes(tmp_path / "link") == b"abc"


def test_a_pipe_is_refused_before_it_is_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="expected a regular file; got a pipe"):
        read_bytes(tmp_path / "pipe")


def test_devices_folders_and_sockets_are_refused(tmp_path):
    (tmp_path / "zero").symlink_to("/dev/zero")
    with pytest.raises(RunError, match=r"zero: expected a regular file; got a device"):
        read_bytes(tmp_path / "zero", RunError)
    with pytest.raises(DataError, match="got a folder"):
        read_bytes(tmp_path)
    with socket.socket(socket.AF_UNIX) as opened:
        here = os.getcwd()
        os.chdir(tmp_path)  # the name of a socket has at most 107 letters
        opened.bind("s")
        os.chdir(here)
        with pytest.raises(DataError, match="got a socket"):
            read_bytes(tmp_path / "s")


def test_a_missing_file_and_an_impossible_name_are_one_message(tmp_path):
    with pytest.raises(DataError, match="got no such file"):
        read_bytes(tmp_path / "none")
    with pytest.raises(DataError, match="File name too long"):
        read_bytes(tmp_path / ("x" * 300))
    with pytest.raises(DataError, match="a name that is not valid"):
        read_bytes(tmp_path / "a\0b")


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' twice in one object"),
        ('{"a": NaN}', "the number NaN"),
        ('{"a": [1, -Infinity]}', "the number -Infinity"),
        ('{"a": 1e400}', "the number 1e400"),
        ('{"a": -' + "9" * 400 + ".5}", f"the number -{'9' * 39} … "),
        ("[" * 100_000, "objects that are nested too deeply"),
        ("9" * 5000, "text that is not valid JSON"),
        ("{", "text that is not valid JSON"),
        (b"\xff\xfe{}x", "text that is not valid JSON"),
    ],
)
def test_json_that_is_damaged_or_contradicts_itself_is_refused(content, got):
    with pytest.raises(DataError, match=rf"^boxes\.json: expected valid JSON; got {got}"):
        read_json(content, "boxes.json")


def test_our_own_files_may_contain_numbers_that_are_not_finite():
    assert read_json('{"a": Infinity}', "x", finite=False) == {"a": float("inf")}
    assert read_json('{"a": -1e400}', "x", finite=False) == {"a": -float("inf")}


class Size(TypedDict):
    n_H: Annotated[int, msgspec.Meta(ge=1)]


def test_a_wrong_type_names_the_entry():
    assert convert({"n_H": 3}, Size, "x.json") == {"n_H": 3}
    with pytest.raises(RunError, match=r"^x\.json, at n_H: expected `int`; got `str`"):
        convert({"n_H": "3"}, Size, "x.json", error=RunError)
    with pytest.raises(
        DataError, match=r"at n_H: expected `int` >= 1; got a value outside these bounds"
    ):
        convert({"n_H": 0}, Size, "x.json")
    with pytest.raises(
        DataError, match="expected the declared entries; got object missing required field `n_H`"
    ):
        convert({}, Size, "x.json")


def test_a_path_may_lead_anywhere_below_the_folders_and_nowhere_else(tmp_path):
    root, folder = tmp_path / "set", tmp_path / "set" / "labels"
    assert path_inside(folder, "7.png", roots_of([folder])) == folder / "7.png"
    assert path_inside(folder, "../images/7.png", roots_of([folder, root])) == root / "images/7.png"
    assert path_inside(folder, str(root / "7.png"), roots_of([root])) == root / "7.png"
    for name in ("../../7.png", "/etc/passwd", "images/../../../7.png", "a\0b", ".."):
        assert path_inside(folder, name, roots_of([folder])) is None


def test_a_folder_whose_name_begins_alike_is_outside(tmp_path):
    folder = tmp_path / "set"
    assert path_inside(folder, "../settings/7.png", roots_of([folder])) is None


def test_a_relative_folder_gives_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("set")
    assert path_inside(folder, "a/../7.png", roots_of([folder])) == Path("set/7.png")


def test_a_header_of_arrays_that_is_too_long_is_refused_before_it_is_parsed(monkeypatch):
    monkeypatch.setattr(reading, "MOST_HEADER", 10)
    content = safetensors.save({"W1": np.zeros((2, 2), np.float32)})
    with pytest.raises(DataError, match="expected a header of at most 10 bytes; got"):
        reading.read_arrays(content, "weights.safetensors")
