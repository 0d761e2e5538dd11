"""Store compiled programs in the user's cache folder, so that later processes start quickly."""

import os
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

ABOUT_THE_CACHE = re.compile(
    r"Error (reading|writing) persistent compilation cache entry for '(\w+)'"
)


def enable_compilation_cache() -> None:
    """Enable JAX's compilation cache on disk, unless the user has already configured one.

    `CHAINRULE_CACHE=off` disables it, and `CHAINRULE_CACHE=FOLDER` moves it. Raises ChainruleError
    in a process in which JAX cannot compute.
    """
    from chainrule.host.machine import check_process

    check_process()
    _enable()


@cache
def _enable() -> None:
    import jax
    from platformdirs import user_cache_path

    wanted = os.environ.get("CHAINRULE_CACHE", "")
    if wanted == "off" or getattr(jax.config, "jax_compilation_cache_dir", None):
        return
    folder = Path(wanted) if wanted else user_cache_path("chainrule", appauthor=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # not writable: compile in every process
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def delete_damaged_entry(warning: str) -> bool:
    """Delete a damaged cache entry; return whether the warning from JAX was about one.

    A killed process or a full disk leaves a partial entry, which JAX would warn about in every run.
    Once it is deleted, JAX writes it again.
    """
    found = ABOUT_THE_CACHE.match(warning)
    if found is None:
        return False
    import jax

    if folder := getattr(jax.config, "jax_compilation_cache_dir", None):
        for file in Path(folder).glob(f"{found[2]}-*-cache"):
            with suppress(OSError):
                file.unlink()
    return True
