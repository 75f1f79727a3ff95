"""Photographs and paintings are told apart, and one sheet shows all styles of a photograph."""

import numpy as np
import pytest
from PIL import Image
from tiny import smooth

from cyclegan_tf import InputError
from cyclegan_tf.data import image_files
from cyclegan_tf.experiments.grid import GridFolder
from cyclegan_tf.experiments.neural_style import neural_style
from cyclegan_tf.experiments.paintings_source import paintings_source
from cyclegan_tf.experiments.reproduce import reproduce
from cyclegan_tf.experiments.style_study import CollectionCell, StyleCell, style_study
from cyclegan_tf.experiments.training_cell import EPOCHS
from cyclegan_tf.experiments.translation_tables import Setting

SIZE = 16


@pytest.fixture
def folder(tmp_path):
    """One held-back photograph, two of training, three paintings; wider than tall."""
    root = tmp_path / "photo2painter"
    for name, count in (("testA", 1), ("testB", 1), ("trainA", 2), ("trainB", 3)):
        (root / name).mkdir(parents=True)
        for number in range(count):
            image = smooth(32, 48, seed=10 * len(name) + number)
            Image.fromarray(image).save(root / name / f"{number}.png")
    return root


def test_held_back_photographs_come_first(folder):
    images = paintings_source(folder, SIZE)
    assert images.to_paintings == "ab"
    names = [f"{path.parent.name}/{path.name}" for path in images.photographs()]
    assert names == ["testA/0.png", "trainA/0.png", "trainA/1.png"]
    assert [path.parent.name for path in images.paintings()] == ["trainB"] * 3
    assert images.read(images.photographs()[0]).shape == (16, 24, 3)


def test_paintings_are_domain_a_where_the_name_says_so(folder):
    images = paintings_source(folder.rename(folder.with_name("monet2photo")), SIZE)
    assert images.to_paintings == "ba"
    assert [path.parent.name for path in images.paintings()] == ["trainA"] * 2


@pytest.mark.parametrize("names", [["style"], ["style", "failures"]])
def test_maps_are_no_style(names, tmp_path):
    with pytest.raises(InputError, match=r"one domain of scenes is maps, .*give --data a folder"):
        reproduce(names, tmp_path / "out")
    (tmp_path / "classes.json").write_text("{}")
    with pytest.raises(InputError, match=r"one domain of .* is maps"):
        reproduce(names, tmp_path / "out", data=str(tmp_path))


def test_style_does_not_share_images_with_tables(folder, tmp_path):
    with pytest.raises(InputError, match=r"and table2 label maps: name style alone"):
        reproduce(["style", "table2"], tmp_path / "out", data=str(folder))


def test_a_missing_domain_is_named(tmp_path):
    (tmp_path / "trainA").mkdir()
    with pytest.raises(InputError, match=r"trainB does not exist"):
        paintings_source(tmp_path, SIZE)


def _study(folder, steps=EPOCHS):
    return style_study(
        Setting(paintings_source(folder, SIZE), seeds=(3,), steps=steps, base_filters=4)
    )


def test_styles_are_those_of_single_paintings_and_of_all(folder):
    cells = {cell.name: cell for cell in _study(folder, steps=50 * EPOCHS).cells}
    assert {name: getattr(cell, "painting", "") for name, cell in cells.items()} == {
        "style_painting1": 0,
        "style_painting2": 1,
        "style_collection": None,
        "style_cyclegan_3": "",
    }
    assert cells["style_painting1"].evaluations == 500  # of the published code
    assert cells["style_cyclegan_3"].run_options().training.steps_per_epoch == 50
    assert _study(folder).cells[0].evaluations == EPOCHS


def test_a_cell_does_not_repeat_what_is_there(folder, tmp_path):
    images = paintings_source(folder, SIZE)
    cell = StyleCell("one", images, 1, evaluations=2)
    (tmp_path / "0.png").write_bytes((folder / "trainA" / "0.png").read_bytes())
    (tmp_path / "2.png").write_bytes((folder / "trainA" / "0.png").read_bytes())
    said = []
    assert cell.run(tmp_path, said.append)["files"] == ["0.png", "1.png", "2.png"]
    assert sum("in the style of" in line for line in said) == 1
    photograph, painting = images.photographs()[1], images.paintings()[1]
    expected = neural_style(
        images.read(photograph), [images.read(painting)], image_size=SIZE, evaluations=2, log=print
    )
    np.testing.assert_array_equal(image_files.read(tmp_path / "1.png"), expected)


@pytest.mark.slow
def test_a_trained_cyclegan_translates_the_same_photographs(folder, tmp_path):
    cell = CollectionCell("one", paintings_source(folder, 32), 0, EPOCHS, base_filters=4)
    assert cell.run(tmp_path, print) == {"files": ["0.png", "1.png", "2.png"]}
    assert image_files.read(tmp_path / "0.png").shape == (32, 48, 3)


def test_the_sheet_has_a_column_for_each_style(folder, tmp_path):
    study = _study(folder)
    results = {}
    for cell in study.cells[1:]:
        place = GridFolder(tmp_path).cell(cell.name)
        place.mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (24, 16), "red").save(place / f"{number}.png")
        results[cell.name] = {"files": [f"{number}.png" for number in range(3)]}
    page = study.write(results, tmp_path / "tables")
    assert '<img src="tables/style.png"' in page
    sheet = image_files.read(tmp_path / "tables" / "style.png")
    assert sheet.shape[1] == 6 + 4 * (128 + 6)  # photographs, and three of the four
    red = (sheet == (255, 0, 0)).all(-1).mean()
    assert red == pytest.approx(9 * 128 * 85 / sheet[..., 0].size, rel=0.02)
    text = (tmp_path / "tables" / "style.md").read_text()
    assert "Painting 1: 0.png; painting 2: 1.png." in text
    assert study.write({}, tmp_path / "tables") == ""
