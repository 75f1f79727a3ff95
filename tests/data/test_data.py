"""The pipeline: what is drawn, how images are prepared, and the sources that feed it."""

import inspect

import numpy as np
import pytest
from PIL import Image
from tiny import smooth

from cyclegan_tf import InputError, data
from cyclegan_tf.data.scenes import CLASSES, COLORS, render


def _numbered(count, first=0, size=(8, 8)):
    """Images that carry their number as their color."""
    return np.stack([np.full((*size, 1), first + n, np.uint8) for n in range(count)])


def _drawn(dataset):
    """The numbers of the images of each pair."""
    return [
        tuple(round((float(image[0, 0, 0, 0]) + 1) * 127.5) for image in pair) for pair in dataset
    ]


def test_an_epoch_is_the_larger_domain_and_runs_through_a():
    dataset = data.arrays(_numbered(7), _numbered(3, first=100))
    assert len(dataset) == 7
    drawn = _drawn(dataset)
    assert sorted(a for a, _ in drawn) == list(range(7))
    assert {b for _, b in drawn} <= {100, 101, 102}


def test_no_two_epochs_give_the_same_pairs():
    dataset = data.arrays(_numbered(20), _numbered(20, first=100))
    epochs = [_drawn(dataset) for _ in range(3)]
    assert len({tuple(sorted(epoch)) for epoch in epochs}) == 3
    assert len({tuple(a for a, _ in epoch) for epoch in epochs}) == 3


def test_pair_k_is_a_function_of_seed_and_k():
    """Resuming at the third epoch gives what the unbroken run gives there, pixels included."""

    def epochs(count, **arguments):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 255, (2, 5, 12, 12, 3), dtype=np.uint8)
        dataset = data.arrays(*images, preprocess="crop", crop_size=8, **arguments)
        return [[np.stack(pair) for pair in dataset] for _ in range(count)]

    unbroken = epochs(4, seed=3)
    np.testing.assert_array_equal(unbroken[2:], epochs(2, seed=3, first_epoch=2))
    assert not np.array_equal(unbroken, epochs(4, seed=4))


def test_repeat_goes_on_with_new_pairs():
    dataset = data.arrays(_numbered(9), _numbered(9, first=100))
    drawn = _drawn(dataset.repeat().take(18))
    assert sorted(drawn[:9]) != sorted(drawn[9:])


def test_b_is_drawn_independently_of_a():
    """Over many epochs every image of B meets every image of A."""
    dataset = data.arrays(_numbered(4), _numbered(4, first=100))
    drawn = _drawn(dataset.repeat().take(400))
    assert len(set(drawn)) == 16
    counts = np.bincount([4 * a + b - 100 for a, b in drawn])
    assert counts.min() > 8


def test_without_training_pairs_come_in_order():
    dataset = data.arrays(_numbered(5), _numbered(2, first=100), training=False, batch_size=2)
    assert [tuple(pair[0].shape) for pair in dataset] == [(2, 8, 8, 1), (2, 8, 8, 1), (1, 8, 8, 1)]
    singles = _drawn(data.arrays(_numbered(5), _numbered(2, first=100), training=False))
    assert singles == [(0, 100), (1, 101), (2, 100), (3, 101), (4, 100)]


def test_values_lie_in_minus_1_to_1():
    black_and_white = np.zeros((1, 8, 8, 3), np.uint8)
    black_and_white[:, :, :4] = 255
    image, _ = next(iter(data.arrays(black_and_white, black_and_white, flip=False)))
    assert image.dtype == "float32"
    np.testing.assert_array_equal(image[0, 0, :, 0], [1, 1, 1, 1, -1, -1, -1, -1])


def test_half_of_the_images_are_mirrored():
    source = np.zeros((1, 8, 8, 1), np.uint8)
    source[:, :, 0] = 255
    dataset = data.arrays(source, source).repeat().take(400)
    mirrored = [[float(image[0, 0, 0, 0]) < 0 for image in pair] for pair in dataset]
    assert 0.4 < np.mean(mirrored) < 0.6
    a, b = np.transpose(mirrored)
    assert 0.4 < np.mean(a == b) < 0.6  # the two domains independently


