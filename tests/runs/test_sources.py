"""Which images the options of a run name, for systems of paired images and of unpaired ones."""

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf import InputError, data
from cyclegan_tf.choices import BUILT_IN
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.sources import BUILT_IN_SOURCES, source_of, sources_of


def _first(sources, number=0):
    return [source.load(number, None) for source in sources]


def test_each_source_that_the_help_names_has_images():
    assert tuple(BUILT_IN_SOURCES) == BUILT_IN


@pytest.mark.parametrize("split", ["train", "test"])
def test_scenes_are_paired_for_a_system_that_needs_it(split):
    label_maps, photographs, _ = data.scene_pairs(2, 16, split=split, seed=3)
    for system, same in (("pix2pix", True), ("cyclegan", False)):
        options = resolve("scenes", system=system, image_size=16, seed=3)
        label_map, photograph = _first(sources_of(options, split), 1)
        np.testing.assert_array_equal(label_map, label_maps[1])
        assert np.array_equal(photograph, photographs[1]) == same


def test_folders_are_matched_by_name_for_a_system_that_needs_it(tmp_path):
    for name, colors in (
        ("trainA", {"1.png": "red", "2.png": "blue"}),
        ("trainB", {"2.png": "lime"}),
    ):
        (tmp_path / name).mkdir()
        for file, color in colors.items():
            Image.new("RGB", (8, 8), color).save(tmp_path / name / file)
    with pytest.warns(UserWarning, match="none of the same name"):
        paired = sources_of(resolve(tmp_path, system="pix2pix"))
    assert [len(source) for source in paired] == [1, 1]
    np.testing.assert_array_equal(_first(paired)[0][0, 0], (0, 0, 255))
    assert [len(source) for source in sources_of(resolve(tmp_path))] == [2, 1]


@pytest.mark.parametrize("system", ["cyclegan", "pix2pix"])
@pytest.mark.parametrize(("order", "expected"), [("ab", (255, 0, 0)), ("ba", (0, 0, 255))])
def test_files_of_both_images_are_read_in_the_order_that_is_given(
    order, expected, system, tmp_path
):
    image = Image.new("RGB", (16, 8), "red")
    image.paste("blue", (8, 0, 16, 8))
    (tmp_path / "train").mkdir()
    image.save(tmp_path / "train" / "1.png")
    options = resolve(tmp_path, system=system, side_by_side=order)
    for image_a in (_first(sources_of(options))[0], source_of(options, 0).load(0, None)):
        np.testing.assert_array_equal(image_a, np.full((8, 8, 3), expected))


def test_sources_that_have_no_pairs_are_refused():
    with pytest.raises(InputError, match="Paired images are asked for, and tfds:x does not"):
        sources_of(resolve("tfds:x", system="pix2pix"))
    for given, beside in ((("scenes", {}), "scenes"), (("a", {"domain_b": "b"}), "domain_b")):
        with pytest.raises(InputError, match=f"leave it out beside {beside}"):
            resolve(given[0], side_by_side="ab", **given[1])
