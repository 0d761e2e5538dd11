"""chainrule/inspection/report/charts.py: where points are drawn, and what tooltips show."""

import json
import re
from html import unescape

import numpy as np
import pytest

from chainrule.inspection.report.charts import HEIGHT, MOST, Scale, chart, intervals, scatter

HOW = {"words": "the cost", "x_label": "epoch", "y_label": "J"}


def tooltips(figure: str) -> list:
    """Return the tooltips of a chart."""
    found = re.search(r'data-points="([^"]*)"', figure)
    assert found
    return json.loads(unescape(found[1]))


def lines(figure: str) -> list[np.ndarray]:
    found = re.findall(r'<polyline points="([^"]*)"', figure)
    return [np.array([pair.split(",") for pair in points.split()], float) for points in found]


def test_positions_on_a_scale_by_hand():
    assert Scale(0, 10, 100, 200).place(2.5) == 125
    assert Scale(1, 100, 0, 50, log=True).place(10) == 25
    assert Scale(3, 17, 0, 1).ticks() == [5, 10, 15]
    assert Scale(-0.1, 0.1, 0, 1).ticks() == [-0.1, -0.05, 0, 0.05, 0.1]


def test_a_higher_value_stands_higher_and_a_later_one_further_right():
    (line,) = lines(chart({"train": [(1, 3.0), (2, 1.0), (3, 2.0)]}, **HOW))
    assert (np.diff(line[:, 0]) > 0).all()
    assert line[1, 1] > line[2, 1] > line[0, 1]
    assert line[:, 1].max() < HEIGHT


def test_between_two_epochs_there_is_no_number():
    figure = chart({"train": [(1, 0.5), (2, 0.3), (3, 0.2)]}, **HOW)
    assert re.findall(r'class="tick below">([^<]*)', figure) == ["1", "2", "3"]


def test_two_decades_make_the_scale_logarithmic():
    (line,) = lines(chart({"train": [(1, 1000.0), (2, 10.0), (3, 0.1)]}, **HOW))
    up, down = np.diff(line[:, 1])
    assert up == pytest.approx(down, abs=0.2)


def test_the_tooltip_shows_every_series():
    figure = chart({"train": [(1, 0.5), (2, 0.25)], "dev": [(2, 0.125)]}, **HOW)
    (_, first, alone), (_, second, both) = tooltips(figure)
    assert (first, second) == ("1", "2")
    assert alone == ["train 0.5"]
    assert both == ["train 0.25", "dev 0.125"]
    assert 'class="key s0">train' in figure
    assert 'class="key s1">dev' in figure


def test_a_long_line_is_thinned_out_and_keeps_its_ends():
    figure = chart({"train": [(i, 1 / i) for i in range(1, 5001)]}, **HOW)
    (line,) = lines(figure)
    assert len(line) <= MOST + 1
    assert [tooltips(figure)[i][1] for i in (0, -1)] == ["1", "5,000"]


@pytest.mark.parametrize(
    "points", [[], [(1, 0.5)], [(1, float("nan"))], [(1, 0.0), (2, 0.0)], [(1, -1.0), (2, 1e9)]]
)
def test_whatever_the_numbers_the_chart_can_be_drawn(points):
    figure = chart({"train": points}, **HOW)
    assert "nan" not in figure.replace("data-points", "")
    assert "<svg" in figure


def test_a_mark_has_a_label():
    assert "epoch 2 is kept" in chart(
        {"dev": [(1, 2.0), (2, 1.0)]}, **HOW, mark=(2.0, "epoch 2 is kept")
    )


def test_an_interval_reaches_from_low_to_high():
    figure = intervals([("dev", 0.5, 0.25, 0.75, "50 %"), ("exact", 1.0, 1.0, 1.0, "all")], "e")
    (reach,) = re.findall(r'<line x1="([\d.]+)" x2="([\d.]+)"', figure)
    bars = re.findall(r'width="([\d.]+)" class="bar', figure)
    assert float(reach[1]) - float(reach[0]) == pytest.approx(float(bars[0]), abs=0.2)
    assert float(bars[1]) == pytest.approx(2 * float(bars[0]), abs=0.2)


def test_right_predictions_lie_on_the_line():
    figure = scatter(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]), "r")
    dots = np.array(re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', figure), float)
    (ends,) = re.findall(
        r'class="mark"><line x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="([\d.]+)"', figure
    )
    np.testing.assert_allclose(dots[[0, 2]].ravel(), np.array(ends, float), atol=0.11)
