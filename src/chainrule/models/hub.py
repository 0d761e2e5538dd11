"""The files of a published network by its name, through the client of the Hugging Face hub.

Nothing else here needs the network, and this does not either where the files were fetched before:
the client keeps them in its cache.
"""

import re
from pathlib import Path

from chainrule.errors import DataError, MissingExtraError

WEIGHTS = "model.safetensors"
BESIDE = ("config.json", "preprocessor_config.json")
"""What says more about the weights, where it is there."""


def is_name(source: str) -> bool:
    """Whether it is a name such as "timm/resnet18.a1_in1k", and no file or folder.

    >>> is_name("timm/resnet18.a1_in1k"), is_name("weights/model.safetensors"), is_name("model")
    (True, False, False)
    """
    named = re.fullmatch(r"[\w-]+/[\w.-]+", source) is not None
    return named and not source.endswith(".safetensors") and not Path(source).exists()


def fetch(name: str) -> Path:
    """The file of the weights, with what else is known of them beside it."""
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise MissingExtraError(name, "huggingface_hub", "hub") from error
    try:
        weights = hf_hub_download(name, WEIGHTS)
    except Exception as error:  # whatever the client says: no such name, no connection, no right
        said = str(error).strip().splitlines() or [type(error).__name__]
        hint = "the file itself, or another name, such as timm/resnet18.a1_in1k"
        expected = f"a network on the hub with a file {WEIGHTS}"
        raise DataError(name, expected, said[0].rstrip("."), hint) from error
    for file in BESIDE:
        try:
            hf_hub_download(name, file)
        except Exception:  # not there, which is no fault
            continue
    return Path(weights)
