"""What chainrule says when something is wrong: where, expected, got, and what to try.

    <where>: expected <what>; got <what>.
    Try <the most likely fix>.

Every door of the project speaks in this form, and the command line ends with exit code 2.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class ChainruleError(ValueError):
    """Something the user can put right: one message that says how.

    where    what the user wrote: the layer and its place, the option, the column, the file and line
    expected what should have come, in words
    got      what came
    hint     what to try, a sentence after the word "Try"
    """

    def __init__(self, where: str, expected: str, got: str, hint: str = ""):
        super().__init__(where, expected, got, hint)
        self.where, self.expected, self.got, self.hint = where, expected, got, hint

    def __str__(self) -> str:
        line = f"{self.where}: expected {self.expected}; got {self.got}."
        return f"{line}\nTry {self.hint}." if self.hint else line

    def inside(self, place: str) -> "ChainruleError":
        """The same error, said from further out: "Dense(…): …" becomes "layer 3, Dense(…): …"."""
        outer = type(self).__new__(type(self))
        ChainruleError.__init__(outer, f"{place}, {self.where}", self.expected, self.got, self.hint)
        return outer


class ShapeError(ChainruleError):
    """An array does not have the shape its place in the network asks for."""


@contextmanager
def shapes_said_in(title: str) -> Iterator[None]:
    """A ShapeError of what is inside a layer is said with that layer, once."""
    try:
        yield
    except ShapeError as error:
        raise error if error.where == title else error.inside(title) from None


class DataError(ChainruleError):
    """A file, a column or a value in the data cannot be used as it is."""


class OptionError(ChainruleError):
    """An option or argument has a value that means nothing here."""


class RunError(ChainruleError):
    """A run on disk is missing, damaged or of another format."""


class NotFiniteError(ChainruleError, ArithmeticError):
    """A training step gave a cost or a gradient that is not a finite number."""


class DataWarning(UserWarning):
    """The data is odd but usable: we go on, and say so."""


class MissingExtraError(ChainruleError, ImportError):
    """An optional package is needed for this and is not installed."""

    def __init__(self, where: str, package: str, extra: str, hint: str = ""):
        fix = hint or f'pip install "chainrule[{extra}]"'
        super().__init__(where, f"the package {package}", "an installation without it", fix)

    def __reduce__(self):
        """Pickle by the four words, which is what the base class keeps."""
        return ChainruleError, self.args


def did_you_mean(word: object, choices: Iterable[object]) -> str:
    """The choices, the closest one first if there is one that is close.

    >>> did_you_mean("adm", ["adam", "gradient_descent"])
    'adam (did you mean that?); the choices are adam, gradient_descent'
    """
    names = [str(choice) for choice in choices]
    listed = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    close = get_close_matches(str(word), names, n=1, cutoff=0.5) or get_close_matches(
        str(word).lower(), [name.lower() for name in names], n=1, cutoff=0.5
    )
    if not close:
        return f"one of {listed}"
    match = next(name for name in names if name.lower() == close[0].lower())
    return f"{match} (did you mean that?); the choices are {listed}"


def check_choice(where: str, value: object, choices: Iterable[object]) -> None:
    """Refuse a value that is not one of the choices, and name the closest.

    >>> check_choice("--optimizer", "adm", ["adam", "gradient_descent"])
    Traceback (most recent call last):
    chainrule.errors.OptionError: --optimizer: expected one of 2 choices; got 'adm'.
    Try adam (did you mean that?); the choices are adam, gradient_descent.
    """
    choices = list(choices)
    if value not in choices:
        raise OptionError(
            where, f"one of {len(choices)} choices", repr(value), did_you_mean(value, choices)
        )


def check_columns(where: str, X, n: int) -> None:
    """Refuse anything but (n, m): one column per example, n features per column.

    >>> check_columns("Dense(3 -> 4)", jnp.ones((5, 3)), n=3)
    Traceback (most recent call last):
    chainrule.errors.ShapeError: Dense(3 -> 4): expected (3, m), one column per example; got (5, 3).
    Try the transpose: it has 3 rows.
    """
    if X.ndim == 2 and X.shape[0] == n:
        return
    if X.ndim == 2 and X.shape[1] == n:
        hint = f"the transpose: it has {n} rows"
    else:
        hint = f"a look at the step before: it should give {n} features per example"
    raise ShapeError(where, f"({n}, m), one column per example", str(tuple(X.shape)), hint)


def check_images(where: str, A, n_C: int | None = None) -> None:
    """Refuse anything but images (m, n_H, n_W, n_C), with n_C channels where that is asked.

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
        hint = "images[..., None]: a channel of its own for grey images"
    elif A.ndim == 3:
        hint = "images[None], if this is one image"
    elif A.ndim == 2:
        hint = "Images((n_H, n_W, n_C)) as the first layer: these are columns"
    else:
        hint = f"a look at the step before: it should give {n_C or 'images with'} channels"
    expected = f"(m, n_H, n_W, {n_C or 'n_C'}), images with their channels last"
    raise ShapeError(where, expected, str(tuple(A.shape)), hint)


def check_fits(where: str, shape: tuple[int, ...], f: int, s: int, pads: tuple[int, int]) -> None:
    """Refuse a filter or a pool of f by f that is larger than the image with its border.

    >>> check_fits("MaxPool(2×2)", (5, 1, 8, 3), f=2, s=2, pads=(0, 0))
    Traceback (most recent call last):
    chainrule.errors.ShapeError: MaxPool(2×2): expected images of at least 2 by 2 for f = 2; got \
1 by 8, which leaves ⌊(n + 2p − f)/s⌋ + 1 = ⌊(1 + 0 − 2)/2⌋ + 1 = 0.
    Try p="same", a smaller f, or one pool less before it.
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
        f"{n_H} by {n_W}, which leaves {size} = {(n + border - f) // s + 1}",
        'p="same", a smaller f, or one pool less before it',
    )


def check_stride(where: str, s: int) -> None:
    """Refuse a filter that does not move on."""
    if s < 1:
        raise OptionError(where, "a stride s of 1 or more", str(s), "1")
