"""chainrule/inspection/report/report.py: what the page of a run contains, and what it never can."""

import json
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser

import numpy as np
import pytest

from chainrule.inspection.report.content import command, records
from chainrule.inspection.report.report import SECTIONS, report
from chainrule.runs.job import train_prepared
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe

pytestmark = pytest.mark.usefixtures("float32_world")

NASTY = "<script>alert(1)</script>"
RUNG = {"name": "no hidden layer", "parameters": 27, "tried": 4, "metric": "accuracy"}
RUNG |= {"train": 0.97, "dev": 0.9333, "gain": None, "standard_error": None, "seconds": 0.5}


def trained(source, **options):
    prepared = prepare(Recipe(source, hidden=(), epochs=3, **options))
    return train_prepared(prepared), prepared.data


@pytest.fixture(scope="module")
def iris():
    """Return a run and its data."""
    return trained("iris")


class Page(HTMLParser):
    """The content of a page: its elements with their attributes, its ids, its text."""

    def __init__(self, page: bytes):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(page.decode())
        self.ids = {a["id"] for _, a in self.elements if "id" in a}

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def of(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]


def test_the_header_shows_the_result(iris):
    run, data = iris
    page = Page(report(run, data))
    part = run.results["test"]
    right = round(part["accuracy"] * part["m"])
    assert f"{100 * part['accuracy']:.1f} % accuracy on the test set" in page.text
    assert f"classifies {right} of {part['m']:.0f} test examples correctly" in page.text


def test_a_missing_record_has_no_section(iris):
    run, data = iris
    assert not Page(report(run)).ids & {"next", "ladder", "mistakes", "importance", "answers"}
    with_data = Page(report(run, data)).ids
    assert with_data == {"main", *SECTIONS} - {
        "next",
        "ladder",
        "mistakes",
        "importance",
        "transfer",
    }


def test_every_link_inside_has_its_section_and_every_section_its_link(iris):
    run, data = iris
    page = Page(report(run, data, **records(run, data), ladder=[RUNG | {"verdict": "chosen"}]))
    targets = {a["href"].removeprefix("#") for a in page.of("a")}
    assert targets == page.ids
    assert "ladder" in page.ids


def test_the_chosen_rung_is_marked(iris):
    rungs = [RUNG | {"verdict": "baseline, chosen"}, RUNG | {"verdict": "worse"}]
    run = replace(iris[0], facts={**iris[0].facts, "ladder": rungs})
    marked = re.findall(r'<tr class="marked">.*?</tr>', report(run).decode())
    assert len([row for row in marked if "no hidden layer" in row]) == 1


def test_the_page_loads_nothing_and_runs_its_own_script_alone(iris):
    run, data = iris
    page = Page(report(run, data, **records(run, data)))
    text = report(run, data).decode()
    for tag in ("img", "script", "link", "iframe"):
        for attributes in page.of(tag):
            source = attributes.get("src") or attributes.get("href") or "data:"
            assert source.startswith("data:")
    assert "url(" not in text
    assert "@import" not in text
    (policy,) = [a["content"] for a in page.of("meta") if "content-security" in str(a).lower()]
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in policy
    assert "default-src 'none'" in policy


@pytest.fixture(scope="module")
def nasty(tmp_path_factory):
    """Return a run on a table whose file, columns, classes and cells contain markup."""
    file = tmp_path_factory.mktemp("data") / "<img src=x>.csv"
    rng = np.random.default_rng(0)
    rows = [f"{NASTY},<b>,&amp;"]
    for i in range(60):
        kind = [NASTY, '"><svg onload=alert(2)>'][i % 2].replace('"', '""')
        rows.append(f'{rng.normal():.3f},"<i>{i % 3}</i>","{kind}"')
    file.write_text("\n".join(rows))
    prepared = prepare(Recipe(str(file), target="&amp;", hidden=(), epochs=3))
    return train_prepared(prepared), prepared.data


