"""chainrule, as users get it (`fit`), and its compiled loop alone (`run_steps`)."""

import jax
import numpy as np

from benchmarks.cases import LEARNING_RATE, Case, examples, order, targets
from chainrule.blocks.costs import logistic_cost, softmax_cost
from chainrule.layers.layer import split_parameters
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.adam import adam
from chainrule.optim.optimizer import Optimizer
from chainrule.train.epochs import Rows, begin, run_steps, to_device
from chainrule.train.examples import Examples
from chainrule.train.fit import FOREVER, fit
from chainrule.train.metrics import accuracy
from chainrule.train.step import Penalty, as_arrays


def chainrule_fit(case: Case, epochs: int):
    """A whole fit from the arrays of the host: shuffling, history and start included."""
    X, classes = examples(case)
    network = DeepNetwork(case.sizes, key=jax.random.key(0))
    train = Examples(X, targets(case, classes))

    def run():
        fit(
            network,
            adam(LEARNING_RATE),
            _cost(case),
            train,
            epochs=epochs,
            batch_size=case.batch_size,
        )

    return run


def chainrule_loop(
    case: Case,
    epochs: int,
    *,
    optimizer: Optimizer | None = None,
    penalty: Penalty | None = None,
    run_steps=run_steps,
    **layers,
):
    """The one call of `run_steps` that plain JAX's loop is compared with.

    `layers` are options of the network: keep_prob, batch_norm.
    """
    X, classes = examples(case)
    rows = Rows(*jax.device_put((X, targets(case, classes), np.ones(case.m, np.float32))))
    table = None if case.whole else jax.device_put(order(case, epochs))
    optimizer = optimizer or adam(LEARNING_RATE)
    network = DeepNetwork(case.sizes, key=jax.random.key(0), **layers)
    progress = to_device(begin(network, optimizer.init))
    price = jax.device_put(as_arrays(penalty, split_parameters(network)[0]))
    kept = [progress]
    steps = epochs * case.steps_per_epoch
    numbers = [np.int32(n) for n in (steps, case.steps_per_epoch, FOREVER)]
    functions = {"cost": _cost(case), "metric": accuracy, "update": optimizer.update}
    key = jax.random.key(0)

    def run():
        kept[0], _ = run_steps(kept[0], rows, None, table, *numbers, key, price, **functions)
        kept[0].step.block_until_ready()

    return run


def _cost(case: Case):
    return logistic_cost if case.logistic else softmax_cost
