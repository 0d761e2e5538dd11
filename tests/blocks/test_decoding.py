"""Tests of chainrule/blocks/decoding.py."""

import json
from functools import partial
from itertools import product
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.decoding import beam_search, bleu, draw, edit_distance, sample
from chainrule.errors import DataError, OptionError
from tests.compilations import compilations

SACREBLEU = json.loads(Path(__file__).with_name("bleu_of_sacrebleu.json").read_text())
V, LONGEST, END = 3, 4, 2


def by_position(log_p, state, id):
    """Take log P of an id from a table (LONGEST, V, V): by its position and the id before it."""
    return log_p[state, id], state + 1


def by_history(log_p, state, id):
    """Take log P of an id from a table (V^LONGEST, V): the row is the number of all ids before."""
    number = state["number"] * V + id
    return log_p[number], {"number": number}


def model(seed):
    """Return a step with random probabilities, and its table."""
    table = jax.nn.log_softmax(2 * jax.random.normal(jax.random.key(seed), (LONGEST, V, V)))
    return jax.tree_util.Partial(by_position, table), np.asarray(table)


def log_prob_of(table, ids, start=END):
    before = [start, *ids[:-1]]
    return sum(table[t, b, y] for t, (b, y) in enumerate(zip(before, ids, strict=True)))


def all_sequences():
    """Return every sequence that ends, and those that reach the largest length without ending."""
    going = [k for k in range(V) if k != END]
    for length in range(LONGEST):
        yield from ([*ids, END] for ids in product(going, repeat=length))
    yield from map(list, product(going, repeat=LONGEST))


def plain(ids):
    """Return the ids up to the first end, as a list."""
    ids = ids.tolist()
    return ids[: ids.index(END) + 1] if END in ids else ids


search = partial(beam_search, end=END, longest=LONGEST)

# Beam search


