"""Write tests/blocks/bleu_of_sacrebleu.json, corpus scores of sacrebleu without smoothing.

    python -m tests.validation.bleu_of_sacrebleu

It needs sacrebleu (`pip install sacrebleu==2.6.0`), which the tests do not. The corpora are random
sentences of few words, changed a little to make the references.
"""

import json
import random
from pathlib import Path

from sacrebleu.metrics.bleu import BLEU

FILE = Path(__file__).parent.parent / "blocks" / "bleu_of_sacrebleu.json"
CASES = {  # sentences, references of each, shortest and longest sentence, changed share, n
    "one reference": (20, 1, 3, 15, 0.2, 4),
    "three references": (15, 3, 1, 12, 0.3, 4),
    "short hypotheses": (10, 2, 2, 9, 0.8, 4),
    "bigrams": (10, 2, 2, 9, 0.4, 2),
    "single words": (6, 1, 1, 2, 0.1, 4),
}


def changed(words: list[str], share: float, rng: random.Random) -> list[str]:
    """Return a sentence with some words left out, replaced or repeated."""
    new = []
    for word in words:
        kind = rng.random() / share
        if kind < 0.02:
            continue
        new.append(f"w{rng.randrange(9)}" if kind < 0.3 else word)
        if 0.3 < kind < 1:
            new.append(word)
    return new or words[:1]


def case(count, several, shortest, longest, share, n, rng: random.Random) -> dict:
    """Return a corpus with its score from 0 to 1, precisions and brevity penalty."""
    sizes = [rng.randint(shortest, longest) for _ in range(count)]
    hypotheses = [[f"w{rng.randrange(9)}" for _ in range(size)] for size in sizes]
    references = [[changed(h, share, rng) for _ in range(several)] for h in hypotheses]
    metric = BLEU(max_ngram_order=n, smooth_method="none", tokenize="none", force=True)
    streams = [[" ".join(one[i]) for one in references] for i in range(several)]
    got = metric.corpus_score([" ".join(h) for h in hypotheses], streams)
    return {
        "hypotheses": hypotheses,
        "references": references,
        "n": n,
        "score": got.score / 100,
        "precisions": [p / 100 for p in got.precisions],
        "brevity_penalty": got.bp,
    }


if __name__ == "__main__":
    rng = random.Random(0)
    cases = {name: case(*sizes, rng) for name, sizes in CASES.items()}
    FILE.write_text(json.dumps(cases) + "\n")
    for name, one in cases.items():
        print(name, one["score"], one["precisions"], one["brevity_penalty"])
