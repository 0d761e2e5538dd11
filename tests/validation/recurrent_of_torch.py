"""Write tests/blocks/recurrent_of_torch.npz: the numbers of PyTorch's RNN, LSTM and GRU.

    PYTHONPATH=src python -m tests.validation.recurrent_of_torch

This needs the package torch; the tests need only the file. Every layer is bidirectional and gets
packed sequences of different lengths, so that its second direction starts at the last real step.
Everything is float64 and written as chainrule has it: time first and examples last, W = [W_a W_x],
the rows of W in the order of the block, and Γu = 1 − z for the update gate z of PyTorch's GRU.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

FILE = Path(__file__).parent.parent / "blocks" / "recurrent_of_torch.npz"
T, N_X, N_A, M = 6, 3, 4, 5
LENGTHS = np.array([6, 1, 4, 2, 5])
KINDS = {
    "rnn": lambda: nn.RNN(N_X, N_A, bidirectional=True),
    "rnn_relu": lambda: nn.RNN(N_X, N_A, nonlinearity="relu", bidirectional=True),
    "lstm": lambda: nn.LSTM(N_X, N_A, bidirectional=True),
    "gru": lambda: nn.GRU(N_X, N_A, bidirectional=True),
}


def main() -> None:
    """Write the file."""
    torch.manual_seed(0)
    found = {"lengths": LENGTHS}
    for kind, make in KINDS.items():
        module = make().double()
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=0.6)
        for suffix in SUFFIXES:  # PyTorch adds two b, of which chainrule has one, except inside Γr
            b = getattr(module, f"bias_hh_l0{suffix}")
            nn.init.zeros_(b[: 2 * N_A] if kind == "gru" else b)
        found |= {f"{kind}_{name}": value for name, value in numbers(kind, module).items()}
    np.savez_compressed(FILE, **found)
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")


SUFFIXES = ("", "_reverse")


def numbers(kind: str, module: nn.Module) -> dict[str, np.ndarray]:
    """Return inputs, outputs and gradients of both directions, along a first axis of two."""
    X, states = draw(T, M, N_X), [draw(2, M, N_A) for _ in range(1 + (kind == "lstm"))]
    packed = nn.utils.rnn.pack_padded_sequence(X, torch.from_numpy(LENGTHS), enforce_sorted=False)
    start = tuple(states) if kind == "lstm" else states[0]
    A, _ = nn.utils.rnn.pad_packed_sequence(module(packed, start)[0], total_length=T)
    dA = torch.randn_like(A)
    A.backward(dA)
    both = {"A": A, "dA": dA}
    saved = {"X": X.mT, "dX": X.grad.mT}
    saved |= {name: x.reshape(T, M, 2, N_A).permute(2, 0, 3, 1) for name, x in both.items()}
    for name, state in zip(("a0", "c0"), states, strict=False):
        saved |= {name: state.mT, f"d{name}": state.grad.mT}
    for name, value in (("", lambda p: p), ("d", lambda p: p.grad)):
        saved[f"{name}W"] = torch.stack([W_of(kind, module, s, value) for s in SUFFIXES])
        saved[f"{name}b"] = torch.stack([b_of(kind, module, s, value) for s in SUFFIXES])
    return {name: value.detach().numpy() for name, value in saved.items()}


def draw(*shape: int) -> torch.Tensor:
    """Draw normal numbers with a gradient."""
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


def W_of(kind: str, module: nn.Module, suffix: str, value) -> torch.Tensor:
    """Return W, or dW, from the matrices of a direction."""
    W_a, W_x = (value(getattr(module, f"weight_{part}_l0{suffix}")) for part in ("hh", "ih"))
    return ordered(kind, torch.cat([W_a, W_x], dim=1))


def b_of(kind: str, module: nn.Module, suffix: str, value) -> torch.Tensor:
    """Return b, or db; that of the GRU ends with b_h, which is inside the reset."""
    names = (f"bias_{part}_l0{suffix}" for part in ("hh", "ih"))
    b_hh, b_ih = (value(getattr(module, name))[:, None] for name in names)
    b = ordered(kind, b_ih)
    return torch.cat([b, b_hh[2 * N_A :]]) if kind == "gru" else b


def ordered(kind: str, W: torch.Tensor) -> torch.Tensor:
    """Return rows in the order of the block: Γu, Γf, Γo, c̃ or Γu, Γr, c̃."""
    parts = W.split(N_A)
    if kind == "lstm":  # input, forget, cell, output
        return torch.cat([parts[0], parts[1], parts[3], parts[2]])
    if kind == "gru":  # reset, update, new; Γu = 1 − z
        return torch.cat([-parts[1], parts[0], parts[2]])
    return W


if __name__ == "__main__":
    main()
