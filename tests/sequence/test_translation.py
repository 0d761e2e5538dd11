"""chainrule/sequence/translation: pairs, scores, and models that are trained, saved and used."""

import io
import json
import shutil
import sys
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule import load, resume, train_sequence_model
from chainrule.blocks.costs import steps_softmax_cost
from chainrule.errors import ChainruleError, DataWarning
from chainrule.inspection.report.content import command
from chainrule.inspection.report.task_report import rebuild_report
from chainrule.models.translator import Translator
from chainrule.runs import folder as run_folder
from chainrule.runs.run import SavedContents
from chainrule.sequence.recipe import TranslateRecipe
from chainrule.sequence.translation.decoding import attention, cost, scores, translations
from chainrule.sequence.translation.pairs import (
    PairSet,
    PairTokens,
    Tokens,
    as_array,
    read_pairs,
    read_sets,
)
from chainrule.sequence.translation.task import TASK, TranslationModel
from chainrule.train.history import History
from chainrule.train.step import columns
from tests.cli.command import chainrule

KEY = jax.random.key(0)
QUICK = {"hidden": (8,), "embedding_size": 4, "epochs": 2, "batch_size": 16}
ABC = PairTokens(Tokens("characters", ("a", "b", "c")), Tokens("words", ("A", "B", "C")), 5)


def pairs_of(letters="abc", longest=4):
    """Texts, and their letters in upper case, backwards and with spaces."""
    texts = ["".join(one) for n in range(1, longest + 1) for one in product(letters, repeat=n)]
    return [(text, " ".join(text[::-1].upper())) for text in texts]


def written(file, pairs):
    file.write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
    return str(file)


# Pairs and tokens


def test_a_source_may_have_several_targets(tmp_path):
    file = tmp_path / "a.tsv"
    file.write_bytes("\ufeffa\tA\r\n\r\nb\tB b\nb\tB\na\tA\n a\tA\n".encode())
    found = read_pairs(str(file))
    assert found.X.tolist() == ["a", "b", " a"]
    assert found.targets == (("A",), ("B b", "B"), ("A",))
    assert found.lines.tolist() == [1, 3, 6]
    assert found.pairs == [("a", "A"), ("b", "B b"), ("b", "B"), (" a", "A")]
    assert found.rows([1]).pairs == [("b", "B b"), ("b", "B")]


def test_no_source_is_in_two_sets(tmp_path):
    pairs = pairs_of()
    source = written(tmp_path / "a.tsv", pairs + [(text, "C") for text, _ in pairs])
    parts = read_sets(TranslateRecipe(source))
    assert [len(part) for part in parts.values()] == [72, 24, 24]
    found = [text for part in parts.values() for text in part.X]
    assert sorted(found) == sorted(text for text, _ in pairs)
    other = written(tmp_path / "b.tsv", pairs[:7])
    parts = read_sets(TranslateRecipe(source, dev=other, test="none"))
    assert {name: len(part) for name, part in parts.items()} == {"train": 120, "dev": 7}


def test_ids_by_hand():
    assert ABC.source.ids("cab!").tolist() == [3, 1, 2, 0]
    assert ABC.target.ids(" B  A x").tolist() == [2, 1, 0]
    assert ABC.target.text([2, 0, 1, ABC.target.end, 3]) == "B � A"
    assert ABC.source.text([2, 0, 1]) == "b�a"
    assert (ABC.target.end, ABC.target.start, ABC.n_L) == (4, 5, 5)
    found = ABC.examples([("ab", "B A"), ("c", "C")])
    source, target = found.X.parts
    assert source.values.tolist() == [[1, 2], [3, 0]]
    assert target.values.tolist() == [[5, 2, 1], [5, 3, 0]]
    assert target.lengths.tolist() == [3, 2]
    assert found.Y.tolist() == [[2, 1, 4], [3, 4, -1]]


