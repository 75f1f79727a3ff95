"""Paired data: both images of a pair stay aligned to the pixel, whatever is drawn.

Mostly, B is A with its channels in reverse order: a function that resizing, crops and flips leave
as it is, to the last bit, so that it holds for a training pair if, and only if, both had the same.
"""

import json

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf import InputError, data
from cyclegan_tf.data.folders import folder_sources
from cyclegan_tf.data.matching import matched
from cyclegan_tf.data.scenes import render
from cyclegan_tf.data.side_by_side import side_by_side_sources
from cyclegan_tf.pixels import to_uint8
from cyclegan_tf.preprocessing import by_domain
from cyclegan_tf.training.descriptions import differences

SIZES = {"load_size": 20, "crop_size": 16}


def _noise(count=3, size=(32, 40), channels=3):
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (count, *size, channels), dtype=np.uint8)


def _elements(dataset):
    """Each batch as two arrays."""
    return [tuple(image.numpy() for image in pair) for pair in dataset]


def _save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize(
    ("preprocess", "least_different"),
    # Of 60 drawn from 3 images: each as it is and mirrored, and more if there are crops.
    [
        ("resize_and_crop", 20),
        ("crop", 20),
        ("scale_width_and_crop", 10),
        ("scale_width", 6),
        ("none", 6),
    ],
)
def test_both_images_have_one_index_one_crop_and_one_flip(preprocess, least_different):
    images = _noise()
    dataset = data.arrays(
        images, images[..., ::-1], paired=True, preprocess=preprocess, **SIZES
    ).repeat()
    drawn = _elements(dataset.take(60))
    for image_a, image_b in drawn:
        np.testing.assert_array_equal(image_b, image_a[..., ::-1])
    assert len({image_a.tobytes() for image_a, _ in drawn}) >= least_different


def test_an_epoch_has_each_pair_once_and_a_is_as_without_pairs():
    images = _noise(7, (8, 8))
    unpaired = data.arrays(images, images)
    paired = data.arrays(images, images[..., ::-1], paired=True)
    assert len(paired) == 7
    for _ in range(3):
        epoch = [image_a for image_a, _ in _elements(paired)]
        np.testing.assert_array_equal(epoch, [image_a for image_a, _ in _elements(unpaired)])
        assert len({np.sort(image_a, axis=None).tobytes() for image_a in epoch}) == 7


def test_resumed_and_shared_pairs_are_those_of_the_unbroken_order():
    images = _noise(5, (12, 12))
    pairs = data.arrays(
        images, images[..., ::-1], paired=True, preprocess="crop", crop_size=8, batch_size=2
    ).elements
    unbroken = _elements(pairs.from_step().take(8))
    assert pairs.steps_per_epoch == 2
    resumed = _elements(pairs.from_step(first_epoch=1, first_step=1).take(5))
    np.testing.assert_array_equal(resumed, unbroken[3:])
    shares = [_elements(pairs.from_step(worker=n, workers=2, replicas=2).take(8)) for n in range(2)]
    np.testing.assert_array_equal(np.concatenate(shares, axis=2), unbroken)
    for image_a, image_b in [pair for share in shares for pair in share]:
        np.testing.assert_array_equal(image_b, image_a[..., ::-1])


def _ramp(height, width):
    """Red grows to the right and green downwards: colors say where a pixel was in the image."""
    row, column = np.mgrid[0:height, 0:width]
    red, green = (column + 0.5) * 255 / width, (row + 0.5) * 255 / height
    return np.uint8(np.round(np.stack([red, green, np.zeros_like(red)], axis=-1)))


