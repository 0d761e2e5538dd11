"""The confidence interval of a share that was counted in a sample: Wilson's interval.

    z = 1.96,  p = k / n
    middle    (p + z²/(2n)) / (1 + z²/n)
    reach     z √(p (1 − p)/n + z²/(4n²)) / (1 + z²/n)

It is also valid near 0 and 1, where p ± z √(p (1 − p)/n) is not. For a sample of n from a finite
population of N, n is replaced by n (N − 1)/(N − n); with n = N there is no uncertainty.
"""

import math

Z = 1.96
"""95 % of a normal distribution lies within this number of standard deviations of the mean."""


def wilson(share: float, n: float, of: float = math.inf) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share in a sample of n from a population of `of`.

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
