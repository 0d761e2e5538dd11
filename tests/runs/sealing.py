"""Compute the checksums of a changed run again, so that what is checked after them is reached."""

import hashlib
import json
from pathlib import Path
from typing import Any

from chainrule.runs.folder import manifest_bytes


def seal_again(run: Path) -> None:
    """Write the sizes and checksums of all files into the manifest, and into recipe.json.

    Checksums in recipe.json are replaced as text, so that a key that occurs twice stays.
    """
    recipe, manifest = run / "recipe.json", run / "manifest.json"
    listed = json.loads(manifest.read_bytes())["files"]
    for name in [name for name in listed if name != recipe.name]:
        new = hashlib.sha256((run / name).read_bytes()).hexdigest()
        content = recipe.read_bytes().replace(listed[name]["sha256"].encode(), new.encode())
        recipe.write_bytes(content)
    entries = {name: entry_of((run / name).read_bytes()) for name in listed}
    if entries != listed:
        manifest.write_bytes(manifest_bytes(entries))


def entry_of(content: bytes) -> dict[str, Any]:
    """Return the entry of a file in the manifest."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