def test_rare_tokens_of_many_texts_teach_the_unknown_one():
    texts = [f"{'a' * (1 + i % 2)}{chr(1000 + i // 2)}" for i in range(998)] + ["ab", "c"]
    targets = tuple((text[-1],) for text in texts)
    train = PairSet("a", as_array(texts), targets, np.arange(1000), "")
    found = PairTokens.learn(train, "characters", "characters")
    assert found.source.tokens == ("a", *map(chr, range(1000, 1499)))
    assert {*"bc"} <= {*found.target.tokens}
    assert found.longest == 2


# Translations and their scores


def test_scores_by_hand():
    """Distances 0, 1 and 1 to the nearest, of 2, 2 and 1 tokens."""
    references = [("A B", "C"), ("A A A", "B B"), ("C",)]
    found = scores(ABC, ["A B", "B", ""], references)
    assert found["exact_match"] == pytest.approx(1 / 3)
    assert found["error_rate"] == pytest.approx(2 / 5)
    assert found["bleu"] == 0.0  # there is no match of four words
    assert scores(ABC, ["A B C A"], [("A B C A", "B")])["bleu"] == pytest.approx(1)


def network_of(name="attention", **more):
    made = Translator(name, 4, 5, hidden=(8,), key=KEY, dtype=np.float64, **more)
    return jax.tree.map(lambda x: 2 * x, made)


@pytest.mark.parametrize("name", ["attention", "transformer"])
def test_a_translation_does_not_depend_on_the_others(name):
    texts = ["abcabcabcabc", "a", "cb", "ab", "a"]
    network = network_of(name)
    together = translations(network, ABC, texts, beam=2)
    for text, one in zip(texts, together, strict=True):
        alone = translations(network, ABC, [text], beam=2)[0]
        assert alone.text == one.text
        np.testing.assert_allclose(alone[1:], one[1:], atol=1e-6)
    assert len({one.log_prob for one in together}) == 4


def steps_of(examples):
    return jax.tree.map(jnp.asarray, columns(examples.X))


def test_the_cost_is_that_of_all_tokens():
    network = network_of()
    examples = ABC.examples([(text, target) for text, target in pairs_of(longest=3)])
    Z = jax.jit(lambda network, X: network(X))(network, steps_of(examples))
    direct = steps_softmax_cost(Z, jnp.asarray(examples.Y.T))
    np.testing.assert_allclose(cost(network, examples), direct, rtol=1e-12)


def test_the_attention_is_that_of_the_network():
    network = network_of()
    found = attention(network, ABC, "cab", "A B")
    assert (found.source, found.target) == (["c", "a", "b"], ["A", "B", "end"])
    example = ABC.examples([("cab", "A B")])
    weights = jax.jit(lambda network, X: network.weights(X))(network, steps_of(example))
    np.testing.assert_allclose(found.weights, weights[..., 0])


def test_a_token_that_the_vocabulary_lacks_is_read_as_unknown():
    model = TranslationModel(network_of(), ABC, TranslateRecipe("a.tsv"), History(), {})
    with pytest.warns(DataWarning) as caught:
        found = model.predict(["aé", "z"])
    assert str(caught[0].message) == (
        "the text has 2 different characters that the vocabulary lacks, which are read as unknown: "
        "'z', 'é'"
    )
    assert found.tolist() == [one.text for one in translations(model.network, ABC, ["a!", "!"])]
    assert model.evaluate(["a", "b"], ["A", ["B", "C"]])["m"] == 2
    for call, words in (
        (lambda: model.predict(["a", " "]), "text 2: expected a text to translate; got ' '."),
        (lambda: model.evaluate(["a"], []), "y: expected 1 target, one for each text; got 0."),
        (
            lambda: model.translations(["a"], beam=0),
            "translations(beam=…): expected a whole number of at least 1; got 0.",
        ),
    ):
        with pytest.raises(ChainruleError) as caught:
            call()
        assert str(caught.value).startswith(words)


