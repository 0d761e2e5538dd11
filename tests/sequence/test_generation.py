"""chainrule/sequence/generation: texts, windows, and models that are trained, saved and sampled."""

import json
import shutil
from functools import partial
from itertools import chain, pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import load, resume, train_sequence_model
from chainrule.data.sequences import Sequences
from chainrule.data.vocabulary import Vocabulary
from chainrule.errors import ChainruleError, DataWarning
from chainrule.inspection.report.content import command
from chainrule.inspection.report.task_report import advice, rebuild_report
from chainrule.layers.steps import Steps
from chainrule.models.language_model import LanguageModel
from chainrule.runs import folder as run_folder
from chainrule.runs.run import SavedContents
from chainrule.sequence.generation.sampling import sample_texts
from chainrule.sequence.generation.task import TASK, Generator
from chainrule.sequence.generation.texts import Characters, TextSet, as_array, read_sets
from chainrule.sequence.generation.windows import (
    RandomShift,
    evaluation_windows,
    line_examples,
    predictions,
    scores,
    training_windows,
)
from chainrule.sequence.recipe import GenerateRecipe
from chainrule.train.history import History
from chainrule.train.step import Batch

KEY = jax.random.key(0)
ABC = Characters(Vocabulary("abc"))
LINES = Characters(Vocabulary("abc"), lines=True)
QUICK = {"hidden": (8,), "epochs": 2, "batch_size": 8, "learning_rate": 0.02}


def constant(characters, p, name="gru", **options):
    """A model of weights 0, whose P is that of its last bias, whatever came before."""
    options = {"hidden": (4,), "context": 6} | options
    network = LanguageModel(name, characters.V, key=KEY, dtype=np.float64, **options)
    b = jnp.log(jnp.array(p))[:, None]
    network = jax.tree.map(jnp.zeros_like, network)
    network = eqx.tree_at(lambda network: network.layers.layers[-1].layer.b, network, b)
    recipe = GenerateRecipe("a.txt", lines=characters.lines)
    return Generator(network, characters, recipe, History(), {})


# By hand


def test_the_perplexity_of_a_known_model():
    """P(unknown, a, b, c) = 0.1, 0.2, 0.3, 0.4: "abca" costs −log(0.2 · 0.3 · 0.4 · 0.2) / 4."""
    model = constant(ABC, [0.1, 0.2, 0.3, 0.4])
    found = model.evaluate(["abca"])
    cost = -np.log(0.2 * 0.3 * 0.4 * 0.2) / 4
    assert found == pytest.approx(
        {
            "m": 4,
            "cost": cost,
            "bits": cost / np.log(2),
            "perplexity": 0.0048**-0.25,
            "accuracy": 0.25,
        },
        rel=1e-12,
    )
    assert model.predict([""]).tolist() == [0]
    assert model.predict([]).tolist() == []
    with pytest.raises(ChainruleError) as caught:
        model.evaluate([""])
    assert str(caught.value) == (
        "the texts: expected at least one character; got none.\nTry another text."
    )
    np.testing.assert_allclose(model.predict(["c", "", "ax"]), np.log([0.4, 1, 0.02]), rtol=1e-12)


def test_a_line_has_an_end():
    model = constant(LINES, [0.1, 0.2, 0.3, 0.1, 0.2, 0.1])
    found = model.evaluate(["ab", "c"])
    assert found["m"] == 5
    assert found["cost"] == pytest.approx(-np.log(0.2 * 0.3 * 0.2 * 0.1 * 0.2) / 5, rel=1e-12)


def test_ids_by_hand():
    assert ABC.ids("cab!").tolist() == [0, 3, 1, 2, 0]
    assert Characters(Vocabulary("\nab")).ids("ab").tolist() == [1, 2, 3]  # after a line feed
    assert LINES.ids("cab").tolist() == [5, 3, 1, 2, 4]
    assert LINES.text([3, 1, 4]) == "ca"
    read = Characters(Vocabulary("ab"), "bytes")
    assert read.written(read.read("né\udcff")) == "né\udcff"


def test_lines_as_examples_by_hand():
    found = line_examples(Sequences.of([LINES.ids("ca"), LINES.ids("b")]))
    assert found.X.values.tolist() == [[5, 3, 1], [5, 2, 0]]
    assert found.X.lengths.tolist() == [3, 2]
    assert found.Y.tolist() == [[3, 1, 4], [2, 4, -1]]


def sets_of(tmp_path, text, **options):
    (tmp_path / "a.txt").write_text(text, newline="")
    return read_sets(GenerateRecipe(str(tmp_path / "a.txt"), **options))


