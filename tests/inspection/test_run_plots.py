"""chainrule/inspection/run_plots.py: which plots a run gets, and which set they show."""

import pytest
from matplotlib.axes import Axes

from chainrule.inspection.run_plots import PANELS, plot_run
from chainrule.runs.job import train_prepared
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe

pytestmark = pytest.mark.usefixtures("float32_world")


@pytest.fixture
def titles(monkeypatch):
    """Return the titles of the plots drawn so far."""
    titles_set, write = [], Axes.set

    def note(self, **settings):
        titles_set.extend(settings[key] for key in ("title",) if key in settings)
        return write(self, **settings)

    monkeypatch.setattr(Axes, "set", note)
    return titles_set


@pytest.mark.parametrize(
    ("source", "dev", "names", "prefix"),
    [
        ("iris", None, {"cost.png", "confusion.png"}, "dev: "),
        ("iris", "none", {"cost.png", "confusion.png"}, "test: "),
        ("moons", None, {"cost.png", "confusion.png", "boundary.png"}, "dev: "),
        ("diabetes", None, {"cost.png", "predicted.png"}, "dev: R² = "),
    ],
)
def test_plots_name_the_set_that_they_show(titles, source, dev, names, prefix):
    prepared = prepare(Recipe(source=source, hidden=(), epochs=1, dev=dev))
    pictures = plot_run(train_prepared(prepared), prepared.sources)
    assert pictures.keys() == names | {"signal.png"}
    of_parts = [title for title in titles if title not in PANELS.values()]
    assert of_parts[0].startswith(f"{source}: the cost")
    assert all(title.startswith(prefix) for title in of_parts[1:])
    assert len(of_parts) == len(names)