@pytest.mark.parametrize(
    ("preprocess", "size_b"),
    [
        ("resize_and_crop", (57, 91)),
        ("scale_width", (64, 80)),
        ("scale_width_and_crop", (64, 80)),
    ],
)
def test_images_of_different_sizes_show_the_same_part(preprocess, size_b):
    dataset = data.arrays(
        [_ramp(32, 40)], [_ramp(*size_b)], paired=True, preprocess=preprocess, **SIZES
    )
    corners = set()
    for image_a, image_b in _elements(dataset.repeat().take(30)):
        a, b = np.int16(to_uint8(image_a)), np.int16(to_uint8(image_b))
        assert np.abs(a[0, 2:-2, 2:-2] - b[0, 2:-2, 2:-2]).max() <= 3  # a pixel is 255 / 20
        corners.add(tuple(a[0, 0, 0]))
    assert len(corners) > 1


@pytest.mark.parametrize("preprocess", ["crop", "none", "scale_width", "scale_width_and_crop"])
@pytest.mark.parametrize("training", [True, False])
def test_images_that_preprocessing_leaves_of_different_sizes_are_named(
    preprocess, training, tmp_path
):
    for name, width in (("0", 40), ("1", 48)):
        _save(tmp_path / "trainA" / f"{name}.png", _noise(1)[0])
        _save(tmp_path / "trainB" / f"{name}.bmp", _noise(1, (32, width))[0])
    expected = r"Image 1\.png of .*trainA has 40 x 32 .* image 1\.bmp of .*trainB has 48 x 32; "
    arguments = {"preprocess": preprocess, "load_size": 32, "crop_size": 16, "training": training}
    with pytest.raises(InputError, match=expected):
        data.folders(tmp_path, paired=True, **arguments)
    data.folders(tmp_path, **arguments)  # unpaired, they may


def test_arrays_of_different_numbers_are_no_pairs():
    with pytest.raises(InputError, match=r"Received: 3 of domain A, 2 of domain B"):
        data.arrays(_noise(3), _noise(2), paired=True)


def test_a_data_set_says_whether_it_is_paired():
    images = _noise(2, (8, 8))
    for paired in (True, False):
        dataset = data.arrays(images, images, paired=paired)
        assert dataset.paired == dataset.elements.paired == paired
        assert data.arrays(images, images, paired=paired, training=False).paired == paired
    unpaired, paired = (
        data.arrays(images, images, paired=paired).elements.fingerprint()
        for paired in (False, True)
    )
    found = differences({"settings": json.loads(json.dumps(unpaired))}, {"settings": paired})
    assert found == "paired was False, now True"


def test_pairs_to_evaluate_come_in_order_and_without_chance():
    images = _noise(5, (20, 24))
    arguments = {"preprocess": "crop", "crop_size": 16, "batch_size": 2}
    dataset = data.arrays(images, images[..., ::-1], paired=True, training=False, **arguments)
    batches = _elements(dataset)
    image_a, image_b = (np.concatenate(domain) for domain in zip(*batches))
    np.testing.assert_array_equal(to_uint8(image_a), images[:, 2:18, 4:20])
    np.testing.assert_array_equal(image_b, image_a[..., ::-1])


def test_folders_are_matched_by_relative_path_without_suffix(tmp_path):
    images = _noise(4)
    names = ("b.png", "sub/a.png", "sub/b.v2.png", "z/1.png")
    for name, pixels in zip(names, images):
        _save(tmp_path / "trainA" / name, pixels)
        _save(tmp_path / "trainB" / name.replace(".png", ".bmp"), pixels[..., ::-1])
    for arguments in ((tmp_path,), (tmp_path / "trainA", tmp_path / "trainB")):
        dataset = data.folders(*arguments, paired=True, training=False, preprocess="none")
        assert len(dataset) == 4
        for pixels, (image_a, image_b) in zip(images, _elements(dataset)):
            np.testing.assert_array_equal(to_uint8(image_a)[0], pixels)
            np.testing.assert_array_equal(image_b, image_a[..., ::-1])


