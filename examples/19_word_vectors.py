"""19: word vectors learned from a text, analogies, and a bias that is removed.

Notes: "Properties of word embeddings", "Word2Vec", "Negative sampling", "GloVe word vectors" and
"Debiasing word embeddings" (course 5, week 2).
A text of made sentences about people, countries and things. The two words of a pair, such as king
and queen, never occur in the same sentence: what they have in common are the words around them.
Targets: skip-gram with negative sampling solves at least 0.9 of 404 analogies such as "man is to
woman as king is to queen", and GloVe 0.8, where a guess solves 0.01. In this text most doctors are
men and most nurses are women, and the vectors learn it: the similarities of nurse and doctor with
the direction of gender differ by at least 0.3. After `neutralize` both are 0, and after `equalize`
each occupation is as similar to the male as to the female word of each pair, to within 1e-5.
"""

from collections.abc import Iterator
from functools import partial
from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
from example import Example

from chainrule import adam, minimize
from chainrule.blocks.word_vectors import (
    analogy,
    cosine_similarity,
    equalize,
    glove_cost,
    negative_sampling_cost,
    neutralize,
    noise_distribution,
)
from chainrule.inspection.example_plots import plot_curves
from chainrule.optim.optimizer import apply_updates

PEOPLE = {
    ("man", "woman"): "street shop hat",
    ("king", "queen"): "throne crown palace",
    ("prince", "princess"): "castle horse garden",
    ("boy", "girl"): "school toy game",
    ("father", "mother"): "child home cradle",
    ("brother", "sister"): "bunk quarrel secret",
    ("uncle", "aunt"): "nephew visit gift",
    ("actor", "actress"): "stage film play",
    ("waiter", "waitress"): "menu table kitchen",
    ("grandfather", "grandmother"): "attic story chair",
}
CAPITALS = {
    ("france", "paris"): "wine cheese louvre",
    ("italy", "rome"): "pasta opera ruins",
    ("japan", "tokyo"): "rice robots sushi",
    ("egypt", "cairo"): "pyramids cotton dates",
    ("greece", "athens"): "olives temples ships",
    ("spain", "madrid"): "oranges guitars dances",
    ("russia", "moscow"): "furs ballet chess",
    ("peru", "lima"): "llamas potatoes silver",
}
COMPARATIVES = {
    ("tall", "taller"): "tower tree giraffe",
    ("fast", "faster"): "car train arrow",
    ("cold", "colder"): "winter ice snow",
    ("loud", "louder"): "drum thunder bell",
    ("heavy", "heavier"): "stone anchor elephant",
    ("bright", "brighter"): "sun lamp star",
    ("sweet", "sweeter"): "honey cake sugar",
    ("deep", "deeper"): "sea lake well",
}
JOBS = {"doctor": 0.1, "engineer": 0.15, "nurse": 0.9, "secretary": 0.85}
"""The share of women in each occupation, in the text."""

PERSON = (
    "the {word} likes {his} {thing}",
    "{he} is a {word} with a {thing}",
    "when the {word} left the {thing} {he} smiled",
    "{he} and {his} friend the {word} saw the {thing}",
)
COUNTRY = (
    "the farmers of {word} export {thing} abroad",
    "the border of {word} is far from the {thing}",
    "the army of {word} guards the {thing}",
)
CAPITAL = (
    "the streets of {word} smell of {thing}",
    "a bus to {word} station passes the {thing}",
    "the mayor of {word} loves {thing}",
)
ADJECTIVE = ("the {thing} is very {word}", "what a {word} {thing} this is", "such a {word} {thing}")
COMPARATIVE = (
    "the {thing} is much {word} than before",
    "this {thing} looks {word} than that",
    "a {word} {thing} than yours",
)
WORK = (
    "the {word} opened {his} {thing}",
    "{he} is a {word} in the {thing}",
    "when the {word} came {he} took the {thing}",
)
TOOLS = "office letter telephone hospital"
PRONOUNS = ({"he": "he", "his": "his"}, {"he": "she", "his": "her"})
RELATIONS = {
    "people": (PEOPLE, (PERSON, PERSON)),
    "capitals": (CAPITALS, (COUNTRY, CAPITAL)),
    "comparatives": (COMPARATIVES, (ADJECTIVE, COMPARATIVE)),
}
SENTENCES, WINDOW, SIZE = 20_000, 5, 32
STEPS, BATCH, NEGATIVES, ALPHA = 3000, 512, 5, 0.01
ITERATIONS, GLOVE_ALPHA = 300, 0.02
SOLVED, SOLVED_BY_GLOVE, BIAS, EXACT = 0.9, 0.8, 0.3, 1e-5


