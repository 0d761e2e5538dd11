"""The errors of chainrule: where, what was expected, what was given instead, and what to try.

    <where>: expected <what>; got <what>.
    Try <the most likely fix>.

Every public function and command reports errors in this form; the command line then exits with 2.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from math import inf
from numbers import Integral, Real
from typing import TypeVar

from chainrule.formatting import count_of, one_line, printable, shortened

LONGEST = 4000
"""The number of characters of each part of a message that are shown."""


class ChainruleError(ValueError):
    """An error that the user can fix: its message says how.

    where    what the user wrote: the layer and its position, the option, the column, the file line
    expected what would be valid, in words
    got      the value that was given
    hint     the suggested fix, a phrase that continues "Try …"

    The parts may contain names from a file: control characters are shown as escape sequences, and
    very long parts are shortened.
    """

    def __init__(self, where: str, expected: str, got: str, hint: str = ""):
        super().__init__(where, expected, got, hint)
        self.where, self.expected, self.got, self.hint = where, expected, got, hint

    def __str__(self) -> str:
        parts = (self.where, self.expected, self.got, self.hint)
        where, expected, got, hint = (printable(shortened(str(part), LONGEST)) for part in parts)
        line = f"{where}: expected {expected}; got {got}."
        quotes = "" if self.hint[:1].isdigit() else "'"  # 1 corrects '1', which is a text
        new = self.hint.strip(quotes) not in ("", self.got.strip(quotes), self.expected)
        return f"{line}\nTry {hint}." if new else line

    def inside(self, place: str) -> "ChainruleError":
        """Return this error with an outer place in front: "layer 3, Dense(…): …"."""
        outer = type(self).__new__(type(self))
        ChainruleError.__init__(outer, f"{place}, {self.where}", self.expected, self.got, self.hint)
        return outer


class ShapeError(ChainruleError):
    """An array does not have the shape that its position in the network requires."""


@contextmanager
def shape_errors_in(title: str) -> Iterator[None]:
    """Prefix a ShapeError raised inside a layer with the title of that layer, once."""
    try:
        yield
    except ShapeError as error:
        raise error if error.where == title else error.inside(title) from None


@contextmanager
def in_option(option: str) -> Iterator[None]:
    """Name the option that an error raised inside the block belongs to."""
    try:
        yield
    except ChainruleError as error:
        raise error.inside(option) from None


class DataError(ChainruleError):
    """A file, a column or a value in the data cannot be used as it is."""


class OptionError(ChainruleError):
    """An option or argument has an invalid value."""


class RunError(ChainruleError):
    """A run on disk is missing, damaged or in an unsupported format."""


class NotFiniteError(ChainruleError, ArithmeticError):
    """A training step produced a cost or a gradient that is not finite."""


class ChainruleWarning(UserWarning):
    """A warning that may contain names from a file, whose control characters are shown escaped."""

    def __str__(self) -> str:
        return printable(super().__str__())


class DataWarning(ChainruleWarning):
    """The data is unusual but usable: the program warns and continues."""


class ResultWarning(ChainruleWarning):
    """A part of the results could not be created; the other parts are saved."""


T = TypeVar("T")


def or_warn(what: str, make: Callable[[], T], otherwise: T, *, saved: str = "the run") -> T:
    """Return what `make` returns; if it fails, warn that `what` is missing, return `otherwise`.

    It is used for the steps after training, so that a failure of one of them does not lose the run.
    """
    try:
        return make()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        message = f"{saved} is saved without {what}, which could not be created ({reason})"
        warnings.warn(message, ResultWarning, stacklevel=2)
        return otherwise


class MissingExtraError(ChainruleError, ImportError):
    """An optional package is required here but is not installed."""

    def __init__(self, where: str, package: str, extra: str, hint: str = ""):
        fix = hint or f'pip install "chainrule[{extra}]"'
        super().__init__(where, f"the package {package}", "an installation without it", fix)

    def __reduce__(self):
        """Pickle the four parts of the message, which is what the base class stores."""
        return ChainruleError, self.args


COMPARED, LONGEST_NAME = 2000, 200
"""The number of choices that are compared with a word, and the length of the longest of them: the
time of a comparison grows with the product of the lengths."""


def did_you_mean(word: object, choices: Iterable[object]) -> str:
    """List the choices, and name the closest one first if any is close to the word.

    The choices are names that would solve the problem: none that is used already. The word itself
    is never one of them.

    >>> did_you_mean("adm", ["adam", "gradient_descent"])
    'adam (did you mean that?); the choices are adam, gradient_descent'
    """
    names = [str(choice) for choice in choices if str(choice) != str(word)]
    if not names:
        return "leaving it out"
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    listed = ", ".join(map(one_line, names[:20])) + more
    comparable = [name for name in names[:COMPARED] if len(name) < LONGEST_NAME]
    near = str(word)[:LONGEST_NAME]
    close = get_close_matches(near, comparable, n=1, cutoff=0.5) or get_close_matches(
        near.lower(), [name.lower() for name in comparable], n=1, cutoff=0.5
    )
    if not close:
        return f"one of {listed}"
    match = next(name for name in comparable if name.lower() == close[0].lower())
    return f"{one_line(match)} (did you mean that?); the choices are {listed}"


def check_choice(where: str, value: object, choices: Iterable[object]) -> None:
    """Refuse a value that is not one of the choices, and suggest the closest.

    >>> check_choice("--optimizer", "adm", ["adam", "gradient_descent"])
    Traceback (most recent call last):
    chainrule.errors.OptionError: --optimizer: expected one of 2 choices; got 'adm'.
    Try adam (did you mean that?); the choices are adam, gradient_descent.
    """
    choices = list(choices)
    if value not in choices:
        raise OptionError(
            where,
            f"one of {count_of(len(choices), 'choice')}",
            repr(value),
            did_you_mean(value, choices),
        )


def check_integer(where: str, value: object, minimum: int = 1, hint: str = "") -> None:
    """Refuse a value that is not a whole number of at least `minimum`; NumPy's integers pass.

    >>> check_integer("--epochs", 0, hint="100")
    Traceback (most recent call last):
    chainrule.errors.OptionError: --epochs: expected a whole number of at least 1; got 0.
    Try 100.
    """
    if not (isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= minimum):
        raise OptionError(where, f"a whole number of at least {minimum}", repr(value), hint)


def check_number(
    where: str,
    value: object,
    *,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
    hint: str = "",
) -> None:
    """Refuse a value that is not a finite number inside the bounds; NumPy's numbers pass.

    `minimum` and `maximum` belong to the range, `above` and `below` do not.

    >>> check_number("--beta", 1.5, minimum=0, below=1, hint="0.9")
    Traceback (most recent call last):
    chainrule.errors.OptionError: --beta: expected a number of at least 0 and less than 1; got 1.5.
    Try 0.9.
    """
    number = _as_float(value) if isinstance(value, Real) and not isinstance(value, bool) else inf
    lower = minimum is None or number >= minimum
    upper = maximum is None or number <= maximum
    inside = (above is None or number > above) and (below is None or number < below)
    if -inf < number < inf and lower and upper and inside:
        return
    bounds = {"of at least": minimum, "greater than": above, "at most": maximum, "less than": below}
    limits = [f"{words} {bound:g}" for words, bound in bounds.items() if bound is not None]
    expected = " ".join(["a number", " and ".join(limits)]).strip()
    raise OptionError(where, expected, repr(value), hint)


def _as_float(number: Real) -> float:
    """Return a number as a float; a whole number that float64 cannot hold is infinite."""
    try:
        return float(number)
    except OverflowError:
        return inf


def check_columns(where: str, X, n: int) -> None:
    """Refuse an array whose shape is not (n, m): one column per example, n features per column.

    >>> check_columns("Dense(3 -> 4)", jnp.ones((5, 3)), n=3)
    Traceback (most recent call last):
    chainrule.errors.ShapeError: Dense(3 -> 4): expected (3, m), one column per example; got (5, 3).
    Try the transpose: it has 3 rows.
    """
    if X.ndim == 2 and X.shape[0] == n:
        return
    if X.ndim == 2 and X.shape[1] == n:
        hint = f"the transpose: it has {count_of(n, 'row')}"
    else:
        features = count_of(n, "feature")
        hint = f"checking the layer before it: its output should have {features} per example"
    raise ShapeError(where, f"({n}, m), one column per example", str(tuple(X.shape)), hint)


def check_steps(where: str, X, n: int) -> None:
    """Refuse an array whose shape is not (T, n, m): at each step n features of each example.

    >>> check_steps("LayerNorm(64)", jnp.ones((32, 10, 64)), 64)
    Traceback (most recent call last):
    chainrule.errors.ShapeError: LayerNorm(64): expected (T, 64, m), steps with one column per \
