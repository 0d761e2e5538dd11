"""The numbers of PyTorch's recurrent layers, and a comparison with them in both directions."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

FILE = Path(__file__).with_suffix(".npz")
"""Written by tests/validation/recurrent_of_torch.py."""


def assert_equals_torch(kind, block, states):
    """The outputs of `block(X, states, W, b, lengths, reverse=…)` and its gradients are PyTorch's.

    The two directions share X, whose gradient is the sum of theirs.
    """
    with np.load(FILE) as file:
        lengths = jnp.asarray(file["lengths"])
        numbers = {
            name.removeprefix(f"{kind}_"): jnp.asarray(file[name])
            for name in file.files
            if name.startswith(f"{kind}_") and name.count("_") == kind.count("_") + 1
        }
    names = [*states, "W", "b"]
    d_inputs = []
    for i, reverse in enumerate((False, True)):
        inputs = [numbers["X"], *(numbers[name][i] for name in names)]

        def call(*inputs, reverse=reverse):
            return block(*inputs, lengths, reverse=reverse)

        A, gradients = jax.jit(lambda inputs, dA, call=call: pull(call, inputs, dA))(
            inputs, numbers["dA"][i]
        )
        close(A, numbers["A"][i], "A")
        dX, *others = gradients
        d_inputs.append(dX)
        for name, got in zip(names, others, strict=True):
            close(got, numbers[f"d{name}"][i], f"d{name}, reverse={reverse}")
    close(sum(d_inputs), numbers["dX"], "dX")


def pull(call, inputs, dA):
    """Return the output and the gradients of the inputs."""
    A, back = jax.vjp(call, *inputs)
    return A, back(dA)


def close(got, want, what):
    """They differ by less than 1e-10."""
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10, err_msg=what)
