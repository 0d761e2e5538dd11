"""The task of `chainrule translate`: from pairs of texts to the translation of new ones.

Notes: "Basic models", "Beam search", "Bleu score" and "Attention model" (course 5, week 3);
"Transformer network" (course 5, week 4).

    source    a text file with a source, a tab and a target on each line; see `pairs.py`
    cost      the mean of −log p of each token of a target, given the source and those before it
    scores    exact match, token error rate and BLEU of translations by beam search

Each setting that the recipe leaves open is that of `DEFAULTS`, or depends on the size of the data.
The network of the epoch with the lowest cost on the dev set is kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from chainrule.blocks.costs import steps_softmax_cost
from chainrule.data.batches import steps_per_epoch
from chainrule.errors import DataError, check_integer, check_number
from chainrule.formatting import count_of
from chainrule.host.randomness import key_from_seed
from chainrule.inspection.plots import cost_curve
from chainrule.inspection.report.content import set_name
from chainrule.inspection.report.html import Html, table
from chainrule.inspection.report.task_report import report
from chainrule.inspection.sequence_plots import plot_attention
from chainrule.models.translator import Translator
from chainrule.sequence.recipe import ALPHA, BEAM, TranslateRecipe
from chainrule.sequence.task import SequenceJob, SequenceModel, SequenceTask, adam_with_cosine
from chainrule.sequence.translation.decoding import (
    Attention,
    Translation,
    attention,
    cost,
    scores,
    translations,
)
from chainrule.sequence.translation.pairs import (
    PairSet,
    PairTokens,
    as_array,
    check_sizes,
    read_pairs,
    read_sets,
    warn_of_unknown,
)
from chainrule.train.examples import Examples
from chainrule.train.metrics import sequence_accuracy
from chainrule.train.step import InputsRow, SequenceRow

BATCH = 64
CLIP_NORM = 1.0
MOST_EVALUATED = 1000
"""The most sources of the training set on which a model is evaluated."""
DEV_OUTPUTS = 2**26
"""The most outputs of the network for the pairs of the dev set on which epochs are compared."""
PROBED = 8
"""The steps of the texts on which a saved network is compared with the one in memory."""
SHOWN, DRAWN = 10, 3
"""The translations in the report: how many are listed, and for how many the attention is drawn."""


class Settings(NamedTuple):
    """The settings of a network that its recipe leaves open.

    hidden          the units of each layer
    embedding_size  the numbers of a token's vector; None for that of a transformer's layers
    keep_prob       dropout
    learning_rate   α of Adam
    steps           about the number of steps of the training
    epochs          the fewest and the most epochs
    """

    hidden: tuple[int, ...]
    embedding_size: int | None
    keep_prob: float
    learning_rate: float
    steps: int
    epochs: tuple[int, int]


DEFAULTS = {
    "attention": Settings((192,), 64, 0.8, 0.002, 5000, (5, 60)),
    "transformer": Settings((128, 128), None, 0.9, 0.001, 5000, (5, 60)),
}


@dataclass(frozen=True, eq=False)
class TranslationModel(SequenceModel):
    """A trained model of `chainrule translate`.

    Its fields are those of `SequenceModel`; `tokenizer` is a `PairTokens`.
    """

    @property
    def input_row(self) -> InputsRow:
        """The form of the network's input: the ids of a few steps of source and target."""
        ids = SequenceRow((PROBED,), np.dtype(np.int32))
        return InputsRow((ids, ids))

    def translations(
        self, X: Iterable[str], *, beam: int = BEAM, alpha: float = ALPHA
    ) -> list[Translation]:
        """Return the translation of each text, with its log-probability and its score.

        The score is log p / length^alpha; `beam` beginnings are kept at each step. Tokens that the
        vocabulary lacks are read as unknown, with a warning.
        """
        check_integer("translations(beam=…)", beam, hint="5")
        check_number("translations(alpha=…)", alpha, minimum=0, hint="0.6")
        texts = self.check_texts(X)
        warn_of_unknown(self.tokenizer.source, texts, "the text")
        return translations(self.network, self.tokenizer, texts, beam=beam, alpha=alpha)

    def predict(self, X: Iterable[str]) -> np.ndarray:
        """Return the translation of each text (m,)."""
        return as_array(one.text for one in self.translations(X))

    def attention(self, source: str, target: str | None = None) -> Attention:
        """Return how much each token of a target takes of each token of its source.

        By default, the target is the translation of the source.
        """
        (source,) = self.check_texts([source])
        if target is None:
            (target,) = self.predict([source])
        return attention(self.network, self.tokenizer, source, str(target))

    def evaluate(self, X: Iterable[str], y: Any = None) -> dict[str, Any]:
        """Return m, exact match, token error rate, BLEU and cost on texts X.

        y has the target of each, or a list of several that are right.
        """
        X = self.check_texts(X)
        targets = tuple((one,) if isinstance(one, str) else tuple(one) for one in y)
        if len(targets) != len(X):
            raise DataError("y", f"{count_of(len(X), 'target')}, one for each text", f"{len(y)}")
        lines = np.arange(1, len(X) + 1)
        return self.task.evaluate(self, PairSet("X", as_array(X), targets, lines, ""))

    def check_texts(self, X: Iterable[str], place: str = "text") -> list[str]:
        """Return the texts, and refuse one without a token; `place` says where they are."""
        texts = [str(text) for text in X]
        for i, text in enumerate(texts, 1):
            if not text.strip():
                got = "an empty text" if not text else repr(text)
                raise DataError(f"{place} {i:,}", "a text to translate", got, "leaving it out")
        return texts


