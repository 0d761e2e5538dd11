"""21: a Transformer, step by step.

Notes: "Self-attention", "Multi-head attention" and "Transformer network" (course 5, week 4).
One encoder layer is computed once more with the formulas of the course in NumPy: queries, keys and
values of each head, softmax(QKᵀ/√d)V, the sum with the input, layer norm, the feed-forward network.
Then a network with this layer learns to reverse a word: at each place it has to look at the letter
that is as far from the other end.
Targets: the two computations agree to 1e-4. A step that is not real, and with a look-ahead mask a
later one, gets a weight of 0, and the weights of each query add up to 1, to 1e-5. The network
reverses at least 0.98 of the letters of new words, and one of its heads puts at least half of its
weight on the right letter; without the positional encoding the network cannot know it, and reverses
at most 0.6.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from example import Example

from chainrule import Examples, adam, fit
from chainrule.blocks.attention import look_ahead_mask, padding_mask, scaled_dot_product_attention
from chainrule.blocks.costs import steps_softmax_cost
from chainrule.data.sequences import Sequences
from chainrule.host.randomness import key_from_seed, split_key
from chainrule.inspection.image_plots import Tile, gallery
from chainrule.layers.attention import Embedding, PositionalEncoding, TransformerEncoder
from chainrule.layers.dense import Dense
from chainrule.layers.layer import Layer
from chainrule.layers.recurrent import EachStep
from chainrule.layers.steps import Steps, values_of
from chainrule.train.metrics import sequence_accuracy

LETTERS, T, D, HEADS = 10, 8, 32, 2
SAME, ONE = 1e-4, 1e-5
REVERSED, LOOKED, BLIND = 0.98, 0.5, 0.6


class Reverser(Layer):
    """Embedding, positional encoding, one encoder, and a Dense for each step: Z (T, V, m)."""

    embedding: Embedding
    position: PositionalEncoding
    encoder: TransformerEncoder
    output: EachStep
    places: bool = eqx.field(static=True)

    def __init__(self, *, places: bool = True):
        one, two, three = split_key(key_from_seed(0), 3)
        self.embedding, self.position = Embedding(LETTERS, D, key=one), PositionalEncoding(D**0.5)
        self.encoder = TransformerEncoder(D, heads=HEADS, d_ff=2 * D, key=two)
        self.output, self.places = EachStep(Dense(D, LETTERS, key=three)), places

    def before(self, A_prev: Steps) -> Steps:
        """Return what the encoder takes."""
        embedded = self.embedding(A_prev)
        return self.position(embedded) if self.places else embedded

    def __call__(self, A_prev: Steps) -> jax.Array:
        """Return Z of each step."""
        return values_of(self.output(self.encoder(self.before(A_prev))))


def main() -> None:
    """Run all parts."""
    example = Example(__doc__ or "")
    by_hand(example)
    masks(example)
    reverse(example)
    example.finish()


def by_hand(example: Example) -> None:
    """Compute an encoder layer with the formulas of the course."""
    example.part("One encoder layer by the formulas of the course")
    layer = TransformerEncoder(D, heads=HEADS, d_ff=2 * D, key=key_from_seed(1))
    X = np.random.default_rng(0).standard_normal((T, D, 1)).astype(np.float32)
    x, a = X[:, :, 0].T, layer.attention  # (D, T)
    Q, K, V = (np.asarray(W) @ x + np.asarray(b) for W, b in projections(a))
    heads = []
    for h in range(HEADS):
        rows = slice(h * D // HEADS, (h + 1) * D // HEADS)
        S = Q[rows].T @ K[rows] / np.sqrt(D // HEADS)
        weights = np.exp(S) / np.exp(S).sum(axis=1, keepdims=True)
        print(f"head {h + 1}: the first query takes {weights[0].max():.2f} of one key")
        heads.append(V[rows] @ weights.T)
    attended = np.asarray(a.Wo) @ np.concatenate(heads) + np.asarray(a.bo)
    middle = normalized(x + attended, layer.norm1)
    f = layer.feed_forward
    inner = np.maximum(np.asarray(f.hidden.W) @ middle + np.asarray(f.hidden.b), 0)
    A = normalized(middle + np.asarray(f.output.W) @ inner + np.asarray(f.output.b), layer.norm2)
    off = float(np.abs(A - np.asarray(layer(jnp.asarray(X)))[:, :, 0].T).max())
    example.target(
        f"the layer and the formulas differ by {off:.0e} (target {SAME:.0e})", off <= SAME
    )


def projections(a) -> list[tuple]:
    """Return W and b of the queries, the keys and the values."""
    return [(a.Wq, a.bq), (a.Wk, a.bk), (a.Wv, a.bv)]


def normalized(x: np.ndarray, norm) -> np.ndarray:
    """Return γ (x − mean) / √(variance + ε) + β of each column."""
    away = x - x.mean(axis=0)
    gamma, beta = np.asarray(norm.gamma), np.asarray(norm.beta)
    return gamma * away / np.sqrt((away**2).mean(axis=0) + 1e-5) + beta


def masks(example: Example) -> None:
    """Show what a padding mask and a look-ahead mask do to the weights."""
    example.part("Masks: the weights of five steps, of which four are real")
    X = jnp.asarray(np.random.default_rng(1).standard_normal((5, 4, 1)).astype(np.float32))
    mask = padding_mask(jnp.array([4], jnp.int32), 5) & look_ahead_mask(5)
    _, cache = scaled_dot_product_attention.forward(X, X, X, mask)
    weights = np.asarray(cache.weights)[:, :, 0]
    print("\n".join("".join(f"{w:6.2f}" for w in row) for row in weights))
    hidden = float(np.abs(weights[~np.asarray(mask)[:, :, 0]]).max())
    sums = float(np.abs(weights.sum(axis=1) - 1).max())
    example.target(f"masked weights: {hidden:.0e} (target 0)", hidden == 0)
    example.target(f"the sums differ from 1 by {sums:.0e} (target {ONE:.0e})", sums <= ONE)


def words(m: int, seed: int) -> Examples:
    """Return m random words, and the same words in reverse as the labels of the steps."""
    ids = np.random.default_rng(seed).integers(LETTERS, size=(m, T)).astype(np.int32)
    return Examples(Sequences(ids, np.full(m, T, np.int32)), ids[:, ::-1].copy())


def reverse(example: Example) -> None:
    """Learn to reverse words, with and without the positional encoding."""
    example.part("Learning to reverse words of eight letters")
    train, dev = words(2000, 0), words(300, 1)
    how = {"epochs": 12 if example.quick else 20, "batch_size": 64, "metric": sequence_accuracy}
    found, networks = {}, {}
    for places in (True, False):
        done = fit(Reverser(places=places), adam(0.003), steps_softmax_cost, train, dev, **how)
        found[places] = max(epoch.metric or 0 for epoch in done.history.epochs)
        networks[places] = done.network
        print(f"{'with' if places else 'without'} positional encoding: {found[places]:.3f}")
    example.target(f"reversed: {found[True]:.3f} (target {REVERSED})", found[True] >= REVERSED)
    said = f"without positional encoding: {found[False]:.3f} (target at most {BLIND})"
    example.target(said, found[False] <= BLIND)
    network = networks[True]
    some = Steps(jnp.asarray(dev.X.values[:50].T), jnp.full(50, T, jnp.int32))
    before = network.before(some)
    weights = np.asarray(network.encoder.attention.weights((before, before))).mean(axis=-1)
    shares = [float(np.fliplr(head).diagonal().mean()) for head in weights]
    best = max(shares)
    example.target(f"weight on the right letter: {best:.2f} (target {LOOKED})", best >= LOOKED)
    tiles = [
        Tile(np.repeat((head / head.max())[..., None], 3, axis=2), f"head {h}")
        for h, head in enumerate(weights, 1)
    ]
    title = "where each place of the result looks: the mean over 50 words"
    example.picture("attention_of_reversing.png", lambda: gallery(tiles, title, columns=HEADS))


if __name__ == "__main__":
    main()
