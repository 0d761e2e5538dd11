"""Coarse to fine search: after each round of random candidates, zoom in on the best few.

Notes: "Tuning process" (course 2, week 3): zoom in to the region where the good points lie, and
sample more densely there.

On each dimension's own scale, where positions go from 0 to 1:

    low  = max(low_before,  min of the best − MARGIN · width_before)
    high = min(high_before, max of the best + MARGIN · width_before)

If the best few lie at both ends of the range, the range stays the same: the dimension does not
matter. Of choices, only those of the best candidates remain.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chainrule.search.dimensions import Choices
from chainrule.search.space import Space

BEST = 4  # the best few are a quarter of the round, but at least FEWEST
FEWEST = 3
MARGIN = 0.1


class Result(NamedTuple):
    """The values and the dev cost of a finished candidate."""

    number: int
    values: Mapping[str, Any]
    dev_cost: float


class Region(NamedTuple):
    """The region of a space that is still searched: ranges of positions, and remaining choices."""

    ranges: Mapping[str, tuple[float, float]]
    choices: Mapping[str, tuple]

    @classmethod
    def whole(cls, space: Space) -> "Region":
        """Return the region that covers the whole space."""
        choices = {n: d.values for n, d in space.dimensions.items() if isinstance(d, Choices)}
        return cls({n: (0.0, 1.0) for n in space.dimensions if n not in choices}, choices)

    def draw(self, space: Space, name: str, u: float) -> Any:
        """Return the value at position u, from 0 to 1, within the remaining range or choices."""
        if name in self.choices:
            remaining = self.choices[name]
            return remaining[min(int(u * len(remaining)), len(remaining) - 1)]
        low, high = self.ranges[name]
        return space.dimensions[name].at(low + (high - low) * u)


def zoom(space: Space, region: Region, best: Sequence[Result]) -> Region:
    """Return the region around the best candidates; dimensions that none of them has stay as is."""
    ranges, choices = dict(region.ranges), dict(region.choices)
    for name, dimension in space.dimensions.items():
        values = [result.values[name] for result in best if name in result.values]
        if values and name in choices:
            choices[name] = tuple(v for v in choices[name] if v in values)
        elif values:
            positions = [dimension.position(value) for value in values]
            low, high = ranges[name]
            margin = MARGIN * (high - low)
            ranges[name] = max(low, min(positions) - margin), min(high, max(positions) + margin)
    return Region(ranges, choices)


def region_of(space: Space, results: Sequence[Result], number: int, size: int) -> Region:
    """Return the region of candidate `number`, zoomed after each round of `size` candidates."""
    region = Region.whole(space)
    for first in range(size, number + 1, size):
        so_far = sorted((r for r in results if r.number < first), key=lambda r: r.dev_cost)
        region = zoom(space, region, so_far[: max(FEWEST, size // BEST)])
    return region
