"""Neural style transfer: its terms by hand, their gradient by differences, and its command."""

import dataclasses
import re

import h5py
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tiny import smooth

from cyclegan_tf import InputError
from cyclegan_tf.choices import STYLE_SETTINGS
from cyclegan_tf.experiments import neural_style
from cyclegan_tf.experiments.neural_style import (
    SETTINGS,
    gram,
    half_squared_differences,
    mean_grams,
    normalized,
    objective_of,
    resized,
)
from cyclegan_tf.networks.vgg import VGGFeatures


@pytest.fixture(scope="module")
def small_vgg(tmp_path_factory):
    """A file of VGG-16 up to `relu5_1`, with few channels."""
    path = tmp_path_factory.mktemp("vgg") / "vgg.h5"
    rng = np.random.default_rng(0)
    channels = 3
    with h5py.File(path, "w") as file:
        for block, count in enumerate((2, 2, 3, 3, 1), 1):
            for number in range(1, count + 1):
                name = f"block{block}_conv{number}"
                kernel = rng.normal(0, np.sqrt(2 / 9 / channels), (3, 3, channels, 4))
                file[f"{name}/{name}/kernel:0"] = np.float32(kernel)
                file[f"{name}/{name}/bias:0"] = np.zeros(4, np.float32)
                channels = 4
    return path


def _vgg(path, setting, dtype="float64"):
    return VGGFeatures(path, ("relu4_2", *setting.style_weights), dtype=dtype)


def test_a_gram_matrix_is_that_computed_by_hand():
    maps = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]).reshape(1, 3, 1, 2)
    expected = np.array([[1 + 9 + 25, 2 + 12 + 30], [2 + 12 + 30, 4 + 16 + 36]]) / 3
    np.testing.assert_allclose(gram(maps, per_channel=False), expected)
    np.testing.assert_allclose(gram(maps, per_channel=True), expected / 2)


def test_variation_is_that_computed_by_hand():
    image = tf.constant([[1.0, 4.0, 0.0], [3.0, 2.0, 9.0]])[..., tf.newaxis]
    # Down and to the right of 1 and of 4; the last row and column begin nothing.
    expected = 0.5 * ((3 - 1) ** 2 + (4 - 1) ** 2 + (2 - 4) ** 2 + (0 - 4) ** 2)
    assert float(half_squared_differences(image)) == expected


def test_the_mean_is_taken_of_gram_matrices(small_vgg):
    """Not of the paintings, and whatever their sizes."""
    setting = SETTINGS["johnson"]
    vgg = _vgg(small_vgg, setting)
    paintings = [smooth(40, 32, seed=1), smooth(24, 48, seed=2)]
    each = [mean_grams(vgg, [painting], setting) for painting in paintings]
    both = mean_grams(vgg, iter(paintings), setting)
    for mean, first, second in zip(both, *each, strict=True):
        np.testing.assert_allclose(mean, (first + second) / 2)
        assert np.abs(first - second).max() > 0


def test_a_normalized_layer_has_a_mean_of_1(small_vgg):
    images = [smooth(40, 32, seed=1), smooth(24, 48, seed=2)]
    maps_of = normalized(_vgg(small_vgg, SETTINGS["gatys"]), images)
    means = [
        [float(tf.reduce_mean(maps)) for maps in maps_of(np.float32(image)[np.newaxis] / 127.5 - 1)]
        for image in images
    ]
    np.testing.assert_allclose(np.mean(means, 0), 1.0)
    assert SETTINGS["gatys"].normalized
    assert not SETTINGS["johnson"].normalized


@pytest.mark.parametrize("name", STYLE_SETTINGS)
def test_the_terms_are_those_of_the_published_settings(name, small_vgg):
    """The formulas anew, in NumPy."""
    setting = SETTINGS[name]
    vgg = _vgg(small_vgg, setting)
    content, painting = smooth(32, 32, seed=1), smooth(32, 32, seed=2)
    grams = mean_grams(vgg, [painting], setting)
    image = np.random.default_rng(0).uniform(0, 255, (32, 32, 3))
    terms, _ = objective_of(vgg, content, grams, setting)(tf.constant(image))

    of_image, of_content, of_painting = (
        [np.array(each)[0] for each in vgg(tf.constant(np.float64(each)[np.newaxis] / 127.5 - 1))]
        for each in (image, content, painting)
    )
    content_weight, weights, variation = {
        "johnson": (5, [100] * 5, 1e-3),
        "gatys": (1, [1e3 / n**2 for n in (64, 128, 256, 512, 512)], 0),
    }[name]
    expected = {
        "content": content_weight * ((of_image[0] - of_content[0]) ** 2).mean(),
        "style": 0.0,
    }
    for weight, ours, theirs in zip(weights, of_image[1:], of_painting[1:], strict=True):
        matrices = [np.einsum("yxi,yxj->ij", f, f) / f[..., 0].size for f in (ours, theirs)]
        if name == "johnson":
            matrices = [matrix / 4 for matrix in matrices]
        expected["style"] += weight * ((matrices[0] - matrices[1]) ** 2).mean()
    if variation:
        corner = image[:-1, :-1]
        differences = ((image[1:, :-1] - corner) ** 2 + (image[:-1, 1:] - corner) ** 2).sum()
        expected["variation"] = variation * differences / 2
    assert terms.keys() == expected.keys()
    for term, value in terms.items():
        # The images in [-1, 1] are float32.
        assert float(value) == pytest.approx(expected[term], rel=1e-5), term


