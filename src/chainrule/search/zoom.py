"""Coarse to fine: after a round of random candidates, a smaller space around the best few.

Notes: "Tuning process" (course 2, week 3): zoom in to the region where the good points lie, and
sample there again, more densely.

On each dimension's own scale, where positions go from 0 to 1:

    low  = max(low_before,  min of the best − MARGIN · width_before)
    high = min(high_before, max of the best + MARGIN · width_before)

and where the best few lie at both ends of the range, it is kept: the dimension does not matter.
Of choices, those among the best remain.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chainrule.search.dimensions import Choices
from chainrule.search.space import Space

BEST = 4  # the best few: a quarter of the round, and never fewer than three
FEWEST = 3
MARGIN = 0.1


class Result(NamedTuple):
    """A candidate that is done: what was drawn, and what it cost on the dev set."""

    number: int
    values: Mapping[str, Any]
    dev_cost: float


class Region(NamedTuple):
    """The part of a space that is still searched: a range of positions for each dimension."""

    ranges: Mapping[str, tuple[float, float]]
    choices: Mapping[str, tuple]

    @classmethod
    def whole(cls, space: Space) -> "Region":
        """All of it."""
        choices = {n: d.values for n, d in space.dimensions.items() if isinstance(d, Choices)}
        return cls({n: (0.0, 1.0) for n in space.dimensions if n not in choices}, choices)

    def draw(self, space: Space, name: str, u: float) -> Any:
        """The value at the place u of what is left of a dimension."""
        if name in self.choices:
            left = self.choices[name]
            return left[min(int(u * len(left)), len(left) - 1)]
        low, high = self.ranges[name]
        return space.dimensions[name].at(low + (high - low) * u)


def zoom(space: Space, region: Region, best: Sequence[Result]) -> Region:
    """The region around these candidates; what none of them has stays as it was."""
    ranges, choices = dict(region.ranges), dict(region.choices)
    for name, dimension in space.dimensions.items():
        there = [result.values[name] for result in best if name in result.values]
        if there and name in choices:
            choices[name] = tuple(v for v in choices[name] if v in there)
        elif there:
            places = [dimension.position(value) for value in there]
            low, high = ranges[name]
            room = MARGIN * (high - low)
            ranges[name] = max(low, min(places) - room), min(high, max(places) + room)
    return Region(ranges, choices)


def region_of(space: Space, results: Sequence[Result], number: int, size: int) -> Region:
    """Where candidate `number` is drawn: zoomed once after each round of `size` candidates."""
    region = Region.whole(space)
    for first in range(size, number + 1, size):
        so_far = sorted((r for r in results if r.number < first), key=lambda r: r.dev_cost)
        region = zoom(space, region, so_far[: max(FEWEST, size // BEST)])
    return region
