"""11: why deep? The parity of n bits, by counting, by hand and by training.

Notes: "Why deep representations?" (course 1, week 4).
The notes count gates: the XOR of n bits takes about log n layers of small gates, and with one
hidden layer of ANDs under one OR 2^(n−1) of them. That claim is about gates that are on or off. One
hidden layer of ReLU units can count the bits that are on, and n units are enough.
Targets: no two ANDs of parity can be merged, so 2^(n−1) are needed; four networks with weights set
by hand are right for every input, with 128, 14, 8 and 6 hidden units for 8 bits; trained from 16
seeds, one hidden layer succeeds for 8 bits with a quarter of the 128 units or fewer, and of log₂ n
hidden layers none has to be wider. At these sizes depth saves width, not units.
"""

from collections.abc import Iterator
from functools import cache
from math import ceil, log2

import numpy as np
from example import Example

from chainrule import DeepNetwork, Examples, adam
from chainrule.blocks.costs import logistic_cost
from chainrule.host.randomness import key_from_seed
from chainrule.inspection.example_plots import plot_curves
from chainrule.layers.initializers import zeros
from chainrule.layers.layer import named_arrays, replace_arrays
from chainrule.train.many import Candidate, fit_many

BITS, QUICK_BITS = (2, 4, 6, 8), (4,)
WIDTHS = (2, 3, 4, 6, 8, 12, 16, 24)
SEEDS, EPOCHS, ALPHA = 16, 1000, 0.01


def main() -> None:
    """Run all parts."""
    example = Example(__doc__ or "")
    counting(example)
    by_hand(example)
    trained(example, QUICK_BITS if example.quick else BITS)
    example.finish()


def rows(n: int) -> Examples:
    """Return all 2^n inputs, and whether the number of their ones is odd."""
    X = ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(np.float32)
    return Examples(X, X.sum(axis=1, keepdims=True) % 2)


def counting(example: Example) -> None:
    """Count the ANDs of one hidden layer below one OR: each AND covers some of the odd inputs."""
    example.part("Counting gates")
    print("n     ANDs in one layer   XORs in log₂ n layers")
    needed = {}
    for n in (2, 4, 8, 10):
        X, Y = rows(n)[:2]
        odd = {tuple(x) for x in X[Y[:, 0] == 1]}
        flipped = [tuple(np.abs(x - bit)) for x in X[Y[:, 0] == 1] for bit in np.eye(n)]
        merged = sum(x in odd for x in flipped)
        needed[n] = (len(odd), merged)
        print(f"{n:<6d}{len(odd):12,d}{n - 1:20d}")
    said = "an AND that ignores a bit is on for an even input too, so none can cover two"
    right = all(ands == 2 ** (n - 1) and not merged for n, (ands, merged) in needed.items())
    example.target(f"{said}: 2^(n−1) of them", right)


def by_hand(example: Example) -> None:
    """Build four networks whose weights are set by hand."""
    example.part("Weights by hand, 8 bits: hidden units")
    made = {
        "ANDs and an OR, as the notes count": ands,
        "a tree of XORs": tree,
        "one layer that counts the ones": zigzag,
        "folding the count in half, again and again": folding,
    }
    units, right = [], True
    for name, make in made.items():
        n = 8
        network = network_of(make(n))
        X, Y = rows(n)[:2]
        wrong = int(((np.asarray(network(X.T)) > 0.5) != (Y.T > 0.5)).sum())
        sizes = network.sizes[1:-1]
        units.append(sum(sizes))
        right &= wrong == 0
        layers = "1 layer" if len(sizes) == 1 else f"{len(sizes)} layers"
        print(f"{sum(sizes):4d} in {layers:9s} {wrong} inputs wrong: {name}")
    said = f"{', '.join(map(str, units))} units, right for all 256 inputs"
    example.target(f"{said} (target: 128, 14, 8, 6)", right and units == [128, 14, 8, 6])


Layers = Iterator[tuple[np.ndarray, np.ndarray]]


def ands(n: int) -> Layers:
    """Return a network with a unit for each odd input, 1 for it alone; the OR adds them."""
    X, Y = rows(n)[:2]
    odd = X[Y[:, 0] == 1]
    yield 2 * odd - 1, 1 - odd.sum(axis=1, keepdims=True)
    yield np.ones((1, len(odd))), np.zeros((1, 1))


def tree(n: int) -> Layers:
    """Return a tree of XORs, relu(a + b) − 2 relu(a + b − 1); each layer halves the bits."""
    before = np.eye(n)
    while len(before) > 1:
        pairs = before[0::2] + before[1::2]
        yield np.repeat(pairs, 2, axis=0), np.tile([[0.0], [-1.0]], (len(pairs), 1))
        before = np.kron(np.eye(len(pairs)), [[1.0, -2.0]])
    yield before, np.zeros((1, 1))


