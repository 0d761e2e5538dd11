"""chainrule/inspection/search_plots.py: what is drawn, checked by its labels."""

import numpy as np
import pytest

from chainrule.inspection import search_plots as pictures
from chainrule.search.space import Space
from chainrule.search.trials import DONE, FAILED, PRUNED, CandidateResult, Outcome

SPACE = Space.parse(
    [
        "learning_rate=log(1e-4, 1)",
        "activation=choices(relu, tanh)",
        "beta=one_minus_log(0.9, 0.999) if activation == tanh",
    ]
)


def candidates(count: int) -> list[CandidateResult]:
    made = []
    for number in range(count):
        values = SPACE.sample(0, number)
        cost = 0.01 + abs(np.log10(values["learning_rate"]) + 2)
        curve = {"epoch": [1, 2, 3], "cost": [3, 2, cost], "dev_cost": [4.0, 2.0, cost]}
        state = PRUNED if number % 5 == 4 else DONE
        made.append(CandidateResult(number, values, Outcome(state, cost, {}, curve)))
    return [
        *made,
        CandidateResult(count, {"learning_rate": 1.0}, Outcome(FAILED, why="not finite")),
    ]


@pytest.fixture
def drawn(monkeypatch):
    """Return every figure that is drawn."""
    found = []

    def png(draw, height):
        from matplotlib.figure import Figure

        figure = Figure(layout="constrained")
        draw(figure)
        figure.draw_without_rendering()
        found.append(figure)
        return b"PNG"

    monkeypatch.setattr(pictures, "png", png)
    return found


def words(figure) -> str:
    import matplotlib.text

    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def test_plots_are_png_files():
    made = pictures.search_pictures(SPACE, candidates(12))
    assert list(made) == ["candidates.png", "importance.png", "curves.png"]
    assert all(content.startswith(b"\x89PNG") for content in made.values())
    assert made == pictures.search_pictures(SPACE, candidates(12))


def test_the_candidates_are_lines_through_their_values(drawn):
    pictures.search_pictures(SPACE, candidates(12))
    figure = drawn[0]
    text = words(figure)
    for expected in ("learning_rate", "relu", "0.999", "dev cost", "none", "best 3 in colour"):
        assert expected in text
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 4]
    assert len(lines) == 10  # the candidates that are done
    heights = np.array([line.get_ydata() for line in lines], float)
    assert heights[0, -1] == 0  # the best candidate is at the bottom of the dev cost
    assert heights[:, -1].max() == 1
    assert (heights[:, :3] >= pictures.NOT_SAMPLED).all()


def test_the_bars_are_the_importances(drawn):
    pictures.search_pictures(SPACE, candidates(12))
    figure = drawn[1]
    assert "Importance of the dimensions among 10 candidates" in words(figure)
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths == sorted(widths, reverse=True)
    assert all(0 <= width <= 1 for width in widths)


def test_every_curve_is_drawn_and_early_ends_are_marked(drawn):
    pictures.search_pictures(SPACE, candidates(12))
    figure = drawn[2]
    curves = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 3]
    assert len(curves) == 12
    assert "ended early: 2" in words(figure)
    assert "candidate " in words(figure)


def test_empty_plots_are_left_out():
    assert list(pictures.search_pictures(SPACE, candidates(4))) == ["candidates.png", "curves.png"]
    assert list(pictures.search_pictures(SPACE, candidates(1))) == ["curves.png"]
    assert pictures.search_pictures(SPACE, candidates(0)) == {}


def test_candidates_of_one_cost(drawn):
    same = [CandidateResult(n, SPACE.sample(0, n), Outcome(DONE, 0.0)) for n in range(3)]
    assert list(pictures.search_pictures(SPACE, same)) == ["candidates.png"]