def test_crops_reach_every_corner():
    ramp = np.uint8(np.add.outer(10 * np.arange(6), np.arange(7)))[None, ..., None]
    dataset = data.arrays(ramp, ramp, preprocess="crop", crop_size=4, flip=False)
    corners = {
        round((float(pair[0][0, 0, 0, 0]) + 1) * 127.5) for pair in dataset.repeat().take(200)
    }
    assert corners == {10 * row + column for row in range(3) for column in range(4)}


@pytest.mark.parametrize(
    ("preprocess", "expected"),
    [
        ("resize_and_crop", (16, 16)),
        ("crop", (16, 16)),
        ("scale_width_and_crop", (16, 16)),
        ("scale_width", (24, 20)),
        ("none", (32, 40)),
    ],
)
def test_preprocessing_modes(preprocess, expected):
    source = smooth(48 if preprocess == "scale_width" else 32, 40)[None]
    dataset = data.arrays(source, source, preprocess=preprocess, load_size=20, crop_size=16)
    image, _ = next(iter(dataset))
    assert image.shape == (1, *expected, 3)
    assert dataset.element_spec[0].shape == (1, *expected, 3)


def test_sizes_are_rounded_to_multiples_of_4_where_nothing_is_cropped():
    source = smooth(30, 41)[None]
    image, _ = next(iter(data.arrays(source, source)))
    assert image.shape == (1, 32, 40, 3)


def test_resize_and_crop_agrees_with_pillow():
    source = smooth(50, 30)
    dataset = data.arrays(
        [source], [source], preprocess="resize_and_crop", image_size=16, training=False
    )
    expected = Image.fromarray(source).resize((16, 16), Image.Resampling.BICUBIC)
    image, _ = next(iter(dataset))
    np.testing.assert_allclose((image[0] + 1) * 127.5, np.asarray(expected), atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preprocess": "zoom"}, "'zoom'"),
        ({"preprocess": "crop", "crop_size": 9}, "8 x 8 pixels, too few for a crop of 9"),
        ({"preprocess": "resize_and_crop", "load_size": 8, "crop_size": 9}, "does not fit"),
        ({"image_size": 8, "load_size": 8}, "not both"),
        ({"preprocess": "crop", "image_size": 0}, "must be at least 1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"batch_size": 6}, "A batch of 6 needs as many"),
    ],
)
def test_arguments_that_cannot_work_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        data.arrays(_numbered(5), _numbered(5), **arguments)


def test_arrays_of_another_kind_are_refused():
    with pytest.raises(InputError, match="float32"):
        data.arrays(np.zeros((1, 8, 8, 3), np.float32), _numbered(1))
    with pytest.raises(InputError, match="one number of channels"):
        data.arrays(np.zeros((1, 8, 8, 3), np.uint8), _numbered(1))
    with pytest.raises(InputError, match="no images of domain B"):
        data.arrays(_numbered(1), _numbered(1)[:0])
    different = [np.zeros((8, 8, 3), np.uint8), np.zeros((12, 8, 3), np.uint8)]
    with pytest.raises(InputError, match="different sizes"):
        data.arrays(different, different, batch_size=2)


def test_n_channels_come_through():
    images = np.random.default_rng(0).integers(0, 255, (3, 12, 12, 5), dtype=np.uint8)
    dataset = data.arrays(images, images, preprocess="resize_and_crop", image_size=8)
    assert next(iter(dataset))[0].shape == (1, 8, 8, 5)


@pytest.fixture
def root(tmp_path):
    """A folder in the layout of the reference implementation."""
    for number, part in enumerate(("trainA", "trainB", "testA", "testB")):
        folder = tmp_path / "data" / part
        folder.mkdir(parents=True)
        for index in range(3):
            Image.fromarray(smooth(20, 30, seed=10 * number + index)).save(folder / f"{index}.png")
    return tmp_path / "data"


def test_folders_read_the_layout_of_the_reference_or_two_folders(root):
    by_layout = data.folders(root, image_size=16, seed=5)
    by_name = data.folders(root / "trainA", root / "trainB", image_size=16, seed=5)
    for first, second in zip(by_layout, by_name):
        np.testing.assert_array_equal(first, second)
    image, _ = next(iter(data.folders(root, split="test", preprocess="none", channels=1)))
    assert image.shape == (1, 20, 32, 1)