def test_the_gradient_is_that_of_differences(small_vgg):
    setting = dataclasses.replace(SETTINGS["johnson"], variation_weight=0.1)
    vgg = _vgg(small_vgg, setting)
    grams = mean_grams(vgg, [smooth(32, 32, seed=2)], setting)
    objective = objective_of(vgg, smooth(32, 32, seed=1), grams, setting)
    rng = np.random.default_rng(0)
    image, direction = rng.uniform(0, 255, (32, 32, 3)), rng.normal(0, 1, (32, 32, 3))

    def value(step):
        terms, gradient = objective(tf.constant(image + step * direction))
        return float(sum(terms.values())), np.array(gradient)

    _, gradient = value(0.0)
    step = 1e-5
    slope = (value(step)[0] - value(-step)[0]) / (2 * step)
    assert slope == pytest.approx((gradient * direction).sum(), rel=1e-5)


@pytest.mark.parametrize(("shorter", "expected"), [(False, (24, 32)), (True, (32, 43))])
def test_the_side_that_counts_is_that_of_the_setting(shorter, expected):
    assert resized(smooth(48, 64), 32, shorter).shape == (*expected, 3)
    assert SETTINGS["gatys"].shorter_side
    assert not SETTINGS["johnson"].shorter_side


@pytest.mark.parametrize("setting", STYLE_SETTINGS)
def test_where_it_starts_and_whether_the_scale_of_vgg_counts(setting, small_vgg, tmp_path):
    pytest.importorskip("scipy")
    louder = tmp_path / "louder.h5"  # by 2 in every layer, whose biases are 0
    louder.write_bytes(small_vgg.read_bytes())
    with h5py.File(louder, "r+") as file:
        file["block1_conv1/block1_conv1/kernel:0"][:] *= 2
    styles, terms = [smooth(40, 32, seed=1)], []
    for features in (small_vgg, louder):
        lines = []
        given = {"setting": setting, "image_size": 32, "evaluations": 1}
        neural_style.neural_style(smooth(), styles, features=features, log=lines.append, **given)
        terms.append([float(value) for value in re.findall(r" ([\d.e+-]+)[,)]", lines[0])])
    (content, style, *_), (of_louder, style_of_louder, *_) = terms
    if setting == "gatys":
        assert max(content, of_louder) < 1e-9 < style
        assert style_of_louder == pytest.approx(style, rel=1e-3)
    else:
        assert content > 1.0  # noise shows nothing of the photograph
        assert of_louder == pytest.approx(4 * content, rel=1e-3)
        assert style_of_louder == pytest.approx(16 * style, rel=1e-3)


@pytest.mark.parametrize("setting", STYLE_SETTINGS)
def test_the_command_writes_an_image_nearer_to_the_style(setting, small_vgg, tmp_path, here):
    pytest.importorskip("scipy")
    (tmp_path / "paintings").mkdir()
    for number in range(2):
        Image.fromarray(smooth(40, 48, seed=number)).save(tmp_path / f"paintings/{number}.png")
    Image.fromarray(smooth(48, 64, seed=7)).save(tmp_path / "photograph.png")
    arguments = [tmp_path / "photograph.png", tmp_path / "paintings", tmp_path / "out.png"]
    options = ["--setting", setting, "--image-size", 32, "--features", small_vgg]
    ended = here("style", *arguments, *options, "--evaluations", 60)
    assert ended.status == 0, ended.errors
    assert "in the style of 2 images" in ended.output
    totals = [float(line.split()[3]) for line in ended.output.splitlines() if " of 60: " in line]
    assert len(totals) == 3  # after none, after 50 and at the end
    assert totals[2] <= totals[1] < 0.5 * totals[0]
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == ((43, 32) if setting == "gatys" else (32, 24))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"setting": "other"}, "setting must be one of gatys, johnson. Received: 'other'"),
        ({"image_size": 8}, "image_size must be at least 16. Received: 8"),
        ({"evaluations": 0}, "evaluations must be an integer from 1 on. Received: 0"),
        ({"seed": -1, "setting": "johnson"}, "seed must be an integer from 0 on. Received: -1"),
        ({"styles": []}, "A style needs one painting or more. Received: none"),
    ],
)
def test_what_it_cannot_take_is_named(options, sentence, small_vgg):
    pytest.importorskip("scipy")
    arguments = {"styles": [smooth()], "image_size": 32, "features": small_vgg, **options}
    with pytest.raises(InputError, match=sentence):
        neural_style.neural_style(smooth(), arguments.pop("styles"), **arguments)


def test_a_name_of_no_image_is_refused_before_anything_is_computed(tmp_path):
    with pytest.raises(InputError, match=r"out\.txt is not named as an image; expected one of"):
        neural_style.style_files(tmp_path / "none.png", tmp_path / "none", tmp_path / "out.txt")
