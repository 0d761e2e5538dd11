"""Read numbers that are written with separators or units.

    $1,200.50    (€ 300)    2.5M €      money: one currency in the whole column
    42.7 %                              percentages: 42.7
    36 months    7 kg                   a unit of measurement: the same in the whole column
    60+    <5    >= 3    < 1 year       bounds, also among plain numbers: 60, 5, 3, 1

A column is read as such numbers only if all of its cells agree. The decimal separator is the one
that some cell of the column shows: the last of two different separators, or one that is not
followed by three digits. Otherwise, separators in front of three digits are thousands separators,
except that a point in front of three digits is a decimal point unless the numbers are money.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

NUMBER = r"[-+]?(?:[0-9][0-9.,]*|[.,][0-9]+)(?:[eE][-+]?[0-9]+)?"
GROUPED = r"[-+]?[1-9][0-9]{0,2}(?:%s[0-9]{3})+"
OTHER = {".": ",", ",": "."}
_NUMBER, _SIGN = re.compile(NUMBER), re.compile("[.,]")
_GROUPED = {sign: re.compile(GROUPED % re.escape(sign)) for sign in OTHER}
_BOTH = {
    sign: re.compile(f"{GROUPED % re.escape(OTHER[sign])}{re.escape(sign)}[0-9]+") for sign in OTHER
}


def decimal_sign(cell: str) -> str | None:
    """Return the decimal separator of a number, "" if it is ambiguous, None for other text.

    >>> [decimal_sign(cell) for cell in ("12,5", "1.250", "1.250,5", "1,234,567", "1.2.3", "12")]
    [',', '', ',', '.', None, '']
    """
    if not _NUMBER.fullmatch(cell):
        return None
    signs = _SIGN.findall(cell)
    if not signs:
        return ""
    last = signs[-1]
    if len(set(signs)) == 2:
        return last if _BOTH[last].fullmatch(cell) else None
    grouped = _GROUPED[last].fullmatch(cell)
    if len(signs) > 1:
        return OTHER[last] if grouped else None
    return "" if grouped else last


CURRENCIES = (
    *("US$", "A$", "C$", "R$", "$", "€", "£", "¥", "₹", "₽", "₩", "₺", "zł", "kr"),
    *("USD", "EUR", "GBP", "JPY", "CHF", "INR", "CNY", "AUD", "CAD", "SEK", "NOK", "DKK", "PLN"),
)
MEASURES = (
    *("km/h", "kmh", "mph", "kg", "mg", "g", "lb", "lbs", "oz", "t", "km", "cm", "mm", "m"),
    *("mile", "mi", "ft", "in", "inch", "sqft", "m²", "m2", "km²", "ha", "l", "ml", "cc"),
    *("ms", "s", "sec", "second", "min", "minute", "h", "hr", "hour", "day", "week", "month"),
    *("year", "yr", "°", "°C", "°F", "V", "W", "kW", "kWh", "hp", "bhp", "Hz", "MHz", "GHz"),
    *("KB", "MB", "GB", "TB", "px", "mpg", "kmpl", "pt", "person", "people", "room", "bed"),
)
SCALES = {"k": 1e3, "m": 1e6, "mn": 1e6, "mio": 1e6, "b": 1e9, "bn": 1e9}
PERCENT = "%"
LONGEST = 60
"""The number of characters up to which a text may be a number with a unit, or a date."""


def _any_of(words: Sequence[str], plural: str = "") -> str:
    longest_first = sorted(words, key=len, reverse=True)
    return f"(?:{'|'.join(map(re.escape, longest_first))}){plural}"


MONEY = _any_of(CURRENCIES)
UNIT = re.compile(
    rf"(?P<open>\()?(?P<sign>[-+−])?(?P<bound>[<>]=?|[≤≥~≈])?\s*(?P<before>{MONEY})?\s*"
    r"(?P<inner>[-+−])?"
    r"(?P<number>[0-9]+(?:[.,'’\u00a0\u202f ][0-9]+)*|[.,][0-9]+)\s*"
    rf"(?:(?P<scale>{_any_of(list(SCALES))})(?![a-z]))?(?P<above>\+)?\s*"
    rf"(?P<after>{MONEY}|{PERCENT}|{_any_of(MEASURES, '[s.]?')})?(?P<plus>\+)?(?P<close>\))?",
    re.IGNORECASE,
)
SPACES = re.compile(r"[\s'’\u00a0\u202f]")


@dataclass(frozen=True)
class Unit:
    """How the numbers of a column are written: their unit, and the decimal separator.

    symbol   a currency, "%", a unit of measurement, or "" for numbers of which some are bounds

    >>> unit = Unit.learn(["$1,200", "$ 7.50", "($300)", "$2.5M"])
    >>> unit.parse(["$1,200", "($300)", "$2.5M", "15", "€ 5"]).tolist()
    [1200.0, -300.0, 2500000.0, 15.0, nan]
    """

    symbol: str
    decimal: str

    @classmethod
    def learn(cls, texts: Sequence[str]) -> "Unit | None":
        """Return how these different texts are written, or None if they do not agree."""
        found: list[_Cell] = []
        for text in texts:
            if (cell := _Cell.of(text)) is None:
                return None
            found.append(cell)
        if not found:
            return None
        symbols = {cell.symbol for cell in found}
        decimal = _decimal(found, money=symbols <= _MONEY_SYMBOLS)
        if len(symbols) > 1 or decimal is None:
            return None
        plain = symbols == {""} and not any(cell.bounded for cell in found)
        return None if plain else cls(symbols.pop(), decimal)

    @classmethod
    def most(cls, texts: Sequence[str]) -> "Unit":
        """Return the most frequent unit of these texts, of which some are not numbers."""
        cells = [cell for text in texts if (cell := _Cell.of(text)) is not None]
        symbols = [cell.symbol for cell in cells]
        units = sorted({symbol for symbol in symbols if symbol})
        symbol = max(units, key=symbols.count, default="")
        chosen = [cell for cell in cells if cell.symbol in ("", symbol)]
        return cls(symbol, _decimal(chosen, money=symbol in _MONEY_SYMBOLS) or ".")

    def parse(self, texts: Sequence[str]) -> np.ndarray:
        """Return the number in each text, NaN for other text; the unit may be left out."""
        return np.array([self._number(text) for text in texts], np.float64)

    def _number(self, text: str) -> float:
        cell = _Cell.of(text)
        if cell is None or cell.symbol not in ("", self.symbol):
            return np.nan
        plain = cell.number.replace(OTHER[self.decimal], "").replace(self.decimal, ".")
        try:
            return float(plain) * cell.factor
        except ValueError:  # 1.2.3
            return np.nan


_MONEY_SYMBOLS = {symbol.casefold() for symbol in CURRENCIES}
_SYMBOLS = {symbol.casefold() for symbol in (*CURRENCIES, *MEASURES, PERCENT, "")}


class _Cell(NamedTuple):
    """A number with a unit: its digits with their separators, a factor, and the unit.

    sign  the decimal separator that the number shows, see `decimal_sign`
    """

    number: str
    sign: str
    factor: float
    symbol: str
    bounded: bool

    @classmethod
    def of(cls, text: str) -> "_Cell | None":
        """Return the parts of a cell, or None if it is other text."""
        match = UNIT.fullmatch(text.strip()) if len(text) <= LONGEST else None
        if match is None:
            return None
        before, after, scale = (match[name] or "" for name in ("before", "after", "scale"))
        if scale and not (before or after) and scale.lower() in MEASURES:  # 5 m is a length
            after, scale = scale, ""
        number = SPACES.sub("", match["number"])
        symbol = _singular(before or after)
        money = symbol in _MONEY_SYMBOLS
        one_unit = not (before and after) and (money or not (scale or match["open"]))
        closed = bool(match["open"]) == bool(match["close"])
        sign = decimal_sign(number)
        if not (one_unit and closed) or sign is None:
            return None
        negative = [match["open"], match["sign"] in ("-", "−"), match["inner"] in ("-", "−")]
        factor = SCALES.get(scale.lower(), 1.0) * (-1 if any(negative) else 1)
        return cls(number, sign, factor, symbol, any(match[k] for k in ("bound", "above", "plus")))


def _singular(symbol: str) -> str:
    """Return a unit in lower case and without the ending of its plural."""
    symbol = symbol.casefold().removesuffix(".")
    return symbol if symbol in _SYMBOLS else symbol.removesuffix("s")


def _decimal(cells: Sequence[_Cell], *, money: bool) -> str | None:
    """Return the decimal separator of numbers, or None if they show two of them."""
    shown = {cell.sign for cell in cells if cell.sign}
    if shown:
        return shown.pop() if len(shown) == 1 else None
    comma, point = (any(sign in cell.number for cell in cells) for sign in ",.")
    if comma and point:
        return None
    return "," if point and money else "."