def test_a_text_is_cut_in_its_order(tmp_path):
    text = "".join(chr(97 + i % 26) for i in range(41))
    parts = sets_of(tmp_path, text)
    assert [(name, part.X[0]) for name, part in parts.items()] == [
        ("train", text[:37]),
        ("dev", text[37:39]),
        ("test", text[39:]),
    ]
    assert parts["test"].before == text[:39]
    only = sets_of(tmp_path, text, test="none")
    assert [part.X[0] for part in only.values()] == [text[:39], text[39:]]
    assert [*sets_of(tmp_path, text, dev="none", test="none")] == ["train"]
    (tmp_path / "b.txt").write_text("zz")
    given = sets_of(tmp_path, text, dev=str(tmp_path / "b.txt"))
    assert [part.X[0] for part in given.values()] == [text[:39], "zz", text[39:]]


def test_equal_lines_stay_in_one_set(tmp_path):
    names = [f"{a}{b}" for a in "abcde" for b in "fghij"]
    parts = sets_of(tmp_path, "\r\n".join(names * 2 + ["", " "]), lines=True)
    found = {name: sorted(part.X) for name, part in parts.items()}
    assert sorted(chain(*found.values())) == sorted(names * 2)
    assert [len(part) for part in found.values()] == [30, 10, 10]
    assert not {*found["train"]} & {*found["dev"]}
    assert not {*found["dev"]} & {*found["test"]}
    again = sets_of(tmp_path, "\n".join(names * 2), lines=True, seed=1)
    assert sorted(again["dev"].X) != found["dev"]


# Windows


@given(st.lists(st.integers(0, 40), min_size=1, max_size=4), st.integers(2, 9), st.data())
def test_each_character_is_predicted_once(sizes, longest, data):
    context = data.draw(st.integers(1, longest - 1))
    texts = [(np.arange(n + 1) + 100 * i, 1) for i, n in enumerate(sizes)]
    if not any(sizes):
        return
    found = evaluation_windows(texts, longest, context)
    X, Y = found.examples.X, found.examples.Y
    assert X.shape[1] <= longest
    for i, (ids, _) in enumerate(texts):
        own = Y[found.text == i]
        assert own[own >= 0].tolist() == ids[1:].tolist()
    real = Y >= 0
    np.testing.assert_array_equal(Y[real], X.values[real] + 1)
    before = np.where(real.any(axis=1), real.argmax(axis=1), context)
    first = X.values[:, 0] % 100 == 0
    assert (before[~first] >= context).all()


def test_a_random_shift_reads_a_piece_of_the_text():
    ids = np.arange(50, dtype=np.int32) * 2
    train, shift = training_windows(ids, 8)
    assert train.X.shape == (6, 8)
    np.testing.assert_array_equal(train.Y, 2 * train.X.values + 2)
    X = Steps(jnp.asarray(train.X.values.T), jnp.asarray(train.X.lengths))
    batch = Batch(X, jnp.asarray(train.Y.T), jnp.ones((1, 6)))
    moved, again = (shift(batch, key=KEY) for _ in range(2))
    np.testing.assert_array_equal(moved.X.values, again.X.values)
    np.testing.assert_array_equal(moved.Y, moved.X.values + 2)
    np.testing.assert_array_equal(np.diff(moved.X.values, axis=0), 2)
    by = moved.X.values[0] // 2 - train.X.values[:, 0]
    assert ((by >= 0) & (by < 8)).all()
    assert len({*by.tolist()}) > 2
    other = shift(batch, key=jax.random.key(1))
    assert not np.array_equal(other.X.values, moved.X.values)


def test_every_place_of_a_window_is_equally_likely():
    shift = RandomShift(np.arange(100, dtype=np.int32))
    places = jnp.broadcast_to(jnp.arange(20, 28, dtype=jnp.int32)[:, None], (8, 4000))
    batch = Batch(Steps(places, jnp.full(4000, 8, jnp.int32)), places, jnp.ones((1, 4000)))
    first = np.asarray(shift(batch, key=KEY).X.values[0])
    np.testing.assert_allclose(np.bincount(first - 20, minlength=8) / 4000, 1 / 8, atol=0.02)