example; got (32, 10, 64).
    Try X.transpose(1, 2, 0), if the examples come first.
    """
    if X.ndim == 3 and X.shape[1] == n:
        return
    features = count_of(n, "feature")
    if X.ndim == 3 and X.shape[2] == n:
        hint = "X.transpose(1, 2, 0), if the examples come first"
    elif X.ndim == 2 and X.shape[0] == n:
        hint = "X[None], if this is one step"
    else:
        hint = f"checking the layer before it: each step of its output should have {features}"
    expected = f"(T, {n}, m), steps with one column per example"
    raise ShapeError(where, expected, str(tuple(X.shape)), hint)


def check_images(where: str, A, n_C: int | None = None) -> None:
    """Refuse an array that is not images (m, n_H, n_W, n_C); n_C is checked unless it is None.

    >>> check_images("Conv2D(3×3, 3 -> 8)", jnp.ones((5, 3, 32, 32)), 3)
    Traceback (most recent call last):
    chainrule.errors.ShapeError: Conv2D(3×3, 3 -> 8): expected (m, n_H, n_W, 3), images with their \
channels last; got (5, 3, 32, 32).
    Try jnp.moveaxis(images, 1, -1): the channels come first.
    """
    if A.ndim == 4 and n_C in (None, A.shape[3]):
        return
    if A.ndim == 4 and A.shape[1] == n_C:
        hint = "jnp.moveaxis(images, 1, -1): the channels come first"
    elif A.ndim == 3 and n_C == 1:
        hint = "images[..., None]: greyscale images need an axis for their one channel"
    elif A.ndim == 3:
        hint = "images[None], if this is one image"
    elif A.ndim == 2:
        hint = "Images((n_H, n_W, n_C)) as the first layer: these are columns"
    else:
        output = f"have {n_C} channels" if n_C else "be images"
        hint = f"checking the layer before it: its output should {output}"
    expected = f"(m, n_H, n_W, {n_C or 'n_C'}), images with their channels last"
    raise ShapeError(where, expected, str(tuple(A.shape)), hint)


def check_fits(where: str, shape: tuple[int, ...], f: int, s: int, pads: tuple[int, int]) -> None:
    """Refuse an f by f filter or pooling window that is larger than the padded image.

    >>> check_fits("MaxPool(2×2)", (5, 1, 8, 3), f=2, s=2, pads=(0, 0))
    Traceback (most recent call last):
    chainrule.errors.ShapeError: MaxPool(2×2): expected images of at least 2 by 2 for f = 2; got \
