"""17: names that do not exist, from a network that has read others character by character.

Notes: "Language model and sequence generation" and "Sampling novel sequences" (course 5, week 1).
Made names of a language with two rules: all vowels of a name are from one group, a o u or e i, and
the last letter, n or s, belongs to the group. Each syllable is drawn by chance, so the lowest
possible cost is known. A model of pairs of letters forgets the vowel over a consonant.
Targets: the LSTM costs at most 0.03 nats a character more than is possible on names it has not
seen, and the model of pairs at least 0.15 more. Of the names that the LSTM draws, 0.95 follow both
rules and are of 2 to 4 syllables, and 0.8 are not among the training names; of those that the model
of pairs draws, at most 0.25 follow the rules. A prefix decides the group: after "ke", 0.95 of the
names go on with e and i. With a temperature of 2, fewer follow the rules. If the data is there, the
LSTM costs at least 0.15 nats a character less than the model of pairs on family names of 18
languages.
"""

import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from example import Example

from chainrule import train_sequence_model
from chainrule.blocks.decoding import draw
from chainrule.inspection.example_plots import plot_curves
from chainrule.sequence.generation.texts import Characters

CONSONANTS, GROUPS, LAST, SYLLABLES = "bdgklmnrstv", ("aou", "ei"), "ns", (2, 3, 4)
NAMES, DRAWN, REAL = 4000, 400, "sequences/names_nationality.zip"
OPTIONS: dict[str, Any] = {"lines": True, "hidden": (64,), "keep_prob": 1.0}
NEAR, PAIRS_ABOVE, FOLLOW, NEW, PAIRS_FOLLOW, LESS = 0.03, 0.15, 0.95, 0.8, 0.25, 0.15


def main() -> None:
    """Run all parts."""
    example = Example(__doc__ or "")
    with tempfile.TemporaryDirectory() as folder:
        made_names(example, Path(folder))
        if example.has(REAL):
            real_names(example, Path(folder))
    example.finish()


def made_name(rng: np.random.Generator) -> str:
    """Return a name that follows both rules."""
    group = rng.integers(2)
    syllables = rng.choice(SYLLABLES)
    letters = [rng.choice([*x]) for _ in range(syllables) for x in (CONSONANTS, GROUPS[group])]
    return "".join(letters) + LAST[group]


def least_nats(names: list[str]) -> float:
    """Return −log P a character of these names, with their ends, as `made_name` draws them."""
    total = sum(
        np.log(2 * len(SYLLABLES))
        + (len(name) - 1) / 2 * np.log(len(CONSONANTS) * len(GROUPS[group_of(name)]))
        for name in names
    )
    return float(total / sum(len(name) + 1 for name in names))


def group_of(name: str) -> int:
    """Return the group to which the last letter belongs."""
    return LAST.index(name[-1])


def follows(name: str) -> bool:
    """Return whether a name follows both rules."""
    if len(name) // 2 not in SYLLABLES or len(name) % 2 == 0 or name[-1] not in LAST:
        return False
    vowels = {*name[1::2]} <= {*GROUPS[group_of(name)]}
    return vowels and {*name[0:-1:2]} <= {*CONSONANTS}


class Pairs:
    """A model of pairs: P(y[t] | y[t−1]) from counts, one of which is added to each."""

    def __init__(self, names: list[str], characters: Characters):
        self.characters = characters
        counts = np.ones((characters.V, characters.V))
        for name in names:
            ids = characters.ids(name)
            np.add.at(counts, (ids[:-1], ids[1:]), 1)
        self.p = counts / counts.sum(axis=1, keepdims=True)

    def nats(self, names: list[str]) -> float:
        """Return the cost a character."""
        ids = [self.characters.ids(name) for name in names]
        costs = np.concatenate([-np.log(self.p[one[:-1], one[1:]]) for one in ids])
        return float(costs.mean())

    def sample(self, count: int, seed: int = 0) -> list[str]:
        """Return names that are drawn letter by letter."""
        rng, names = np.random.default_rng(seed), []
        for _ in range(count):
            ids = [self.characters.start]
            while ids[-1] != self.characters.end and len(ids) < 30:
                ids.append(int(draw(self.p[ids[-1]], rng.random())))
            names.append(self.characters.text(ids[1:]))
        return names


