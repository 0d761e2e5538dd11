"""chainrule/host/compilation_cache.py: where compiled programs are kept."""

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from chainrule.host.compilation_cache import _enable, delete_damaged_entry
from tests.compilations import compilations

SETTINGS = (
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)


@pytest.fixture
def folder_for(monkeypatch):
    """Return a function that returns the cache folder for these variables; JAX is restored."""
    before = {name: getattr(jax.config, name) for name in SETTINGS}

    def chosen(**variables):
        for name in ("CHAINRULE_CACHE", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))
        jax.config.update(SETTINGS[0], None)
        _enable.__wrapped__()  # normally runs once per process
        return jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]

    yield chosen
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()  # which else goes on with the last folder


def test_a_folder_given_by_the_user(folder_for, tmp_path):
    assert folder_for(CHAINRULE_CACHE=tmp_path / "here") == str(tmp_path / "here")
    assert (tmp_path / "here").is_dir()


def test_the_users_cache_folder(folder_for, tmp_path):
    assert folder_for(XDG_CACHE_HOME=tmp_path) == str(tmp_path / "chainrule")
    assert folder_for(HOME=tmp_path) == str(tmp_path / ".cache" / "chainrule")


def test_off(folder_for, tmp_path):
    assert folder_for(CHAINRULE_CACHE="off", HOME=tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_cache_folder(folder_for, tmp_path):
    (tmp_path / "file").touch()
    assert folder_for(CHAINRULE_CACHE=tmp_path / "file" / "cache") is None


def test_the_users_jax_setting_is_kept(folder_for, tmp_path):
    folder_for(CHAINRULE_CACHE="off")
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    _enable.__wrapped__()
    assert jax.config.jax_compilation_cache_dir == str(tmp_path)  # pyright: ignore[reportAttributeAccessIssue]


def test_half_a_program_is_deleted(folder_for, tmp_path):
    folder_for(CHAINRULE_CACHE=tmp_path)
    for name in ("jit_less-12ab-cache", "jit_lesser-12ab-cache", "jit_run-34cd-cache"):
        (tmp_path / name).touch()
    error_text = "Error reading persistent compilation cache entry for 'jit_less': error: Error -5"
    assert delete_damaged_entry(error_text)
    assert delete_damaged_entry(
        error_text.replace("reading", "writing").replace("jit_less", "jit_run")
    )
    assert [file.name for file in tmp_path.iterdir()] == ["jit_lesser-12ab-cache"]
    assert not delete_damaged_entry("a constant column")


def test_jax_still_issues_the_expected_warning(folder_for, tmp_path):
    """A truncated program is compiled again, and the next process finds it complete."""
    folder_for(CHAINRULE_CACHE=tmp_path)
    program = jax.jit(lambda x: x * 41)
    compilation_cache.reset_cache()
    program.lower(1.0).compile()
    (file,) = tmp_path.glob("*-cache")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    jax.clear_caches()
    with pytest.warns(
        UserWarning, match="^Error reading persistent compilation cache"
    ) as expected_text:
        program.lower(1.0).compile()
    assert delete_damaged_entry(str(expected_text[0].message))
    assert not file.exists()


def test_a_program_that_is_loaded_counts_as_compiled(folder_for, tmp_path):
    """Or the tests that count compilations would see nothing once the folder is full."""
    folder_for(CHAINRULE_CACHE=tmp_path)
    compilation_cache.reset_cache()
    with compilations() as compiled:
        for _ in range(2):
            jax.jit(lambda x: x * 43)(1.0)
    assert len(list(tmp_path.glob("*-cache"))) == 1
    assert len(compiled) == 2
