"""Data synthesis: add noise to examples at a given signal-to-noise ratio.

Notes: "Addressing data mismatch" (course 3, week 2): speech with car noise.

    P(v)  = (1/n) Σ (v − v̄)²                     the power of an example, or of a noise
    SNR   = 10 log₁₀ (P(x) / P(k noise))          in decibels (dB)
    k     = √(P(x) / (P(noise) 10^(SNR/10)))
    x     → x + k (noise − its mean)

An example is a row of numbers (a signal) or an image, and has its own k. A constant carries no
signal, so power is measured about the mean; an example of power 0 stays unchanged. A noise that is
longer or larger than an example is cropped at a random position.

10,000 hours of speech with one hour of car noise sound varied to us, but a network can memorise
that hour: `count_distinct_pieces` counts how many distinct pieces there are.
"""

import warnings
from dataclasses import replace

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.errors import DataError, DataWarning, OptionError
from chainrule.formatting import count_of

MANY = 0.1
"""The number of distinct noises per example below which a warning is issued."""


def synthesize(
    dataset: Dataset, noise: Dataset | None, snr: tuple[float, float], *, seed: int = 0
) -> Dataset:
    """Add noise to the examples and keep their labels; if `noise` is None, it is white.

    snr  the lowest and highest ratio in dB; each example gets one between them
    """
    X = numbers_of(dataset)
    noises = None if noise is None else numbers_of(noise)
    if noise is not None and noises is not None:
        check_fits(noise.name, noises, dataset.name, X)
        if words := few_noises_warning(X, noises):
            warnings.warn(words, DataWarning, stacklevel=2)
    mixed = overlay_noise(X, noises, snr, seed=seed)
    if dataset.is_table:
        mixed = type(dataset.X)(mixed, columns=dataset.X.columns, index=dataset.X.index)
    return replace(dataset, X=mixed, parts={})


def overlay_noise(
    X: np.ndarray,
    noises: np.ndarray | None,
    snr: tuple[float, float],
    *,
    seed: int = 0,
) -> np.ndarray:
    """Return X (m, …) with a noise added to each example, in X's dtype; None means white noise.

    >>> X = np.array([[2.0, -2.0], [6.0, -6.0]])
    >>> overlay_noise(X, np.array([[1.0, -1.0]]), (20.0, 20.0)).tolist()
    [[2.2, -2.2], [6.6, -6.6]]
    """
    check_ratio(snr)
    rng = np.random.default_rng(seed)
    out = np.empty_like(X) if X.dtype.kind in "fu" else np.empty(X.shape, np.float32)
    whole = np.iinfo(X.dtype) if X.dtype.kind == "u" else None
    for i, x in enumerate(X):
        ratio = rng.uniform(*snr)
        v = rng.normal(size=x.shape) if noises is None else piece(noises, x.shape, rng)
        mixed = x + noise_scale(x, v, ratio) * (v - v.mean())
        out[i] = mixed if whole is None else np.clip(np.rint(mixed), whole.min, whole.max)
    return out


def power(v: np.ndarray) -> float:
    """Return P(v), the power of a signal.

    >>> power(np.array([1.0, 3.0, 1.0, 3.0]))
    1.0
    """
    return float(np.var(v, dtype=np.float64))


def noise_scale(x: np.ndarray, noise: np.ndarray, snr: float) -> float:
    """Return k, or 0 if the example or the noise is silent.

    >>> noise_scale(np.array([2.0, -2.0]), np.array([1.0, -1.0]), 20.0)
    0.2
    """
    P = power(noise)
    return float(np.sqrt(power(x) / P / 10 ** (snr / 10))) if P > 0 else 0.0


def piece(noises: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return one of the noises, cropped at random to the example; grey noise fills all channels."""
    noise = noises[rng.integers(len(noises))]
    for axis, size in enumerate(shape[:2]):
        start = rng.integers(noise.shape[axis] - size + 1)
        noise = noise.take(np.arange(start, start + size), axis=axis)
    noise = noise.astype(np.float64)
    return np.broadcast_to(noise[..., None], shape) if noise.ndim < len(shape) else noise


def few_noises_warning(X: np.ndarray, noises: np.ndarray) -> str | None:
    """Return a warning if there are so few noises that a network could memorise them."""
    n = count_distinct_pieces(noises, X.shape[1:])
    if n >= MANY * len(X):
        return None
    count = f"{n:,} distinct noise{'' if n == 1 else 's'} for {count_of(len(X), 'example')}"
    return f"{count}: a network can memorise so few and fail on new noise; add more noises"


def count_distinct_pieces(noises: np.ndarray, shape: tuple[int, ...]) -> int:
    """Count the distinct, non-overlapping pieces of an example's size in the noises.

    >>> signal = np.arange(20.0).reshape(2, 10)
    >>> count_distinct_pieces(signal, (3,)), count_distinct_pieces(np.ones((5, 4)), (4,))
    (6, 1)
    """
    kinds = np.unique(noises.reshape(len(noises), -1), axis=0)
    sizes = zip(noises.shape[1:3], shape[:2], strict=False)
    return len(kinds) * int(np.prod([available // size for available, size in sizes]))


def numbers_of(dataset: Dataset) -> np.ndarray:
    """Return the examples as an array; a table may hold only numbers, without gaps."""
    if not dataset.is_table:
        return dataset.X
    texts = [str(name) for name, kind in dataset.X.dtypes.items() if kind.kind not in "biuf"]
    if texts:
        hint = "a file whose columns are the values of a signal"
        got = f"text in {', '.join(map(repr, texts[:5]))}"
        raise DataError(dataset.name, "numbers in all columns", got, hint)
    X = dataset.X.to_numpy(np.float64)
    if not np.isfinite(X).all():
        raise DataError(dataset.name, "a number in every cell", "empty cells", "filling them in")
    return X


def check_fits(name: str, noises: np.ndarray, dataset: str, X: np.ndarray) -> None:
    """Refuse noise that is smaller than an example, of a different kind, or silent."""
    there, shape = noises.shape[1:], X.shape[1:]
    grey = len(there) == len(shape) - 1 == 2
    fits = (grey or len(there) == len(shape)) and there[2:] in ((), shape[2:])
    if not fits or any(n < size for n, size in zip(there, shape[:2], strict=False)):
        sizes = ["×".join(map(str, size)) for size in (shape, there)]
        expected = f"noise of at least {sizes[0]}, the size of the examples in {dataset}"
        raise DataError(f"--noise {name}", expected, sizes[1], "longer clips, or white noise")
    silent = int((noises.reshape(len(noises), -1).std(axis=1) == 0).sum())
    if silent:
        got = f"{silent:,} of {len(noises):,} that are constant"
        raise DataError(f"--noise {name}", "noise that is not silent", got, "removing them")


def check_ratio(snr: tuple[float, float]) -> None:
    """Refuse ratios that are not finite, or in the wrong order."""
    if not (np.isfinite(snr).all() and snr[0] <= snr[1]):
        got = f"{snr[0]:g} to {snr[1]:g}"
        raise OptionError("--snr", "numbers of decibels, the lower one first", got, "10, or 0,20")
