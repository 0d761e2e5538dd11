"""Programs that measure the tests themselves; they are run by hand, not by pytest."""
