"""Sample texts from a language model, one character after the other.

Notes: "Sampling novel sequences" (course 5, week 1).

    p = softmax(log_p / temperature); y[t] drawn from p; the next input is y[t]

A prefix is forced: its characters are the inputs of the first steps, whatever is drawn. A
transformer reads no more than its context; a longer text is continued from its last half.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Float, Int

from chainrule.blocks.decoding import sample
from chainrule.errors import OptionError, check_integer, check_number
from chainrule.host.randomness import key_from_seed
from chainrule.models.language_model import LanguageModel, State
from chainrule.sequence.generation.texts import Characters

LONGEST = 200
"""The number of characters that are drawn by default."""


class Forced(NamedTuple):
    """The state of a text whose beginning is given: how far it is, and what comes first.

    `first` is the id before the text, and `ids` are those of the given beginning, then −1.
    """

    t: Int[Array, ""]
    first: Int[Array, ""]
    ids: Int[Array, " longest"]
    state: State


def next_id(network: LanguageModel, state: Forced, id: Any) -> tuple[Float[Array, " V"], Forced]:
    """Return log_p of the next id, which is that of the given beginning where there is one.

    The unknown character, id 0, is read and never written.
    """
    before = jnp.where(state.t == 0, state.first, id)
    log_p, inner = network.step(state.state, before)
    forced = state.ids[state.t]
    ids = jnp.arange(len(log_p), dtype=np.int32)
    only = jnp.where(ids == forced, 0, -jnp.inf).astype(log_p.dtype)
    free = jnp.where(ids == 0, -jnp.inf, log_p).astype(log_p.dtype)
    return jnp.where(forced >= 0, only, free), Forced(state.t + 1, state.first, state.ids, inner)


@partial(jax.jit, static_argnames=("end",))
def _samples(network, keys, first, ids, temperature, *, end) -> Int[Array, "count longest"]:
    step = Partial(next_id, network)

    def one(key, first, ids):
        state = Forced(jnp.int32(0), first, ids, network.begin())
        how: dict[str, Any] = {"longest": len(ids), "temperature": temperature, "start": 0}
        return sample(step, state, key=key, end=end, **how)

    return jax.vmap(one)(keys, first, ids)


def sample_ids(
    network: LanguageModel,
    prefix: np.ndarray,
    *,
    start: int,
    end: int,
    count: int,
    length: int,
    temperature: float,
    seed: int,
) -> np.ndarray:
    """Return ids (count, prefix + length): the prefix, and up to `length` ids, filled with `end`.

    Text i depends on the seed and on i only, not on how many others are drawn.
    """
    key = key_from_seed(seed)
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(count, dtype=np.uint32))
    total = len(prefix) + length
    window = min(total, network.longest or total)
    ids = np.full((count, total), -1, np.int32)
    ids[:, : len(prefix)] = prefix
    first, begin = np.full(count, start, np.int32), 0
    while True:
        stop = min(total, begin + window)
        known = np.full((count, window), -1, np.int32)
        known[:, : stop - begin] = ids[:, begin:stop]
        drawn = np.asarray(_samples(network, keys, first, known, temperature, end=end))
        ids[:, begin:stop] = drawn[:, : stop - begin]
        if stop == total:
            return ids
        keys = jax.vmap(jax.random.fold_in, (0, None))(keys, stop)
        begin = stop - window // 2
        first = ids[:, begin - 1]


def sample_texts(
    network: LanguageModel,
    characters: Characters,
    *,
    count: int = 1,
    prefix: str = "",
    temperature: float = 1.0,
    length: int = LONGEST,
    seed: int = 0,
) -> list[str]:
    """Return texts that begin with the prefix, to which up to `length` characters are added.

    Raises OptionError for a prefix that leaves a transformer no room in its context.
    """
    check_integer("count", count, hint="10")
    check_integer("length", length, hint="200")
    check_integer("seed", seed, 0, "0")
    check_number("temperature", temperature, above=0, hint="0.8")
    read = characters.read(prefix)
    ids = characters.vocabulary.ids(read)
    if network.longest is not None and len(ids) >= network.longest:
        expected = f"at most {network.longest - 1:,} characters, the context of the transformer"
        hint = f"its last {network.longest // 2}, or training with --context {2 * len(ids)}"
        raise OptionError("the prefix", expected, f"{len(ids):,}", hint)
    if characters.lines and network.longest is not None:
        length = min(length, network.longest - len(ids))
    how: dict[str, Any] = {"start": characters.start, "end": characters.end, "seed": seed}
    drawn = sample_ids(network, ids, count=count, length=length, temperature=temperature, **how)
    return [characters.written(read + characters.text(row[len(ids) :])) for row in drawn]
