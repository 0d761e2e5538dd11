"""The task of `chainrule generate`: a language model of a text, or of the lines of a file.

Notes: "Language model and sequence generation" (course 5, week 1).

    source    a text file; with `lines`, each of its lines is a text; see `texts.py`
    cost      the mean of −log p of each character, given those before it, in nats

Each setting that the recipe leaves open is that of `DEFAULTS`, or depends on the size of the data.
The network of the epoch with the lowest cost on the dev set is kept.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from chainrule.blocks.costs import steps_softmax_cost
from chainrule.data.batches import steps_per_epoch
from chainrule.data.sequences import Sequences
from chainrule.errors import DataError, OptionError
from chainrule.formatting import count_of
from chainrule.host.randomness import key_from_seed
from chainrule.inspection.plots import cost_curve
from chainrule.inspection.report.html import Html, element, together
from chainrule.inspection.report.task_report import report
from chainrule.models.language_model import LanguageModel
from chainrule.sequence.generation.sampling import LONGEST, sample_texts
from chainrule.sequence.generation.texts import (
    Characters,
    TextSet,
    as_array,
    learn_characters,
    read_sets,
    read_texts,
    warn_of_unknown,
)
from chainrule.sequence.generation.windows import (
    Windows,
    evaluation_windows,
    line_examples,
    predictions,
    scores,
    training_windows,
)
from chainrule.sequence.recipe import GenerateRecipe
from chainrule.sequence.task import SequenceJob, SequenceModel, SequenceTask, adam_with_cosine
from chainrule.train.examples import Examples
from chainrule.train.metrics import sequence_accuracy
from chainrule.train.step import SequenceRow

CONTEXT = 64
BATCH = 32
CLIP_NORM = 1.0
MOST_EVALUATED = 200_000
"""The most characters of the training set on which a model is evaluated."""
PROBED = 8
"""The steps of the texts on which a saved network is compared with the one in memory."""
SHOWN, SHOWN_LENGTH, SHOWN_TEMPERATURE = 10, 400, 0.8
"""The samples in the report: how many lines, or how many characters of one text."""


class Settings(NamedTuple):
    """The settings of a network that its recipe leaves open.

    hidden          the units of each layer for one text, and for lines
    embedding_size  the numbers of a character's vector; None for that of a transformer's layers
    keep_prob       dropout for one text, and for lines
    learning_rate   α of Adam
    steps           about the number of steps of the training
    epochs          the fewest and the most epochs
    """

    hidden: tuple[tuple[int, ...], tuple[int, ...]]
    embedding_size: int | None
    keep_prob: tuple[float, float]
    learning_rate: float
    steps: int
    epochs: tuple[int, int]


RECURRENT = Settings(((512,), (128,)), 64, (0.8, 0.8), 0.004, 3000, (2, 60))
DEFAULTS = {
    "lstm": RECURRENT,
    "gru": RECURRENT,
    "transformer": Settings(((128,) * 4, (64,) * 2), None, (0.9, 0.9), 0.002, 3000, (2, 60)),
}
FEWEST_WAITED, WAITED_SHARE = 5, 0.2
"""The epochs without a lower cost on the dev set after which training stops: at least this many,
and this share of all."""


@dataclass(frozen=True, eq=False)
class Generator(SequenceModel):
    """A trained model of `chainrule generate`, which predicts texts character by character.

    Its fields are those of `SequenceModel`; `tokenizer` is a `Characters`.
    """

    @property
    def input_row(self) -> SequenceRow:
        """The form of the network's input: the ids of a few steps."""
        return SequenceRow((min(PROBED, self.network.context),), np.dtype(np.int32))

    def sample(
        self,
        count: int = 1,
        *,
        prefix: str = "",
        temperature: float = 1.0,
        length: int = LONGEST,
        seed: int = 0,
    ) -> list[str]:
        """Return texts that begin with the prefix, to which up to `length` characters are added.

        A temperature below 1 prefers likely characters. The same seed returns the same texts.
        Characters of the prefix that the training set lacks are read as unknown, with a warning.
        """
        read = self.tokenizer.read(prefix)
        warn_of_unknown(self.tokenizer, [read], "the prefix", "the training set lacks")
        how: dict[str, Any] = {"prefix": prefix, "temperature": temperature}
        how |= {"length": length, "seed": seed}
        return sample_texts(self.network, self.tokenizer, count=count, **how)

    def predict(self, X: Iterable[str]) -> np.ndarray:
        """Return log P of each text (m,), the natural logarithm of its probability.

        That of a line contains its end. Texts of one text begin with a line feed.
        """
        texts = [(self.tokenizer.ids(self.tokenizer.read(text)), 1) for text in X]
        windows = self.windows(texts)
        found = predictions(self.network, windows.examples).log_p.sum(axis=1, dtype=np.float64)
        return np.bincount(windows.text, found, minlength=len(texts))

    def evaluate(self, X: Iterable[str], y: Any = None) -> dict[str, Any]:
        """Return m, the number of characters, the cost, bits, perplexity and accuracy on texts."""
        texts = as_array(map(self.tokenizer.read, X))
        return self.task.evaluate(self, TextSet("X", texts, "", self.tokenizer.lines))

    def windows(self, texts: Iterable[tuple[np.ndarray, int]]) -> Windows:
        """Return the windows of texts, each given by its ids and the first that is predicted."""
        limited = self.network.longest is not None
        return windows_of(texts, self.network.context, limited=limited)