def test_by_hand():
    """Greedy takes 1 and then the end, 0.6 · 0.3; better is 0 with 0.4, then the end with 0.9."""
    first, after = jnp.log(jnp.array([0.4, 0.6, 1e-9])), jnp.log(jnp.array([[0.05, 0.05, 0.9]]))
    after_1 = jnp.log(jnp.array([[0.4, 0.3, 0.3]]))
    table = jnp.concatenate([after, after_1, first[None]])

    def step(state, id):
        return table[id], state

    ids, log_prob, score = search(step, (), width=2, alpha=0.0)
    assert ids.tolist() == [0, END, END, END]
    np.testing.assert_allclose(log_prob, np.log(0.4 * 0.9), rtol=1e-12)
    np.testing.assert_allclose(score, log_prob, rtol=1e-12)
    ids, _, score = search(step, (), width=2, alpha=0.5)  # the end is the second id
    assert ids.tolist() == [0, END, END, END]
    np.testing.assert_allclose(score, np.log(0.4 * 0.9) / np.sqrt(2), rtol=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
def test_a_wide_beam_finds_the_best_of_all_sequences(alpha):
    found = set()
    for seed in range(20):
        step, table = model(seed)
        ids, log_prob, score = search(step, 0, width=27, alpha=alpha)
        scores = [log_prob_of(table, y) / len(y) ** alpha for y in all_sequences()]
        np.testing.assert_allclose(score, max(scores), rtol=1e-12)
        np.testing.assert_allclose(log_prob, log_prob_of(table, plain(ids)), rtol=1e-12)
        np.testing.assert_allclose(score, log_prob / len(plain(ids)) ** alpha, rtol=1e-12)
        found.add(len(plain(ids)))
    assert len(found) > 2  # short and long ones


def test_width_1_is_greedy():
    for seed in range(20):
        step, table = model(seed)
        ids, before = [], END
        while len(ids) < LONGEST and END not in ids:
            before = int(table[len(ids), before].argmax())
            ids.append(before)
        got, log_prob, _ = search(step, 0, width=1, alpha=0.7)
        assert plain(got) == ids
        np.testing.assert_allclose(log_prob, log_prob_of(table, ids), rtol=1e-12)


def reference_search(table, width, alpha):
    """Compute a beam search in plain Python, without stopping early."""
    beam, done = [([], 0.0)], []
    for t in range(LONGEST):
        ways = [
            ([*ids, y], log_prob + table[t, (ids or [END])[-1], y])
            for ids, log_prob in beam
            for y in range(V)
        ]
        ways = sorted(ways, key=lambda way: -way[1])[:width]
        done += [(ids, p) for ids, p in ways if ids[-1] == END or len(ids) == LONGEST]
        beam = [(ids, p) for ids, p in ways if ids[-1] != END]
    return max(done, key=lambda one: one[1] / len(one[0]) ** alpha)


@pytest.mark.parametrize("width", [2, 3])
def test_equals_a_plain_search(width):
    missed = 0
    for seed in range(40):
        step, table = model(seed)
        want, want_log_prob = reference_search(table, width, 0.7)
        ids, log_prob, score = search(step, 0, width=width, alpha=0.7)
        assert plain(ids) == want
        np.testing.assert_allclose(log_prob, want_log_prob, rtol=1e-12)
        _, _, best = search(step, 0, width=27, alpha=0.7)
        assert score <= best + 1e-12
        missed += bool(score < best - 1e-9)
    assert missed < 10  # a narrow beam is nearly as good, and not always


def test_a_batch_by_vmap():
    """Each state has its own table, as if each were the sentence to be translated."""
    tables = jnp.stack([jnp.asarray(model(seed)[1]) for seed in range(5)])

    def step(state, id):
        table, t = state
        return table[t, id], (table, t + 1)

    def one(table):
        return search(step, (table, 0), width=3, alpha=0.7)

    ids, log_prob, score = jax.jit(jax.vmap(one))(tables)
    assert ids.shape == (5, LONGEST)
    for seed in range(5):
        alone = search(model(seed)[0], 0, width=3, alpha=0.7)
        assert ids[seed].tolist() == alone[0].tolist()
        np.testing.assert_allclose(log_prob[seed], alone[1], rtol=1e-12)
        np.testing.assert_allclose(score[seed], alone[2], rtol=1e-12)


def test_other_weights_and_another_alpha_compile_nothing():
    search(model(0)[0], 0, width=3, alpha=0.7)
    state = jnp.asarray(1)
    step, _ = model(1)
    with compilations() as compiled:
        search(step, state, width=3, alpha=0.5)
    assert compiled == []


def test_each_beginning_has_its_own_state():
    """The state remembers all ids, in the order in which they were chosen."""

    def log_prob_of_all(table, ids):
        number, total = 0, 0.0
        for before, y in zip([END, *ids[:-1]], ids, strict=True):
            number = number * V + before
            total += table[number, y]
        return total

    for seed in range(10):
        Z = 2 * jax.random.normal(jax.random.key(seed), (V**LONGEST, V))
        table = jax.nn.log_softmax(Z.at[:, END].add(-3))  # most are long
        step, table = jax.tree_util.Partial(by_history, table), np.asarray(table)
        for width in (2, 27):
            ids, log_prob, score = search(step, {"number": 0}, width=width, alpha=0.7)
            np.testing.assert_allclose(log_prob, log_prob_of_all(table, plain(ids)), rtol=1e-12)
        best = max(log_prob_of_all(table, y) / len(y) ** 0.7 for y in all_sequences())
        np.testing.assert_allclose(score, best, rtol=1e-12)


def test_the_first_step_gets_start():
    step, table = model(0)
    for start in range(V):
        ids, log_prob, _ = search(step, 0, width=3, alpha=0.7, start=start)
        np.testing.assert_allclose(log_prob, log_prob_of(table, plain(ids), start), rtol=1e-12)


def test_an_impossible_id_is_never_chosen():
    """Also if the beam has more places than there are possible sequences."""

    def step(state, id):
        return jnp.array([-jnp.inf, 0.0, -jnp.inf]), state

    ids, log_prob, _ = search(step, (), width=5, alpha=0.7)
    assert ids.tolist() == [1] * LONGEST
    assert log_prob == 0


def test_a_step_of_columns():
    """Log P may be a column (V, 1), as the output of a network for one example is."""
    step, _ = model(3)

    def columns(state, id):
        log_p, state = step(state, id)
        return log_p[:, None], state

    got, want = search(columns, 0, width=3, alpha=0.7), search(step, 0, width=3, alpha=0.7)
    assert got.ids.tolist() == want.ids.tolist()
    key = jax.random.key(0)
    got, want = (sample(s, 0, key=key, end=END, longest=LONGEST) for s in (columns, step))
    assert got.tolist() == want.tolist()


@pytest.mark.usefixtures("float32_world")
def test_float32():
    step, _ = model(0)
    ids, log_prob, score = search(step, 0, width=3, alpha=0.7)
    assert (ids.dtype, log_prob.dtype, score.dtype) == (np.int32, np.float32, np.float32)


# Sampling


def test_draw_by_hand():
    p = jnp.array([0.1, 0.0, 0.7, 0.2])
    for u, want in ((0.0, 0), (0.09, 0), (0.1, 2), (0.79, 2), (0.85, 3), (0.999, 3)):
        assert draw(p, u) == want
    assert draw(jnp.array([0.0, 0.5, 0.5, 0.0]), 0.0) == 1  # not 0, whose p is 0
    assert draw(jnp.array([0.3, 0.3, 0.0]), 0.9) == 1  # the last possible one
    columns = jnp.array([[0.2, 1.0], [0.8, 0.0]])
    assert draw(columns, jnp.array([0.5, 0.5])).tolist() == [1, 0]


@pytest.mark.usefixtures("float32_world")
def test_rounding_draws_nothing_impossible():
    """Some sums of this p grow at an index where p is 0, since they are added up in pairs."""
    rng, worse = np.random.default_rng(0), 0
    for _ in range(5):
        p = np.where(rng.random(1000) < 0.5, 0, rng.random(1000)).astype(np.float32)
        p /= p.sum()
        cumulative = jnp.cumsum(jnp.asarray(p))
        worse += ((np.diff(cumulative) > 0) & (p[1:] == 0)).sum()
        drawn = jax.vmap(draw, (None, 0))(jnp.asarray(p), cumulative)
        assert (p[drawn] > 0).all()
    assert worse > 0


def test_samples_have_their_probabilities():
    step, table = model(2)
    keys = jax.random.split(jax.random.key(0), 4000)
    draws = jax.jit(jax.vmap(lambda key: sample(step, 0, key=key, end=END, longest=LONGEST)))(keys)
    counts = {}
    for ids in draws:
        counts[tuple(plain(ids))] = counts.get(tuple(plain(ids)), 0) + 1
    p = {tuple(ids): np.exp(log_prob_of(table, ids)) for ids in all_sequences()}
    assert set(counts) <= set(p)
    np.testing.assert_allclose(sum(p.values()), 1, rtol=1e-12)
    for ids, want in p.items():
        deviation = np.sqrt(want * (1 - want) / 4000)
        assert abs(counts.get(ids, 0) / 4000 - want) < 4 * deviation + 1e-9


def test_temperature():
    """0 is greedy; a low temperature is nearly so; a high one is uniform."""
    step, _ = model(2)
    greedy, _, _ = search(step, 0, width=1, alpha=0.7)
    keys = jax.random.split(jax.random.key(1), 200)

    @jax.jit
    def draws(temperature):
        options = {"end": END, "longest": LONGEST, "temperature": temperature}
        return jax.vmap(lambda key: sample(step, 0, key=key, **options))(keys)

    assert (draws(0.0) == greedy[None]).all()
    assert (draws(0.01) == greedy[None]).all(axis=1).mean() > 0.9
    first = np.bincount(draws(1e6)[:, 0], minlength=V) / 200
    np.testing.assert_allclose(first, np.full(V, 1 / V), atol=0.1)


def test_equal_keys_give_equal_samples():
    step, _ = model(0)
    once, again, other = (
        [
            sample(step, 0, key=jax.random.key(k + n), end=-1, longest=LONGEST).tolist()
            for k in range(9)
        ]
        for n in (0, 0, 100)
    )
    assert once == again != other


# Comparison with references


@pytest.mark.parametrize("name", SACREBLEU)
def test_equals_sacrebleu(name):
    case = SACREBLEU[name]
    score, precisions, penalty = bleu(case["hypotheses"], case["references"], n=case["n"])
    np.testing.assert_allclose(score, case["score"], rtol=1e-10)
    np.testing.assert_allclose(precisions, case["precisions"], rtol=1e-10)
    np.testing.assert_allclose(penalty, case["brevity_penalty"], rtol=1e-10)


def test_the_notes_example_by_hand():
    """Of "the" seven times, two count, as often as the first reference has it."""
    references = [
        ["the", "cat", "is", "on", "the", "mat"],
        ["there", "is", "a", "cat", "on", "the", "mat"],
    ]
    _, [p_1], _ = bleu([["the"] * 7], [references], n=1)
    assert p_1 == pytest.approx(2 / 7)
    hypothesis = ["the", "cat", "the", "cat", "on", "the", "mat"]
    score, (p_1, p_2), penalty = bleu([hypothesis], [references], n=2)
    assert p_1 == pytest.approx(5 / 7)  # the, cat, on, the, mat
    assert p_2 == pytest.approx(4 / 6)
    assert score == pytest.approx(np.sqrt(5 / 7 * 4 / 6))
    assert penalty == 1  # the second reference is as long


def test_brevity_penalty_by_hand():
    """Lengths are added up first: 3 + 1 words, references of 4 + 2."""
    hypotheses, references = [["a", "b", "c"], ["d"]], [["a", "b", "c", "d"], ["d", "e"]]
    score, precisions, penalty = bleu(hypotheses, references, n=1)
    assert precisions == [1.0]
    assert (score, penalty) == pytest.approx((np.exp(1 - 6 / 4),) * 2)
    _, _, penalty = bleu([["a"] * 3], [[["a"] * 4, ["a"] * 2]], n=1)  # both differ by one word
    assert penalty == 1


def test_bleu_of_ids_and_of_a_perfect_translation():
    ids = [[3, 1, 4, 1, 5], [9, 2, 6, 5, 3]]
    assert bleu(ids, ids).score == pytest.approx(1)
    assert bleu([np.array(one) for one in ids], [[np.array(one)] for one in ids]).score == 1
    assert bleu([[], []], [["a"], []]) == (0.0, [0.0] * 4, 0.0)
    assert bleu([["a", "b"]], [["c"]]).score == 0


def test_edit_distance():
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance([], [1, 2]) == 2
    assert edit_distance(["the", "quick", "fox"], ["the", "fox"]) == 1
    assert edit_distance(np.array([1, 2, 3]), [3, 2, 1]) == 2
    assert edit_distance("abc", "abc") == 0


# Messages


def test_a_beam_needs_a_width_and_a_length():
    step, _ = model(0)
    with pytest.raises(OptionError, match=r"^beam_search\(width=…\): expected a whole number"):
        search(step, 0, width=0, alpha=0.7)
    with pytest.raises(OptionError, match=r"^beam_search\(longest=…\): expected a whole number"):
        beam_search(step, 0, width=1, end=END, longest=0, alpha=0.7)
    with pytest.raises(OptionError, match=r"^sample\(longest=…\): expected a whole number"):
        sample(step, 0, key=jax.random.key(0), end=END, longest=0)


def test_bleu_refuses_texts_and_missing_references():
    with pytest.raises(DataError) as error:
        bleu(["the cat"], [["the", "cat"]])
    assert str(error.value) == (
        "bleu(hypotheses): expected lists of tokens; got the text 'the cat'.\nTry text.split()."
    )
    with pytest.raises(DataError, match=r"^bleu\(references\): expected lists of tokens"):
        bleu([["the", "cat"]], ["the cat"])
    with pytest.raises(DataError) as error:
        bleu([["a"], ["b"]], [["a"]])
    assert str(error.value) == "bleu(references): expected as many as the 2 hypotheses; got 1."