@pytest.mark.parametrize("name", ["lstm", "transformer"])
def test_windows_predict_as_a_step_at_a_time(name):
    """The windows of a short text are the whole text: log P is the sum over the steps."""
    network = LanguageModel(name, ABC.V, hidden=(8,), context=6, key=KEY, dtype=np.float64)
    model = Generator(network, ABC, GenerateRecipe("a.txt"), History(), {})
    ids = ABC.ids("abccb")
    state, total = network.begin(), 0.0
    step = jax.jit(lambda network, state, id: network.step(state, id))
    for id, after in pairwise(ids):
        log_p, state = step(network, state, id)
        total += float(log_p[after])
    np.testing.assert_allclose(model.predict(["abccb"]), [total], rtol=1e-10)


def test_a_text_after_another_has_it_as_its_context():
    """What is before a part of a text changes how its beginning is predicted."""
    network = LanguageModel("gru", ABC.V, hidden=(8,), context=4, key=KEY, dtype=np.float64)
    model = Generator(network, ABC, GenerateRecipe("a.txt"), History(), {})
    whole, part = (TextSet("a", as_array([text]), "", False) for text in ("abcabcab", "cab"))
    piece = whole.piece(5, 8)
    assert (piece.X[0], piece.before) == ("cab", "abcab")
    one, other = (TASK.evaluate(model, x) for x in (piece, part))
    assert one["m"] == other["m"] == 3
    assert one["cost"] != other["cost"]


def test_scores_are_those_of_all_windows():
    network = LanguageModel("gru", ABC.V, hidden=(8,), context=4, key=KEY, dtype=np.float64)
    windows = evaluation_windows([(ABC.ids("abc" * 9), 1)], 8, 2)
    found = predictions(network, windows.examples)
    direct = jax.nn.log_softmax(network(jnp.asarray(windows.examples.X.values.T)), axis=1)
    Y = windows.examples.Y
    chosen = np.take_along_axis(np.asarray(direct), np.maximum(Y.T, 0)[:, None], axis=1)[:, 0].T
    np.testing.assert_allclose(found.log_p, np.where(Y >= 0, chosen, 0), atol=1e-12)
    assert scores(found, Y)["m"] == 27


# Sampling


def drawn(model, **options):
    return sample_texts(model.network, model.tokenizer, **options)


def test_samples_are_those_of_their_seed():
    model = constant(LINES, [0.1, 0.3, 0.2, 0.1, 0.2, 0.1])
    one = drawn(model, count=3, seed=4, length=12)
    assert one == drawn(model, count=3, seed=4, length=12)
    assert one[:2] == drawn(model, count=2, seed=4, length=12)
    assert one != drawn(model, count=3, seed=5, length=12)
    assert len({*one}) > 1
    assert {*"".join(one)} <= {*"abc"}
    assert max(map(len, one)) <= 12


def test_a_prefix_and_a_low_temperature():
    model = constant(ABC, [0.1, 0.2, 0.3, 0.4])
    assert drawn(model, prefix="ab", length=5, temperature=0.01) == ["abccccc"]
    assert drawn(model, prefix="a!", length=2, temperature=0.01) == ["a!cc"]
    with pytest.warns(DataWarning) as caught:
        assert model.sample(prefix="é!", length=1, temperature=0.01) == ["é!c"]
    assert str(caught[0].message) == (
        "the prefix has 2 different characters that the training set lacks, which are read as "
        "unknown: '!', 'é'"
    )


def test_a_transformer_goes_on_beyond_its_context():
    network = LanguageModel("transformer", 4, hidden=(8,), context=6, key=KEY, dtype=np.float64)
    how = {"prefix": "ab", "seed": 1}
    long, short = (sample_texts(network, ABC, length=n, **how)[0] for n in (20, 4))
    assert (len(long), len(short)) == (22, 6)
    assert long.startswith(short)
    with pytest.raises(ChainruleError) as caught:
        sample_texts(network, ABC, prefix="abcabc")
    assert str(caught.value) == (
        "the prefix: expected at most 5 characters, the context of the transformer; got 6.\n"
        "Try its last 3, or training with --context 12."
    )


def test_what_a_transformer_adds_is_what_its_steps_say():
    """With a temperature near 0, each character is the most likely one after those before it.

    Six are drawn, and then three more, from the last three with the one before them.
    """
    lines = Characters(Vocabulary("\nab"))
    network = LanguageModel("transformer", 4, hidden=(8,), context=6, key=KEY, dtype=np.float64)
    [text] = sample_texts(network, lines, prefix="ba", length=7, temperature=1e-6)
    ids = lines.ids(text)
    assert ids[:3].tolist() == [1, 3, 2]  # after a line feed
    forward = jax.jit(lambda network, ids: network(ids))
    for window, drawn in ((ids[:6], ids[3:7]), (ids[3:9], ids[7:10])):
        Z = forward(network, jnp.asarray(window[:, None]))[-len(drawn) :, 1:, 0]
        assert drawn.tolist() == (1 + Z.argmax(axis=1)).tolist()


