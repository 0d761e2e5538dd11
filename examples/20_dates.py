"""20: dates as people write them, translated to 2009-05-10 by attention.

Notes: "Attention model" and "Beam search" (course 5, week 3).
Made dates in eight formats, from "sunday 10 may 2009" to "5/10/09", are read character by character
by a bidirectional GRU. The decoder writes the ten characters of the date, and before each of them
decides to which characters of the source it attends.
Targets: of dates that are not in the training set, at least 0.98 are translated exactly; a beam of
five never finds a less likely date than greedy search; and when the model writes one of the last
two digits of a year, at least half of its attention is on that digit, although nobody told it where
the year is.
"""

from datetime import date, timedelta

import numpy as np
from example import Example

from chainrule import adam, clip_by_norm, fit
from chainrule.blocks.costs import steps_softmax_cost
from chainrule.host.randomness import key_from_seed
from chainrule.inspection.plots import cost_curve
from chainrule.inspection.sequence_plots import plot_attention
from chainrule.models.translator import Translator
from chainrule.optim.schedules import cosine_decay
from chainrule.sequence.translation.decoding import attention, scores, translations
from chainrule.sequence.translation.pairs import PairTokens, Tokens
from chainrule.train.metrics import sequence_accuracy

FORMATS = (
    "{day} {month} {year}",
    "{weekday} {day} {month} {year}",
    "{month} {day} {year}",
    "{weekday}, {month} {day}, {year}",
    "{day} {short} {year}",
    "{day:02}.{number:02}.{year}",
    "{number}/{day}/{yy:02}",
    "{year}{number:02}{day:02}",
)
DATES, QUICK, BATCH, EPOCHS, ALPHA, UNITS = 3000, 1500, 32, 20, 0.004, 48
RIGHT, RIGHT_IF_QUICK, ON_ITS_DIGIT, SEEN = 0.98, 0.9, 0.5, 30
SHOWN = ("sunday 10 may 2009", "5/10/09")


def main() -> None:
    """Run all parts."""
    example = Example(__doc__ or "")
    pairs = dates(QUICK if example.quick else DATES)
    for source, target in pairs[: len(FORMATS)]:
        print(f"{source:32s}{target}")
    held = len(pairs) // 6
    dev, test, train = pairs[:held], pairs[held : 2 * held], pairs[2 * held :]
    tokens = tokens_of(train)
    network = trained(example, tokens, train, dev)
    translated(example, network, tokens, test)
    attended(example, network, tokens, test)
    example.finish()


def dates(n: int) -> list[tuple[str, str]]:
    """Return different dates as people write them, in turn in each format, and as 2009-05-10."""
    rng, first = np.random.default_rng(0), date(1970, 1, 1)
    days = rng.choice(365 * 55, n, replace=False)
    return [
        (written(day, FORMATS[i % len(FORMATS)]), day.isoformat())
        for i, day in enumerate(first + timedelta(int(d)) for d in days)
    ]


def written(day: date, form: str) -> str:
    """Return a date in one of the formats."""
    month, weekday = day.strftime("%B").lower(), day.strftime("%A").lower()
    words = {"month": month, "short": month[:3], "weekday": weekday, "yy": day.year % 100}
    return form.format(day=day.day, number=day.month, year=day.year, **words)


def tokens_of(pairs: list[tuple[str, str]]) -> PairTokens:
    """Return the characters of both sides."""
    sides = (Tokens.learn(texts, "characters") for texts in zip(*pairs, strict=True))
    source, target = sides
    return PairTokens(source, target, longest=12)


def trained(example: Example, tokens: PairTokens, train: list, dev: list) -> Translator:
    """Train the attention model, and keep the epoch with the lowest dev cost."""
    example.part(f"An attention model, {len(train)} dates to learn from")
    sizes = len(tokens.source), tokens.n_L
    network = Translator("attention", *sizes, hidden=(UNITS,), key=key_from_seed(0))
    steps = EPOCHS * -(-len(train) // BATCH)
    fitted = fit(
        network,
        clip_by_norm(adam(cosine_decay(ALPHA, steps, warm_up=50)), 1.0),
        steps_softmax_cost,
        tokens.examples(train),
        tokens.examples(dev),
        epochs=EPOCHS,
        batch_size=BATCH,
        metric=sequence_accuracy,
    )
    for epoch in fitted.history.epochs[:: EPOCHS // 5]:
        costs = f"J {epoch.cost:.4f}, dev {epoch.dev_cost:.4f}"
        print(f"epoch {epoch.epoch:2d}: {costs}, {epoch.metric:.3f} of the characters right")
    example.picture("dates_cost.png", cost_curve, fitted.history)
    return fitted.network


def translated(example: Example, network: Translator, tokens: PairTokens, test: list) -> None:
    """Translate new dates by greedy search and by beam search."""
    example.part(f"{len(test)} new dates")
    sources, targets = zip(*test, strict=True)
    found = {beam: translations(network, tokens, sources, beam=beam, alpha=0) for beam in (1, 5)}
    for beam, some in found.items():
        texts = [one.text for one in some]
        got = scores(tokens, texts, [(target,) for target in targets])
        print(f"beam {beam}: " + ", ".join(f"{name} {x:.4f}" for name, x in got.items()))
    wrong = [(s, t, one.text) for (s, t), one in zip(test, found[5], strict=True) if one.text != t]
    for source, target, text in wrong[:5]:
        print(f"  {source}: {text}, not {target}")
    right, goal = 1 - len(wrong) / len(test), RIGHT_IF_QUICK if example.quick else RIGHT
    example.target(f"{right:.4f} translated exactly (target {goal})", right >= goal)
    gains = [wide.log_prob - one.log_prob for one, wide in zip(*found.values(), strict=True)]
    said = f"the beam is more likely in {sum(g > 1e-4 for g in gains)} cases, never less"
    example.target(said, min(gains) > -1e-4)


def attended(example: Example, network: Translator, tokens: PairTokens, test: list) -> None:
    """Measure and draw where the attention is."""
    example.part("Where the attention is")
    shares = []
    for source, target in [pair for pair in test if pair[1][:4] in pair[0]][:SEEN]:
        weights, year = attention(network, tokens, source, target).weights, target[:4]
        shares += [weights[i, source.index(year) + i] for i in (2, 3)]
    said = f"{np.mean(shares):.2f} of the attention is on the digit that is written"
    example.target(f"{said} (target {ON_ITS_DIGIT})", float(np.mean(shares)) >= ON_ITS_DIGIT)
    found = [one.text for one in translations(network, tokens, SHOWN)]
    drawn = [attention(network, tokens, *pair) for pair in zip(SHOWN, found, strict=True)]
    example.picture("dates_attention.png", plot_attention, drawn)


if __name__ == "__main__":
    main()