# Runs


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run, and what a kill leaves that meets its training just before it is saved."""
    folder = tmp_path_factory.mktemp("pairs")
    source = written(folder / "a.tsv", [*pairs_of(), ("abc", "C B A A")])
    compare = run_folder._compare

    def keep(*systems):
        shutil.copytree(folder / "run.partial", folder / "killed.partial")
        compare(*systems)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_folder, "_compare", keep)
        how = {**QUICK, "target_unit": "words"}
        made = train_sequence_model("translate", source, out=folder / "run", **how)
    return made, folder


@pytest.mark.usefixtures("float32_world")
class TestARun:
    """A translator of short texts, trained once."""

    def test_what_is_saved_is_what_is_loaded(self, whole):
        made, _ = whole
        again = load(made.path)
        assert again.translations(["abc", "c"]) == made.translations(["abc", "c"])
        assert again.recipe == made.recipe
        assert again.results == made.results
        assert again.tokenizer == made.tokenizer
        assert again.history.text() == made.history.text()
        assert again.kind == "translate"
        assert again.network.title == "attention(4 -> 8 -> 5)"
        assert again.attention("ab").weights.shape[1] == 2

    def test_its_results(self, whole):
        made, _ = whole
        assert [found["m"] for found in made.results.values()] == [72, 24, 24]
        assert made.results["dev"]["cost"] < np.log(5)
        assert made.facts["sizes"] == {"train": 72, "dev": 24, "test": 24}
        assert made.facts["duplicates"] == []
        assert made.tokenizer.longest == 6

    def test_an_interrupted_one_ends_as_if_nothing_had_happened(self, whole):
        made, folder = whole
        again = resume(folder / "killed")
        weights = [run / "weights.safetensors" for run in (made.path, again.path)]
        assert weights[0].read_bytes() == weights[1].read_bytes()
        assert again.results == made.results

    def test_the_page(self, whole):
        made, _ = whole
        page = (made.path / "report.html").read_text()
        for words in ("exact match", "Translations", "chainrule translate train", "Attention"):
            assert words in page
        assert page.count("data:image/png") == 1
        assert (made.path / "attention.png").read_bytes().startswith(b"\x89PNG")
        again, why = rebuild_report(made)
        assert (again.decode(), why) == (page, "")

    def test_it_reads_the_set_of_its_own_file(self, whole, tmp_path):
        made, folder = whole
        assert TASK.evaluate(made, made.read(str(folder / "a.tsv"))) == made.results["test"]
        assert made.read(str(folder / "a.tsv"), split="dev").name == "a.tsv (dev)"
        file = written(tmp_path / "b.tsv", [("ab", "B A"), ("x", "X")])
        with pytest.warns(DataWarning, match=r"b.tsv has 1 different character that the vocab"):
            assert TASK.evaluate(made, made.read(file))["m"] == 2

    def test_a_damaged_one_is_refused(self, whole, tmp_path):
        made, _ = whole
        saved = json.loads((made.path / "recipe.json").read_text())
        tokenizer = saved["tokenizer"]
        source = tokenizer["source"]
        for change, words in (
            ({"source": source | {"tokens": ["a"]}}, "expected a translator from 2 to 5 ids, as"),
            ({"source": source | {"tokens": ["b", "a"]}}, "source: expected characters in the or"),
            ({"source": source | {"tokens": ["ab"]}}, "source: expected characters in the order"),
            ({"longest": 0}, "the tokenizer"),
        ):
            changed = saved | {"tokenizer": tokenizer | change}
            contents = SavedContents(changed, made.network, {}, made.history, tmp_path)
            with pytest.raises(ChainruleError) as caught:
                TranslationModel.restore(contents)
            assert words in str(caught.value)

    def test_the_commands(self, whole, tmp_path, monkeypatch):
        made, folder = whole
        for name in ("run", "a.tsv"):
            (tmp_path / name).symlink_to(folder / name)
        words = ("translate", "predict", "run")
        drawn = chainrule(tmp_path, *words, "abc", "ca", "--attention", "map.png")
        assert drawn.code == 0, drawn.err
        assert drawn.out.splitlines() == made.predict(["abc", "ca"]).tolist()
        assert drawn.err == "wrote map.png\n"
        assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
        (tmp_path / "texts.txt").write_text("abc\nca\n")
        assert chainrule(tmp_path, *words, "--file", "texts.txt").out == drawn.out
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"abc\r\nca")))
        assert chainrule(tmp_path, *words, "-").out == drawn.out
        said = chainrule(tmp_path, *words, "abc", "--json", "--beam", 1, "-o", "found.txt")
        line = json.loads(said.out)
        greedy = made.translations(["abc"], beam=1)[0]
        names = ("translation", "log_prob", "score")
        assert line["translations"] == [{"source": "abc", **dict(zip(names, greedy, strict=True))}]
        assert (line["beam"], line["alpha"]) == (1, 0.6)
        assert (tmp_path / "found.txt").read_text() == f"{greedy.text}\n"
        said = chainrule(tmp_path, "translate", "evaluate", "run", "a.tsv", "--json")
        assert json.loads(said.out) == made.results["test"]
        said = chainrule(tmp_path, "predict", "run", "a.tsv")
        assert said.err.endswith("Try chainrule translate predict run TEXT.\n")

    def test_commands_that_are_refused(self, whole, tmp_path):
        _, folder = whole
        (tmp_path / "run").symlink_to(folder / "run")
        (tmp_path / "blank.txt").write_text("a\n\nb\n")
        (tmp_path / "latin.txt").write_bytes(b"a\n\xfc\n")
        (tmp_path / "empty.txt").write_text("")
        where, hint = "chainrule translate predict", 'Try chainrule translate predict run "TEXT".\n'
        for words, message in (
            ((), f"{where}: expected TEXT…, or --file FILE; got neither.\n{hint}"),
            (
                ("a", "--file", "blank.txt"),
                f"{where}: expected TEXT…, or --file FILE; got both.\n{hint}",
            ),
            (
                ("--file", "blank.txt"),
                "blank.txt, line 2: expected a text to translate; got an empty text.\n"
                "Try leaving it out.\n",
            ),
            (
                ("--file", "latin.txt"),
                "latin.txt, line 2: expected text in UTF-8; got the byte 0xfc.\n"
                "Try saving it as UTF-8.\n",
            ),
            (
                ("--file", "empty.txt"),
                "empty.txt: expected texts to translate, one a line; got none.\n"
                "Try another file.\n",
            ),
            (
                ("a", "--attention", "blank.txt"),
                "--attention: expected a file that does not exist yet; got blank.txt.\n"
                "Try another file, or --force to replace it.\n",
            ),
            (
                ("a", "--attention", "a.png", "-o", "a.png"),
                "--attention: expected another file than --output; got a.png.\nTry map.png.\n",
            ),
            (
                ("a", "--alpha", -1),
                "--alpha: expected a number of at least 0; got -1.0.\nTry 0.6.\n",
            ),
        ):
            said = chainrule(tmp_path, "translate", "predict", "run", *words)
            assert (said.code, said.out, said.err) == (2, "", message)


@pytest.mark.usefixtures("float32_world")
def test_a_transformer_without_dev_set(tmp_path):
    source = written(tmp_path / "a.tsv", pairs_of())
    how = {"unit": "words", "network": "transformer", "dev": "none", "test": "none"}
    how |= {"hidden": (8,), "epochs": 1}
    made = train_sequence_model("translate", source, out=tmp_path / "run", **how)
    assert [*made.results] == ["train"]
    assert made.network.title.startswith("transformer(121 -> 8 -> ")
    assert load(made.path).predict(["abc"]).shape == (1,)


def test_the_command_that_repeats_it():
    recipe = TranslateRecipe("a b.tsv", target_unit="words", hidden=(64,), network="attention")
    assert command(recipe) == (
        "chainrule translate train 'a b.tsv' --hidden 64 --target-unit words --network attention"
    )
    assert TranslateRecipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


# Messages


def refused(tmp_path, content, **options):
    file = tmp_path / "a.tsv"
    file.write_bytes(content)
    with pytest.raises(ChainruleError) as caught:
        train_sequence_model("translate", file, out=tmp_path / "run", **options)
    assert [one.name for one in tmp_path.iterdir()] == ["a.tsv"]
    return str(caught.value).replace(f"{tmp_path}/", "")


PAIRS = b"".join(b"%d\t%d\n" % (i, i) for i in range(9))


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (
            b"a\tb\nc\td\te\n",
            {},
            "a.tsv, line 2: expected a source, a tab and a target; got 3 columns.\n"
            "Try leaving out the other columns.",
        ),
        (
            b"a\tb\n\nc d\n",
            {},
            "a.tsv, line 3: expected a source, a tab and a target; got 1 column.\n"
            "Try a tab between the two.",
        ),
        (
            b"a\tb\n\tb\n",
            {},
            "a.tsv, line 2: expected a source, a tab and a target; got an empty source.\n"
            "Try leaving out this line.",
        ),
        (
            b"a\t \n",
            {},
            "a.tsv, line 1: expected a source, a tab and a target; got an empty target.\n"
            "Try leaving out this line.",
        ),
        (
            b"",
            {},
            "a.tsv: expected pairs of texts, a source, a tab and a target on each line; got an "
            "empty file.\nTry another file.",
        ),
        (
            b" \n",
            {},
            "a.tsv: expected pairs of texts, a source, a tab and a target on each line; got only "
            "blank lines.\nTry another file.",
        ),
        (
            b"a\tb\nc\xff\td\n",
            {},
            "a.tsv, line 2: expected text in UTF-8; got the byte 0xff.\nTry saving it as UTF-8.",
        ),
        (
            b"a\tb\0\n",
            {},
            "a.tsv, line 1: expected text in UTF-8; got a zero byte.\nTry saving it as UTF-8.",
        ),
        (
            b"a\tb\nb\tc\n",
            {},
            "the split: expected at least 5 examples, so that each set has one; got 2.\n"
            "Try adding examples, or providing separate dev and test files.",
        ),
        (
            PAIRS,
            {"hidden": (63,)},
            "--hidden: expected even numbers, half of the units for each direction of the encoder; "
            "got 63.\nTry 64.",
        ),
        (
            PAIRS,
            {"network": "transformer", "hidden": (32, 64)},
            "--hidden: expected equally many units in every layer of a transformer and in its "
            "embedding; got 32,64.\nTry 32,32.",
        ),
        (
            PAIRS,
            {"network": "transformer", "hidden": (32,), "embedding_size": 64},
            "--hidden: expected equally many units in every layer of a transformer and in its "
            "embedding; got 32 and an embedding of 64.\nTry 32, without --embedding-size.",
        ),
        (
            PAIRS,
            {"target_unit": "tokens"},
            "--target-unit: expected one of 2 choices; got 'tokens'.\n"
            "Try one of characters, words.",
        ),
    ],
)
def test_pairs_and_options_that_are_refused(tmp_path, content, options, words):
    assert refused(tmp_path, content, **options) == words


def test_texts_that_are_too_long_for_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.host.machine.available_bytes", lambda: 10_000_000)
    long = b"x" * 400_000 + b"\ty\n"
    assert refused(tmp_path, PAIRS + long, dev="none", test="none") == (
        "the training set of a.tsv, whose longest source (line 10) has 400,000 characters: "
        "expected at most 10.00 MB, the free memory; got 32.00 MB.\nTry leaving out long texts."
    )
    model = TranslationModel(network_of(), ABC, TranslateRecipe("a.tsv"), History(), {})
    with pytest.raises(
        ChainruleError, match=r"the translations: expected at most 10\.00 MB, the f"
    ):
        model.predict(["a" * 400_000])
