"""examples/: each runs alone, states its targets and reaches them; a target missed is a failure."""

import os
import subprocess
import sys
import warnings
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import jax
import jaxtyping
import pytest

FOLDER = Path(__file__).parent.parent / "examples"
EXAMPLES = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
QUICK = [example for example in EXAMPLES if not example.name.startswith("03")]
PAGE = (FOLDER.parent / "docs" / "examples.md").read_text()


def named(example: Path) -> str:
    return example.stem


def run(example: Path, *options: str, **environment: str) -> subprocess.CompletedProcess:
    """The example as a user runs it."""
    return subprocess.run(
        [sys.executable, example, *options],
        env={**os.environ, "CHAINRULE_CACHE": "off", **environment},
        capture_output=True,
        text=True,
    )


def module_of(script: Path):
    spec = spec_from_file_location(script.stem, script)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def users_world(float32_world, monkeypatch):
    """What a script of the user's has: JAX as it comes, no checks of shapes, harmless warnings."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with (
        jax.numpy_rank_promotion("allow"),
        jax.numpy_dtype_promotion("standard"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


@pytest.fixture
def example(monkeypatch):
    """An example without parts, and without the cache."""
    monkeypatch.setenv("CHAINRULE_CACHE", "off")
    monkeypatch.delenv("CHAINRULE_DATA", raising=False)
    module = module_of(FOLDER / "example.py")
    return lambda *options: module.Example("00: a title.\n\nWhat it shows.", list(options))


@pytest.mark.parametrize("script", QUICK, ids=named)
def test_a_quick_run_reaches_its_targets(script, tmp_path, users_world, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [str(script), "--quick", "--pictures", str(tmp_path)])
    module_of(script).main()  # a missed target ends it
    said = capsys.readouterr().out
    assert "targets reached." in said
    assert "MISSED" not in said
    for picture in tmp_path.iterdir():
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert f"Picture: {picture}" in said


@pytest.mark.slow
@pytest.mark.parametrize("script", EXAMPLES, ids=named)
def test_a_whole_run_reaches_its_targets(script):
    done = run(script)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", EXAMPLES, ids=named)
def test_the_page_names_the_example_and_its_first_line_has_its_number(script):
    assert f"examples/{script.name}" in PAGE
    assert script.read_text().startswith(f'"""{script.name[:2]}: ')


@pytest.mark.parametrize("script", EXAMPLES, ids=named)
def test_an_example_is_short(script):
    assert len(script.read_text().splitlines()) <= 300


def test_without_its_data_an_example_says_so_and_is_no_failure(tmp_path):
    (script,) = (example for example in EXAMPLES if example.name.startswith("03"))
    done = run(script, CHAINRULE_DATA=str(tmp_path))
    assert done.returncode == 0, done.stderr
    missing = "catvnoncat/train_catvnoncat.h5, catvnoncat/test_catvnoncat.h5"
    assert f"Skipped: no {missing} in {tmp_path}" in done.stdout
    assert done.stdout.endswith("Nothing to show without the data: skipped.\n")


def test_a_missed_target_is_said_and_ends_with_1(example, capsys):
    one = example()
    one.target("accuracy 0.99 (target at least 0.9)", True)
    one.target("accuracy 0.20 (target at least 0.9)", False)
    with pytest.raises(SystemExit) as end:
        one.finish()
    assert end.value.code == 1
    said = capsys.readouterr().out
    assert "Target reached: accuracy 0.99 (target at least 0.9)\n" in said
    assert "TARGET MISSED: accuracy 0.20 (target at least 0.9)\n" in said
    assert said.endswith("\n1 of 2 targets missed:\n  accuracy 0.20 (target at least 0.9)\n")


def test_when_all_are_reached_nothing_ends_badly(example, capsys):
    one = example()
    one.target("one", True)
    one.finish()
    assert capsys.readouterr().out.endswith("\nAll 1 targets reached.\n")


def test_an_option_comes_before_the_environment(example, monkeypatch, tmp_path):
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path / "elsewhere"))
    assert example().data == tmp_path / "elsewhere"
    assert example("--data", str(tmp_path)).data == tmp_path


def test_only_what_is_there_counts_as_there(example, tmp_path, capsys):
    (tmp_path / "a.npz").touch()
    one = example("--data", str(tmp_path))
    assert one.has("a.npz")
    assert not one.has("a.npz", "b.npz")
    assert (
        f"Skipped: no b.npz in {tmp_path} (--data FOLDER says where).\n" in capsys.readouterr().out
    )
    assert not example("--data", str(tmp_path), "--quick").has("a.npz")


def test_a_picture_is_drawn_only_where_it_is_wanted(example, tmp_path):
    example().picture("a.png", pytest.fail, "drawn all the same")
    example("--pictures", str(tmp_path / "new")).picture("a.png", bytes, 3)
    assert (tmp_path / "new" / "a.png").read_bytes() == bytes(3)
