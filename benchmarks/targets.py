"""What was promised, beside what was measured."""

from dataclasses import dataclass

from benchmarks.cases import CASES, LARGE, MIDDLE, MIDDLE_256, TINY


@dataclass(frozen=True)
class Target:
    """A ratio or a time, and its bound: at least (≥) or at most (≤)."""

    what: str
    value: float
    sign: str
    bound: float

    @property
    def met(self) -> bool:
        """Whether the value keeps to its bound."""
        return self.value >= self.bound if self.sign == "≥" else self.value <= self.bound


def all_targets(steps, fits, processes) -> list[Target]:
    """Of the three kinds of measurement, in seconds."""
    return [*_peers(steps), *_overhead(steps), *_fits(fits), *_processes(processes)]


def _peers(steps) -> list[Target]:
    return [
        Target(
            f"PyTorch / chainrule fit, {case.title}",
            steps[case]["PyTorch"] / steps[case]["chainrule fit"],
            "≥",
            bound,
        )
        for case, bound in ((TINY, 12), (MIDDLE, 1.5), (MIDDLE_256, 1.5), (LARGE, 1.4))
    ]


def _overhead(steps) -> list[Target]:
    return [
        Target(
            f"{ours} / plain JAX, {case.title}",
            steps[case][ours] / steps[case]["plain JAX"],
            "≤",
            1.1,
        )
        for ours in ("chainrule loop", "chainrule fit")
        for case in CASES
    ]


def _fits(fits) -> list[Target]:
    return [
        Target(
            f"scikit-learn / chainrule, warm fit of {data}",
            times["scikit-learn"] / times["chainrule"],
            "≥",
            1,
        )
        for data, times in fits.items()
    ]


def _processes(processes) -> list[Target]:
    ours, theirs = processes["chainrule, later processes"], processes["scikit-learn"]
    return [
        Target("chainrule / scikit-learn, a process that fits digits", ours / theirs, "≤", 1.3),
        Target("chainrule --help, seconds", processes["chainrule --help"], "≤", 0.4),
    ]
