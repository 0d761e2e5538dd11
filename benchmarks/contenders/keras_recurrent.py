"""The recurrent networks that are timed, in Keras 3 on JAX: one compiled step of Adam."""

import os
from collections.abc import Callable

import jax
import numpy as np

from benchmarks.cases import LEARNING_RATE

os.environ.setdefault("KERAS_BACKEND", "jax")
try:
    import keras
except ImportError:
    keras = None


def training_steps(
    kind: str, n_a: int, X: np.ndarray, classes: np.ndarray, steps: int
) -> Callable | None:
    """Steps of Keras in one call of a compiled program; None if Keras is not installed."""
    if keras is None:
        return None
    layer = {"RNN": keras.layers.SimpleRNN, "LSTM": keras.layers.LSTM, "GRU": keras.layers.GRU}
    count = int(classes.max()) + 1
    model = keras.Sequential(
        [keras.Input(X.shape[1:]), layer[kind](n_a), keras.layers.Dense(count)]
    )
    optimizer = keras.optimizers.Adam(LEARNING_RATE)
    optimizer.build(model.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    inputs, targets = jax.device_put((X, classes))

    def J(trained, fixed):
        Z, _ = model.stateless_call(trained, fixed, inputs, training=True)
        return loss(targets, Z)

    @jax.jit
    def many(trained, fixed, state):
        def step(_, carry):
            trained, state = carry
            gradients = jax.grad(J)(trained, fixed)
            trained, state = optimizer.stateless_apply(state, gradients, trained)
            return trained, state

        return jax.lax.fori_loop(0, steps, step, (trained, state))

    def values(variables):
        return [variable.value for variable in variables]

    fixed = values(model.non_trainable_variables)
    kept = [(values(model.trainable_variables), values(optimizer.variables))]

    def run() -> None:
        trained, state = kept[0]
        kept[0] = jax.block_until_ready(many(trained, fixed, state))

    return run