def test_test_split_is_not_augmented(root):
    for number, pair in enumerate(data.folders(root, split="test", image_size=16)):
        for domain, image in zip("AB", pair):
            with Image.open(root / f"test{domain}" / f"{number}.png") as file:
                expected = np.asarray(file.resize((16, 16), Image.Resampling.BICUBIC))
            np.testing.assert_allclose((image[0] + 1) * 127.5, expected, atol=1e-3)


def test_folders_name_what_is_missing(root):
    with pytest.raises(InputError, match="valA does not exist; expected"):
        data.folders(root, split="val")
    with pytest.raises(InputError, match="missing"):
        data.folders(root / "trainA", root / "missing")


def test_a_folder_of_pairs_side_by_side_is_recognized(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(InputError, match=r"trainA does not exist, but .*train does; .*side-by-s"):
        data.folders(tmp_path)


def test_a_file_that_vanishes_is_named_where_it_is_read(root):
    dataset = data.folders(root, image_size=16)
    for path in (root / "trainB").iterdir():
        path.unlink()
    with pytest.raises(Exception, match=r"InputError: .*trainB.*does not exist"):
        list(dataset)


def test_scenes_differ_by_domain_and_split_and_repeat_by_seed():
    labels, photographs, classes = data.scene_pairs(3, (32, 48), seed=1)
    assert labels.shape == photographs.shape == (3, 32, 48, 3)
    np.testing.assert_array_equal(COLORS[classes], labels)
    np.testing.assert_array_equal(data.scene_pairs(3, (32, 48), seed=1)[1], photographs)
    assert not np.array_equal(data.scene_pairs(3, (32, 48), seed=2)[1], photographs)
    assert not np.array_equal(data.scene_pairs(3, (32, 48), split="train", seed=1)[1], photographs)


def test_every_class_of_the_scenes_occurs_often():
    _, _, classes = data.scene_pairs(50, 64)
    shares = np.bincount(classes.ravel(), minlength=len(CLASSES)) / classes.size
    assert shares.min() > 0.03
    assert shares.max() < 0.5


def test_domain_b_shows_other_scenes_than_domain_a():
    """No photograph of the training data is of a scene whose label map is in it."""
    shown = [[np.uint8(np.round((image[0] + 1) * 127.5)) for image in pair]
             for pair in data.scenes(4, 32, training=False, split="train")]  # fmt: skip
    for number in range(4):
        photograph, classes = render(number, (32, 32))
        assert any(np.array_equal(COLORS[classes], label_map) for label_map, _ in shown)
        assert not any(np.array_equal(photograph, other) for _, other in shown)


@pytest.mark.parametrize(
    "arguments",
    [{"image_size": 30}, {"count": 0}, {"split": "val"}, {"seed": -1}, {"seed": 1.5}],
)
def test_scenes_name_bad_arguments(arguments):
    with pytest.raises(InputError, match=str(next(iter(arguments.values())))):
        data.scenes(**arguments)


def test_arguments_that_sources_share_have_one_default():
    """Each source spells its arguments out, for its users; what they mean must not drift apart."""
    built_in = (data.scenes, data.earth)
    sources = (data.folders, data.side_by_side, data.from_tfds, data.arrays, *built_in)
    # Images in memory are not resized unless asked for, and have their own channels; built-in
    # images have a size, and they and arrays are no split of a folder.
    own = {
        "arrays": {"preprocess", "channels", "training"},
        "scenes": {"image_size"},
        "earth": {"image_size"},
    }
    defaults = {}
    for source in sources:
        for name, parameter in inspect.signature(source).parameters.items():
            if name not in own.get(source.__name__, set()) | {"a", "b", "name"}:
                defaults.setdefault(name, set()).add(parameter.default)
    shared = {"training", "flip", "batch_size", "steps_per_epoch", "seed", "first_epoch", "paired"}
    assert shared <= defaults.keys()
    assert {name: found for name, found in defaults.items() if len(found) > 1} == {}
