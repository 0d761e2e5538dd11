"""The formats of `tests/validation/mutations.py`, one module for each domain; each has FORMATS."""