def main() -> None:
    """Run all parts."""
    example = Example(__doc__ or "")
    text = [word for sentence in sentences(example) for word in sentence.split()]
    words = sorted(set(text))
    index = {word: i for i, word in enumerate(words)}
    ids = np.array([index[word] for word in text], np.int32)
    print(f"\n{len(ids):,} words, {len(words)} different ones")
    E = by_skip_gram(example, words, ids)
    by_glove(example, words, ids)
    bias(example, words, E)
    example.finish()


# The text


def sentences(example: Example) -> Iterator[str]:
    """Yield sentences: a quarter each about people, countries, things and occupations."""
    rng = np.random.default_rng(0)

    def one_of(choices):
        return choices[rng.integers(len(choices))]

    for _ in range(SENTENCES // 2 if example.quick else SENTENCES):
        relation = one_of([*RELATIONS, "occupations"])
        if relation == "occupations":
            word, things, templates = one_of([*JOBS]), TOOLS, WORK
            side = int(rng.random() < JOBS[word])
        else:
            pairs, both = RELATIONS[relation]
            pair, side = one_of([*pairs]), rng.integers(2)
            word, things, templates = pair[side], pairs[pair], both[side]
        thing = one_of(things.split())
        yield one_of(templates).format(word=word, thing=thing, **PRONOUNS[side])


def neighbours(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all pairs of words at most WINDOW apart, in both orders, and their distances."""
    ways = [(ids[k:], ids[:-k], k) for k in range(1, WINDOW + 1)]
    ways += [(target, context, k) for context, target, k in ways]
    context, target = (np.concatenate([way[i] for way in ways]) for i in (0, 1))
    return context, target, np.concatenate([np.full(len(way[0]), way[2]) for way in ways])


def random_vectors(V: int, seed: int) -> np.ndarray:
    """Return small initial vectors (SIZE, V)."""
    return (0.02 * np.random.default_rng(seed).standard_normal((SIZE, V))).astype(np.float32)


# Learning the vectors


def by_skip_gram(example: Example, words: list[str], ids: np.ndarray) -> np.ndarray:
    """Learn E by skip-gram with negative sampling, and return it."""
    example.part(f"Skip-gram with {NEGATIVES} negatives for each pair")
    context, target, _ = neighbours(ids)
    counts = np.bincount(ids, minlength=len(words)).astype(np.float32)
    steps = STEPS // 3 if example.quick else STEPS
    theta = random_vectors(len(words), 0), random_vectors(len(words), 1)
    (E, _), costs = descend(theta, context, target, noise_distribution(counts), steps)
    print(f"cost {costs[:20].mean():.3f}, after {steps} batches {costs[-200:].mean():.3f}")
    E = np.asarray(E)
    solved = report("skip-gram", words, E)
    said = f"skip-gram solves {solved:.3f} of the analogies (target {SOLVED})"
    example.target(said, solved >= SOLVED)
    return E


@partial(jax.jit, static_argnames="steps")
def descend(theta, context, target, noise, steps: int):
    """Return E and Theta after steps of Adam on random pairs, and the cost of each batch."""
    optimizer = adam(ALPHA)

    def step(carry, key):
        theta, state = carry
        for_pairs, for_negatives = jax.random.split(key)
        drawn = jax.random.randint(for_pairs, (BATCH,), 0, len(context))
        negatives = jax.random.choice(for_negatives, len(noise), (NEGATIVES, BATCH), p=noise)
        pairs = context[drawn], target[drawn], negatives

        def J(theta):
            return negative_sampling_cost(*theta, *pairs)

        cost, gradients = jax.value_and_grad(J)(theta)
        updates, state = optimizer.update(gradients, state, theta)
        return (apply_updates(theta, updates), state), cost

    keys = jax.random.split(jax.random.key(0), steps)
    (theta, _), costs = jax.lax.scan(step, (theta, optimizer.init(theta)), keys)
    return theta, costs


def by_glove(example: Example, words: list[str], ids: np.ndarray) -> None:
    """Learn vectors from the counts of all pairs of words, a pair k apart counting 1/k."""
    example.part("GloVe")
    V = len(words)
    context, target, distance = neighbours(ids)
    X = np.bincount(V * target + context, 1 / distance, V * V).astype(np.float32)
    (pairs,) = np.nonzero(X)
    i, j, counts = jnp.asarray(pairs // V), jnp.asarray(pairs % V), jnp.asarray(X[pairs])
    print(f"{len(pairs):,} of {V * V:,} pairs occur, one of them {X.max():,.0f} times")

    def J(theta):
        return glove_cost(*theta, i, j, counts)

    zeros = np.zeros((V, 1), np.float32)
    start = (random_vectors(V, 0), random_vectors(V, 1), zeros, zeros)
    (E, Theta, _, _), costs = minimize(J, start, adam(GLOVE_ALPHA), ITERATIONS)
    print(f"cost {costs[0]:.3f}, after {ITERATIONS} steps {costs[-1]:.4f}")
    report("E alone", words, np.asarray(E))
    solved = report("(E + Theta) / 2", words, np.asarray(E + Theta) / 2)
    said = f"GloVe solves {solved:.3f} of the analogies (target {SOLVED_BY_GLOVE})"
    example.target(said, solved >= SOLVED_BY_GLOVE)


def report(name: str, words: list[str], E: np.ndarray) -> float:
    """Print the share of analogies solved for each relation, and return the share of all."""
    solved = {relation: answers(words, E, [*pairs]) for relation, (pairs, _) in RELATIONS.items()}
    shares = ", ".join(f"{relation} {np.mean(one):.3f}" for relation, one in solved.items())
    print(f"{name}: {shares}")
    return float(np.mean([right for one in solved.values() for right in one]))


def answers(words: list[str], E: np.ndarray, pairs: list[tuple[str, str]]) -> list[bool]:
    """Return which analogies of two pairs are solved, in both directions."""
    asked = [(a, b, c, d) for (a, b), (c, d) in permutations(pairs, 2)]
    asked += [(b, a, d, c) for a, b, c, d in asked]
    return [analogy(E, words, a, b, c) == d for a, b, c, d in asked]


# Removing the bias


def bias(example: Example, words: list[str], E: np.ndarray) -> None:
    """Measure the bias of the occupations, and remove it."""
    example.part("Gender and occupation")
    e = {word: jnp.asarray(E[:, i]) for i, word in enumerate(words)}
    g = jnp.stack([e[woman] - e[man] for man, woman in PEOPLE]).mean(axis=0)
    learned = {job: float(cosine_similarity(e[job], g)) for job in JOBS}
    neutral = {job: neutralize(e[job], g) for job in JOBS}
    for job, share in JOBS.items():
        after = float(cosine_similarity(neutral[job], g))
        print(f"{job:10s} {share:.0%} women: similarity {learned[job]:6.3f}, then {after:.0e}")
    gap = learned["nurse"] - learned["doctor"]
    said = f"nurse and doctor differ by {gap:.2f} (target {BIAS})"
    example.target(said, gap >= BIAS)
    left = max(abs(float(cosine_similarity(neutral[job], g))) for job in JOBS)
    example.target(f"after neutralize, {left:.0e} is left (target {EXACT})", left <= EXACT)
    before = max(preference(e[man], e[woman], neutral) for man, woman in PEOPLE)
    after = max(preference(*equalize(e[man], e[woman], g), neutral) for man, woman in PEOPLE)
    said = f"an occupation is more similar to one word of a pair by up to {before:.2f}"
    said += f", after equalize by {after:.0e} (target {EXACT})"
    example.target(said, after <= EXACT)
    example.picture("word_pairs.png", draw_pairs, e, g)


def preference(man, woman, jobs: dict) -> float:
    """Return how much more similar an occupation is to one word of a pair, at most."""
    more = [cosine_similarity(job, man) - cosine_similarity(job, woman) for job in jobs.values()]
    return max(abs(float(one)) for one in more)


def draw_pairs(e: dict, g) -> bytes:
    """Draw a line from the male to the female word of each pair: along g, and across it."""
    g = np.asarray(g) / np.linalg.norm(g)
    pairs = {pair: np.stack([e[word] for word in pair]) for pair in PEOPLE}
    middles = np.stack([both.mean(axis=0) for both in pairs.values()])
    middles = middles - middles.mean(axis=0)
    *_, directions = np.linalg.svd(middles - np.outer(middles @ g, g))
    lines = {"–".join(pair): (both @ g, both @ directions[0]) for pair, both in pairs.items()}
    words = {
        "xlabel": "along g, the direction of gender",
        "ylabel": "across it, where the pairs differ most",
    }
    return plot_curves({"From the male to the female word": lines}, **words)


if __name__ == "__main__":
    main()
