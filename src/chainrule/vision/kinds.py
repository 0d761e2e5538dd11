"""The kinds of systems, by name; each is loaded when it is needed."""

from importlib import import_module
from typing import Any

from chainrule.errors import check_choice
from chainrule.vision.system import Kind

KINDS = {
    "detect": "chainrule.vision.detect",
    "segment": "chainrule.vision.segment",
    "verify": "chainrule.vision.verify",
}


def kind_of(name: str) -> Kind:
    """The kind of this name."""
    check_choice("the kind of system", name, KINDS)
    module: Any = import_module(KINDS[name])
    return module.KIND