def zigzag(n: int) -> Layers:
    """Return a network that counts the ones, s, and alternates between 0 and 1 for 1 … n − 1."""
    yield np.ones((n, n)), -np.arange(n, dtype=float)[:, None]
    slopes = 2 * (-1.0) ** np.arange(n)
    slopes[0] = 1
    yield slopes[None], np.zeros((1, 1))


def folding(n: int) -> Layers:
    """Return a network that folds s at n/2, then at n/4, …: s and n − s have the same parity."""
    before = np.ones((1, n))
    while n > 1:
        n //= 2
        yield np.repeat(before, 2, axis=0), np.array([[0.0], [-n]])
        before = np.array([[1.0, -2.0]])
    yield before, np.zeros((1, 1))


def network_of(layers: Layers) -> DeepNetwork:
    """Return a network with these weights."""
    weights = list(layers)
    sizes = (weights[0][0].shape[1], *(len(W) for W, _ in weights))
    arrays = {f"W{l}": W for l, (W, _) in enumerate(weights, 1)}
    arrays |= {f"b{l}": b for l, (_, b) in enumerate(weights, 1)}
    arrays = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    return replace_arrays(DeepNetwork(sizes, initializer=zeros, key=key_from_seed(0)), arrays)


def trained(example: Example, bits: tuple[int, ...]) -> None:
    """Find the width that suffices for half of the seeds, with one and log₂ n hidden layers."""
    example.part(f"Trained: the units per layer with which half of {SEEDS} seeds succeed")
    print("n   ANDs   one hidden layer   log₂ n hidden layers")
    found = {n: (enough(n, 1), enough(n, ceil(log2(n)))) for n in bits}
    for n, (shallow, deep) in found.items():
        depth = ceil(log2(n))
        print(f"{n}{2 ** (n - 1):7d}{shallow:19d}{deep:11d} in each of {depth}: {deep * depth}")
    n = max(bits)
    shallow, deep = found[n]
    few = 2 ** (n - 1) // 4 if n == 8 else 2 ** (n - 1)
    said = f"{n} bits: one hidden layer of {shallow} succeeds, where {2 ** (n - 1)} ANDs are needed"
    example.target(f"{said} (target: at most {few})", shallow <= few)
    said = f"{deep} units in each of {ceil(log2(n))} layers, {shallow} in one"
    example.target(f"{said} (target: no wider)", deep <= shallow)
    curves = {
        "ANDs under an OR, 2^(n−1)": (bits, [2 ** (n - 1) for n in bits]),
        "trained, one hidden layer": (bits, [found[n][0] for n in bits]),
        "trained, log₂ n layers": (bits, [found[n][1] for n in bits]),
        "by hand, one hidden layer": (bits, list(bits)),
    }
    labels = {"title": "Parity of n bits", "xlabel": "bits n", "ylabel": "units in a layer"}
    example.picture("why_deep.png", lambda: plot_curves({"": curves}, log="y", **labels))


@cache
def enough(n: int, depth: int) -> int:
    """Return the first width with which half of the seeds get every input right.

    All widths and seeds are trained together: a narrow network is the widest one with zeros in it.
    A ReLU unit whose weights are all 0 outputs 0, and its slope at 0 is 0, so it stays so.
    """
    X, Y, _ = rows(n)
    part = Examples(2 * X - 1, Y)
    candidates = [
        Candidate(widened(n, width, depth, seed), adam(ALPHA))
        for width in WIDTHS
        for seed in range(SEEDS)
    ]
    done = fit_many(candidates, logistic_cost, part, part, epochs=EPOCHS, batch_size=len(X))
    right = [max(e.metric or 0 for e in one.history.epochs) == 1 for one in done]
    shares = np.reshape(right, (len(WIDTHS), SEEDS)).mean(axis=1)
    return next((w for w, share in zip(WIDTHS, shares, strict=True) if share >= 0.5), 10**6)


def widened(n: int, width: int, depth: int, seed: int) -> DeepNetwork:
    """Return a network of this width, padded with zeros to the widest."""
    narrow = DeepNetwork((n, *[width] * depth, 1), key=key_from_seed(seed))
    wide = DeepNetwork((n, *[WIDTHS[-1]] * depth, 1), initializer=zeros, key=key_from_seed(0))
    arrays = {}
    for name, into in named_arrays(wide).items():
        array = np.asarray(named_arrays(narrow)[name])
        room = [(0, a - b) for a, b in zip(into.shape, array.shape, strict=True)]
        arrays[name] = np.pad(array, room)
    return replace_arrays(wide, arrays)


if __name__ == "__main__":
    main()
