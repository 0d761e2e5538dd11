"""Downloading the files of a published network by name, with the Hugging Face Hub client.

No other module accesses the internet. Files that were downloaded before are read from the client's
cache.
"""

import re
from pathlib import Path

from chainrule.errors import DataError, MissingExtraError

WEIGHTS = "model.safetensors"
BESIDE = ("config.json", "preprocessor_config.json")
"""Optional files with additional information about the weights."""


def is_name(source: str) -> bool:
    """Return whether it is a name such as "timm/resnet18.a1_in1k", and not a file or folder.

    >>> is_name("timm/resnet18.a1_in1k"), is_name("weights/model.safetensors"), is_name("model")
    (True, False, False)
    """
    matches = re.fullmatch(r"[\w-]+/[\w.-]+", source) is not None
    return matches and not source.endswith(".safetensors") and not Path(source).exists()


def fetch(name: str) -> Path:
    """Download the weights and the files that describe them, and return the file of the weights."""
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise MissingExtraError(name, "huggingface_hub", "hub") from error
    try:
        weights = hf_hub_download(name, WEIGHTS)
    except Exception as error:  # any failure: an unknown name, no connection, no permission
        lines = str(error).strip().splitlines() or [type(error).__name__]
        hint = "a local file, or another name, such as timm/resnet18.a1_in1k"
        expected = f"a network on the hub with a file {WEIGHTS}"
        raise DataError(name, expected, lines[0].rstrip("."), hint) from error
    for file in BESIDE:
        try:
            hf_hub_download(name, file)
        except Exception:  # the file is optional
            continue
    return Path(weights)