def test_names_in_the_data_are_never_markup(nasty):
    run, data = nasty
    page = Page(report(run, data, **records(run, data)))
    assert len(page.of("script")) == 1
    assert not page.of("i") + page.of("b") + page.of("svg onload")
    assert all("onload" not in a and "onerror" not in a for _, a in page.elements)
    assert NASTY in page.text
    assert "<img src=x>" in page.text


def test_a_saved_diagnosis_is_shown_without_the_data(iris):
    run, data = iris
    made = records(run, data)["diagnosis"]
    saved = json.loads(json.dumps(made.to_dict()))
    reloaded = records(replace(run, facts={**run.facts, "diagnosis": saved}), None)["diagnosis"]
    assert reloaded == made
    assert Page(report(run, diagnosis=reloaded)).ids >= {"next"}
    assert records(run, None) == {"diagnosis": None}


def test_transfer_learning_is_shown_with_the_three_conditions(iris):
    condition = {"name": "the same kind of input", "holds": None, "words": f"nothing tells {NASTY}"}
    found = {"base": "runs/a", "base_data": "wine", "trained": 1, "layers": 2, "why": "90 are few"}
    found["conditions"] = [condition]
    run = replace(iris[0], facts={**iris[0].facts, "transfer": found})
    text = Page(report(run)).text
    started = "Training started from runs/a, which was trained on wine; 1 of 2 layers were trained."
    assert started in text
    assert "unknown" in text
    assert NASTY in text


def test_a_regression_shows_its_predictions_against_the_truth():
    run, data = trained("diabetes")
    page = report(run, data, **records(run, data)).decode()
    assert "Predicted against true values of the dev set" in page
    assert "explains" in page
    assert "R²" in page


def test_images_have_alternative_texts_and_tables_captions():
    run, data = trained("digits", normalize="pixels")
    page = Page(report(run, data, **records(run, data)))
    assert page.of("img")
    assert all(a["alt"] for a in page.of("img"))
    assert len(page.of("caption")) == len(page.of("table"))
    assert all(a.get("aria-label") for a in page.of("svg"))
    assert len(page.of("h1")) == 1


def test_the_decision_boundary_is_shown_if_it_was_drawn(iris):
    page = report(*iris, pictures={"boundary.png": b"\x89PNG", "cost.png": b"drawn here as lines"})
    (image,) = Page(page).of("img")
    assert image["src"] == "data:image/png;base64,iVBORw=="
    assert "boundary" not in report(*iris).decode()


def test_a_report_is_small_and_the_same_each_time(iris):
    run, data = iris
    page = report(run, data, **records(run, data))
    assert page == report(run, data, **records(run, data))
    assert len(page) < 300_000


def test_the_goal_and_its_conditions_are_shown(iris):
    run, data = iris
    goal = "best macro_f1 with accuracy >= 0.999"
    with_goal = replace(run, recipe=replace(run.recipe, goal=goal))
    text = Page(report(with_goal, data)).text
    assert "Goal: best macro_f1 with accuracy >= 0.999." in text
    assert "macro F1" in text.split("on the test set")[0]
    missed = run.results["test"]["accuracy"] < 0.999
    assert ("The goal is not met: accuracy >= 0.999" in text) == missed
    assert "The goal is not met" not in Page(report(run, data)).text


@pytest.mark.parametrize(
    ("options", "command_line"),
    [
        (
            {"source": "my data.csv", "target": "a b"},
            "chainrule train 'my data.csv' --target 'a b'",
        ),
        ({"source": "digits", "hidden": ()}, "chainrule train digits --hidden none"),
        ({"source": "d", "image_size": (8, 9)}, "chainrule train d --image-size 8x9"),
        ({"source": "d", "early_stopping": False}, "chainrule train d --no-early-stopping"),
        ({"source": "d", "base": "runs/a"}, "chainrule train d --from runs/a"),
    ],
)
def test_the_command_that_repeats_a_run(options, command_line):
    assert command(Recipe(**options)) == command_line
