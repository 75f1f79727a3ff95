"""Measures of structure: by hand, by a plain second implementation, and what they must ignore."""

import tracemalloc

import numpy as np
import pytest

from cyclegan_tf.metrics import edge_agreement, perceptual_distance, self_similarity_distance


def _map(*positions):
    """Of one image, one row high."""
    return np.array(positions, np.float32)[None, None]


def test_self_similarity_by_hand():
    apart, alike, opposite = _map((1, 0), (0, 1)), _map((1, 0), (1, 0)), _map((1, 0), (-1, 0))
    # Cosines of the two positions: 0, 1, -1; those of a position and itself are 1 always.
    assert self_similarity_distance(apart, apart) == [0]
    assert self_similarity_distance(apart, alike) == [0.5]
    assert self_similarity_distance(alike, opposite) == [1]
    assert self_similarity_distance([apart, alike], [alike, opposite]) == [0.75]
    # Other features of the same likeness, and of other lengths.
    assert self_similarity_distance(apart, _map((0, 5), (-3, 0))) == [0]
    # What has no length resembles nothing, itself included.
    assert self_similarity_distance(apart, _map((1, 0), (0, 0))) == [0.25]


def test_perceptual_distance_by_hand():
    first, second = _map((3, 4), (0, 2)), _map((8, 6), (0, 1))
    # (0.6, 0.8) and (0.8, 0.6); then twice (0, 1).
    np.testing.assert_allclose(perceptual_distance(first, second), [0.04], rtol=1e-6)
    opposite = [first, _map((1, 0))], [second, _map((-1, 0))]
    np.testing.assert_allclose(perceptual_distance(*opposite), [(0.04 + 4) / 2], rtol=1e-6)
    assert perceptual_distance(first, 7 * first) == pytest.approx([0], abs=1e-12)


@pytest.mark.parametrize("distance", [self_similarity_distance, perceptual_distance])
def test_images_do_not_mix(distance):
    maps_1, maps_2 = np.random.default_rng(0).normal(size=(2, 3, 4, 5, 6))
    together = distance([maps_1, maps_1[:, :2]], [maps_2, maps_2[:, :2]])
    alone = [
        distance([one, one[:, :2]], [two, two[:, :2]])[0]
        for one, two in zip(maps_1[:, None], maps_2[:, None])
    ]
    assert together.shape == (3,)
    np.testing.assert_allclose(together, alone, rtol=1e-12)


@pytest.mark.parametrize("distance", [self_similarity_distance, perceptual_distance])
def test_maps_are_not_copied_at_once(distance):
    """Of one image there are float64 copies, of all only which values are finite."""
    maps = np.ones((64, 8, 8, 64), np.float32)
    tracemalloc.start()
    distance(maps, maps)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < maps.nbytes / 2


_DOWN = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])


def _edges(image):
    """Lengths of gradients, a pixel at a time."""
    gray = image.mean(-1)
    return [
        np.hypot((patch * _DOWN).sum(), (patch * _DOWN.T).sum())
        for row in range(gray.shape[0] - 2)
        for column in range(gray.shape[1] - 2)
        for patch in [gray[row : row + 3, column : column + 3]]
    ]


def test_edge_agreement_by_brute_force():
    images_1, images_2 = np.random.default_rng(0).integers(0, 256, (2, 4, 7, 9, 3))
    expected = [np.corrcoef(_edges(one), _edges(two))[0, 1] for one, two in zip(images_1, images_2)]
    np.testing.assert_allclose(edge_agreement(np.uint8(images_1), np.uint8(images_2)), expected)


def test_edges_of_other_colors_agree_and_those_that_moved_do_not():
    image = np.random.default_rng(0).integers(0, 200, (1, 6, 6, 3)).repeat(4, 1).repeat(4, 2)
    np.testing.assert_allclose(edge_agreement(image, image), [1])
    np.testing.assert_allclose(edge_agreement(image, 255 - image), [1])
    np.testing.assert_allclose(edge_agreement(image, image[..., ::-1] / 2 + 30), [1])
    assert abs(edge_agreement(image, np.roll(image, 2, axis=1))[0]) < 0.3
    np.testing.assert_allclose(edge_agreement(image, image.mean(-1, keepdims=True)), [1])
    assert edge_agreement(image, np.full_like(image, 77)) == [0]
    assert edge_agreement(image, np.full(image.shape, 0.1)) == [0]


@pytest.mark.parametrize("distance", [self_similarity_distance, perceptual_distance])
def test_maps_must_be_pairs(distance):
    maps = np.ones((2, 4, 4, 3))
    with pytest.raises(ValueError, match=r"as many maps of both sets\. Received: 1 and 2"):
        distance([maps], [maps, maps])
    with pytest.raises(ValueError, match="Received: 0 and 0"):
        distance([], [])
    with pytest.raises(ValueError, match=r"as many images in both sets\. Received: 2 and 1"):
        distance(maps, maps[:1])
    with pytest.raises(ValueError, match=r"all of one size.*\(2, 4, 4, 3\) and \(2, 3, 4, 3\)"):
        distance(maps, maps[:, 1:])
    maps[1, 2, 0, 1] = np.nan
    with pytest.raises(ValueError, match="Received: NaN or infinity in image 1"):
        distance(maps, maps)


def test_images_must_be_pairs_of_three_pixels_or_more():
    images = np.ones((2, 3, 3, 3))
    with pytest.raises(ValueError, match=r"at least 3 by 3 pixels.*\(2, 2, 3, 3\)"):
        edge_agreement(images[:, 1:], images[:, 1:])
    with pytest.raises(ValueError, match="as many images in both sets"):
        edge_agreement(images, images[:1])
    with pytest.raises(ValueError, match="NaN or infinity in image 0"):
        edge_agreement(images * np.inf, images)