def test_images_without_counterpart_are_named_and_left_out(tmp_path):
    images = _noise(3)
    for number, pixels in enumerate(images):
        _save(tmp_path / "trainA" / f"{number}.png", pixels)
        _save(tmp_path / "trainB" / f"{number + 1}.png", images[(number + 1) % 3][..., ::-1])
    with pytest.warns(UserWarning, match="has none of the same name") as warned:
        dataset = data.folders(tmp_path, paired=True, preprocess="none", training=False)
    paths = f"{tmp_path / 'trainA' / '0.png'}, {tmp_path / 'trainB' / '3.png'}."
    assert [str(w.message).partition("read: ")[2] for w in warned] == [paths]
    drawn = _elements(dataset)
    assert len(drawn) == 2
    for pixels, (image_a, image_b) in zip(images[1:], drawn):
        np.testing.assert_array_equal(to_uint8(image_a)[0], pixels)
        np.testing.assert_array_equal(image_b, image_a[..., ::-1])


def test_many_images_without_counterpart_are_counted(tmp_path):
    for number in range(9):
        _save(tmp_path / "a" / f"{number}.png", _noise(1)[0])
    _save(tmp_path / "b" / "8.png", _noise(1)[0])
    with pytest.warns(UserWarning, match=r"4\.png and 3 more\."):
        assert len(data.folders(tmp_path / "a", tmp_path / "b", paired=True)) == 1


def test_a_damaged_image_takes_its_counterpart_along(tmp_path):
    for name in ("0", "1"):
        _save(tmp_path / "trainA" / f"{name}.png", _noise(1)[0])
        _save(tmp_path / "trainB" / f"{name}.png", _noise(1)[0])
    (tmp_path / "trainB" / "0.png").write_bytes(b"no image")
    with pytest.warns(UserWarning, match="left out") as warned:
        source_a, source_b = folder_sources(tmp_path, paired=True)
    assert source_a.names == source_b.names == ["1.png"]
    messages = [str(warning.message) for warning in warned]
    assert len(messages) == 2
    assert str(tmp_path / "trainB" / "0.png") in messages[0]
    assert str(tmp_path / "trainA" / "0.png") in messages[1]


def test_folders_without_a_pair_are_refused(tmp_path):
    _save(tmp_path / "trainA" / "horse.png", _noise(1)[0])
    _save(tmp_path / "trainB" / "sub" / "horse.png", _noise(1)[0])
    with pytest.raises(InputError, match=r"No image of .*trainA has the name of .*sub.horse\.png"):
        data.folders(tmp_path, paired=True)


def test_one_name_with_two_suffixes_is_refused(tmp_path):
    for name in ("trainA/1.png", "trainB/1.png", "trainB/1.bmp"):
        _save(tmp_path / name, _noise(1)[0])
    with pytest.raises(InputError, match=r"trainB.1\.bmp and .*trainB.1\.png have the same name"):
        data.folders(tmp_path, paired=True)


@pytest.mark.parametrize(("order", "of_a"), [("ab", "left"), ("ba", "right")])
def test_halves_side_by_side_are_a_pair(order, of_a, tmp_path):
    images = _noise(3)
    for number, pixels in enumerate(images):
        halves = [pixels, pixels[..., ::-1]] if of_a == "left" else [pixels[..., ::-1], pixels]
        both = np.concatenate(halves, axis=1)
        _save(tmp_path / "train" / "sub" / f"{number}.png", both)
        _save(tmp_path / "test" / f"{number}.png", both[::-1])
    test = data.side_by_side(tmp_path, order=order, split="test", preprocess="none")
    for pixels, (image_a, image_b) in zip(images, _elements(test)):
        np.testing.assert_array_equal(to_uint8(image_a)[0], pixels[::-1])
        np.testing.assert_array_equal(to_uint8(image_b)[0], pixels[::-1, :, ::-1])
    train = data.side_by_side(tmp_path, order=order, **SIZES)
    assert len(train) == 3
    assert train.paired
    drawn = _elements(train.repeat().take(30))
    assert len({image_a.tobytes() for image_a, _ in drawn}) > 6
    for image_a, image_b in drawn:
        assert image_a.shape == (1, 16, 16, 3)
        np.testing.assert_array_equal(image_b, image_a[..., ::-1])


