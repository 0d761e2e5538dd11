"""The fixtures of plots, shared with tests/inspection."""

from tests.inspection.conftest import figure_of

__all__ = ["figure_of"]
