"""Compiled programs are kept in the user's cache folder: the second process starts at once."""

import os
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

ABOUT_THE_CACHE = re.compile(
    r"Error (reading|writing) persistent compilation cache entry for '(\w+)'"
)


@cache
def keep_compiled_programs() -> None:
    """Turn JAX's cache on disk on, unless the user has said where it should be, or off.

    Off with `CHAINRULE_CACHE=off`; in another folder with `CHAINRULE_CACHE=FOLDER`.
    """
    import jax

    wanted = os.environ.get("CHAINRULE_CACHE", "")
    if wanted == "off" or getattr(jax.config, "jax_compilation_cache_dir", None):
        return
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(wanted) if wanted else Path(home) / "chainrule"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # nowhere to write: compile each time
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def mend_cache(warning: str) -> bool:
    """Whether JAX warns of a compiled program on disk that it cannot read, or cannot write.

    A killed process or a full disk leaves half a program, which JAX would complain of for ever. It
    is taken away, and JAX writes it anew.
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