def test_halves_of_a_jpeg_are_those_that_pillow_cuts(tmp_path):
    """Large enough to be decoded at a reduced scale, which would mix the halves."""
    _, (left, right), _ = data.scene_pairs(2, (256, 252))
    path = tmp_path / "train" / "1.jpg"
    _save(path, np.concatenate([left, right], axis=1))
    with Image.open(path) as image:
        expected = image.crop((0, 0, 252, 256)), image.crop((252, 0, 504, 256))
    for source, half in zip(side_by_side_sources(tmp_path), expected):
        np.testing.assert_array_equal(source.load(0, (16, 16)), np.asarray(half))
        assert source.sizes == [(256, 252)]


def test_the_order_of_halves_is_part_of_the_fingerprint(tmp_path):
    _save(tmp_path / "train" / "1.png", _noise(1)[0])
    ab, ba = (
        data.side_by_side(tmp_path, order=order, **SIZES).elements.fingerprint()
        for order in ("ab", "ba")
    )
    assert "domain A" in differences({"settings": ab}, {"settings": ba})


def test_files_that_are_not_side_by_side_are_named(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        data.side_by_side(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"train does not exist; expected .* side by side"):
        data.side_by_side(tmp_path)
    _save(tmp_path / "train" / "0.png", _noise(1)[0])
    _save(tmp_path / "train" / "1.png", _noise(1, (32, 41))[0])
    with pytest.raises(InputError, match=r"train.1\.png has 41 x 32 pixels; expected an even"):
        data.side_by_side(tmp_path)
    with pytest.raises(InputError, match="order must be one of ab, ba"):
        data.side_by_side(tmp_path, order="AtoB")


def test_paired_scenes_are_label_maps_and_their_photographs():
    label_maps, photographs, _ = data.scene_pairs(3, 32, seed=2)
    dataset = data.scenes(3, 32, split="test", paired=True, seed=2)
    image_a, image_b = (np.concatenate(domain) for domain in zip(*_elements(dataset)))
    np.testing.assert_array_equal(to_uint8(image_a), label_maps)
    np.testing.assert_array_equal(to_uint8(image_b), photographs)
    train = data.scenes(2, 32, paired=True, seed=2, flip=False)
    expected = {render(number, (32, 32), 2)[0].tobytes() for number in range(2)}
    assert {to_uint8(image_b).tobytes() for _, image_b in _elements(train)} == expected


def test_domains_may_have_different_channels(tmp_path):
    images = _noise(2)
    gray = images[..., :1]
    for number, pixels in enumerate(images):
        _save(tmp_path / "trainA" / f"{number}.png", pixels[..., 0])
        _save(tmp_path / "trainB" / f"{number}.png", pixels)
        _save(
            tmp_path / "train" / f"{number}.png",
            np.concatenate([pixels[..., :1].repeat(3, axis=-1), pixels], axis=1),
        )
    arguments = {"preprocess": "crop", "crop_size": 16, "channels": (1, 3)}
    for dataset in (
        data.arrays(gray, images, paired=True, **arguments),
        data.folders(tmp_path, paired=True, **arguments),
        data.side_by_side(tmp_path, **arguments),
    ):
        for image_a, image_b in _elements(dataset):
            assert image_a.shape == (1, 16, 16, 1)
            np.testing.assert_array_equal(image_a, image_b[..., :1])
        fingerprint = dataset.elements.fingerprint()
        assert json.loads(json.dumps(fingerprint)) == fingerprint


def test_channels_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"domain B have 3 channels; expected 4"):
        data.arrays(_noise(), _noise(), channels=(3, 4))
    with pytest.raises(InputError, match=r"one number, or two: .* Received: \(1, 2, 3\)"):
        by_domain((1, 2, 3))


def test_matched_keeps_the_order_of_a(tmp_path):
    for name in ("10", "9", "a/1"):
        for domain in "ab":
            _save(tmp_path / domain / f"{name}.png", _noise(1)[0])
    source_a, source_b = folder_sources(tmp_path / "a", tmp_path / "b")
    shuffled = source_b.subset([2, 0, 1])
    assert [source.names for source in matched(source_a, shuffled)] == [source_a.names] * 2
