"""native/build.py: what a machine lacks comes as wheels, and what is missing is said."""

import importlib.util
import os
import platform
import shutil
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

FILE = Path(__file__).parents[2] / "native" / "build.py"


@pytest.fixture
def build(monkeypatch, tmp_path):
    """Return the module, which downloads nothing."""
    spec = importlib.util.spec_from_file_location("native_build", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "BUILD", tmp_path)
    monkeypatch.setattr(module, "install", lambda name, *wheels: tmp_path / name)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    for name in ("CXX", "DNNL_ROOT"):
        monkeypatch.delenv(name, raising=False)
    return module


def test_the_compiler_of_the_system_comes_first(build, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/c++" if name == "c++" else None)
    assert build.compiler(portable=False) == {}
    zig = build.compiler(portable=True)
    assert zig["CXX"] == f"{tmp_path}/zig/ziglang/zig c++"
    assert "-mcpu=x86_64" in zig["CXXFLAGS"].split()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert build.compiler(portable=False) == zig
    monkeypatch.setenv("CXX", "clang++")
    assert build.compiler(portable=False) == {}


def test_onednn_of_the_user_or_the_system_comes_first(build, monkeypatch, tmp_path):
    (tmp_path / "dnnl.hpp").touch()
    monkeypatch.setattr(build, "SYSTEM_INCLUDES", (str(tmp_path),))
    assert build.onednn(portable=False) is None
    monkeypatch.setenv("DNNL_ROOT", "mine")
    assert build.onednn(portable=False) == Path("mine")


@pytest.mark.parametrize("portable", [True, False])
def test_the_wheels_of_onednn_use_an_openmp_library_that_is_there(
    build, monkeypatch, tmp_path, portable
):
    (tmp_path / "onednn" / "lib").mkdir(parents=True)
    (tmp_path / "libgomp-1.so").write_bytes(b"openmp")
    monkeypatch.setattr(build, "SYSTEM_INCLUDES", ())
    monkeypatch.setattr(build, "loads", lambda name: True)
    monkeypatch.setattr(build, "bundled_openmp", lambda: tmp_path / "libgomp-1.so")
    assert build.onednn(portable=portable) == tmp_path / "onednn"
    assert (tmp_path / "onednn" / "lib" / "libgomp.so.1").exists() is portable


def test_a_wheel_is_unpacked_with_its_data_at_the_top(build, tmp_path):
    with ZipFile(tmp_path / "one.whl", "w") as wheel:
        wheel.writestr("one/__init__.py", "")
        wheel.writestr("one-1.data/data/lib/libone.so", "library")
        wheel.writestr("one-1.data/data/include/one.h", "header")
    build.unpack(tmp_path / "one.whl", tmp_path / "out")
    found = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*")}
    assert found == {"one/__init__.py", "lib/libone.so", "include/one.h"}


# Messages


def test_another_processor(build, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(SystemExit) as error:
        build.check_processor()
    assert str(error.value) == (
        "make native: expected a processor of the kind x86-64; got aarch64.\n"
        "Try chainrule without the kernels: XLA's own convolutions are then used."
    )


def test_no_onednn_for_the_system(build, monkeypatch):
    monkeypatch.setattr(build, "SYSTEM_INCLUDES", ())
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SystemExit) as error:
        build.onednn(portable=False)
    assert str(error.value) == (
        "make native: expected oneDNN with its headers; got none, and there is no wheel of it "
        "for darwin.\nTry installing it, and DNNL_ROOT=FOLDER make native."
    )


def test_no_openmp(build, monkeypatch):
    monkeypatch.setattr(build, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"expected the OpenMP library libgomp\.so\.1; got none"):
        build.bundled_openmp()


def test_a_command_that_fails_ends_with_its_words(build):
    with pytest.raises(SystemExit, match="nothing works"):
        build.run([sys.executable, "-c", "import sys; sys.exit('nothing works')"], env=os.environ)
