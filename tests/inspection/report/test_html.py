"""chainrule/inspection/report/html.py: text stays text; images keep their pixels."""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from chainrule.inspection.report.html import (
    LARGEST,
    Html,
    element,
    page,
    picture,
    png,
    table,
    together,
)

NASTY = "</td><script>alert('&')</script>"


def tags(page: str) -> list[str]:
    found = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append(tag)

    Reader().feed(page)
    return found


def test_an_element_by_hand():
    assert element("p", "a < b", 3, class_="note") == '<p class="note">a &lt; b3</p>'
    assert element("img", src="x", alt='"') == '<img src="x" alt="&#34;">'
    assert element("p", None, title=None) == "<p></p>"
    assert element("p", element("b", "x"), aria_label="y") == '<p aria-label="y"><b>x</b></p>'


def test_markup_is_what_element_gave_and_nothing_else():
    assert together(["<b>", Html("<i>"), None]) == "&lt;b&gt;<i>"


def test_nothing_in_a_table_becomes_markup():
    page = table(NASTY, [NASTY, NASTY], [[NASTY, NASTY], [NASTY, 1]], marked=[1])
    assert set(tags(page)) == {"div", "table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert page.count('class="marked"') == 1
    assert 'scope="col"' in page
    assert 'scope="row"' in page


def test_a_missing_cell_is_empty():
    assert '<td class="number"></td>' in table("c", ["a", "b"], [["x", None]])


def test_nothing_in_the_page_becomes_markup():
    written = page(NASTY, element("p", NASTY), {"a": (NASTY, element("p", NASTY))}).decode()
    assert tags(written).count("script") == 1
    assert "alert" not in written[written.index("<script>") :]
    assert written.count("alert") == 6


def test_the_policy_allows_the_script_of_the_page_only():
    written = page("t", element("p"), {}).decode()
    (script,) = re.findall("<script>(.*)</script>", written, re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;;" in written


def test_the_alternative_text_of_an_image_is_escaped():
    assert tags(picture(b"\x89PNG", f'"{NASTY}')) == ["img"]


@pytest.mark.parametrize("shape", [(5, 3), (5, 3, 1), (5, 3, 3)])
def test_a_png_keeps_every_pixel(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    read = np.asarray(Image.open(BytesIO(png(pixels))))
    np.testing.assert_array_equal(read, pixels.reshape(read.shape))


def test_a_large_image_is_reduced_by_averaging():
    pixels = np.zeros((2 * LARGEST, 100), np.uint8)
    pixels[::2, ::2] = 200
    read = np.asarray(Image.open(BytesIO(png(pixels))))
    assert read.shape == (LARGEST, 50)
    assert (read == 50).all()


def test_an_image_of_one_row_is_drawn():
    assert np.asarray(Image.open(BytesIO(png(np.ones((1, 4 * LARGEST)))))).shape == (1, LARGEST)