def made_names(example: Example, folder: Path) -> None:
    """Train on made names, and compare with what is possible and with pairs."""
    rng = np.random.default_rng(0)
    names = [made_name(rng) for _ in range(NAMES)]
    example.part(f"{NAMES:,} made names, such as {', '.join(names[:4])}")
    file = folder / "made.txt"
    file.write_text("\n".join(names))
    trained = train_sequence_model(
        "generate", file, out=folder / "made", epochs=10, batch_size=32, learning_rate=0.01,
        **OPTIONS,
    )  # fmt: skip
    known = trained.read(str(file), split="train").X.tolist()
    unseen = trained.read(str(file), split="test").X.tolist()
    pairs = Pairs(known, trained.tokenizer)
    least, cost, of_pairs = (
        least_nats(unseen), trained.evaluate(unseen)["cost"], pairs.nats(unseen)
    )  # fmt: skip
    said = f"{cost:.3f} nats a character, {least:.3f} are possible, {of_pairs:.3f} with pairs"
    right = cost - least <= NEAR and of_pairs - least >= PAIRS_ABOVE
    example.target(f"{said} (target {NEAR} and {PAIRS_ABOVE} above)", right)
    drawn = trained.sample(DRAWN)
    share, of_pairs = (rate(one) for one in (drawn, pairs.sample(DRAWN)))
    print(f"Drawn: {', '.join(drawn[:8])}")
    said = f"{share:.3f} of the names follow the rules, {of_pairs:.3f} with pairs"
    right = share >= FOLLOW and of_pairs <= PAIRS_FOLLOW
    example.target(f"{said} (target {FOLLOW}, {PAIRS_FOLLOW})", right)
    new = np.mean([name not in known for name in drawn])
    example.target(f"{new:.3f} are new (target {NEW})", bool(new >= NEW))
    of_prefix = trained.sample(DRAWN, prefix="ke")
    kept = np.mean([not {*name} & {*GROUPS[0]} for name in of_prefix])
    said = f'{kept:.3f} of the names after "ke" have only e and i (target {FOLLOW})'
    example.target(said, bool(kept >= FOLLOW))
    hot = rate(trained.sample(DRAWN, temperature=2.0))
    example.target(f"{hot:.3f} follow the rules with a temperature of 2", hot < share)
    dev = trained.read(str(file), split="dev").X.tolist()
    costs = trained.history, least_nats(dev), pairs.nats(dev)
    example.picture("names_cost.png", costs_by_epoch, *costs)


def rate(names: list[str]) -> float:
    """Return the share of names that follow the rules."""
    return float(np.mean([follows(name) for name in names]))


def costs_by_epoch(history: Any, least: float, of_pairs: float) -> bytes:
    """Plot the cost on the dev set, the lowest possible one, and that of pairs."""
    epochs = np.arange(1, len(history.epochs) + 1)
    flat = np.ones(len(epochs))
    lines = {
        "LSTM, dev set": (epochs, np.array(history.dev_costs)),
        "pairs of letters": (epochs, of_pairs * flat),
        "possible": (epochs, least * flat),
    }
    return plot_curves({"Made names": lines}, xlabel="epoch", ylabel="nats a character")


def real_names(example: Example, folder: Path) -> None:
    """Train on family names, and compare with pairs."""
    with zipfile.ZipFile(example.data / REAL) as archive:
        texts = [archive.read(name).decode() for name in archive.namelist() if "txt" in name]
    file = folder / "names.txt"
    file.write_text("\n".join(texts))
    example.part("Family names of 18 languages")
    training: dict[str, Any] = {"epochs": 6, "learning_rate": 0.005}
    trained = train_sequence_model("generate", file, out=folder / "real", **training, **OPTIONS)
    known, unseen = (trained.read(str(file), split=one).X.tolist() for one in ("train", "test"))
    pairs, cost = Pairs(known, trained.tokenizer).nats(unseen), trained.evaluate(unseen)["cost"]
    print(f"Drawn: {', '.join(trained.sample(10, temperature=0.8))}")
    said = f"{cost:.3f} nats a character, {pairs:.3f} with pairs (target {LESS} less)"
    example.target(said, pairs - cost >= LESS)


if __name__ == "__main__":
    main()