def windows_of(texts: Iterable[tuple[np.ndarray, int]], context: int, *, limited: bool) -> Windows:
    """Return windows of the context, to which a transformer is limited, or longer ones.

    The steps that are counted have at least half of the context of a transformer before them, and
    the whole context with which a recurrent network was trained.
    """
    if limited:
        return evaluation_windows(texts, context, context // 2)
    return evaluation_windows(texts, 4 * context, context)


class Generate(SequenceTask):
    """The task of generation: see `SequenceTask` in `sequence/task.py`."""

    title = "language model"
    example = "character"
    recipe = GenerateRecipe
    trained = Generator
    main = "cost"
    errors = ("cost",)
    best_is_known = False
    words: ClassVar = {
        "cost": "nats a character",
        "bits": "bits a character",
        "perplexity": "perplexity",
        "accuracy": "accuracy",
    }
    remedies: ClassVar = {
        "bias": (
            "more units or layers: --hidden",
            "more epochs: --epochs",
            "a longer context: --context",
        ),
        "variance": (
            "more text",
            "stronger dropout: a lower --keep-prob",
            "fewer units: --hidden",
        ),
        "overfitting to dev": ("more dev text, or fewer comparisons on it",),
    }

    def open(self, recipe: GenerateRecipe) -> SequenceJob:
        """Read the text, split it, and learn its characters."""
        parts = read_sets(recipe)
        job = SequenceJob(recipe, parts, learn_characters(parts, recipe.unit))
        check_context(job)
        return job

    def tokenizer(self, saved: Mapping[str, Any]) -> Characters:
        """Restore the characters."""
        return Characters.from_saved(saved)

    def check_network(self, network: Any, tokenizer: Characters) -> None:
        """Refuse a saved network that is no language model of these characters."""
        V = getattr(network, "V", None) if isinstance(network, LanguageModel) else None
        if tokenizer.V != V:
            expected = f"{count_of(tokenizer.V, 'id')}, as the tokenizer has"
            raise DataError("the network", expected, network.title)

    def network(self, job: SequenceJob) -> LanguageModel:
        """Return the initial network."""
        recipe, settings = job.recipe, settings_of(job.recipe)
        of_lines = int(recipe.lines)
        hidden = recipe.hidden or settings.hidden[of_lines]
        embedding = recipe.embedding_size or settings.embedding_size
        if recipe.hidden is None and recipe.network == "transformer" and embedding:
            hidden = (embedding,) * len(hidden)
        keep_prob = settings.keep_prob[of_lines] if recipe.keep_prob is None else recipe.keep_prob
        return LanguageModel(
            recipe.network or "lstm",
            job.tokenizer.V,
            hidden=hidden,
            embedding_size=embedding,
            keep_prob=keep_prob,
            context=context_of(job),
            key=key_from_seed(recipe.seed),
        )

    def examples(self, job: SequenceJob, name: str) -> Examples:
        """Return the examples of the set "train" or "dev"."""
        part = job.parts[name]
        if name == "train" and not part.lines:
            return training_windows(job.tokenizer.ids(part.X[0]), context_of(job))[0]
        if name == "train":
            ids = [job.tokenizer.ids(text) for text in part.X]
            return line_examples(Sequences.of(ids, np.int32))
        context = context_of(job)
        texts = texts_of(part, job.tokenizer, context)
        return windows_of(texts, context, limited=job.recipe.network == "transformer").examples

    def training(self, job: SequenceJob) -> dict[str, Any]:
        """Return the arguments of `fit` that the recipe decides."""
        recipe, settings, train = job.recipe, settings_of(job.recipe), job.parts["train"]
        context, augment = context_of(job), None
        m = len(train)
        if not train.lines:
            windows, augment = training_windows(job.tokenizer.ids(train.X[0]), context)
            m = len(windows.X)
        batch_size = min(recipe.batch_size or BATCH, m)
        fewest, most = settings.epochs
        usual = round(settings.steps / steps_per_epoch(m, batch_size))
        epochs = recipe.epochs or max(fewest, min(most, usual))
        rate = recipe.learning_rate or settings.learning_rate
        return {
            "cost": steps_softmax_cost,
            "metric": sequence_accuracy,
            "optimizer": adam_with_cosine(rate, m, batch_size, epochs, clip_norm=CLIP_NORM),
            "epochs": epochs,
            "patience": max(FEWEST_WAITED, round(WAITED_SHARE * epochs)),
            "batch_size": batch_size,
            "seed": recipe.seed,
            "augment": augment,
        }

    def excerpt(self, part: TextSet) -> TextSet:
        """Return up to 200,000 characters of the training set."""
        return part.excerpt(MOST_EVALUATED)

    def evaluate(self, model: Generator, part: TextSet) -> dict[str, Any]:
        """Return m, the cost, bits, perplexity and accuracy."""
        texts = texts_of(part, model.tokenizer, model.network.context)
        windows = model.windows(texts)
        return scores(predictions(model.network, windows.examples), windows.examples.Y)

    def read(self, model: Generator, source: str, split: str) -> TextSet:
        """Read a text; of the file on which the model was trained, the set `split`."""
        characters = model.tokenizer
        found = read_texts(source, unit=characters.unit, lines=characters.lines)
        if found.digest == model.facts.get("digests", {}).get("train"):
            parts = read_sets(replace(model.recipe, source=source))
            if split in parts:
                return replace(parts[split], name=f"{found.name} ({split})")
        warn_of_unknown(characters, found.X, found.name, "the training set lacks")
        return found

    def describe_data(self, job: SequenceJob) -> str:
        """Return the sizes of the data and of its sets, as text."""
        total = sum(part.characters for part in job.parts.values())
        word = job.tokenizer.word
        lines = [f"{job.recipe.source}: {count_of(total, word)}, {job.tokenizer.description}"]
        for name, part in job.parts.items():
            rows = f"{count_of(len(part), 'line')}, " if part.lines else ""
            lines.append(f"  {name:5} {rows}{count_of(part.characters, word)}")
        return "\n".join(lines)

    def files(self, model: Generator, job: SequenceJob) -> dict[str, bytes]:
        """Return the cost curve and the report."""
        plots = {"cost.png": cost_curve(model.history)}
        return {**plots, "report.html": report(model, plots)}

    def sections(self, model: Generator) -> dict[str, tuple[str, Html | None]]:
        """Return the section of the report with sampled texts."""
        lines = model.tokenizer.lines
        how: dict[str, Any] = {"temperature": SHOWN_TEMPERATURE}
        how |= {"count": SHOWN} if lines else {"length": SHOWN_LENGTH}
        drawn = "\n".join(model.sample(**how))
        note = f"Drawn with the temperature {SHOWN_TEMPERATURE:g} and the seed 0."
        return {"samples": ("Samples", together([element("pre", drawn), element("p", note)]))}


TASK = Generate()


def settings_of(recipe: GenerateRecipe) -> Settings:
    """Return the settings of the recipe's network that it leaves open."""
    return DEFAULTS[recipe.network or "lstm"]


def texts_of(
    part: TextSet, characters: Characters, context: int
) -> Iterable[tuple[np.ndarray, int]]:
    """Yield the ids of each text, and the first of them that is predicted.

    What is before a part of a text is its context.
    """
    for text in part.X:
        if part.before:
            before = part.before[-context:]
            yield characters.vocabulary.ids(before + text), len(before)
        else:
            yield characters.ids(text), 1


def context_of(job: SequenceJob) -> int:
    """Return the context of the recipe; by default 64 characters, or the longest line."""
    recipe = job.recipe
    if recipe.context is not None:
        return recipe.context
    if not recipe.lines:
        return min(CONTEXT, len(job.parts["train"]))
    return max(2, longest_line(job)[0])


def longest_line(job: SequenceJob) -> tuple[int, str]:
    """Return the steps of the longest line of all sets, with its end, and where it is."""
    lengths = {name: max(map(len, part.X)) for name, part in job.parts.items()}
    name = max(lengths, key=lambda name: lengths[name])
    return lengths[name] + 1, f"the longest line of the {name} set"


def check_context(job: SequenceJob) -> None:
    """Refuse a context that is longer than the training text, or shorter than a line."""
    recipe, train = job.recipe, job.parts["train"]
    word = job.tokenizer.word
    if recipe.lines:
        longest, where = longest_line(job)
        if recipe.context is not None and recipe.context < longest:
            expected = f"at least {longest:,}, {where} with its end"
            raise OptionError("--context", expected, f"{recipe.context:,}", f"--context {longest}")
        return
    context = context_of(job)
    if len(train) < max(2, context):
        if recipe.context is not None and len(train) >= 2:
            expected = f"at most {len(train):,}, the {word}s of the training set"
            hint = f"--context {max(2, len(train) // 10)}"
            raise OptionError("--context", expected, f"{context:,}", hint)
        expected = f"a text of at least 2 {word}s in the training set"
        raise DataError(recipe.source, expected, f"{len(train)}", "a longer text")
