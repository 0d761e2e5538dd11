"""Write tests/layers/attention_of_torch.npz, what the layers of PyTorch compute in float64.

    python -m tests.validation.attention_of_torch

It needs PyTorch (`pip install torch==2.13.0`), which the tests do not. Of LayerNorm,
MultiheadAttention, TransformerEncoderLayer and TransformerDecoderLayer, with padding masks, the
file holds the inputs, the parameters, the outputs and all gradients ("d" and the name), in
PyTorch's own form: examples first, and the matrices of Q, K and V in one.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

FILE = Path(__file__).parent.parent / "layers" / "attention_of_torch.npz"
M, T_X, T_Y, D, HEADS, D_FF = 3, 5, 4, 8, 2, 12
X_LENGTHS, Y_LENGTHS = torch.tensor([5, 2, 3]), torch.tensor([4, 3, 1])

EPS = 1e-5
LAYER = {"d_model": D, "nhead": HEADS, "dim_feedforward": D_FF, "dropout": 0.0}


def padding(lengths: torch.Tensor, T: int) -> torch.Tensor:
    """PyTorch's mask is True where a step is not real."""
    return torch.arange(T)[None] >= lengths[:, None]


def causal(T: int) -> torch.Tensor:
    """True where a later step would be seen."""
    return torch.triu(torch.ones(T, T, dtype=torch.bool), diagonal=1)


def record(found: dict, name: str, module: nn.Module, inputs: dict, run, lengths) -> None:
    """Store a case: J is the sum of the outputs of the real steps, each with a random factor."""
    for parameter in module.parameters():  # biases of 0 and factors of 1 would show too little
        nn.init.normal_(parameter, std=0.5)
    inputs = {key: x.requires_grad_() for key, x in inputs.items()}
    A = run(module, **inputs)
    real = ~padding(lengths, A.shape[1])[..., None]
    dA = torch.randn_like(A)
    (torch.where(real, A, 0) * dA).sum().backward()
    found[f"{name}/A"], found[f"{name}/dA"] = torch.where(real, A, 0), dA
    for key, x in [*inputs.items(), *module.named_parameters()]:
        found[f"{name}/{key}"], found[f"{name}/d {key}"] = x, x.grad


def main() -> None:
    """Write the file."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    X, Y, d = (M, T_X, D), (M, T_Y, D), {"batch_first": True}
    x_padding, y_padding = padding(X_LENGTHS, T_X), padding(Y_LENGTHS, T_Y)
    found: dict = {"X_lengths": X_LENGTHS, "Y_lengths": Y_LENGTHS}

    module = nn.LayerNorm(D, eps=EPS)
    record(found, "norm", module, {"X": torch.randn(X)}, lambda f, X: f(X), X_LENGTHS)
    module = nn.MultiheadAttention(D, HEADS, **d)
    record(
        *(found, "cross", module, {"Y": torch.randn(Y), "X": torch.randn(X)}),
        lambda f, Y, X: f(Y, X, X, key_padding_mask=x_padding)[0],
        Y_LENGTHS,
    )
    for order, first in (("post", False), ("pre", True)):
        record(
            *(
                found,
                f"encoder {order}",
                nn.TransformerEncoderLayer(**LAYER, norm_first=first, **d),
            ),
            {"X": torch.randn(X)},
            lambda f, X: f(X, src_key_padding_mask=x_padding),
            X_LENGTHS,
        )
        record(
            *(
                found,
                f"decoder {order}",
                nn.TransformerDecoderLayer(**LAYER, norm_first=first, **d),
            ),
            {"Y": torch.randn(Y), "X": torch.randn(X)},
            lambda f, Y, X: f(
                *(Y, X, causal(T_Y)),
                tgt_key_padding_mask=y_padding,
                memory_key_padding_mask=x_padding,
            ),
            Y_LENGTHS,
        )
    record(
        *(found, "encoder causal", nn.TransformerEncoderLayer(**LAYER, **d)),
        {"X": torch.randn(X)},
        lambda f, X: f(X, src_mask=causal(T_X), src_key_padding_mask=x_padding),
        X_LENGTHS,
    )
    np.savez_compressed(FILE, **{key: x.detach().numpy() for key, x in found.items()})


if __name__ == "__main__":
    main()