1 by 8, which gives an output size of ⌊(n + 2p − f)/s⌋ + 1 = ⌊(1 + 0 − 2)/2⌋ + 1 = 0.
    Try p="same", a smaller f, or one fewer pooling layer before this layer.
    """
    check_stride(where, s)
    _, n_H, n_W, _ = shape
    n, border = min(n_H, n_W), sum(pads)
    if n + border >= f:
        return
    size = f"⌊(n + 2p − f)/s⌋ + 1 = ⌊({n} + {border} − {f})/{s}⌋ + 1"
    raise ShapeError(
        where,
        f"images of at least {f - border} by {f - border} for f = {f}",
        f"{n_H} by {n_W}, which gives an output size of {size} = {(n + border - f) // s + 1}",
        'p="same", a smaller f, or one fewer pooling layer before this layer',
    )


def check_window(where: str, T: int, f: int, s: int, pads: tuple[int, int]) -> None:
    """Refuse a filter over time that covers more steps than a padded sequence has.

    >>> check_window("conv1d", 3, f=5, s=1, pads=(0, 0))
    Traceback (most recent call last):
    chainrule.errors.ShapeError: conv1d: expected sequences of at least 5 steps for f = 5; got 3.
    Try p="same", or a smaller f.
    """
    check_stride(where, s)
    if T + sum(pads) < f:
        least = count_of(f - sum(pads), "step")
        expected = f"sequences of at least {least} for f = {f}"
        raise ShapeError(where, expected, str(T), 'p="same", or a smaller f')


def check_divides(where: str, shape: tuple[int, ...], f: int) -> None:
    """Refuse images whose sides are not multiples of f.

    >>> check_divides("SpaceToDepth(2×2)", (5, 7, 8, 3), 2)
    Traceback (most recent call last):
    chainrule.errors.ShapeError: SpaceToDepth(2×2): expected images whose sides are multiples of \
2; got 7 by 8.
    Try an image size of 6x8, or a Padded layer around the network.
    """
    check_integer(where, f, hint="2")
    n_H, n_W = shape[1:3]
    if n_H % f or n_W % f:
        sides = "x".join(str(max(f, n - n % f)) for n in (n_H, n_W))
        hint = f"an image size of {sides}, or a Padded layer around the network"
        expected = f"images whose sides are multiples of {f}"
        raise ShapeError(where, expected, f"{n_H} by {n_W}", hint)


def check_heads(where: str, d: int, heads: int) -> None:
    """Refuse a number of attention heads that does not divide d, the number of features.

    >>> check_heads("MultiHeadAttention(heads=…)", 128, 5)
    Traceback (most recent call last):
    chainrule.errors.OptionError: MultiHeadAttention(heads=…): expected a number of heads that \
divides d = 128; got 5.
    Try 4.
    """
    check_integer(where, heads, hint="4")
    if d % heads:
        divisors = (n for n in range(1, d + 1) if d % n == 0)
        nearest = min(divisors, key=lambda n: abs(n - heads))
        expected = f"a number of heads that divides d = {d}"
        raise OptionError(where, expected, str(heads), str(nearest))


def check_stride(where: str, s: int) -> None:
    """Refuse a stride below 1."""
    if s < 1:
        raise OptionError(where, "a stride s of 1 or more", str(s), "1")
