"""What to do next with a vision system: its bias and its variance, and the cures of the larger.

Notes: "Bias / Variance", "Basic Recipe for Machine Learning" (course 2, week 1).

    error       1 − the score that counts; of an equal error rate itself
    bias        the error on train: nothing says here how well people do
    variance    how much larger it is on dev
    to dev      how much larger it is on test than on dev: what choosing by dev has flattered
"""

from typing import NamedTuple

from chainrule.vision.kinds import kind_of
from chainrule.vision.system import Results

ERRORS = ("equal_error_rate",)
"""Scores that are errors already."""

SMALL = 0.02
"""A gap that is not worth a word."""

CURES = {
    "bias": (
        "a wider network: --width",
        "more passes: --epochs",
        "larger pictures, where what counts is small: --image-size",
    ),
    "variance": (
        "more pictures, above all of what is mistaken",
        "stronger changes to them: --augment",
        "a narrower network: --width",
    ),
    "to dev": ("more dev pictures, or fewer comparisons on them",),
}
NAMES = {
    "bias": "the error on train",
    "variance": "more on dev than on train",
    "to dev": "more on test than on dev",
}


class Advice(NamedTuple):
    """The gaps by name, in the order of NAMES, and what to do about the largest."""

    gaps: dict[str, float]
    largest: str | None
    cures: tuple[str, ...]

    def text(self) -> str:
        """A few lines; nothing where no part but train was measured."""
        said = " · ".join(f"{NAMES[name]} {gap:.3f}" for name, gap in self.gaps.items())
        if self.largest is None:
            return f"  {said}: nothing stands out"
        lines = [f"  {said}", f"largest is {self.largest}; do next:"]
        return "\n".join([*lines, *(f"  {i}. {one}" for i, one in enumerate(self.cures, 1))])


def advice(kind: str, results: Results) -> Advice | None:
    """From the results of the parts; None without a dev part, or where a score is missing."""
    main = kind_of(kind).main
    scores = {part: found.get(main) for part, found in results.items()}
    errors = {
        part: score if main in ERRORS else 1 - score
        for part, score in scores.items()
        if score is not None
    }
    if not {"train", "dev"} <= errors.keys():
        return None
    gaps = {"bias": errors["train"], "variance": errors["dev"] - errors["train"]}
    if "test" in errors:
        gaps["to dev"] = errors["test"] - errors["dev"]
    largest = max(gaps, key=lambda name: gaps[name])
    if gaps[largest] <= SMALL:
        return Advice(gaps, None, ())
    return Advice(gaps, largest, CURES[largest])
