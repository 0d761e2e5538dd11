"""What one Adam step costs, with everything a training of many steps needs around it.

A measurement is a training of about half a second, divided by its steps. So what a fit costs once
(data to the device, the first short calls, the history) is in the figure of `chainrule fit`.
"""

from benchmarks.cases import Case
from benchmarks.contenders.flax_optax import flax_optax
from benchmarks.contenders.numpy_alone import numpy_alone
from benchmarks.contenders.ours import chainrule_fit, chainrule_loop
from benchmarks.contenders.plain_jax import plain_jax
from benchmarks.contenders.pytorch import pytorch
from benchmarks.contenders.scikit_learn import scikit_learn
from benchmarks.timing import fitted, in_turn

CONTENDERS = {
    "chainrule fit": chainrule_fit,
    "chainrule loop": chainrule_loop,
    "plain JAX": plain_jax,
    "Flax + Optax": flax_optax,
    "PyTorch": pytorch,
    "scikit-learn": scikit_learn,
    "NumPy": numpy_alone,
}


def step_seconds(case: Case, *, length: float, rounds: int) -> dict[str, float]:
    """The median seconds of a step, of each contender."""
    made = {name: fitted(contender, case, length) for name, contender in CONTENDERS.items()}
    times = in_turn({name: run for name, (run, _) in made.items()}, rounds)
    return {name: times[name] / steps for name, (_, steps) in made.items()}
