"""chainrule/data/images.py"""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from chainrule.data.load import load
from chainrule.errors import ChainruleError, DataWarning

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 7, 3), dtype=np.uint8)
KINDS = ["cat", "cat", "cat", "dog", "dog", "dog"]


@pytest.fixture
def folder(tmp_path):
    """Create six images in a folder, and the table that lists them."""
    (tmp_path / "photos").mkdir()
    for i, pixels in enumerate(PIXELS):
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{i}.png")
    names = [f"photos/{i}.png" for i in range(6)]
    names[5] = str(tmp_path / "photos" / "5.png")
    pd.DataFrame({"File name": names, "kind": KINDS}).to_csv(tmp_path / "pets.csv", index=False)
    return tmp_path


def error_text(path, **options) -> str:
    with pytest.raises(ChainruleError) as error:
        load(path, **options)
    return str(error.value).replace(f"{path.parent}/", "")


def rewrite(path, **columns) -> None:
    pd.read_csv(path).assign(**columns).to_csv(path, index=False)


def test_paths_and_labels(folder):
    source = load(folder / "pets.csv", target="kind")
    np.testing.assert_array_equal(source.X, PIXELS)
    assert source.y.tolist() == KINDS
    assert source.where[0] == "photos/0.png"
    assert source.place_name == "file"
    assert load(folder / "pets.csv", target="kind", image_size=(2, 3)).X.shape == (6, 2, 3, 3)
    unlabelled = load(folder / "pets.csv", labelled=False)  # the other column is not a feature
    assert unlabelled.y is None


def test_the_digest_is_that_of_table_and_images(folder):
    def digest():
        return load(folder / "pets.csv", target="kind").digest

    first = digest()
    assert digest() == first
    Image.fromarray(PIXELS[0]).save(folder / "photos" / "1.png")
    second = digest()
    rewrite(folder / "pets.csv", kind=KINDS[::-1])
    assert len({first, second, digest()}) == 3


def test_parquet_groups_and_weights(folder):
    frame = pd.DataFrame(
        {
            "image": [f"photos/{i}.png" for i in range(6)],
            "kind": KINDS,
            "owner": list("aabbcc"),
            "counts": range(6),
        }
    )
    frame.to_parquet(folder / "pets.parquet")
    source = load(folder / "pets.parquet", target="kind", group="owner", weight="counts")
    assert source.groups.tolist() == list("aabbcc")
    assert source.weights.tolist() == list(range(6))


def test_a_column_of_any_name_if_it_is_given(folder):
    frame = pd.read_csv(folder / "pets.csv").rename(columns={"File name": "where"})
    frame.to_csv(folder / "pets.csv", index=False)
    assert load(folder / "pets.csv", target="kind").is_table
    np.testing.assert_array_equal(
        load(folder / "pets.csv", target="kind", images="where").X, PIXELS
    )
    assert error_text(folder / "pets.csv", target="kind", images="were").startswith(
        "--images: expected a column of pets.csv; got 'were'.\nTry where (did you mean that?)"
    )
    assert error_text(folder / "pets.csv", target="kind", image_size=(2, 2)) == (
        "--image-size: expected images; got the table pets.csv.\n"
        "Try removing this option, or --images COLUMN, the column of image paths."
    )


def test_other_columns_are_ignored_with_a_warning(folder):
    rewrite(folder / "pets.csv", age=range(6))
    with pytest.warns(DataWarning, match="ignored the columns 'age'"):
        assert load(folder / "pets.csv", target="kind").X.shape == (6, 5, 7, 3)


def test_a_missing_file_is_reported_with_its_line(folder):
    (folder / "photos" / "2.png").unlink()
    (folder / "photos" / "4.png").write_bytes(b"no image")
    actual_text = error_text(folder / "pets.csv", target="kind")
    assert actual_text.startswith(
        "pets.csv, line 4, photos/2.png: expected an image; got no such file; "
        "likewise for 1 more: pets.csv, line 6, photos/4.png."
    )
    with pytest.warns(DataWarning, match="skipped 2 of 6 images that cannot be read"):
        source = load(folder / "pets.csv", target="kind", skip_unreadable=True)
    np.testing.assert_array_equal(source.X, PIXELS[[0, 1, 3, 5]])
    assert source.y.tolist() == ["cat", "cat", "dog", "dog"]


def test_an_empty_cell_is_reported(folder):
    rewrite(folder / "pets.csv", **{"File name": ["photos/0.png", None, *["photos/1.png"] * 4]})
    assert error_text(folder / "pets.csv", target="kind", images="File name") == (
        "pets.csv, column 'File name': expected the path of an image in every row; "
        "got none in 1 of 6 rows, the first in line 3.\nTry another column."
    )
