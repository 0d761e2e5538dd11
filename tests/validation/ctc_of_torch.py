"""Write tests/blocks/ctc_of_torch.npz, CTC costs and gradients of PyTorch in float64.

    python -m tests.validation.ctc_of_torch

It needs PyTorch (`pip install torch==2.13.0`), which the tests do not. Of each case the file holds
Z (T, C, m), the labels (S, m), lengths and label lengths, −log P of each sequence, and the gradient
of their mean. Sequences without a path are counted as 0 there, as `zero_infinity` does.
"""

from pathlib import Path

import numpy as np
import torch

FILE = Path(__file__).parent.parent / "blocks" / "ctc_of_torch.npz"
SIZES = {"unequal": (12, 5, 4, 4, 0), "blank_last": (9, 6, 3, 5, 5), "long": (60, 4, 2, 20, 0)}
"""T, C, m, S and the blank of each case."""


def case(T: int, C: int, m: int, S: int, blank: int, rng: np.random.Generator) -> dict:
    """Return the inputs of a case and what PyTorch computes from them."""
    Z = 2 * rng.standard_normal((T, C, m))
    classes = [k for k in range(C) if k != blank]
    labels = rng.choice(classes, (S, m))
    labels[1] = labels[0]  # two equal neighbours
    lengths = rng.integers(T - 3, T + 1, m)
    label_lengths = rng.integers(2, S + 1, m)
    label_lengths[0], lengths[1], label_lengths[1] = 0, 2, 2  # no labels; too few steps
    z = torch.tensor(Z, requires_grad=True)
    log_A = z.log_softmax(dim=1).permute(0, 2, 1)  # (T, m, C)

    def losses(zero_infinity: bool) -> torch.Tensor:
        return torch.nn.functional.ctc_loss(
            log_A,
            torch.tensor(labels.T),
            torch.tensor(lengths),
            torch.tensor(label_lengths),
            blank=blank,
            reduction="none",
            zero_infinity=zero_infinity,
        )

    losses(zero_infinity=True).mean().backward()
    assert z.grad is not None
    return {
        "Z": Z,
        "labels": labels,
        "lengths": lengths,
        "label_lengths": label_lengths,
        "blank": np.array(blank),
        "L": losses(zero_infinity=False).detach().numpy(),
        "dZ": z.grad.numpy(),
    }


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    cases = {name: case(*sizes, rng) for name, sizes in SIZES.items()}
    arrays = {f"{name}/{key}": x for name, one in cases.items() for key, x in one.items()}
    np.savez_compressed(FILE, **arrays)
    for name, one in cases.items():
        print(name, one["L"])