# Runs


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run, and what a kill leaves that meets its training just before it is saved."""
    folder = tmp_path_factory.mktemp("text")
    words = np.random.default_rng(0).choice(["the ", "cat ", "sat\n", "on a "], 400)
    (folder / "a.txt").write_text("".join(words))
    compare = run_folder._compare

    def keep(*systems):
        shutil.copytree(folder / "run.partial", folder / "killed.partial")
        compare(*systems)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_folder, "_compare", keep)
        made = train_sequence_model(
            "generate", folder / "a.txt", out=folder / "run", context=16, **QUICK
        )
    return made, folder


@pytest.mark.usefixtures("float32_world")
class TestARun:
    """A language model of one text, trained once."""

    def test_what_is_saved_is_what_is_loaded(self, whole):
        made, _ = whole
        again = load(made.path)
        assert again.sample(2, seed=3, length=20) == made.sample(2, seed=3, length=20)
        assert again.recipe == made.recipe
        assert again.results == made.results
        assert again.tokenizer == made.tokenizer
        assert again.history.text() == made.history.text()
        assert again.kind == "generate"
        assert again.network.title == "lstm(11 -> 8 -> 11)"

    def test_it_learns(self, whole):
        made, _ = whole
        assert [*made.results] == ["train", "dev", "test"]
        assert made.results["dev"]["cost"] < np.log(12)
        assert made.results["dev"]["perplexity"] == pytest.approx(
            np.exp(made.results["dev"]["cost"])
        )
        sizes = made.facts["sizes"]
        assert made.results["test"]["m"] == sizes["test"]
        assert sizes["dev"] == sizes["test"] == sum(sizes.values()) // 20
        assert made.facts["duplicates"] == []

    def test_an_interrupted_one_ends_as_if_nothing_had_happened(self, whole):
        made, folder = whole
        again = resume(folder / "killed")
        weights = [run / "weights.safetensors" for run in (made.path, again.path)]
        assert weights[0].read_bytes() == weights[1].read_bytes()
        assert again.results == made.results

    def test_the_page(self, whole):
        made, _ = whole
        page = (made.path / "report.html").read_text()
        for words in ("nats a character", "Samples", "chainrule generate train", "LSTM"):
            assert words in page
        again, why = rebuild_report(made)
        assert (again.decode(), why) == (page, "")

    def test_it_reads_the_set_of_its_own_file(self, whole):
        made, folder = whole
        assert TASK.evaluate(made, made.read(str(folder / "a.txt"))) == made.results["test"]
        part = made.read(str(folder / "a.txt"), split="dev")
        assert part.name == "a.txt (dev)"
        (folder / "b.txt").write_text("the cat!")
        with pytest.warns(DataWarning, match=r"b.txt has 1 different character that the training"):
            assert TASK.evaluate(made, made.read(str(folder / "b.txt")))["m"] == 8

    def test_a_damaged_one_is_refused(self, whole, tmp_path):
        made, _ = whole
        saved = json.loads((made.path / "recipe.json").read_text())
        tokenizer = {"characters": "ab", "unit": "characters", "lines": False}
        for change, words in (
            (tokenizer, "expected 3 ids, as the tokenizer has; got lstm(11 -> 8 -> 11)."),
            (tokenizer | {"characters": "ba"}, "the tokenizer, characters: expected characters in"),
            (tokenizer | {"unit": "words"}, "the tokenizer"),
        ):
            changed = saved | {"tokenizer": change}
            contents = SavedContents(changed, made.network, {}, made.history, tmp_path)
            with pytest.raises(ChainruleError) as caught:
                Generator.restore(contents)
            assert words in str(caught.value)


@pytest.mark.usefixtures("float32_world")
@pytest.mark.parametrize("name", ["gru", "transformer"])
def test_lines_of_bytes(name, tmp_path):
    names = [f"{a}é{b}" for a in "klmnp" for b in "aeiou"]
    (tmp_path / "names.txt").write_text("\n".join(names))
    made = train_sequence_model(
        "generate",
        tmp_path / "names.txt",
        out=tmp_path / "run",
        lines=True,
        unit="bytes",
        network=name,
        test="none",
        **QUICK,
    )
    assert made.network.context == 5  # "é" is two bytes, and the end is read too
    assert made.tokenizer.V == 10 + 2 + 3  # letters, the bytes of "é", unknown, start and end
    assert made.results["dev"]["m"] == 5 * made.facts["sizes"]["dev"]
    text = load(made.path).sample(prefix="ké")
    assert text[0].startswith("ké")
    assert made.tokenizer.description == "lines of 12 different bytes"


def test_the_command_that_repeats_it():
    recipe = GenerateRecipe("a b.txt", lines=True, hidden=(64, 32), network="gru", keep_prob=0.9)
    assert command(recipe) == (
        "chainrule generate train 'a b.txt' --hidden 64,32 --keep-prob 0.9 --lines --network gru"
    )
    assert GenerateRecipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_what_to_do_next():
    def scored(*costs):
        return {name: {"cost": c} for name, c in zip(("train", "dev", "test"), costs, strict=True)}

    found = advice("generate", scored(1.2, 1.5, 1.5))
    assert found.largest == "variance"
    assert "bias" not in found.gaps  # the entropy of the text is not known
    assert advice("generate", scored(1.2, 1.21, 1.21)).text() == (
        "  dev error − training error 0.010 · test error − dev error 0.000\n"
        "no gap stands out, so that a larger model may be better; next steps:\n"
        "  1. more units or layers: --hidden\n  2. more epochs: --epochs\n"
        "  3. a longer context: --context"
    )


# Messages


def refused(tmp_path, content, **options):
    file = tmp_path / "a.txt"
    file.write_bytes(content)
    with pytest.raises(ChainruleError) as caught:
        train_sequence_model("generate", file, out=tmp_path / "run", **options)
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]
    return str(caught.value).replace(f"{tmp_path}/", "")


TEXT = b"abcdefghij" * 6


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (b"", {}, "a.txt: expected a text; got an empty file.\nTry another file."),
        (
            b" \n\r\n",
            {"lines": True},
            "a.txt: expected a text; got only blank lines.\nTry another file.",
        ),
        (
            b"\xef\xbb\xbfab\nc\xff",
            {},
            "a.txt, line 2, offset 7: expected text in UTF-8; got the byte 0xff.\n"
            "Try saving it as UTF-8, or --unit bytes.",
        ),
        (
            b"a\0b",
            {},
            "a.txt, line 1, offset 1: expected text in UTF-8; got a zero byte.\n"
            "Try saving it as UTF-8, or --unit bytes.",
        ),
        (
            b"abc",
            {},
            "a.txt: expected at least 20 characters, so that each set has one; got 3.\n"
            "Try a longer text, or --dev none --test none.",
        ),
        (
            b"a",
            {"dev": "none", "test": "none"},
            "a.txt: expected a text of at least 2 characters in the training set; got 1.\n"
            "Try a longer text.",
        ),
        (
            TEXT,
            {"context": 60},
            "--context: expected at most 54, the characters of the training set; got 60.\n"
            "Try --context 5.",
        ),
        (
            b"ab\nabcd\na\nb\nc\nd\n",
            {"lines": True, "context": 4},
            "--context: expected at least 5, the longest line of the train set with its end; got "
            "4.\nTry --context 5.",
        ),
        (
            TEXT,
            {"context": 1},
            "--context: expected a whole number of at least 2; got 1.\nTry 64.",
        ),
        (
            TEXT,
            {"network": "transformer", "hidden": (8, 4)},
            "--hidden: expected equally many units in every layer of a transformer and in its "
            "embedding; got 8,4.\nTry 8,8.",
        ),
        (TEXT, {"keep_prob": 0.0}, "--keep-prob: expected a number greater than 0 and at most 1;"),
        (
            TEXT,
            {"hidden": (2**19,)},
            "weights of 524288 × 524288: expected at most ",
        ),
    ],
)
def test_texts_and_options_that_are_refused(tmp_path, content, options, words):
    assert refused(tmp_path, content, **options).startswith(words)


def test_samples_that_are_refused():
    model = constant(ABC, [0.1, 0.2, 0.3, 0.4])
    for options, words in (
        ({"temperature": 0.0}, "temperature: expected a number greater than 0; got 0.0.\nTry 0.8."),
        ({"count": 0}, "count: expected a whole number of at least 1; got 0.\nTry 10."),
        ({"length": 0}, "length: expected a whole number of at least 1; got 0.\nTry 200."),
    ):
        with pytest.raises(ChainruleError) as caught:
            drawn(model, **options)
        assert str(caught.value) == words


def test_an_unknown_kind_is_refused(tmp_path):
    train = partial(train_sequence_model, "detect", "a.txt", out=tmp_path / "run")
    with pytest.raises(ChainruleError, match="the kind of sequence task: expected one of 2 choice"):
        train()