@dataclass(frozen=True, eq=False)
class TranslateJob(SequenceJob):
    """A training run whose pairs have been read."""

    def fit(self, *given: Any, **options: Any) -> TranslationModel:
        """Train, evaluate every set, and keep a few translations for the report."""
        model: Any = super().fit(*given, **options)
        part = self.parts[self.result_set].excerpt(SHOWN)
        translated = model.predict(part.X)
        texts = zip(part.X, part.targets, translated, strict=True)
        shown = [[source, " / ".join(targets), found] for source, targets, found in texts]
        return replace(model, facts=model.facts | {"translations": shown})


class Translate(SequenceTask):
    """The task of translation: see `SequenceTask` in `sequence/task.py`."""

    title = "translator"
    example = "text"
    recipe = TranslateRecipe
    trained = TranslationModel
    main = "exact_match"
    words: ClassVar = {
        "exact_match": "exact match",
        "error_rate": "token error rate",
        "bleu": "BLEU",
        "cost": "cost J",
    }
    captions: ClassVar = {
        "attention.png": "How much each token of a translation (rows) takes of each token of its "
        "source (columns)."
    }
    remedies: ClassVar = {
        "bias": ("more units or layers: --hidden", "more epochs: --epochs"),
        "variance": (
            "more pairs",
            "stronger dropout: a lower --keep-prob",
            "fewer units: --hidden",
        ),
        "overfitting to dev": ("more dev pairs, or fewer comparisons on them",),
    }

    def open(self, recipe: TranslateRecipe) -> TranslateJob:
        """Read the pairs, split them, and learn their tokens."""
        parts = read_sets(recipe)
        unit = recipe.unit
        tokens = PairTokens.learn(parts["train"], unit, recipe.target_unit or unit)
        for name, part in parts.items():
            check_sizes(part, tokens, f"the {set_name(name)} of {part.name}")
            if name != "train":
                warn_of_unknown(tokens.source, part.X, f"the {set_name(name)} of {part.name}")
        return TranslateJob(recipe, parts, tokens)

    def tokenizer(self, saved: Mapping[str, Any]) -> PairTokens:
        """Restore the tokens."""
        return PairTokens.from_saved(saved)

    def check_network(self, network: Any, tokenizer: PairTokens) -> None:
        """Refuse a saved network that is no translator of these tokens."""
        made = (len(tokenizer.source), tokenizer.n_L)
        if not isinstance(network, Translator) or (network.n_x, network.n_L) != made:
            expected = f"a translator from {made[0]} to {made[1]} ids, as the tokenizer has"
            raise DataError("the network", expected, network.title)

    def network(self, job: SequenceJob) -> Translator:
        """Return the initial network."""
        recipe, tokens = job.recipe, job.tokenizer
        settings = DEFAULTS[recipe.network or "attention"]
        hidden = recipe.hidden or settings.hidden
        if recipe.network == "transformer" and recipe.embedding_size and not recipe.hidden:
            hidden = (recipe.embedding_size,) * len(hidden)
        return Translator(
            recipe.network or "attention",
            len(tokens.source),
            tokens.n_L,
            hidden=hidden,
            embedding_size=recipe.embedding_size or settings.embedding_size,
            keep_prob=settings.keep_prob if recipe.keep_prob is None else recipe.keep_prob,
            key=key_from_seed(recipe.seed),
        )

    def examples(self, job: SequenceJob, name: str) -> Examples:
        """Return the examples of the set "train" or "dev"."""
        pairs = job.parts[name].pairs
        if name == "dev":
            longest = max(len(job.tokenizer.target.split(target)) for _, target in pairs) + 1
            pairs = pairs[: max(1, DEV_OUTPUTS // (longest * job.tokenizer.n_L))]
        return job.tokenizer.examples(pairs)

    def training(self, job: SequenceJob) -> dict[str, Any]:
        """Return the arguments of `fit` that the recipe decides."""
        recipe, settings = job.recipe, DEFAULTS[job.recipe.network or "attention"]
        m = len(job.parts["train"].pairs)
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
            "batch_size": batch_size,
            "seed": recipe.seed,
        }

    def excerpt(self, part: PairSet) -> PairSet:
        """Return up to 1,000 sources of the training set."""
        return part.excerpt(MOST_EVALUATED)

    def evaluate(self, model: TranslationModel, part: PairSet) -> dict[str, Any]:
        """Return m, exact match, token error rate, BLEU and cost."""
        network, tokens = model.network, model.tokenizer
        found = [one.text for one in translations(network, tokens, part.X.tolist())]
        J = cost(network, tokens.examples(part.pairs))
        return {"m": len(part), **scores(tokens, found, part.targets), "cost": J}

    def read(self, model: TranslationModel, source: str, split: str) -> PairSet:
        """Read pairs; of the file on which the model was trained, the set `split`."""
        found = read_pairs(source)
        if found.digest == model.facts.get("digests", {}).get("train"):
            recipe = type(model.recipe).from_dict(model.recipe.to_dict() | {"source": source})
            parts = read_sets(recipe)
            if split in parts:
                return replace(parts[split], name=f"{found.name} ({split})")
        warn_of_unknown(model.tokenizer.source, found.X, found.name)
        return found

    def describe_data(self, job: SequenceJob) -> str:
        """Return the sizes of the data and of its sets, as text."""
        total = sum(len(part.pairs) for part in job.parts.values())
        lines = [f"{job.recipe.source}: {count_of(total, 'pair')}, {job.tokenizer.description}"]
        for name, part in job.parts.items():
            pairs = "" if len(part.pairs) == len(part) else f", {count_of(len(part.pairs), 'pair')}"
            lines.append(f"  {name:5} {count_of(len(part), 'text')}{pairs}")
        return "\n".join(lines)

    def files(self, model: TranslationModel, job: SequenceJob) -> dict[str, bytes]:
        """Return the cost curve, the attention for a few texts, and the report."""
        sources = [source for source, *_ in model.facts["translations"]][:DRAWN]
        drawn = plot_attention([model.attention(source) for source in sources])
        plots = {"cost.png": cost_curve(model.history), "attention.png": drawn}
        return {**plots, "report.html": report(model, plots)}

    def sections(self, model: TranslationModel) -> dict[str, tuple[str, Html | None]]:
        """Return the section of the report with a few translations."""
        rows: Sequence[Sequence[str]] = model.facts.get("translations", [])
        if not rows:
            return {}
        head = ["source", "target", "translation"]
        caption = "A few texts of the set whose results are reported"
        shown = table(caption, head, [list(row) for row in rows], words=(0, 1, 2))
        return {"translations": ("Translations", shown)}


TASK = Translate()
