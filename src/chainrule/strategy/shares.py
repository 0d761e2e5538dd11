"""How sure a share is that was counted in a sample: Wilson's interval.

    z = 1.96,  p = k / n
    middle    (p + z²/(2n)) / (1 + z²/n)
    reach     z √(p (1 − p)/n + z²/(4n²)) / (1 + z²/n)

It holds near 0 and 1 too, where p ± z √(p (1 − p)/n) says nothing. Of N, a sample of n is worth
n (N − 1)/(N − n): where all were looked at nothing is left to chance.
"""

import math

Z = 1.96
"""95 % of a normal distribution lies within so many standard deviations."""


def wilson(share: float, n: float, of: float = math.inf) -> tuple[float, float]:
    """The interval that holds the true share in 95 of 100 samples of n, taken from `of`.

    >>> [round(end, 3) for end in wilson(0.5, 100)], wilson(0.25, 8, of=8)
    ([0.404, 0.596], (0.25, 0.25))
    """
    if n >= of:
        return share, share
    if of < math.inf:
        n = n * (of - 1) / (of - n)
    middle = share + Z**2 / (2 * n)
    reach = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    low, high = (middle - reach) / (1 + Z**2 / n), (middle + reach) / (1 + Z**2 / n)
    return max(0.0, low), min(1.0, high)
