"""An ensemble: K networks of the same layers, whose predictions are averaged.

Notes: "Dropout regularization" (course 2, week 1), which compares dropout with an ensemble.

    Z_k = network k of X,  k = 1 … K;   ensemble(X) is Z, whose activation is the mean prediction

    logistic    Z = log(P / (1 − P)),  P = (1/K) Σ sigmoid(Z_k)
    softmax     Z = log P,             P = (1/K) Σ softmax(Z_k)
    squared     Z = (1/K) Σ Z_k

Z is therefore treated like that of any other network: its activation is the mean of the members'
predictions, and costs, scores and gradients are computed from it. The arrays of the members are
stacked along a new first axis, and `vmap` computes all of them together: W1 is (K, n_1, n_0).
"""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from chainrule.blocks.averaging import mean_logistic, mean_output, mean_softmax
from chainrule.errors import OptionError, check_choice
from chainrule.layers.layer import Layer
from chainrule.types import Key

MEANS: dict[str, Callable] = {
    "logistic": mean_logistic,
    "softmax": mean_softmax,
    "squared": mean_output,
}
"""The function that averages the outputs Z_k, by the name of the cost."""


class Ensemble(Layer):
    """The mean prediction of K networks. X (n_0, m) → Z (n_L, m).

    networks   the members: one network whose arrays have a first axis of K members
    cost       the name of the cost, which determines how the outputs are averaged
    """

    networks: Layer
    cost: str = eqx.field(static=True)

    def __init__(self, networks: Layer, cost: str):
        check_choice("Ensemble(cost=…)", cost, MEANS)
        self.networks, self.cost = networks, cost

    @classmethod
    def of(cls, members: Sequence[Layer], cost: str) -> "Ensemble":
        """Return the ensemble of these networks, which must have the same layers and shapes.

        >>> from chainrule.models.deep_network import DeepNetwork
        >>> members = [DeepNetwork((4, 3, 1), key=jax.random.key(k)) for k in range(5)]
        >>> Ensemble.of(members, "logistic").title
        '5 × DeepNetwork(4-3-1)'
        """
        if len({_form(member) for member in members}) != 1:
            got = "networks that differ" if members else "none"
            raise OptionError("an ensemble", "networks with the same layers and sizes", got)
        return cls(jax.tree.map(lambda *arrays: jax.device_put(np.stack(arrays)), *members), cost)

    def __call__(self, A_prev: Float[Array, "n_0 m"]) -> Float[Array, "n_L m"]:
        """Return Z, whose activation is the mean prediction of the members."""
        return MEANS[self.cost](self.outputs(A_prev))

    def outputs(self, A_prev: Float[Array, "n_0 m"]) -> Float[Array, "K n_L m"]:
        """Return the output Z_k of every member."""
        return jax.vmap(lambda member: member(A_prev))(self.networks)

    def train(
        self, A_prev: Float[Array, "n_0 m"], *, key: Key, weights: Array | None = None
    ) -> tuple[Float[Array, "n_L m"], "Ensemble"]:
        """Return Z in training, and the ensemble after it; every member has its own masks."""

        def one(member: Layer, key: Key) -> tuple[Array, Layer]:
            return member.train(A_prev, key=key, weights=weights)

        Z_k, networks = jax.vmap(one)(self.networks, jax.random.split(key, self.count))
        return MEANS[self.cost](Z_k), Ensemble(networks, self.cost)

    @property
    def count(self) -> int:
        """The number K of members."""
        return len(jax.tree.leaves(self.networks)[0])

    def member(self, k: int) -> Layer:
        """Return network k, counted from 0, with its arrays on the host."""
        return jax.tree.map(lambda array: np.asarray(array)[k], self.networks)

    @property
    def members(self) -> list[Layer]:
        """The K networks."""
        return [self.member(k) for k in range(self.count)]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of every member, with the number of members and the cost."""
        member: Any = self.member(0)
        return {"members": self.count, "cost": self.cost, **member.settings}

    @property
    def title(self) -> str:
        """The title, such as "5 × DeepNetwork(64-32-10)"."""
        shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), self.networks)
        return f"{self.count} × {shapes.title}"


class MemberOutputs(Layer):
    """The output Z of an ensemble above those of its members. X (n_0, m) → ((1 + K) · n_L, m)."""

    ensemble: Ensemble

    def __call__(self, A_prev: Float[Array, "n_0 m"]) -> Float[Array, "Z_and_all_Z_k m"]:
        """Return Z, then the outputs of member 0, those of member 1, and so on."""
        Z_k = self.ensemble.outputs(A_prev)
        Z = MEANS[self.ensemble.cost](Z_k)
        return jnp.concatenate([Z, jnp.reshape(Z_k, (-1, Z.shape[1]))])


def _form(network: Layer) -> tuple[Any, ...]:
    """Return what the members of an ensemble have in common: their layers and shapes."""
    leaves, structure = jax.tree.flatten(network)
    return structure, *((np.shape(leaf), jnp.result_type(leaf)) for leaf in leaves)
