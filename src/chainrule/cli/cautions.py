"""What a beginner would read wrong in the results, said under them.

pictures        which could not be read and were left out, as was asked
few examples    with ten of them, one more or less that is right is 0.1 of the accuracy
one class       where most are of one class, always saying that class is right most often
"""

import numpy as np

from chainrule.train.prepare import Prepared

FEW = 20  # examples
MOST = 0.8  # share of one class


def cautions(prepared: Prepared, results: dict[str, dict[str, float]]) -> str:
    """A line for each, under the table of the results."""
    held_out = {name: part for name, part in results.items() if name != "train"}
    lines = [_skipped(prepared), _few(held_out), _one_class(prepared, held_out)]
    return "\n".join(f"  note: {line}" for line in lines if line)


def _skipped(prepared: Prepared) -> str:
    skipped = dict.fromkeys(
        f"{part.name}/{name}" for part in prepared.sources.values() for name in part.skipped
    )
    if not skipped:
        return ""
    pictures = "1 picture" if len(skipped) == 1 else f"{len(skipped):,} pictures"
    return f"left out {pictures} that cannot be read, the first {next(iter(skipped))}"


def _few(results: dict[str, dict[str, float]]) -> str:
    few = [f"{name} {part['m']:.0f}" for name, part in results.items() if part["m"] < FEW]
    return f"so few examples ({', '.join(few)}) measure little" if few else ""


def _one_class(prepared: Prepared, results: dict[str, dict[str, float]]) -> str:
    """The accuracy of always saying the commonest class of the training, where it is not beaten."""
    if prepared.door.labels.task == "regression":
        return ""
    at = int(np.argmax(_shares(prepared, "train")))
    shares = {name: _shares(prepared, name)[at] for name in results}
    told = {n: s for n, s in shares.items() if s >= min(MOST, results[n]["accuracy"])}
    listed = ", ".join(f"{name} {share:.4f}" for name, share in told.items())
    if not told:
        return ""
    return f"accuracy of always saying {prepared.door.labels.names[at]}: {listed}"


def _shares(prepared: Prepared, name: str) -> np.ndarray:
    """The share of each class in a part, by the weights of its examples."""
    part = prepared.parts[name]
    Y = np.hstack([1 - part.Y, part.Y]) if part.Y.shape[1] == 1 else part.Y
    return np.average(Y, axis=0, weights=part.weights)
