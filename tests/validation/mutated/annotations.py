"""Formats of annotations for `tests/validation/mutations.py`."""

from tests.validation.mutated.formats import Format

FORMATS: dict[str, Format] = {}
