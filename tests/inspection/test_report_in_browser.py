"""report.html in an offline browser: it requests nothing and logs no errors."""

import re
from dataclasses import replace

import pytest

from chainrule.inspection.report.content import records
from chainrule.inspection.report.report import report
from chainrule.runs.job import train_prepared
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe
from tests.inspection.browser import Browser, chromium
from tests.inspection.report.test_report import RUNG

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium here to open the report in"),
    pytest.mark.usefixtures("float32_world"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Return the report of a run with all sections."""
    prepared = prepare(Recipe("digits", hidden=(16,), epochs=20, normalize="pixels"))
    run, data = train_prepared(prepared), prepared.data
    run = replace(run, facts={**run.facts, "ladder": [RUNG | {"verdict": "chosen"}]})
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_bytes(report(run, data, **records(run, data)))
    return path


@pytest.fixture(scope="module")
def browser():
    """Return a browser that all tests share."""
    with Browser() as one:
        yield one


def channel(colour: str) -> int:
    """Return the red of "rgb(…)"."""
    return int(colour.split("(")[1].split(",")[0])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_requested_and_the_console_stays_empty(browser, page, scheme):
    browser.open(page, scheme=scheme)
    assert browser.complaints() == []
    assert browser.requests() == []
    seen = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (channel(seen) > 200) == (scheme == "light")


def test_an_error_and_a_request_would_be_noticed(browser, page, tmp_path):
    spoiled = tmp_path / "spoiled.html"
    image = b'<img src="https://example.org/a.png" alt=""><script>oops()</script></body>'
    spoiled.write_bytes(page.read_bytes().replace(b"</body>", image))
    browser.open(spoiled)
    assert browser.complaints()
    plain = tmp_path / "plain.html"
    plain.write_text('<img src="https://example.org/a.png"><script>oops()</script>')
    browser.open(plain)
    assert "https://example.org/a.png" in browser.requests()
    assert "oops" in str(browser.complaints())


def test_hovering_over_a_curve_shows_its_values(browser, page):
    browser.open(page, height=4000)
    box = "document.querySelector('#training svg').getBoundingClientRect()"
    x, y = browser.evaluate(f"[{box}.x + {box}.width / 2, {box}.y + 100]")
    browser.press(x, y)
    tooltip = browser.evaluate("document.querySelector('.tooltip').innerText")
    assert re.fullmatch(r"epoch 1\d\ntrain [\d.]+\ndev [\d.]+", tooltip)
    assert browser.complaints() == []


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_the_page_is_never_wider_than_its_window(browser, page, width):
    browser.open(page, width=width)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_the_printed_page_is_light_on_any_screen(browser, page):
    browser.open(page, scheme="dark")
    browser.ask("Emulation.setEmulatedMedia", media="print")
    seen = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert channel(seen) == 255
    assert browser.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert browser.printed().startswith(b"%PDF")
    browser.ask("Emulation.setEmulatedMedia", media="")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser, page, scheme):
    """The contrast is at least 4.5 to 1, as accessibility guidelines require."""
    browser.open(page, scheme=scheme)
    least = browser.evaluate(CONTRAST)
    assert least >= 4.5


CONTRAST = """(() => {
  const rgb = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
  };
  const kinds = "h1, h2, h3, p, li, td, th, dt, dd, a, caption, figcaption";
  const words = [...document.querySelectorAll(kinds)];
  const seen = words.filter((one) => one.innerText && !one.closest(".confusion, .skip"));
  return Math.min(...seen.map((one) => {
    const [a, b] = [light(rgb(getComputedStyle(one).color)), light(ground(one))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }));
})()"""
