"""chainrule describe --devices: what computes here, and how convolutions are computed."""

from typing import Any


def text(found: dict[str, Any]) -> str:
    """A line for each thing to know."""
    kernel, half = found["kernel"], found["bfloat16"]
    return "\n".join(
        [
            f"backend: {found['backend']}, with jax {found['jax']}",
            *(f"  {device}" for device in found["devices"]),
            f"processors: {found['cores']} to use",
            f"convolutions in float32: {kernel['convolution']}; {kernel['why']}",
            f"convolutions in other types: {kernel['otherwise']}",
            f"bfloat16: {half}",
        ]
    )
