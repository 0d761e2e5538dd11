"""docs/reference.md lists the options as they are declared."""

from tests.validation.write_reference import PAGE, commands, page


def test_the_page_is_up_to_date():
    assert PAGE.read_text() == page(), "run: python -m tests.validation.write_reference"


def test_it_has_every_command():
    names = [name for name, _ in commands()]
    assert {"train", "tune", "detect train", "verify enrol", "verify gallery"} <= set(names)
    assert all(f"## chainrule {name}\n" in page() for name in names)
