"""chainrule/inspection/pictures.py: which pictures a run gets, and of which part they speak."""

import pytest
from matplotlib.axes import Axes

from chainrule.inspection.pictures import run_pictures
from chainrule.inspection.signals import PANELS
from chainrule.train.prepare import prepare
from chainrule.train.recipe import Recipe
from chainrule.train.run import train_prepared

pytestmark = pytest.mark.usefixtures("float32_world")


@pytest.fixture
def titles(monkeypatch):
    """Of the pictures drawn so far."""
    said, write = [], Axes.set

    def note(self, **settings):
        said.extend(settings[key] for key in ("title",) if key in settings)
        return write(self, **settings)

    monkeypatch.setattr(Axes, "set", note)
    return said


@pytest.mark.parametrize(
    ("source", "dev", "names", "says"),
    [
        ("iris", None, {"cost.png", "confusion.png"}, "dev: "),
        ("iris", "none", {"cost.png", "confusion.png"}, "test: "),
        ("moons", None, {"cost.png", "confusion.png", "boundary.png"}, "dev: "),
        ("diabetes", None, {"cost.png", "predicted.png"}, "dev: R² = "),
    ],
)
def test_pictures_say_the_part_they_show(titles, source, dev, names, says):
    prepared = prepare(Recipe(source=source, hidden=(), epochs=1, dev=dev))
    pictures = run_pictures(train_prepared(prepared), prepared.sources)
    assert pictures.keys() == names | {"signal.png"}
    of_parts = [title for title in titles if title not in PANELS.values()]
    assert of_parts[0].startswith(f"{source}: the cost")
    assert all(title.startswith(says) for title in of_parts[1:])
    assert len(of_parts) == len(names)
