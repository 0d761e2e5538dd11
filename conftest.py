"""JAX at its strictest, in float64; `float32_world` is what users have, without it."""

import ctypes
import gc
import hashlib
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("chainrule", deadline=None, derandomize=True)  # no test hangs on chance
settings.load_profile("chainrule")
os.environ.setdefault("CHAINRULE_CACHE", "off")  # nothing into the user's cache folder
if version("jaxlib").startswith("0.10."):  # a flag that XLA does not know ends the process
    # Compiling is most of what the tests do, and plain code takes half of the time. XLA_FLAGS= in
    # front of a command runs them with what users have, as `.ci/run` does for all that is heavy.
    FLAGS = "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=0"
    os.environ.setdefault("XLA_FLAGS", FLAGS)
MOST_MAPS, MOST_MEMORY = 40_000, 1_000_000_000
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


def pytest_configure(config):
    """Keep compiled programs on disk, for the other worker, the other passes of CI, the next run.

    The folder's name says for what they were compiled; XLA's flags are part of each file's name.
    """
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    features = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    processor = f"{platform.machine()} {platform.processor()} {features}"
    name = f"jaxlib-{version('jaxlib')}-{hashlib.sha256(processor.encode()).hexdigest()[:8]}"
    settings = {
        "jax_compilation_cache_dir": str(config.rootpath / ".pytest_cache" / "programs" / name),
        "jax_persistent_cache_min_compile_time_secs": 0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for setting, value in settings.items():
        jax.config.update(setting, value)
        os.environ[setting.upper()] = str(value)  # of the processes that tests start, too


@pytest.fixture(autouse=True)
def names(doctest_namespace):
    """Give docstring examples jax, jnp and np."""
    doctest_namespace.update(jax=jax, jnp=jnp, np=np)


def pytest_collection_finish():
    """Look for garbage rarely, and never among what is imported: a tenth of the time otherwise.

    JAX keeps what it traces, and a collection walks through all of it to find next to nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(autouse=True, scope="module")
def programs_are_let_go():
    """Compiled programs pile up: 1.3 MB each, and a process may map only so many pieces (65,530).

    What is let go is loaded again from the folder of compiled programs.
    """
    yield
    if sys.platform == "linux" and is_crowded():
        jax.clear_caches()
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # which else stays with the process


def is_crowded() -> bool:
    """Whether this process holds more than its share."""
    maps = Path("/proc/self/maps").read_bytes().count(b"\n")
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return maps > MOST_MAPS or pages * os.sysconf("SC_PAGE_SIZE") > MOST_MEMORY


@pytest.fixture
def getkey():
    """Gives a fresh random key each time it is called."""
    keys = iter(jax.random.split(jax.random.key(0), 100))
    return lambda: next(keys)


@pytest.fixture
def float32_world():
    """What users have: no float64 anywhere. A leak of float64 shows only here."""
    with jax.enable_x64(False):
        yield
