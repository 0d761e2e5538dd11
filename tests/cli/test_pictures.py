"""Pictures from disk: a table of paths, files that cannot be read, more than memory may hold."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.cli.command import chainrule

QUICK = ("--hidden", "none", "--epochs", "2", "--no-check")
M = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Bright and dark pictures in folders, a table of them, and one file that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    rows = []
    for i in range(M):
        kind = ("dark", "bright")[i % 2]
        pixels = rng.integers(0, 128, (6, 6, 3), dtype=np.uint8) + np.uint8(120 * (i % 2))
        path = folder / "photos" / kind / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        rows.append({"file": f"photos/{kind}/{i:02}.png", "kind": kind})
    pd.DataFrame(rows).to_csv(folder / "photos.csv", index=False)
    (folder / "photos" / "dark" / "00.png").write_bytes(b"no picture")
    return folder


def test_a_file_that_cannot_be_read_is_named(folder):
    said = chainrule(folder, "train", "photos", *QUICK)
    assert said.code == 2
    assert said.err.startswith(
        "photos/dark/00.png: expected a complete image; got a truncated or damaged file"
    )
    assert said.err.endswith("copying it again, or --skip-unreadable.\n")
    said = chainrule(folder, "train", "photos.csv", "--target", "kind", *QUICK)
    assert said.err.startswith("photos.csv, line 2, photos/dark/00.png: expected a complete image")


def test_it_is_left_out_where_that_is_asked_and_said_at_the_end(folder):
    said = chainrule(folder, "train", "photos", "--skip-unreadable", *QUICK)
    assert (said.code, "59 examples" in said.out) == (0, True)
    words = "1 image that cannot be read was left out; the first is photos/dark/00.png"
    assert f"  note: {words}" in said.out
    assert "note: photos: skipped 1 of 60 images that cannot be read, the first" in said.err


def test_what_is_not_in_memory_gives_the_same_run(folder, monkeypatch):
    reports = []
    for room in (2**28, 0):
        monkeypatch.setattr("chainrule.data.decoding.IN_MEMORY", room)
        options = ("--batch-size", 16, "--skip-unreadable", "--out", f"run{room}", "--json")
        said = chainrule(folder, "train", "photos.csv", "--target", "kind", *QUICK, *options)
        assert said.code == 0, said.err
        reports.append(json.loads(said.out))
    for part in ("train", "dev", "test"):
        assert reports[0][part] == pytest.approx(reports[1][part], rel=1e-5)

    options = ("photos.csv", "--skip-unreadable")
    said = chainrule(folder, "evaluate", "run0", *options, "--json")
    assert json.loads(said.out)["m"] == M - 1
    assert chainrule(folder, "predict", "run0", *options).out.startswith(
        "file,prediction,p(bright),p(dark)\nphotos/bright/01.png,"
    )
    for source, first in (("photos/bright", "01.png"), ("photos/bright/03.png", "03.png")):
        lines = chainrule(folder, "predict", "run0", source).out.splitlines()
        assert (lines[0].split(",")[0], lines[1].split(",")[0]) == ("file", first)
    assert chainrule(folder, "errors", "run0").code == 0
    assert chainrule(folder, "diagnose", "run0").code == 0
    assert chainrule(folder, "describe", "run0", "--trace").code == 0
    assert chainrule(folder, "check", "run0").code == 0
